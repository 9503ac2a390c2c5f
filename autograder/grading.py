"""Grading many submissions: one after the other or side by side, each result kept at once."""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.judge import Judge, Settings
from autograder.report import render_feedback, render_report
from autograder.results import Result, write_grades, write_json, write_text
from autograder.submissions import Submission

if TYPE_CHECKING:  # most gradings have no policies, and need not load what judges them
    from autograder.policies import PolicyJudge

__all__ = ["Judge", "Settings", "grade_all"]


@dataclass
class Outcome:
    """How a grading went.

    Attributes:
        results: Of the submissions that were graded, in the order in which they were given.
        failures: Submissions in which the grader itself failed.
        interrupted: Whether it was stopped before the end.
    """

    results: list[Result]
    failures: int = 0
    interrupted: bool = False


def grade_all(
    judge: Judge,
    submissions: Sequence[Submission],
    out: Path,
    jobs: int,
    policies: "PolicyJudge | None" = None,
) -> Outcome:
    """Grade submissions and write all results and reports into ``out``.

    What is graded is written at once. Where the run is interrupted, the grades and the report hold
    what there is.
    """
    outcome = Outcome([])
    with ThreadPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(_grade_one, judge, policies, item, out, outcome) for item in submissions
        ]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                if result := future.result():
                    print(_progress(done, len(submissions), result), flush=True)
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            if outcome.interrupted:
                judge.stop()  # first of all: every thread then falls at once
                if policies:
                    policies.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            outcome.results = list(filter(None, map(_result_of, futures)))
            judge.close()
            write_grades(out / "grades.csv", outcome.results)
            write_text(out / "report.html", render_report(outcome.results, len(submissions)))
    if outcome.interrupted:
        print(f"Stopped: {len(outcome.results)} of {len(submissions)} graded, and kept.")
    print(_table(outcome.results, out))
    return outcome


def _result_of(future: Future[Result | None]) -> Result | None:
    return None if future.cancelled() or future.exception() else future.result()


def _grade_one(
    judge: Judge,
    policies: "PolicyJudge | None",
    submission: Submission,
    out: Path,
    outcome: Outcome,
) -> Result | None:
    """Grade a submission and write its result, first one that stands if all else fails.

    Returns:
        None, and nothing is left written, if the run was interrupted before the end.
    """
    folder = out / submission.name
    result = fallback = judge.blank_result(submission)
    fallback.policy = not_yet = policies.blank() if policies else None
    write_json(folder / "results.json", fallback.as_gradescope())
    problem = ""
    try:
        result = judge.grade(submission)
        result.policy = not_yet
        result.policy = policies.grade(submission) if policies else None
    except Exception:
        problem = traceback.format_exc()
    if outcome.interrupted:
        _remove(folder)
        return None
    if problem:
        print(problem, file=sys.stderr)
        outcome.failures += 1
        result.notes.append("The grader itself failed here: this is no grade. Tell its makers.")
    write_json(folder / "results.json", result.as_gradescope())
    write_text(folder / "feedback.html", render_feedback(result))
    return result


def _remove(folder: Path) -> None:
    """Remove a result, such as the feedback of an earlier grading: it would belong to no grade."""
    for name in ("results.json", "feedback.html"):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # where there is more in it
        folder.rmdir()


def _progress(done: int, total: int, result: Result) -> str:
    score = f"{result.score:g}/{result.max_score:g}"
    return f"[{done:>{len(str(total))}}/{total}] {_plain(result.name)}: {score}, {result.status}, {result.seconds:.1f} s"


def _table(results: Sequence[Result], out: Path) -> str:
    """Return a summary: a line per submission, and where to read on."""
    width = max((len(_plain(result.name)) for result in results), default=0)
    lines = [
        f"  {_plain(result.name):<{width}}  {result.score:>6g} of {result.max_score:g}"
        f"  {result.percent:>5.1f} %  {result.status}"
        for result in results
    ]
    unsafe = any(result.environment.get("unsafe") for result in results)
    warning = ["Graded with --unsafe: nothing kept the programs from the tests or from you."]
    return "\n".join(["", *lines, *(warning if unsafe else []), f"Report: {out / 'report.html'}"])


def _plain(name: str) -> str:
    """Return a name without what would move a terminal's cursor."""
    return "".join(character if character.isprintable() else "?" for character in name)
