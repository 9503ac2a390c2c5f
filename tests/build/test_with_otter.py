"""Stock Otter takes what the build writes: in a student's notebook, and to grade."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
from nbclient import NotebookClient

from tools.build import PROJECT

ALMOST = """\
def best_constant(actions):
    return actions.mean(dim=0) + 0.5"""


def otter_run(folder: Path, notebook: str, submission: Path, results: Path) -> dict[str, float]:
    """Grade with stock Otter and return the scores by question.

    Otter reports success even when grading crashed: only the scores say what happened.
    """
    archive = folder / "autograder" / "tests" / notebook / "autograder.zip"
    command = [sys.executable, "-m", "otter", "run", "-a", str(archive), "-o", str(results)]
    subprocess.run([*command, str(submission)], check=True, capture_output=True)
    tests = json.loads((results / "results.json").read_text(encoding="utf-8"))["tests"]
    return {test["name"]: test["score"] for test in tests if "score" in test}


@pytest.fixture(scope="module")
def worked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's folder after one almost right answer, with the notebook run from top to bottom."""
    folder = tmp_path_factory.mktemp("student") / "notebooks"
    shutil.copytree(built / "notebooks", folder)
    path = folder / "01_sample.ipynb"
    notebook = nbformat.read(path, as_version=4)
    answer = next(cell for cell in notebook.cells if "def best_constant" in cell.source)
    answer.source = ALMOST
    nbformat.write(notebook, path)
    client = NotebookClient(notebook, allow_errors=True, timeout=120)
    client.execute(cwd=str(folder))
    nbformat.write(notebook, path)
    return folder


def output(folder: Path, source: str) -> str:
    """Return what a cell printed or showed as text."""
    notebook = nbformat.read(folder / "01_sample.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if source in cell.source]
    shown = [entry.get("text") or entry.get("data", {}).get("text/plain") for entry in cell.outputs]
    return "\n".join(filter(None, shown))


def test_a_solution_gets_full_marks(built, tmp_path):
    solved = built / "solutions" / "01_sample.ipynb"
    assert otter_run(built, "01_sample", solved, tmp_path) == {"best_constant": 3.5, "Scale": 2}


def test_what_a_student_writes_for_a_stretch_goal_is_not_run(built, tmp_path):
    notebook = nbformat.read(built / "solutions" / "01_sample.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if "# Try it" in cell.source)
    cell.source = "best_constant = Scale = None"
    submission = tmp_path / "01_sample.ipynb"
    nbformat.write(notebook, submission)
    assert otter_run(built, "01_sample", submission, tmp_path) == {"best_constant": 3.5, "Scale": 2}


def test_a_blank_gets_nothing(built, tmp_path):
    blank = built / "notebooks" / "01_sample.ipynb"
    assert otter_run(built, "01_sample", blank, tmp_path) == {"best_constant": 0, "Scale": 0}


def test_a_check_shows_the_sentence_and_the_message(worked):
    shown = output(worked, 'grader.check("Scale")')
    assert "Twice one is two." in shown
    assert (
        "Scale.forward returned None: replace the `...` with your answer, and `return` it." in shown
    )


def test_quotes_line_breaks_and_letters_of_a_message_survive(worked):
    shown = output(worked, 'grader.check("best_constant")')
    assert r"The mean of \theta, \theta, \theta is \theta." in shown
    assert """A second line, with 'single' and "double" quotes.""" in shown
    assert '"ones" became 1.5:' in shown
    assert "a 'second' line, a back\\slash, a × and a 🦦; replace it." in shown


def test_check_all_runs_the_checks_of_this_notebook_alone(worked):
    assert set(re.findall(r"^(\w+) results:", output(worked, "check_all"), re.MULTILINE)) == {
        "best_constant",
        "Scale",
    }


def test_a_student_who_leaves_a_stretch_goal_alone_sees_no_error(worked):
    notebook = nbformat.read(worked / "01_sample.ipynb", as_version=4)
    cells = [
        cell for cell in notebook.cells if "def spread" in cell.source or "# Try" in cell.source
    ]
    assert [cell.source.endswith("...") for cell in cells] == [True, True]
    assert not [
        output for cell in cells for output in cell.outputs if output.output_type == "error"
    ]


def test_the_opening_cell_prints_nothing(worked):
    assert output(worked, "import otter") == ""


def test_what_is_handed_in_is_the_notebook_without_a_log(worked):
    (handed_in,) = worked.glob("01_sample_*.zip")
    with ZipFile(handed_in) as archive:
        assert set(archive.namelist()) == {"01_sample.ipynb", "__zip_filename__"}


def test_what_is_handed_in_is_graded(built, worked, tmp_path):
    (handed_in,) = worked.glob("01_sample_*.zip")
    assert otter_run(built, "01_sample", handed_in, tmp_path) == {"best_constant": 1, "Scale": 0}


@pytest.mark.parametrize("name", [path.stem for path in (PROJECT / "source").glob("*.py")])
def test_every_solution_of_the_course_gets_full_marks(whole_course, name, tmp_path):
    description = whole_course / "autograder" / "tests" / name / "assignment.json"
    questions = json.loads(description.read_text(encoding="utf-8"))["questions"]
    expected = {
        question["name"]: sum(test["points"] for test in question["tests"])
        for question in questions
        if not question["written"]
    }
    solved = whole_course / "solutions" / f"{name}.ipynb"
    assert otter_run(whole_course, name, solved, tmp_path) == expected
