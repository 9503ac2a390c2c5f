"""The grader as Gradescope takes it: what is in the zip, and a submission graded from it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from autograder.cli import main
from autograder.gradescope.build import GradescopeError, write_zip
from autograder.gradescope.run import pack
from autograder.submissions import read_notebook
from tests.grading.test_cli import ROOT

TESTS = ROOT / "autograder" / "tests"
FIRST = "01_the_mean_is_not_an_action"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "first.zip"
    write_zip(FIRST, TESTS, path)
    return path


@pytest.fixture
def base(archive, tmp_path):
    """The folder that Gradescope makes, with the zip unpacked and an environment in it."""
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


def test_a_zip_in_a_submission_is_graded_where_there_is_no_notebook_beside_it(tmp_path):
    (tmp_path / "handed_in.zip").write_bytes(b"")
    assert pack(tmp_path, tmp_path / "packed.zip") == tmp_path / "handed_in.zip"


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="Gradescope runs the grader as root")
def test_a_submission_is_graded_without_namespaces(base):
    shutil.copy(ROOT / "solutions" / f"{FIRST}.ipynb", base / "submission" / "mine.ipynb")
    script = ["bash", str(base / "source" / "run_autograder"), "--backend", "landlock"]
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER": str(base)}
    subprocess.run(script, env=environment, check=True, capture_output=True)
    result = json.loads((base / "results" / "results.json").read_text())
    assert result["score"] == result["extra_data"]["max_score"] > 0
    assert result["extra_data"]["status"] == "ok"
    assert result["extra_data"]["backend"] == "landlock"
