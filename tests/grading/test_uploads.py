"""Grades for Canvas and Gradescope: whose they are, and what the tables hold."""

import csv
import dataclasses
import zipfile

import pytest

from autograder.results import ManualGrade, Result, TestResult
from autograder.roster import RosterError, read_roster
from autograder.uploads import CANVAS, GRADESCOPE, match, write_uploads
from tests.grading.test_results import Page

CANVAS_EXPORT = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,A sample (4711),Another (12)
,,,,,Manual Posting,
    Points Possible,,,,,8,5
"Lovelace, Ada",101,u1,ada,A,,3
"=Ben",102,u2,ben,A,,
"Cy",103,u3,cy,B,,
"""
GRADESCOPE_ROSTER = """First Name,Last Name,SID,Email
Ada,Lovelace,901,ada@example.org
Ben,=B,902,ben@example.org
Ben,Other,903,ben@example.com
"""


@pytest.fixture
def rosters(tmp_path):
    paths = {CANVAS: CANVAS_EXPORT, GRADESCOPE: GRADESCOPE_ROSTER}
    for service, text in paths.items():
        (tmp_path / f"{service}-roster.csv").write_text(text, encoding="utf-8")
    return {service: read_roster(tmp_path / f"{service}-roster.csv") for service in paths}


@pytest.fixture
def submit(assignment, tmp_path):
    """Return a function that makes a result with some points, and its feedback."""

    def submit(name, passed=2):
        tests = [
            TestResult(question.name, test, number < passed)
            for number, (question, test) in enumerate(
                (question, test) for question in assignment.graded for test in question.tests
            )
        ]
        page = tmp_path / "out" / name / "feedback.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"feedback of {name}")
        return Result(name, "", "ok", assignment, tests)

    return submit


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def owners(results, roster):
    matched = match(results, roster)
    return {
        roster[number].get("SIS Login ID") or roster[number]["Email"]: [r.name for r in those]
        for number, those in matched.found.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        "ada",
        "ADA",
        "101",
        "u1",
        "lovelaceada_101_55_01_sample",
        "lovelaceada_LATE_101_102_01_sample-1",
    ],
)
def test_a_submission_is_known_by_number_login_or_canvas_file_name(rosters, name):
    assert owners([Result(name, "")], rosters[CANVAS]) == {"ada": [name]}


@pytest.mark.parametrize("name", ["", "lovelace", "999", "ada_102", "x_999_101_nb"])
def test_a_name_that_is_nobodys_is_given_to_nobody(rosters, name):
    matched = match([Result(name, "")], rosters[CANVAS])
    assert matched.found == {} and [result.name for result in matched.strangers] == [name]


def test_a_submission_is_known_by_its_folder(rosters):
    result = Result("ada-notebook", "term/u1/notebook.ipynb")
    assert owners([result], rosters[CANVAS]) == {"ada": ["ada-notebook"]}


@pytest.mark.parametrize("name", ["ada", "x_101_55_y"])
def test_a_file_in_another_students_folder_is_nobodys_whatever_its_name(rosters, name):
    matched = match([Result(name, f"term/ben/{name}.ipynb")], rosters[CANVAS])
    assert matched.found == {} and len(matched.strangers) == 1
    assert owners([Result(name, f"term/u1/{name}.ipynb")], rosters[CANVAS]) == {"ada": [name]}


def test_an_address_is_known_in_full_and_by_its_first_part_where_only_one_has_it(rosters):
    results = [Result(name, "") for name in ("ada", "ben@example.com", "ben")]
    found = owners(results, rosters[GRADESCOPE])
    assert found == {"ada@example.org": ["ada"], "ben@example.com": ["ben@example.com"]}


def test_canvas_gets_its_own_columns_and_only_who_handed_in(submit, rosters, tmp_path):
    results = [submit("ben", 0), submit("lovelaceada_101_5_sample")]
    results[1].manual = {"is_it_luck": ManualGrade("Luck", 0.5, 2)}
    results[0].manual = {"is_it_luck": ManualGrade("Luck", 0, 2)}
    page = write_uploads(results, rosters[CANVAS], CANVAS, tmp_path / "out")
    assert table(tmp_path / "out" / "canvas.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A sample (4711)"],
        ["    Points Possible", "", "", "", "", "10"],
        ["Lovelace, Ada", "101", "u1", "ada", "A", f"{results[1].score:g}"],
        ["'=Ben", "102", "u2", "ben", "A", "0"],
    ]
    text = page.read_text()
    Page(text)
    assert "No submission (1)" in text and "<li>Cy 103</li>" in text


def test_canvas_gets_a_new_column_where_it_has_none(submit, rosters, tmp_path):
    roster = [{k: v for k, v in line.items() if "4711" not in k} for line in rosters[CANVAS]]
    write_uploads([submit("ada")], roster, CANVAS, tmp_path / "out")
    assert table(tmp_path / "out" / "canvas.csv")[0][-1] == "A sample"


def test_gradescope_gets_points_and_the_most_that_there_are(submit, rosters, tmp_path):
    result = submit("901")
    write_uploads([result], rosters[GRADESCOPE], GRADESCOPE, tmp_path / "out")
    assert table(tmp_path / "out" / "gradescope.csv") == [
        ["First Name", "Last Name", "SID", "Email", "A sample", "A sample - Max Points"],
        ["Ada", "Lovelace", "901", "ada@example.org", f"{result.score:g}", "8"],
    ]


def test_who_handed_in_twice_gets_no_points_until_somebody_decides(submit, rosters, tmp_path):
    results = [submit("ada"), submit("101", 1)]
    page = write_uploads(results, rosters[CANVAS], CANVAS, tmp_path / "out")
    assert table(tmp_path / "out" / "canvas.csv")[2][-1] == ""
    assert "Handed in twice (1)" in page.read_text() and "ada, 101" in page.read_text()


def test_feedback_is_packed_under_the_submissions_names_and_strangers_get_none(
    submit, rosters, tmp_path
):
    names = ("lovelaceada_101_5_sample", "stranger")
    page = write_uploads(
        [submit(name) for name in names], rosters[CANVAS], CANVAS, tmp_path / "out"
    )
    with zipfile.ZipFile(tmp_path / "out" / "canvas-feedback.zip") as archive:
        assert archive.namelist() == ["lovelaceada_101_5_sample.html"]
        content = archive.read("lovelaceada_101_5_sample.html")
    assert content == b"feedback of lovelaceada_101_5_sample"
    assert "Submissions of nobody in the roster (1)" in page.read_text()


def test_a_submission_without_an_assignment_gives_no_column(submit, rosters, tmp_path):
    lost = dataclasses.replace(submit("ada"), assignment=None, tests=[])
    write_uploads([lost], rosters[CANVAS], CANVAS, tmp_path / "out")
    assert table(tmp_path / "out" / "canvas.csv")[0][-1] == "Section"


@pytest.mark.parametrize(
    ("text", "message"), [("a,b\n1,2\n", "none of the columns"), (None, "cannot")]
)
def test_a_roster_that_cannot_be_used_is_explained(tmp_path, text, message):
    path = tmp_path / "roster.csv"
    if text:
        path.write_text(text)
    with pytest.raises(RosterError, match=message):
        read_roster(path)
