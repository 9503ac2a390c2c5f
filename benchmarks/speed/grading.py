"""Grading: a class of 300 beside `otter run`, which grades some of them with the same tests.

Times are those of whole processes. The grader starts once for the class, and its start is shared out;
`otter run` starts anew for each submission, as its users have it. What both give must be the same points.
"""

import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder.assignment import Assignment, load_assignment
from benchmarks.speed.frame import Row, Settings, Timed, in_turns
from benchmarks.speed.memory import watched
from benchmarks.speed.peers import ROOT, Peer, serving, surroundings
from benchmarks.submissions import write_class

GROUP, UNIT = "grading", "submissions"
NOTEBOOK = "01_the_mean_is_not_an_action"
TESTS = ROOT / "autograder" / "tests" / NOTEBOOK
PAIRS, BATCH = 10, 30
TARGET = 30


def measure(settings: Settings) -> Iterator[Row]:
    """Yield every row of the group."""
    with tempfile.TemporaryDirectory(prefix="speed-of-grading-") as name:
        folder = Path(name)
        batches = _hand_in(folder, settings.pairs(PAIRS))
        for jobs in (1, 2):
            yield beside_otter(folder / f"jobs-{jobs}", batches, jobs)


def _hand_in(folder: Path, batches: int) -> list[Path]:
    """Write a class's submissions into folders, one for each batch."""
    texts = write_class(NOTEBOOK, BATCH * batches)
    folders = [folder / f"batch-{number}" for number in range(batches)]
    for number, batch in enumerate(folders):
        batch.mkdir()
        for place, text in enumerate(texts[number * BATCH : (number + 1) * BATCH]):
            (batch / f"student-{number}-{place:02}.ipynb").write_text(text, encoding="utf-8")
    return folders


def beside_otter(out: Path, batches: list[Path], jobs: int) -> Row:
    """Time the class, a batch at a time, and after each batch some of it with `otter run`.

    Raises:
        RuntimeError: If both give other points for a submission.
    """
    with grader() as (ours, start):
        own_seconds, otter_seconds = in_turns(
            _each_time(batches, lambda batch: grade(ours, batch, out / batch.name, jobs)),
            _each_time(batches, lambda batch: otter_at_once(batch, out / "otter", jobs)),
            len(batches),
            warm_up=False,
        )
        memory = memory_of_both(ours, batches[0], out / "memory", jobs)
    for batch in batches:
        compare(out, sampled(batch, jobs))
    students = BATCH * len(batches)
    each = tuple(seconds / BATCH + start / students for seconds in own_seconds)
    return Row(
        GROUP,
        f"{students} submissions, {jobs} at a time",
        f"otter run, {jobs} at a time",
        each,
        tuple(seconds / jobs for seconds in otter_seconds),
        TARGET,
        1,
        UNIT,
        f"otter run graded {jobs * len(batches)} of them, and gave the same points.",
        (("seconds to start", start), *_shares(statistics.median(each) * jobs, batches), *memory),
    )


def _each_time(batches: list[Path], work: Callable[[Path], float]) -> Timed:
    """Return a side that takes the next batch each time it works."""
    waiting = iter(batches)
    return lambda: work(next(waiting))


def _shares(seconds: float, batches: list[Path]) -> tuple[tuple[str, float], tuple[str, float]]:
    """Return how a submission's seconds divide: its cells and tests, and what the grader adds."""
    alone = plain_seconds(batches)
    return ("seconds of cells and tests alone", alone), ("seconds above them", seconds - alone)


@contextmanager
def grader() -> Iterator[tuple[Peer, float]]:
    """Start the grader, and tell how many seconds it took until it could grade."""
    started = time.perf_counter()
    with serving([sys.executable, "-m", "benchmarks.speed.grader", NOTEBOOK]) as ours:
        ours.ask("start")
        yield ours, time.perf_counter() - started


def grade(ours: Peer, batch: Path, out: Path, jobs: int) -> float:
    """Grade a batch; return the seconds."""
    return ours.ask("grade", folder=str(batch), out=str(out), jobs=jobs)["seconds"]


def sampled(batch: Path, count: int) -> list[Path]:
    """Return the submissions of a batch that otter run grades too."""
    return sorted(batch.iterdir())[:count]


def otter_at_once(batch: Path, out: Path, count: int) -> float:
    """Grade some of a batch, each with a process of `otter run`, all at once; return the seconds."""
    started = time.perf_counter()
    processes = [otter_run(path, out / path.stem) for path in sampled(batch, count)]
    for process in processes:
        process.wait()
    return time.perf_counter() - started


def otter_run(submission: Path, out: Path) -> "subprocess.Popen[bytes]":
    """Start stock Otter on a submission."""
    out.mkdir(parents=True)
    archive = TESTS / "autograder.zip"
    command = [sys.executable, "-m", "otter", "run", "-a", str(archive), "-o", str(out)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, str(submission)], env=surroundings(), **quiet)


def compare(out: Path, submissions: list[Path]) -> None:
    """Refuse a comparison in which the two graders did not do the same."""
    for path in submissions:
        ours = points(out / path.parent.name / path.stem / "results.json")
        otters = otter_points(out / "otter" / path.stem / "results.json")
        if ours != otters:
            raise RuntimeError(f"{path.stem}: {ours} here, and {otters} by otter run")


def points(path: Path) -> dict[str, float]:
    """Return our points by question."""
    earned: dict[str, float] = {}
    for test in json.loads(path.read_text(encoding="utf-8"))["tests"]:
        question = test["name"].partition(" · ")[0]
        earned[question] = earned.get(question, 0) + test["score"]
    return earned


def otter_points(path: Path) -> dict[str, float]:
    """Return Otter's points by question. It leaves no other trace of a crash than that they lack."""
    tests = json.loads(path.read_text(encoding="utf-8"))["tests"]
    return {test["name"]: test["score"] for test in tests if "score" in test}


def memory_of_both(
    ours: Peer, batch: Path, out: Path, jobs: int
) -> tuple[tuple[str, float], tuple[str, float]]:
    """Return the peak memory of our processes and of one `otter run`, not timed."""
    with watched(int(ours.ask("start")["pid"])) as own:
        ours.ask("grade", folder=str(batch), out=str(out / "ours"), jobs=jobs)
    process = otter_run(min(batch.iterdir()), out / "otter")
    with watched(process.pid) as otters:
        process.wait()
    return ("peak MB", own.megabytes), ("peak MB of one otter run", otters.megabytes)


def plain_seconds(batches: list[Path]) -> float:
    """Return the mean seconds that cells and tests take in a plain, warm process, without walls."""
    assignment = load_assignment(TESTS)
    paths = [path for batch in batches for path in sorted(batch.iterdir())[:3]]
    run_plainly(assignment, paths[0])  # what is loaded once
    started = time.perf_counter()
    for path in paths:
        run_plainly(assignment, path)
    return (time.perf_counter() - started) / len(paths)


def run_plainly(assignment: Assignment, path: Path) -> None:
    """Run the cells that are graded, and all tests, as a notebook would."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    run = {cell.id for cell in assignment.cells if cell.run}
    namespace = ModuleType("submission").__dict__
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            if cell["id"] in run:
                _try(lambda: exec("".join(cell["source"]), namespace))  # noqa: B023
        for question in assignment.graded:
            for test in question.tests:
                given = {name: namespace.get(name) for name in test.parameters}
                _try(lambda: test.function(**given))  # noqa: B023


def _try(work: Any) -> None:
    with contextlib.suppress(Exception):  # wrong answers raise, and tests of them fail
        work()
