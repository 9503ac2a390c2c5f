"""The grader as Gradescope takes it: what is in the zip, and a submission graded from it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest

from autograder.assignment import load_assignments
from autograder.cli import main
from autograder.gradescope.build import GradescopeError, Variants, write_zip
from autograder.gradescope.run import owner, pack
from autograder.submissions import read_notebook
from autograder.variants import with_values
from tests.grading.test_cli import ROOT

TESTS = ROOT / "autograder" / "tests"
FIRST = "01_the_mean_is_not_an_action"
SECRET = "a secret of this test alone"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "first.zip"
    write_zip(FIRST, TESTS, path)
    return path


@pytest.fixture
def base(archive, tmp_path):
    """The folder that Gradescope makes, with the zip unpacked and an environment in it."""
    return unpacked(archive, tmp_path)


def unpacked(archive, tmp_path):
    base = tmp_path / "autograder"
    (base / "submission").mkdir(parents=True)
    shutil.unpack_archive(archive, base / "source")
    (base / "venv" / "bin").mkdir(parents=True)
    python = base / "venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return base


def names(archive):
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


def test_the_zip_holds_one_notebooks_tests_and_no_others(archive):
    others = {path.parent.name for path in TESTS.glob("*/assignment.json")} - {FIRST}
    assert f"autograder/tests/{FIRST}/assignment.json" in names(archive)
    assert not [name for name in names(archive) for other in others if f"/{other}/" in name]


def test_the_zips_library_does_not_hold_what_answers_the_notebook(archive):
    with zipfile.ZipFile(TESTS / FIRST / "autograder.zip") as otter:
        cut = {name.removeprefix("files/") for name in otter.namelist()}
    library = {name for name in names(archive) if name.startswith("imitation_lab/")}
    assert library == {name for name in cut if name.startswith("imitation_lab/")}
    assert "imitation_lab/policies/regression.py" not in library
    assert (ROOT / "imitation_lab" / "policies" / "regression.py").exists()


def test_gradescope_can_run_what_it_is_to_run(archive):
    with zipfile.ZipFile(archive) as opened:
        for name in ("setup.sh", "run_autograder"):
            assert opened.getinfo(name).external_attr >> 16 & 0o111
            script = opened.read(name)
            assert subprocess.run(["bash", "-n"], input=script).returncode == 0


def test_gradescope_installs_what_the_grader_needs_and_no_notebook_server(archive):
    with zipfile.ZipFile(archive) as opened:
        lines = opened.read("requirements.txt").decode().splitlines()
    wanted = {"torch", "numpy", "jinja2", "cloudpickle", "tqdm", "ipykernel"}
    assert wanted <= {line.split(">")[0] for line in lines}
    assert not [line for line in lines if "otter" in line or "jupyterlab" in line]


def test_a_notebook_that_was_not_built_is_explained(tmp_path, capsys):
    with pytest.raises(GradescopeError, match="There is no 77; there are 01_"):
        write_zip("77", TESTS, tmp_path / "x.zip")
    assert main(["gradescope", "77", "--out", str(tmp_path / "x.zip")]) == 2
    assert "There is no 77" in capsys.readouterr().err


def test_a_link_in_a_submission_is_not_followed(right, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (tmp_path / "secret.ipynb").write_text("{}")
    (folder / "a.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "b.ipynb").write_text(right.text())
    packed = pack(folder, tmp_path / "packed.zip")
    assert names(packed) == {"b.ipynb"}
    assert read_notebook(packed).cells


def test_a_file_without_a_date_is_packed(right, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "a.ipynb").write_text(right.text())
    os.utime(folder / "a.ipynb", (0, 0))
    assert read_notebook(pack(folder, tmp_path / "packed.zip")).cells


def test_a_zip_in_a_submission_is_graded_where_there_is_no_notebook_beside_it(tmp_path):
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "handed_in.zip").write_bytes(b"as it is")
    packed = pack(tmp_path / "submission", tmp_path / "packed.zip")
    assert packed.read_bytes() == b"as it is"
    assert packed.parent == tmp_path


@pytest.fixture
def roster(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(
        "Name,Email,SID,Homework 1\nAda,ada@example.edu,11,9\nBen,ben@example.edu,12,\n", "utf-8"
    )
    return path


def test_a_zip_with_variants_tells_by_what_students_are_known_and_nothing_else(
    roster, tmp_path, archive
):
    path = tmp_path / "varied.zip"
    write_zip(FIRST, TESTS, path, Variants(SECRET, roster))
    with zipfile.ZipFile(path) as opened:
        assert opened.read("variant/seed.txt").decode() == SECRET
        lines = opened.read("variant/roster.csv").decode().splitlines()
    assert lines == ["SID,Email", "11,ada@example.edu", "12,ben@example.edu"]
    assert names(path) - names(archive) == {"variant/seed.txt", "variant/roster.csv"}


def test_variants_that_cannot_be_used_make_no_zip(roster, tmp_path, capsys):
    out = tmp_path / "x.zip"
    command = ["gradescope", FIRST, "--out", str(out)]
    assert main([*command, "--variant-seed", SECRET]) == 2
    assert "go together" in capsys.readouterr().err
    assert main([*command, "--variant-seed", "short", "--roster", str(roster)]) == 2
    assert "has 5 characters" in capsys.readouterr().err
    roster.write_text("Email\n", "utf-8")
    assert main([*command, "--variant-seed", SECRET, "--roster", str(roster)]) == 2
    assert "names no student" in capsys.readouterr().err
    assert not out.exists()


def tell(base, *emails):
    """Write what Gradescope tells of those who handed in."""
    users = [{"email": email, "id": 1, "name": "A name"} for email in emails]
    (base / "submission_metadata.json").write_text(json.dumps({"id": 1, "users": users}), "utf-8")


def test_who_handed_in_is_whom_gradescope_names(tmp_path):
    assert owner(tmp_path) == ""
    tell(tmp_path, "ada@example.edu", "ben@example.edu")
    assert owner(tmp_path) == "ada@example.edu"
    for odd in ("../../etc", "..", "a/b@example.edu"):
        tell(tmp_path, odd)
        assert owner(tmp_path) == ""
    tell(tmp_path)
    assert owner(tmp_path) == ""
    (tmp_path / "submission_metadata.json").write_text("[]", "utf-8")
    assert owner(tmp_path) == ""


def grade(base):
    """Grade what lies there as Gradescope does, and return the result."""
    script = ["bash", str(base / "source" / "run_autograder"), "--backend", "landlock"]
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER": str(base)}
    subprocess.run(script, env=environment, check=True, capture_output=True)
    return json.loads((base / "results" / "results.json").read_text())


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="Gradescope runs the grader as root")
def test_a_submission_is_graded_without_namespaces(base):
    shutil.copy(ROOT / "solutions" / f"{FIRST}.ipynb", base / "submission" / "mine.ipynb")
    result = grade(base)
    assert result["score"] == result["extra_data"]["max_score"] > 0
    assert result["extra_data"]["status"] == "ok"
    assert result["extra_data"]["backend"] == "landlock"


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="Gradescope runs the grader as root")
@pytest.mark.parametrize("zipped", [False, True])
def test_a_student_is_graded_with_their_own_constants(roster, tmp_path, zipped):
    varied = tmp_path / "varied.zip"
    write_zip(FIRST, TESTS, varied, Variants(SECRET, roster))
    base = unpacked(varied, tmp_path)
    variant = load_assignments(TESTS)[FIRST].variant
    values = variant.draw(SECRET, FIRST, "11")
    notebook = nbformat.read(ROOT / "solutions" / f"{FIRST}.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.id == variant.cell)
    cell.source = with_values(cell.source, values)
    # It looks for the secret, which is not its business.
    spy = "from pathlib import Path\nspied = list(Path('/').glob('**/seed.txt'))\nassert not spied, spied"
    notebook.cells.insert(1, nbformat.v4.new_code_cell(spy))
    mine = base / "submission" / f"{FIRST}.ipynb"
    nbformat.write(notebook, mine)
    if zipped:
        with zipfile.ZipFile(base / "submission" / "mine.zip", "w") as packed:
            packed.write(mine, mine.name)
        mine.unlink()
    for email, own in (("ada@example.edu", True), ("ben@example.edu", False)):
        tell(base, email)
        result = grade(base)
        found = result["extra_data"]["variant"]
        assert found["known_by"] == "roster"
        assert found["own"] == own
        assert found["made_for"] == ([] if own else ["11"])
        assert result["score"] == result["extra_data"]["max_score"]
        assert "spied" not in json.dumps(result)
