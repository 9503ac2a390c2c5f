"""What goes wrong for students of notebook courses: each mishap made to happen, and what they are told."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import otter
import pytest
import torch
from nbformat import NotebookNode

from imitation_lab.doctor import look_around, look_into_zip
from imitation_lab.doctor.packing import count_answers
from imitation_lab.training import TrainingSettings
from imitation_lab.training.descent import descend
from imitation_lab.training.memory import ADVICE
from tools.master import with_machinery
from tools.rules import read_course

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = read_course(ROOT / "source")
NOTEBOOK = NOTEBOOKS[0]
NAME = NOTEBOOK.name
MACHINERY = [part.source for part in with_machinery(NOTEBOOK) if isinstance(part, NotebookNode)]
OPENING, HAND_IN = MACHINERY[0], MACHINERY[-1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TROUBLES = README.split("## When something goes wrong")[1].split("\n## ")[0]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A student's folder with the first notebook, blank, and its checks."""
    shutil.copy(ROOT / "notebooks" / f"{NAME}.ipynb", tmp_path)
    shutil.copytree(ROOT / "notebooks" / "tests" / NAME, tmp_path / "tests" / NAME)
    return tmp_path


def run(
    source: str, place: Path, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run cells in a Python of their own."""
    environment = {**os.environ, "JPY_SESSION_NAME": "", **variables}
    command = [sys.executable, *options, "-c", source]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)


def answer(notebook: Path, code: str) -> None:
    """Write the answer to the first question into a notebook's file."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    question = next(
        cell for cell in document["cells"] if "def best_constant(" in "".join(cell["source"])
    )
    question["source"] = code
    notebook.write_text(json.dumps(document), encoding="utf-8")


ANSWER = "def best_constant(actions):\n    return actions.mean(dim=0)"


# The wrong kernel, and a stale install -----------------------------------------------------------


def test_the_first_cell_tells_a_kernel_without_the_course_what_to_do(folder):
    refused = run(OPENING, folder, "-I", "-S")  # without the environment's packages
    last = refused.stderr.strip().splitlines()[-1]
    assert "No module named 'otter'. This kernel does not have the course" in last
    assert "python3 course.py lab" in last
    assert refused.stderr.count("Traceback") == 1


def test_the_first_cell_tells_an_older_library_what_to_do(folder, tmp_path):
    older = tmp_path / "older" / "imitation_lab"
    older.mkdir(parents=True)
    (older / "__init__.py").touch()
    refused = run(OPENING, folder, PYTHONPATH=str(older.parent))
    last = refused.stderr.strip().splitlines()[-1]
    assert "No module named 'imitation_lab.doctor'. This kernel does not have the course" in last


# A renamed notebook, a folder that cannot be written to ------------------------------------------


def test_a_notebook_in_its_place_is_opened_without_a_word(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JPY_SESSION_NAME", f"notebooks/{NAME}.ipynb")
    look_around(NAME, Path("tests") / NAME)
    assert capsys.readouterr().out == ""


def test_the_first_cell_tells_a_renamed_notebook_its_name(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JPY_SESSION_NAME", f"notebooks/{NAME}-Copy1.ipynb")
    look_around(NAME, Path("tests") / NAME)
    said = capsys.readouterr().out
    assert f"This notebook is called {NAME}-Copy1.ipynb. Give it back its name {NAME}.ipynb" in said


def test_jupyter_tells_its_kernels_the_name_that_the_first_cell_reads():
    from jupyter_server.services.sessions.sessionmanager import SessionManager

    environment = SessionManager().get_kernel_env("notebooks/mine.ipynb", None)
    assert environment["JPY_SESSION_NAME"].endswith("notebooks/mine.ipynb")


def test_the_first_cell_tells_where_the_checks_are_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    look_around(NAME, Path("tests") / NAME)
    assert "The checks of this notebook are not here" in capsys.readouterr().out


def test_the_first_cell_tells_of_a_folder_that_cannot_be_written_to(folder, as_nobody):
    said = as_nobody(folder, lambda: look_around(NAME, Path("tests") / NAME))
    assert "Nothing can be written into" in said
    assert "copy the course into a folder of your own" in said


# The zip -----------------------------------------------------------------------------------------


def test_the_last_cell_packs_the_notebook_and_tells_which_answers_are_in_it(folder):
    answer(folder / f"{NAME}.ipynb", ANSWER)
    packed = run(f"{OPENING}\n{HAND_IN}", folder)
    assert packed.returncode == 0, packed.stderr
    (told,) = [line for line in packed.stdout.splitlines() if line.startswith(NAME)]
    asked = [question.name for question in NOTEBOOK.questions]
    assert f"holds {len(asked)} answers" in told
    (blank,) = [line for line in packed.stdout.splitlines() if line.startswith("Still blank")]
    coded = {question.name for question in NOTEBOOK.questions if not question.written}
    assert {name for name in coded if name in blank} == coded - {"best_constant"}


def pack(folder: Path, *names: str) -> None:
    from zipfile import ZipFile

    with ZipFile(folder / f"{NAME}_2026_01_01.zip", "w") as archive:
        for name in names:
            archive.write(folder / name, name)


def test_the_last_cell_tells_when_a_copy_holds_the_work_and_another_file_was_packed(
    folder, monkeypatch, capsys
):
    monkeypatch.setenv("JPY_SESSION_NAME", f"{NAME}-Copy1.ipynb")
    pack(folder, f"{NAME}.ipynb")
    look_into_zip(NAME, folder)
    said = capsys.readouterr().out
    assert f"You work in {NAME}-Copy1.ipynb, but {NAME}.ipynb was packed" in said


def test_the_last_cell_asks_about_a_zip_in_which_every_answer_is_blank(folder, monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    pack(folder, f"{NAME}.ipynb")
    look_into_zip(NAME, folder)
    assert "Have you written answers?" in capsys.readouterr().out


def test_the_last_cell_tells_of_a_zip_without_the_notebook_and_of_no_zip(folder, capsys):
    look_into_zip(NAME, folder)
    assert "No zip was written" in capsys.readouterr().out
    pack(folder, f"tests/{NAME}/best_constant.py")
    look_into_zip(NAME, folder)
    assert f"does not hold {NAME}.ipynb" in capsys.readouterr().out


@pytest.mark.parametrize("there", [True, False])
def test_the_last_cell_packs_a_file_that_was_made_beside_the_notebook(
    tmp_path, monkeypatch, capsys, there
):
    last = NOTEBOOKS[-1]
    cell = [part.source for part in with_machinery(last) if isinstance(part, NotebookNode)][-1]
    shutil.copy(ROOT / "notebooks" / f"{last.name}.ipynb", tmp_path)
    if there:
        (tmp_path / "my_policy.safetensors").write_bytes(b"numbers")
    monkeypatch.chdir(tmp_path)
    checks = tmp_path / "tests"
    checks.mkdir()
    grader = otter.Notebook(f"{last.name}.ipynb", tests_dir=str(checks))
    monkeypatch.setattr("otter.check.notebook.save_notebook", lambda _: True)
    scope = {"grader": grader, "look_into_zip": look_into_zip, "Path": Path}
    exec(compile(cell, "last cell", "exec"), scope)
    said = capsys.readouterr().out
    assert ("Beside the notebook it holds my_policy.safetensors." in said) == there
    assert f"{len(last.questions)} answers" in said


@pytest.mark.parametrize("name", [notebook.name for notebook in NOTEBOOKS])
def test_blank_answers_are_told_from_written_ones(name):
    blank, solved = (
        json.loads((ROOT / place / f"{name}.ipynb").read_text(encoding="utf-8"))
        for place in ("notebooks", "solutions")
    )
    asked = next(len(notebook.questions) for notebook in NOTEBOOKS if notebook.name == name)
    assert (count_answers(blank).answers, len(count_answers(blank).blank)) == (asked, asked)
    texts = {cell["id"]: cell["source"] for cell in solved["cells"]}
    for cell in blank["cells"]:
        cell["source"] = texts[cell["id"]]
    assert count_answers(blank)[:2] == (asked, ())


# Out of memory -----------------------------------------------------------------------------------


def train(loss) -> None:
    descend(
        [torch.zeros(1, requires_grad=True)], loss, TrainingSettings(steps=1), "training", False
    )


def cuda_is_full() -> torch.Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("loss", [lambda: torch.empty(10**15), cuda_is_full], ids=["cpu", "cuda"])
def test_training_that_runs_out_of_memory_says_what_to_do(loss):
    with pytest.raises(RuntimeError) as failure:
        train(loss)
    assert failure.value.__notes__ == [ADVICE]


def test_training_that_fails_otherwise_is_given_no_advice():
    def fail() -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError) as failure:
        train(fail)
    assert not hasattr(failure.value, "__notes__")


def test_a_notebook_shows_the_advice_below_the_error():
    from IPython.core.ultratb import VerboseTB

    shown = io.StringIO()
    try:
        train(cuda_is_full)
    except RuntimeError:
        VerboseTB(ostream=shown)(*sys.exc_info())
    assert ADVICE in shown.getvalue()


# Answers and git ---------------------------------------------------------------------------------


def git(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path) -> Path:
    """A student's clone, with answers of theirs, of a course that has changed the same notebook since."""
    origin, own = tmp_path / "origin", tmp_path / "own"
    notebook = origin / "notebooks" / f"{NAME}.ipynb"
    notebook.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".gitignore", origin)
    notebook.write_text("as released\n")
    git(tmp_path, "init", "--quiet", str(origin))
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", str(origin), str(own))
    notebook.write_text("corrected\n")
    git(origin, "commit", "--quiet", "-am", "second")
    (own / "notebooks" / f"{NAME}.ipynb").write_text("with answers\n")
    return own


def test_git_refuses_to_pull_over_answers(clone):
    refused = git(clone, "pull", "--no-rebase")
    assert refused.returncode != 0
    assert "overwritten by merge" in refused.stderr
    assert (clone / "notebooks" / f"{NAME}.ipynb").read_text() == "with answers\n"


def test_what_the_readme_says_to_do_about_a_refused_pull_keeps_the_answers(clone):
    for command in ("git stash", "git pull", "git checkout stash -- notebooks"):
        assert f"`{command}`" in TROUBLES
        assert git(clone, *command.split()[1:]).returncode == 0
    assert (clone / "notebooks" / f"{NAME}.ipynb").read_text() == "with answers\n"
    assert "second" in git(clone, "log", "--oneline").stdout


def test_what_jupyter_keeps_of_a_notebook_survives_git(clone):
    kept = clone / "notebooks" / ".ipynb_checkpoints" / f"{NAME}-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_text("with answers\n")
    for command in ("reset --hard", "clean -fd", "pull"):
        assert git(clone, *command.split()).returncode == 0
    assert kept.read_text() == "with answers\n"
    assert ".ipynb_checkpoints" in TROUBLES


# No network --------------------------------------------------------------------------------------


def test_an_installation_without_a_network_says_so(course):
    index = "http://127.0.0.1:9/simple"  # nobody listens there
    pip = [sys.executable, "-m", "pip", "install", "--retries", "1", "--index-url", index]
    settings = {"PIP_CONFIG_FILE": os.devnull, "PATH": os.environ["PATH"]}  # none of this machine's
    failed = subprocess.run([*pip, "no-such-package"], env=settings, capture_output=True, text=True)
    assert failed.returncode != 0
    assert "There is no network" in course.explain(failed.stdout + failed.stderr)


# What the README says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "This kernel does not have the course",
        "or an older one",
        "A widget is a still picture",
        "CUDA",
        "There was too little memory",
        "Nothing can be written into",
        "would be overwritten by merge",
        "This notebook is called",
        "Still blank",
        "There is no network",
    ],
)
def test_the_readme_has_a_line_for_each_mishap(words):
    rows = [row for row in TROUBLES.splitlines() if row.startswith("| ")]
    assert any(words in row for row in rows)
