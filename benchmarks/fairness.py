"""Look for false failures: `python -m benchmarks.fairness` grades what is right, and prints what fails.

First notebooks in which every question has one of its listed right answers, until each of these was
graded three times, beside others; then the solutions, each grading with a seed that no other has. Each
failure is printed with what repeats it, and a run that was stopped tells how to go on.
"""

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from autograder.assignment import Assignment, load_assignments
from autograder.judge import Judge, Settings
from autograder.limits import Limits
from autograder.results import Result
from autograder.sandbox import BACKEND_NAMES, Sandbox, open_sandbox
from autograder.submissions import Submission
from benchmarks.submissions import all_right_answers, course, write_submission


@dataclass(frozen=True)
class Grading:
    """One grading to be done.

    Attributes:
        notebook: The notebook's name.
        seed: The grading's.
        text: The submission.
        what: What stands in it, in words.
    """

    notebook: str
    seed: int
    text: str
    what: str


def solutions(first: int, count: int) -> Iterator[Grading]:
    """Yield gradings of solutions by the seeds from ``first`` on, the notebooks in turns."""
    names = list(course())
    for seed in range(first, first + count):
        name = names[seed % len(names)]
        yield Grading(name, seed, write_submission(name, {}), "the solution")


def right_answers(seed: int, shift: int = 0) -> Iterator[Grading]:
    """Yield gradings such that every right answer of the course is graded, all by one seed."""
    for name, notebook in course().items():
        for number, answers in enumerate(all_right_answers(notebook, shift)):
            text = write_submission(name, answers)
            yield Grading(name, seed, text, f"right answers, number {number}, shift {shift}")


def failures(result: Result) -> list[str]:
    """Return a line for everything that a student with right answers would complain of."""
    lines = [
        f"{test.question}, {test.test.name}: {test.message}"
        for test in result.tests
        if not test.passed
    ]
    if result.status != "ok":
        lines.append(f"its status is {result.status}")
    if result.score != result.max_score and not lines:
        lines.append(f"it has {result.score} of {result.max_score} points")
    return lines


class Fairness:
    """Grades what is right, each grading by a judge with its own seed."""

    def __init__(self, sandbox: Sandbox, assignments: dict[str, Assignment], folder: Path) -> None:
        self._sandbox = sandbox
        self._assignments = assignments
        self._folder = folder

    def grade(self, grading: Grading) -> list[str]:
        """Return what failed, in lines that tell how to repeat it."""
        judge = Judge(self._sandbox, self._assignments, Settings(grading.seed, Limits()))
        with tempfile.NamedTemporaryFile("w", suffix=".ipynb", dir=self._folder) as file:
            file.write(grading.text)
            file.flush()
            try:
                result = judge.grade(Submission(grading.notebook, Path(file.name)))
            finally:
                judge.close()
        about = f"{grading.notebook}, seed {grading.seed}, {grading.what}"
        return [f"{about}: {line}" for line in failures(result)]


@contextmanager
def opened(backend: str | None = None) -> Iterator[Fairness]:
    """Give what grades, in a sandbox of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="fairness-") as folder,
        open_sandbox(secrets=[folder], backend=backend) as sandbox,
    ):
        yield Fairness(sandbox, load_assignments(), Path(folder))


def grade_all(fairness: Fairness, gradings: Sequence[Grading], jobs: int) -> tuple[int, int]:
    """Grade, and print every failure at once.

    Returns:
        How many gradings were done, and how many had a failure. The first number is smaller than that
        of the gradings where Ctrl-C ended them.
    """
    done = failed = 0
    with (
        ThreadPoolExecutor(jobs) as pool,
        tqdm(total=len(gradings), unit="grading", disable=None) as bar,
    ):
        futures = [pool.submit(fairness.grade, grading) for grading in gradings]
        try:
            for future in as_completed(futures):
                done, failed = done + 1, failed + bool(lines := future.result())
                with bar.external_write_mode():
                    print(*lines, sep="\n", end="\n" if lines else "", flush=True)
                bar.update()
        except KeyboardInterrupt:
            pool.shutdown(wait=True, cancel_futures=True)
    return done, failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade all that is right, and return 1 where something failed."""
    options = _parser().parse_args(arguments)
    print(f"The first seed is {options.seed}.", flush=True)
    right = [
        grading
        for shift in range(options.right)
        for grading in right_answers(options.seed + shift, shift)
    ]
    parts = {
        "right answers": right,
        "solutions": list(solutions(options.seed, options.gradings)),
    }
    failed = 0
    with opened(options.backend) as fairness:
        for what, gradings in parts.items():
            done, bad = grade_all(fairness, gradings, options.jobs)
            print(f"{what}: {done} of {len(gradings)} gradings done, {bad} with a failure.")
            failed += bad
            if done < len(gradings):
                print(_how_to_go_on(what, options, done))
                return 1
    return 1 if failed else 0


def _how_to_go_on(what: str, options: argparse.Namespace, done: int) -> str:
    if what != "solutions":
        return "Stopped."
    done = max(0, done - options.jobs)  # those under way may have ended out of order
    rest = f"--seed {options.seed + done} --gradings {options.gradings - done} --right 0"
    return f"Stopped. To go on: {rest}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--gradings", type=int, default=1000, help="of solutions")
    parser.add_argument("--seed", type=int, default=secrets.randbits(31), help="the first one")
    parser.add_argument("--jobs", type=int, default=2, help="gradings at a time")
    parser.add_argument("--backend", choices=BACKEND_NAMES)
    parser.add_argument(
        "--right",
        type=int,
        default=3,
        help="how often to grade all right answers: 0 leaves them out",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
