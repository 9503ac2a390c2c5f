"""What is written: results, grades and the two pages."""

import csv
import dataclasses
import html.parser
import json

import pytest

from autograder.report import render_feedback, render_report
from autograder.results import Result, harmless, write_grades, write_json

EVIL = "<script>alert('x')</script>"


class Page(html.parser.HTMLParser):
    """Collects a page's tags, and complains about those that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "rect", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag


@pytest.fixture
def graded(grade, right):
    right.answer("best_constant", f"def best_constant(actions):\n    raise ValueError({EVIL!r})")
    right.answer("draw", "def draw(count, generator):\n    return torch.zeros(count)")
    right.insert(2, f"print({EVIL!r})\n!ls")
    right.cells[-1]["source"] = EVIL
    return grade(right, "student")


def test_feedback_is_one_whole_page_without_foreign_markup(graded):
    text = render_feedback(graded)
    tags = [tag for tag, _ in Page(text).tags]
    assert "script" not in tags and "img" not in tags
    assert text.count("&lt;script&gt;") >= 3  # the exception, the output and the written answer


def test_feedback_tells_points_sentences_messages_and_what_was_disabled(graded, assignment):
    text = render_feedback(graded)
    assert "4 of 8 points" in text
    for question in assignment.questions:
        assert question.title in text
        assert all(test.description.replace("'", "&#39;") in text for test in question.tests)
    assert "!ls is disabled" in text


def test_a_report_names_every_submission_with_its_points(graded, grade):
    results = [graded, grade("{", "broken")]
    text = render_report(results)
    Page(text)
    assert "student" in text and "broken" in text and "malformed" in text
    assert "2 submissions" in text and "&lt;script&gt;" in text


def test_a_report_tells_what_needs_eyes_and_where_files_lie(graded, grade):
    text = render_report([graded, grade("{", "broken")])
    top = text[: text.index("<h2>")]
    assert "broken/feedback.html" in top and "student/feedback.html" not in top
    assert text.count(graded.file) == 1
    assert "1 malformed file counts as 0" in text


def test_a_report_has_the_median_beside_the_mean(graded):
    others = [dataclasses.replace(graded, tests=[]) for _ in range(2)]
    assert "Mean 16.7 %, median 0.0 %, over 3" in render_report([graded, *others])


def test_a_report_folds_written_answers_and_counts_the_blank_ones(graded):
    blank = dataclasses.replace(graded, name="nobody", written={"is_it_luck": ""})
    text = render_report([graded, blank])
    assert "<details><summary>1 answered, 1 blank</summary>" in text
    assert "<h4>student</h4>" in text and "<h4>nobody</h4>" not in text


def test_a_report_of_a_stopped_run_says_so_on_top(graded):
    assert "Stopped: 1 of 4 graded." in render_report([graded], 4)
    assert "Stopped" not in render_report([graded])


def test_a_report_of_nothing_is_a_page():
    Page(render_report([]))


def test_an_unsafe_grading_is_marked_on_both_pages(graded):
    graded.environment = {**graded.environment, "unsafe": True}
    assert "--unsafe" in render_feedback(graded) and "--unsafe" in render_report([graded])


def test_pages_load_nothing_from_elsewhere(graded):
    for text in (render_feedback(graded), render_report([graded])):
        for _, attributes in Page(text).tags:
            assert not attributes.get("src")
            assert not (attributes.get("href") or "").startswith(("http", "//"))


def test_grades_have_a_column_per_question(graded, tmp_path):
    write_grades(tmp_path / "grades.csv", [graded])
    with (tmp_path / "grades.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["score"], row["max_score"], row["status"]) == (
        "student",
        "4",
        "8",
        "ok",
    )
    assert (row["best_constant"], row["squared_loss"], row["draw"]) == ("0", "3", "1")
    assert row["percent"] == "50.0"


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_is_no_formula(tmp_path, name):
    assert harmless(name)[0] == "'"
    write_grades(tmp_path / "grades.csv", [Result(name, "f")])
    with (tmp_path / "grades.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == "'" + name


def test_a_result_replaces_the_one_before_as_a_whole(tmp_path):
    path = tmp_path / "a" / "results.json"
    write_json(path, {"score": 1})
    write_json(path, {"score": 2, "text": "ü \ud800"})
    assert json.loads(path.read_text())["score"] == 2
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]
