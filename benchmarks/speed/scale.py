"""From the measured cost of a grading to that of a course: the table in `benchmarks/scale.md`."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.speed import record
from benchmarks.speed.frame import Row

PAPER = record.RESULTS.parent / "scale.md"
BEGIN, END = "<!-- table: written by python3 course.py bench -->", "<!-- end of table -->"
HEAD = """\
| | submissions | core hours | cores in the last hour | storage | grading, US$ | storage for a year, US$ |
|---|--:|--:|--:|--:|--:|--:|"""

# What scale.md says of these numbers must change with them.
NOTEBOOKS = 9
MEGABYTES = 3  # of a notebook with its outputs, its results and its feedback
LAST_HOUR = 0.1  # share of a notebook's submissions that come in the hour before it is due
CORE_HOUR = 0.0864  # US$: m6a.large, on demand, its two threads counted as one core
GIGABYTE_MONTH = 0.023  # US$: S3 Standard


@dataclass(frozen=True)
class Course:
    """How many students, and how often each hands in each notebook."""

    name: str
    students: int
    tries: int

    @property
    def submissions(self) -> int:
        """Of all students and notebooks, with repeated ones."""
        return self.students * NOTEBOOKS * self.tries

    def core_hours(self, seconds: float) -> float:
        """Return the hours that one core grades, at so many seconds a submission."""
        return self.submissions * seconds / 3600

    def cores(self, seconds: float) -> int:
        """Return how many cores keep up with the hour before a notebook is due."""
        arriving = LAST_HOUR * self.submissions / NOTEBOOKS
        return math.ceil(arriving * seconds / 3600)

    @property
    def gigabytes(self) -> float:
        """Of everything that was handed in."""
        return self.submissions * MEGABYTES / 1000


COURSES = (
    Course("a class of 30", 30, 2),
    Course("a course of 1,000", 1000, 3),
    Course("an open course of 100,000", 100_000, 3),
)


def seconds_a_submission() -> float | None:
    """Return what one grading took on one core, or None if none was recorded."""
    for path in sorted(record.RESULTS.glob("*.json")):
        for row in record.rows(record.read(path)):
            if is_grading_on_one_core(row):
                return statistics.median(row.ours)
    return None


def is_grading_on_one_core(row: Row) -> bool:
    """Tell whether a row's times are those of single submissions, one after the other."""
    return row.group == "grading" and row.work.endswith("1 at a time")


def table(seconds: float, courses: Sequence[Course] = COURSES) -> str:
    """Return the table at so many seconds a submission."""
    lines = [
        f"| {course.name} | {course.submissions:,} | {course.core_hours(seconds):,.1f} "
        f"| {course.cores(seconds):,} | {course.gigabytes:,.0f} GB "
        f"| {CORE_HOUR * course.core_hours(seconds):,.2f} "
        f"| {12 * GIGABYTE_MONTH * course.gigabytes:,.0f} |"
        for course in courses
    ]
    told = f"At {seconds:.2g} seconds of one core a submission, the median that was measured:"
    return "\n".join([told, "", HEAD, *lines])


def write() -> None:
    """Write the table anew, if a grading was recorded."""
    seconds = seconds_a_submission()
    if seconds is None:
        return
    before, rest = PAPER.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    text = "\n\n".join([before + BEGIN, table(seconds), END]) + after
    PAPER.write_text(text, encoding="utf-8")
