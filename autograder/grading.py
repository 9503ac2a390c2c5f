"""Grading many submissions: one after the other or side by side, each result kept at once."""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from autograder.judge import Judge, Settings
from autograder.report import render_feedback, render_report
from autograder.results import Result, write_grades, write_json, write_text
from autograder.submissions import Submission

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


def grade_all(judge: Judge, submissions: Sequence[Submission], out: Path, jobs: int) -> Outcome:
    """Grade submissions and write all results and reports into ``out``.

    What is graded is written at once. Where the run is interrupted, the grades and the report hold
    what there is.
    """
    results: dict[str, Result] = {}
    outcome = Outcome([])

    def grade(submission: Submission) -> Result:
        return _grade_one(judge, submission, out, outcome)

    try:
        for result in _in_parallel(grade, submissions, jobs):
            results[result.name] = result
            print(_progress(len(results), len(submissions), result), flush=True)
    except KeyboardInterrupt:
        outcome.interrupted = True
        print("Interrupted: what was graded is kept.", flush=True)
    finally:
        judge.close()
        outcome.results = [results[s.name] for s in submissions if s.name in results]
        write_grades(out / "grades.csv", outcome.results)
        write_text(out / "report.html", render_report(outcome.results))
    print(_table(outcome.results, out))
    return outcome


def _in_parallel(
    grade: Callable[[Submission], Result], submissions: Iterable[Submission], jobs: int
) -> Iterator[Result]:
    if jobs == 1:
        yield from map(grade, submissions)
        return
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Result]] = [pool.submit(grade, item) for item in submissions]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _grade_one(judge: Judge, submission: Submission, out: Path, outcome: Outcome) -> Result:
    """Grade a submission and write its result, first one that stands if all else fails."""
    folder = out / submission.name
    fallback = judge.blank_result(submission)
    write_json(folder / "results.json", fallback.as_gradescope())
    try:
        result = judge.grade(submission)
    except Exception:
        traceback.print_exc(file=sys.stderr)
        outcome.failures += 1
        result = fallback
        result.notes.append("The grader itself failed here: this is no grade. Tell its makers.")
    write_json(folder / "results.json", result.as_gradescope())
    write_text(folder / "feedback.html", render_feedback(result))
    return result


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
