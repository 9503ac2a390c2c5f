"""The commands for what comes after grading."""

import csv
import json
import subprocess
import sys

import pytest

from autograder.cli import main
from autograder.results import write_grades, write_json
from tests.grading.test_cli import ASSIGNMENTS, ROOT


@pytest.fixture
def out(grade, right, tmp_path):
    """A folder that one submission was graded into."""
    result = grade(right, "ada")
    write_json(tmp_path / "out" / "ada" / "results.json", result.as_gradescope())
    (tmp_path / "out" / "ada" / "feedback.html").write_text("old")
    write_grades(tmp_path / "out" / "grades.csv", [result])
    return tmp_path / "out"


def run(*arguments):
    return main([*map(str, arguments), "--tests", str(ASSIGNMENTS)])


def test_points_for_words_reach_the_gradebook(out, tmp_path, capsys):
    assert run("manual", "gather", out, "--max-points", 4) == 0
    table = out / "manual" / "points.csv"
    assert "It is luck." in (out / "manual" / "is_it_luck.html").read_text()
    table.write_text(table.read_text().replace("ada,,4,", "ada,3,4,Well said."))
    assert run("manual", "merge", out) == 0
    assert "Answers with points: 1." in capsys.readouterr().out
    roster = tmp_path / "roster.csv"
    roster.write_text("Student,ID,SIS Login ID,Section\nAda,1,ada,A\n")
    assert run("upload", out, "--to", "canvas", "--roster", roster) == 0
    with (out / "canvas.csv").open(newline="") as file:
        assert list(csv.reader(file))[-1][-1] == "11"
    assert json.loads((out / "ada" / "results.json").read_text())["score"] == 11
    assert "Well said." in (out / "ada" / "feedback.html").read_text()


@pytest.mark.parametrize(
    "arguments", [["manual", "merge"], ["manual", "gather"], ["upload", "--to", "canvas"]], ids=str
)
def test_what_cannot_be_done_is_explained(arguments, tmp_path, capsys):
    roster = ["--roster", tmp_path / "none.csv"] if arguments[0] == "upload" else []
    assert run(*arguments, tmp_path, *roster) == 2
    assert "grade into it first" in capsys.readouterr().err


def test_the_commands_load_nothing_before_they_are_used():
    code = "import sys, autograder.cli; print({'torch', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
