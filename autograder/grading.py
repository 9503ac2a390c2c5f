"""Grading many submissions: one after the other or side by side, each result kept at once."""

import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tqdm import tqdm

from autograder.judge import Judge, Settings
from autograder.report import render_report
from autograder.results import Result, write_grades, write_text
from autograder.resuming import Records
from autograder.submissions import Submission, printable

if TYPE_CHECKING:  # most gradings have no policies, and need not load what judges them
    from autograder.policies import PolicyJudge

__all__ = ["Judge", "Settings", "grade_all"]


class Grader(Protocol):
    """Whoever grades: the judge of this machine, or those of a cluster."""

    def blank_result(self, submission: Submission) -> Result:
        """Return what stands for a submission until, or unless, its grading ends."""
        ...

    def grade(self, submission: Submission) -> Result:
        """Grade one submission, in any thread."""
        ...

    def stop(self) -> None:
        """End every grading that is under way."""
        ...

    def close(self) -> None:
        """End what is left, once all is graded."""
        ...


@dataclass
class Outcome:
    """How a grading went.

    Attributes:
        results: Of the submissions that were graded, in the order in which they were given.
        failures: Submissions in which the grader itself failed.
        interrupted: Whether it was stopped before the end.
    """

    results: list[Result] = field(default_factory=list)
    failures: int = 0
    interrupted: bool = False


def grade_all(
    grader: Grader,
    submissions: Sequence[Submission],
    records: Records,
    jobs: int,
    policies: "PolicyJudge | None" = None,
) -> Outcome:
    """Grade submissions and write all results and reports.

    What is graded is written at once. Where the run is interrupted, the grades and the report hold
    what there is. What was graded before by the same settings is taken as it is.
    """
    outcome = Outcome()
    found = _find_graded(submissions, records)
    waiting = [item for item in submissions if item.name not in found]
    with ThreadPoolExecutor(jobs) as pool:
        futures = {
            item.name: pool.submit(_grade_one, grader, policies, item, records, outcome)
            for item in waiting
        }
        try:
            _show_progress(futures, len(submissions))
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            if outcome.interrupted:
                grader.stop()  # first of all: every thread then falls at once
                if policies:
                    policies.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            results = [
                found.get(item.name) or _result_of(futures[item.name]) for item in submissions
            ]
            outcome.results = [result for result in results if result]
            grader.close()
            _write_class(outcome, len(submissions), records)
    if outcome.interrupted:
        print(f"Stopped: {len(outcome.results)} of {len(submissions)} graded, and kept.")
        print("The same command goes on from here.")
    print(_table(outcome.results, records.out))
    return outcome


def _find_graded(submissions: Sequence[Submission], records: Records) -> dict[str, Result]:
    """Return the results that there are already, by the submission's name."""
    pairs = [(item.name, records.find(item)) for item in submissions]
    found = {name: result for name, result in pairs if result}
    if found:
        print(f"Graded before, and taken as they are: {len(found)}. --fresh grades them anew.")
    return found


def _show_progress(futures: dict[str, Future[Result | None]], total: int) -> None:
    """Print a line per result, above a bar where somebody watches."""
    before = total - len(futures)
    with tqdm(total=total, initial=before, unit="submission", disable=None, leave=False) as bar:
        for done, future in enumerate(as_completed(futures.values()), before + 1):
            if result := future.result():
                with bar.external_write_mode():
                    print(_progress(done, total, result), flush=True)
            bar.update()


def _write_class(outcome: Outcome, expected: int, records: Records) -> None:
    """Write what is about all submissions."""
    write_grades(records.out / "grades.csv", outcome.results)
    write_text(records.out / "report.html", render_report(outcome.results, expected))
    if len(outcome.results) == expected and not outcome.failures:
        records.end()


def _result_of(future: Future[Result | None]) -> Result | None:
    return None if future.cancelled() or future.exception() else future.result()


def _grade_one(
    grader: Grader,
    policies: "PolicyJudge | None",
    submission: Submission,
    records: Records,
    outcome: Outcome,
) -> Result | None:
    """Grade a submission and write its result, first one that stands if all else fails.

    Returns:
        None, and nothing is left written, if the run was interrupted before the end.
    """
    fingerprint = records.fingerprint(submission)
    result = fallback = grader.blank_result(submission)
    fallback.policy = not_yet = policies.blank() if policies else None
    records.promise(fallback)
    problem = ""
    try:
        result = grader.grade(submission)
        result.policy = not_yet
        result.policy = policies.grade(submission) if policies else None
    except Exception:
        problem = traceback.format_exc()
    if outcome.interrupted:
        records.remove(submission.name)
        return None
    if problem:
        print(problem, file=sys.stderr)
        outcome.failures += 1
        result.notes.append("The grader itself failed here: this is no grade. Tell its makers.")
    records.keep(result, "" if problem else fingerprint)
    return result


def _progress(done: int, total: int, result: Result) -> str:
    score = f"{result.score:g}/{result.max_score:g}"
    return f"[{done:>{len(str(total))}}/{total}] {printable(result.name)}: {score}, {result.status}, {result.seconds:.1f} s"


def _table(results: Sequence[Result], out: Path) -> str:
    """Return a summary: a line per submission, and where to read on."""
    width = max((len(printable(result.name)) for result in results), default=0)
    lines = [
        f"  {printable(result.name):<{width}}  {result.score:>6g} of {result.max_score:g}"
        f"  {result.percent:>5.1f} %  {result.status}"
        for result in results
    ]
    unsafe = any(result.environment.get("unsafe") for result in results)
    warning = ["Graded with --unsafe: nothing kept the programs from the tests or from you."]
    return "\n".join(["", *lines, *(warning if unsafe else []), f"Report: {out / 'report.html'}"])
