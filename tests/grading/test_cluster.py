"""A class graded by the workers of a Dask scheduler, one of which dies."""

import json
import signal
import subprocess
import sys

import pytest

from autograder.cli import main
from tests.grading.test_cli import ASSIGNMENTS, ROOT, command, run, wait_for

pytest.importorskip("distributed", reason="pip install 'imitation-lab[cluster]'")


def start(program, *arguments):
    line = [sys.executable, "-m", f"distributed.cli.dask_{program}", *map(str, arguments)]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster(tmp_path):
    """The address of a real scheduler, and its two workers: processes that may be killed."""
    file = tmp_path / "scheduler.json"
    address = ["--scheduler-file", file, "--no-dashboard"]
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", 0, *address)
    wait_for(file)
    options = ["--no-nanny", "--nthreads", 1, "--local-directory", tmp_path]
    workers = [start("worker", *address, *options) for _ in range(2)]
    yield json.loads(file.read_text())["address"], workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.mark.long
def test_a_killed_workers_submissions_are_graded_by_another(cluster, another, tmp_path):
    address, workers = cluster
    folder, out, here = tmp_path / "in", tmp_path / "out", tmp_path / "here"
    folder.mkdir()
    for name in "abcdef":
        (folder / f"{name}.ipynb").write_text(another().text())
    (folder / "broken.ipynb").write_text("{")
    options = ["--tests", ASSIGNMENTS, "--seed", 3]
    grading = command("grade", folder, "--out", out, *options, "--cluster", address)
    with subprocess.Popen(grading, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # the first result
        workers[0].send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == 0
    assert run("grade", folder, "--out", here, *options).returncode == 0
    for name in (*"abcdef", "broken"):
        there, local = [(place / name / "results.json").read_text() for place in (out, here)]
        assert there == local
    assert json.loads((out / "a" / "results.json").read_text())["score"] == 8


def test_outcome_points_are_not_given_by_a_cluster(tmp_path, capsys):
    (tmp_path / "a.ipynb").write_text("{}")
    arguments = ["grade", tmp_path / "a.ipynb", "--out", tmp_path / "out", "--tests", ASSIGNMENTS]
    options = ["--cluster", "tcp://127.0.0.1:1", "--outcome", 5]
    assert main(list(map(str, [*arguments, *options]))) == 2
    assert "--outcome" in capsys.readouterr().err
