"""Results that were written, read again: what people add is added to them, and nothing is run."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment
from autograder.results import (
    PASSED,
    ManualGrade,
    PolicyGrade,
    Result,
    TestResult,
    Tree,
    unquoted,
)

RECORD = "grading.json"  # beside results.json, whose bytes follow from the submission and the seed
_AS_THEY_ARE = ("hints", "written", "cells", "notes", "variant")


class RestoreError(Exception):
    """A folder of results that cannot be read. The message says what to do."""


def restore(
    data: Mapping[str, Any], assignments: Mapping[str, Assignment], name: str, file: str = ""
) -> Result:
    """Return the result that was written as ``results.json``.

    Args:
        data: The content of ``results.json``.
        assignments: By the notebook's name.
        name: The submission's.
        file: Where it lay.

    Raises:
        RestoreError: If the assignment has other tests than it had, or the file was not written here.
    """
    try:
        return _restore(data, assignments, name, file)
    except (KeyError, TypeError, ValueError) as error:
        raise RestoreError(
            f"The result of {name} does not fit today's tests ({error}): grade it anew."
        ) from None


def _restore(
    data: Mapping[str, Any], assignments: Mapping[str, Assignment], name: str, file: str
) -> Result:
    extra = dict(data["extra_data"])
    notebook, outcome = extra.pop("notebook"), extra.pop("outcome")
    assignment = assignments[notebook] if notebook else None
    del extra["max_score"]  # it follows from the rest
    return Result(
        name,
        file,
        status=extra.pop("status"),
        assignment=assignment,
        tests=list(_tests(assignment, data["tests"])) if assignment else [],
        policy=PolicyGrade(**outcome) if outcome else None,
        manual={name: ManualGrade(**grade) for name, grade in extra.pop("manual").items()},
        states=extra.pop("questions"),
        trees={question: Tree(*tree) for question, tree in extra.pop("trees").items()},
        **{field: extra.pop(field) for field in _AS_THEY_ARE},
        environment=extra,
    )


def _tests(assignment: Assignment, entries: Sequence[Mapping[str, Any]]) -> Iterator[TestResult]:
    """Yield the tests' results, which stand first and in the assignment's order."""
    tests = [(question, test) for question in assignment.graded for test in question.tests]
    for (question, test), entry in zip(tests, entries, strict=False):
        result = TestResult(question.name, test, entry["status"] == PASSED, entry["output"])
        if result.entry() != entry:
            raise ValueError(f"{question.name} has other tests now")
        yield result
    if len(entries) < len(tests):
        raise ValueError(f"it has {len(entries)} tests of {len(tests)}")


def restore_folder(out: Path, assignments: Mapping[str, Assignment]) -> list[Result]:
    """Return the results of a grading, in the order of its ``grades.csv``.

    Raises:
        RestoreError: If the folder holds no grading that was finished.
    """
    try:
        with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
            rows = [(row["name"], row["file"]) for row in csv.DictReader(file)]
    except (OSError, KeyError):
        raise RestoreError(f"{out} holds no grades.csv: grade into it first.") from None
    return [restore_one(out, unquoted(name), unquoted(file), assignments) for name, file in rows]


def restore_one(out: Path, name: str, file: str, assignments: Mapping[str, Assignment]) -> Result:
    """Return one result of a folder.

    Args:
        out: The folder.
        name: The submission's.
        file: Where it lay.
        assignments: By the notebook's name.

    Raises:
        RestoreError: If there is none, or if it does not fit the assignment.
    """
    try:
        data = json.loads((out / name / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RestoreError(f"{out / name} holds no results.json: grade it anew.") from None
    result = restore(data, assignments, name, file)
    result.seconds = _seconds(out / name / RECORD)
    return result


def _seconds(path: Path) -> float:
    """Return how long a grading took, where that is on record."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
