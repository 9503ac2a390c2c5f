"""Answers in words: gathered for people, and their points merged into the grades."""

import base64
import csv
import dataclasses
import json

import pytest

from autograder.manual import COLUMNS, ManualError, gather, merge, read_table
from autograder.restoring import restore_folder
from autograder.results import Result, write_grades, write_json
from tests.grading.test_results import Page

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.fixture
def out(assignment, blank, tmp_path):
    """A grading of three: two answered in words, one of them with a figure; one did not."""
    written = {"=ada": "It is <b>luck</b>.", "ben": "it is  <b>LUCK</b>.", "cy": ""}
    blank.cells[-1]["attachments"] = {"a.png": {"image/png": PICTURE, "image/svg+xml": "<svg/>"}}
    (tmp_path / "file.ipynb").write_text(blank.text())
    files = {"=ada": str(tmp_path / "file.ipynb"), "ben": "gone.ipynb", "cy": "gone.ipynb"}
    results = [
        Result(name, files[name], "ok", assignment, written={"is_it_luck": text})
        for name, text in written.items()
    ]
    for result in results:
        versions = {"torch": "2"}
        result.environment = {"unsafe": False, "backend": "none", "seed": 1, "versions": versions}
        result.fail_everything("Not right.")
        write_json(tmp_path / "out" / result.name / "results.json", result.as_gradescope())
    write_grades(tmp_path / "out" / "grades.csv", results)
    return tmp_path / "out"


@pytest.fixture
def gathered(out, assignments):
    gather(restore_folder(out, assignments), out, max_points=4)
    return out


def table(out):
    return out / "manual" / "points.csv"


def enter(out, **points):
    """Enter points as a person does in a spreadsheet."""
    rows = read_table(table(out))
    with table(out).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            given = points.get(row.name.strip("="), row.points)
            writer.writerow([row.question, row.name, given, row.max_points, row.comment])


def grades(out):
    with (out / "grades.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_a_page_has_every_answer_beside_the_others_and_escapes_it(gathered):
    text = (gathered / "manual" / "is_it_luck.html").read_text()
    Page(text.replace("<img ", "<meta "))
    assert text.count("&lt;b&gt;") == 2 and "<b>" not in text
    assert "2 answered, 1 blank" in text and "<p>cy</p>" in text
    assert "The same words: =ada, ben." in text


def test_a_page_shows_pictures_and_nothing_that_holds_a_program(gathered):
    text = (gathered / "manual" / "is_it_luck.html").read_text()
    assert text.count("<img") == 1 and f'src="data:image/png;base64,{PICTURE}"' in text
    assert "img-src data:" in text and "svg+xml" not in text


def test_the_table_has_a_line_per_answer_and_nothing_for_none(gathered):
    rows = {row.name: (row.points, row.max_points) for row in read_table(table(gathered))}
    assert rows == {"=ada": ("", "4"), "ben": ("", "4"), "cy": ("0", "4")}
    assert "'=ada" in table(gathered).read_text()


def test_gathering_again_keeps_what_was_entered(gathered, assignments):
    enter(gathered, ada="3")
    results = restore_folder(gathered, assignments)
    gather(results[:2], gathered, max_points=9)
    rows = {row.name: (row.points, row.max_points) for row in read_table(table(gathered))}
    assert rows == {"=ada": ("3", "4"), "ben": ("", "4"), "cy": ("0", "4")}


def test_points_come_into_the_grades_the_results_and_the_feedback(gathered, assignments):
    enter(gathered, ada="3,5", ben="1")
    merged = merge(restore_folder(gathered, assignments), gathered)
    assert (merged.graded, merged.unread, merged.unknown) == (3, 0, ())
    rows = grades(gathered)
    assert {name: (row["score"], row["max_score"]) for name, row in rows.items()} == {
        "'=ada": ("3.5", "12.0"),
        "ben": ("1.0", "12.0"),
        "cy": ("0.0", "12.0"),
    }
    assert rows["ben"]["is_it_luck"] == "1.0" and rows["ben"]["file"] == "gone.ipynb"
    result = json.loads((gathered / "=ada" / "results.json").read_text())
    assert result["score"] == 3.5 and result["tests"][-1]["max_score"] == 4
    assert "3.5 of 4" in (gathered / "=ada" / "feedback.html").read_text()
    assert "No answer was found." in (gathered / "cy" / "feedback.html").read_text()


def test_merging_twice_is_merging_once(gathered, assignments):
    enter(gathered, ada="2", ben="1")
    merge(restore_folder(gathered, assignments), gathered)
    first = {path: path.read_bytes() for path in gathered.rglob("*") if path.is_file()}
    merge(restore_folder(gathered, assignments), gathered)
    assert {path: path.read_bytes() for path in gathered.rglob("*") if path.is_file()} == first


def test_an_answer_that_nobody_has_read_is_counted_and_said(gathered, assignments):
    enter(gathered, ada="2")
    merged = merge(restore_folder(gathered, assignments), gathered)
    assert (merged.graded, merged.unread) == (2, 1)
    assert "Nobody has read this answer yet:" in (gathered / "ben" / "feedback.html").read_text()


def test_a_table_with_semicolons_is_read(gathered):
    text = table(gathered).read_text().replace(",", ";")
    table(gathered).write_text(text)
    assert [row.name for row in read_table(table(gathered))] == ["=ada", "ben", "cy"]


def test_lines_that_a_spreadsheet_left_empty_are_no_rows(gathered):
    before = read_table(table(gathered))
    with table(gathered).open("a") as file:
        file.write(",,,,\r\n,,,,\r\n")
    assert read_table(table(gathered)) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ben,,4", "ben,5,4", r"gives 5 of 4 points to ben in is_it_luck: write a number from 0"),
        ("ben,,4", "ben,-1,4", "gives -1 of 4"),
        ("ben,,4", "ben,two,4", "'two' as points of ben in is_it_luck: write a number"),
        ("ben,,4", "ben,nan,4", "'nan' as points"),
        ("ben,,4", "ben,,5", "4 and 5 as max_points of is_it_luck"),
        ("ben,,4", "cy,,4", "two lines for is_it_luck of cy: leave one"),
        ("ben,,4", "benny,,4", "no line for is_it_luck of ben: run `manual gather`"),
        ("points,max", "score,max", "no column points"),
    ],
)
def test_a_wrong_line_is_explained_and_nothing_is_written(gathered, assignments, old, new, message):
    before = (gathered / "grades.csv").read_bytes()
    text = table(gathered).read_text()
    assert old in text
    table(gathered).write_text(text.replace(old, new, 1))
    with pytest.raises(ManualError, match=message):
        merge(restore_folder(gathered, assignments), gathered)
    assert (gathered / "grades.csv").read_bytes() == before


def test_a_table_that_is_not_there_is_explained(out, assignments):
    with pytest.raises(ManualError, match="run `manual gather` first"):
        merge(restore_folder(out, assignments), out)


def test_lines_of_strangers_are_told(gathered, assignments):
    results = restore_folder(gathered, assignments)
    merged = merge(results[1:], gathered)
    assert merged.unknown == (("is_it_luck", "=ada"),)


def test_results_without_an_assignment_are_left_alone(gathered, assignments):
    results = restore_folder(gathered, assignments)
    lost = dataclasses.replace(results[2], assignment=None, name="lost", tests=[], manual={})
    merge([*results, lost], gathered)
    assert lost.manual == {} and (gathered / "lost" / "results.json").exists()
