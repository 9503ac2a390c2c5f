"""The command: what it takes, what it writes, and how it ends."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENTS = Path(__file__).parent / "fixtures" / "assignments"


def command(*arguments):
    return [sys.executable, "-m", "autograder", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)


pytestmark = pytest.mark.usefixtures("sandbox")  # skipped where there can be none


@pytest.fixture
def folder(another, tmp_path):
    """A folder of submissions: right, looping, broken, and one beside other files."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "alice.ipynb").write_text(another().text())
    loops = another().answer("draw", "def draw(count, generator):\n    while True: pass")
    (folder / "bob.ipynb").write_text(loops.text())
    (folder / "deep" / "=carol.ipynb").write_text("{")
    (folder / "notes.txt").write_text("no submission")
    (folder / os.fsdecode(b"M\xfcller.\x1b[2J")).write_text(
        "no submission, and no text in its name"
    )
    return folder


def test_a_folder_is_graded_and_everything_is_written(folder, tmp_path):
    out = tmp_path / "out"
    arguments = ["--out", out, "--tests", ASSIGNMENTS, "--seed", 3, "--cpu-seconds", 2]
    done = run("grade", folder, *arguments, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    statuses = {}
    for name in ("alice", "bob", "=carol"):
        result = json.loads((out / name / "results.json").read_text())
        statuses[name] = (result["score"], result["extra_data"]["status"])
        assert (out / name / "feedback.html").read_text().startswith("<!doctype html>")
    assert statuses == {"alice": (8, "ok"), "bob": (6, "timeout"), "=carol": (0, "malformed")}
    with (out / "grades.csv").open(newline="") as file:
        rows = {row["name"]: row["score"] for row in csv.DictReader(file)}
    assert rows == {"alice": "8", "bob": "6", "'=carol": "0"}
    assert (out / "report.html").exists()
    assert "Not looked at: 2 files (" in done.stdout
    assert ".txt" in done.stdout and ".?[2j" in done.stdout and "\x1b" not in done.stdout
    assert "[3/3]" in done.stdout and "alice" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["grade"],
        ["grade", "nowhere.ipynb", "--out", "OUT"],
        ["grade", "EMPTY", "--out", "OUT"],
        ["grade", "FILE", "--out", "OUT", "--assignment", "99_none"],
        ["grade", "FILE", "--out", "OUT", "--jobs", "0"],
        ["grade", "FILE", "--out", "OUT", "--wall-seconds", "0"],
        ["grade", "FILE", "--out", "OUT", "--total-seconds", "inf"],
        ["grade", "FILE", "--out", "FILE"],
        ["grade", "FILE", "--out", "BELOW"],
        ["grade", "FILE", "--out", "OUT", "--tests", "EMPTY"],
        [],
    ],
    ids=str,
)
def test_a_wrong_command_is_explained(arguments, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.ipynb").write_text("{}")
    places = {"EMPTY": tmp_path / "empty", "FILE": tmp_path / "a.ipynb", "OUT": tmp_path / "out"}
    places["BELOW"] = places["FILE"] / "out"
    done = run(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert done.stderr.strip() and "Traceback" not in done.stderr


def wait_for(path):
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def heed_interrupts():
    """Undo what shells do to programs that they start in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_soon_and_keeps_what_was_graded(another, tmp_path, jobs, number):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.ipynb").write_text(another().text())
    sleeper = another().answer("draw", "def draw(count, generator):\n    while True: pass")
    for name in "bcd":
        (folder / f"{name}.ipynb").write_text(sleeper.text())
    limits = ["--cpu-seconds", "500", "--wall-seconds", "500"]
    arguments = command(
        "grade", folder, "--out", out, "--tests", ASSIGNMENTS, "--jobs", jobs, *limits
    )
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        wait_for(out / "a" / "feedback.html")
        time.sleep(2)  # into the loop
        os.kill(process.pid, number)
        started = time.monotonic()
        printed, errors = process.communicate(timeout=60)
    assert time.monotonic() - started < 30  # on a busy machine too; the loops would take 500
    assert (process.returncode, errors) == (130, "")
    assert json.loads((out / "a" / "results.json").read_text())["score"] == 8
    written = ["a", "grades.csv", "report.html", "unfinished.json"]
    assert sorted(path.name for path in out.iterdir()) == written
    with (out / "grades.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["a"]
    assert "Stopped: 1 of 4 graded" in printed
    assert "Stopped: 1 of 4 graded" in (out / "report.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_sandbox_starts_ends_quietly(another, tmp_path, number):
    (tmp_path / "a.ipynb").write_text(another().text())
    out = tmp_path / "out"
    arguments = command("grade", tmp_path / "a.ipynb", "--out", out, "--tests", ASSIGNMENTS)
    with subprocess.Popen(
        arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        wait_for(out)  # made just before the sandbox
        time.sleep(0.3)
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors == "autograder: interrupted.\n"


def test_without_walls_every_result_says_so(another, tmp_path):
    (tmp_path / "a.ipynb").write_text(another().text())
    done = run(
        "grade", tmp_path / "a.ipynb", "--out", tmp_path / "o", "--tests", ASSIGNMENTS, "--unsafe"
    )
    assert done.returncode == 0 and "--unsafe" in done.stdout
    result = json.loads((tmp_path / "o" / "a" / "results.json").read_text())
    assert result["score"] == 8 and result["extra_data"]["unsafe"] is True


def test_without_a_sandbox_nothing_is_run(monkeypatch):
    from autograder.sandbox import SandboxError, open_sandbox
    from autograder.sandbox.backends import BACKENDS

    for backend in BACKENDS:
        monkeypatch.setattr(type(backend), "problem", lambda self: "there are none here.")
    with pytest.raises(SandboxError, match="none here") as error:
        open_sandbox()
    assert "--unsafe" in str(error.value)


def test_the_doctor_names_the_backend_and_what_held():
    done = run("doctor", "--backend", "namespaces")
    assert done.returncode == 0, done.stdout
    assert "Sandbox: namespaces" in done.stdout and "FAILED" not in done.stdout


def test_the_judge_loads_neither_otter_nor_ipython():
    code = "import sys, autograder.grading; print({'otter', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
