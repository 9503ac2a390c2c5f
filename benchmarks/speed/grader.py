"""The grader as a process that is asked to grade: `.venv/bin/python -m benchmarks.speed.grader NOTEBOOK`.

What it does for a folder is what `python3 course.py grade` does: results, feedback and report are written.
"""

import os
import sys
import time
from pathlib import Path

from autograder.assignment import load_assignments
from autograder.grading import Judge, Settings, grade_all
from autograder.limits import Limits
from autograder.resuming import Records
from autograder.sandbox import open_sandbox
from autograder.submissions import find_submissions
from benchmarks.speed.serving import serve


def main(notebook: str) -> None:
    """Start a sandbox, and grade what is asked for."""
    assignments = load_assignments()
    with open_sandbox() as sandbox:

        def grade(folder: str, out: str, jobs: int) -> dict[str, float]:
            """Grade a folder, and tell how long it took."""
            started = time.perf_counter()
            judge = Judge(sandbox, assignments, Settings(1, Limits(), notebook))
            records = Records(Path(out), assignments, {}, fresh=True)
            outcome = grade_all(judge, find_submissions([Path(folder)]), records, jobs)
            return {
                "seconds": time.perf_counter() - started,
                "graded": len(outcome.results) - outcome.failures,
            }

        serve(grade=grade, start=lambda: {"pid": os.getpid()})


if __name__ == "__main__":
    main(sys.argv[1])
