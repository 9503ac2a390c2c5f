"""A submission's result: Gradescope's schema, written so that a crash cannot take it away."""

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment, Question, Test
from autograder.selection import MISSING
from autograder.session import DIED, MALFORMED

PASSED, FAILED = "passed", "failed"
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "'")  # the last, so that it can be undone


@dataclass(frozen=True)
class TestResult:
    """What one test gave.

    Attributes:
        question: The question's name.
        test: The test.
        passed: Whether it passed.
        message: What the student should read, where it failed.
        status: How the program ended in it: ``ok`` when it did not.
    """

    __test__ = False

    question: str
    test: Test
    passed: bool
    message: str = ""
    status: str = "ok"

    @property
    def score(self) -> float:
        """The points that it earned."""
        return self.test.points if self.passed else 0

    def entry(self) -> dict[str, Any]:
        """Return the test as Gradescope wants it."""
        return {
            "name": f"{self.question} · {self.test.description or self.test.name}",
            "score": self.score,
            "max_score": self.test.points,
            "status": PASSED if self.passed else FAILED,
            "output": self.message,
            "visibility": "after_published" if self.test.hidden else "visible",
        }


@dataclass(frozen=True)
class PolicyGrade:
    """The outcome points of a policy that was handed in beside the notebook.

    Attributes:
        score: The points earned.
        max_score: The most that there are.
        message: What the student should read.
    """

    score: float
    max_score: float
    message: str

    def entry(self) -> dict[str, Any]:
        """Return the outcome as Gradescope wants it, beside the tests."""
        return {
            "name": "outcome · how often the policy succeeds",
            "score": self.score,
            "max_score": self.max_score,
            "status": PASSED if self.score else FAILED,
            "output": self.message,
            "visibility": "visible",
        }


@dataclass(frozen=True)
class ManualGrade:
    """What a person gave for an answer in words.

    Attributes:
        title: The question's title.
        score: The points earned.
        max_score: The most that there are.
        message: What the student should read. Empty where nothing was said.
        read: Whether somebody has read the answer.
    """

    title: str
    score: float
    max_score: float
    message: str = ""
    read: bool = True

    def entry(self) -> dict[str, Any]:
        """Return the grade as Gradescope wants it, beside the tests."""
        return {
            "name": self.title,
            "score": self.score,
            "max_score": self.max_score,
            "status": PASSED if self.score else FAILED,
            "output": self.message,
            "visibility": "visible",
        }


@dataclass(frozen=True)
class Tree:
    """An answer's syntax tree after renaming.

    Attributes:
        digest: Equal for equal trees, and tells nothing else.
        nodes: Its size.
    """

    digest: str
    nodes: int


@dataclass
class Result:
    """Everything that grading found out about one submission.

    Attributes:
        name: The submission's.
        file: Where it lay when it was graded. It stands in the instructor's papers only.
        status: How its program ended.
        assignment: What it answers, where that can be told.
        tests: What each test gave.
        policy: The outcome points, where they are given.
        manual: What people gave for answers in words, by the question's name.
        states: Of each graded question: answered, blank or missing.
        hints: What an answer's mistake is called, by the question's name.
        written: The answers in words, by the question's name.
        trees: The syntax trees of what was answered, by the question's name.
        cells: What happened in the cells that have something to tell.
        notes: How the submission was read.
        variant: The student's constants, where they differ between students (``whose.Hand``).
        seconds: How long grading it took.
        environment: The seed, the sandbox, the limits and the versions.
    """

    name: str
    file: str
    status: str = DIED
    assignment: Assignment | None = None
    tests: list[TestResult] = field(default_factory=list)
    policy: PolicyGrade | None = None
    manual: dict[str, ManualGrade] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    hints: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    cells: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    variant: dict[str, Any] | None = None
    seconds: float = 0.0
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The points earned."""
        return sum(test.score for test in self.tests) + sum(extra.score for extra in self.extras)

    @property
    def max_score(self) -> float:
        """The points of the whole assignment, whatever was handed in."""
        most = self.assignment.points if self.assignment else 0
        return most + sum(extra.max_score for extra in self.extras)

    @property
    def extras(self) -> list[PolicyGrade | ManualGrade]:
        """The grades that no test gave."""
        return [*([self.policy] if self.policy else []), *self.manual.values()]

    @property
    def percent(self) -> float:
        """The score as a percentage."""
        return 100 * self.score / self.max_score if self.max_score else 0.0

    def of(self, question: Question) -> list[TestResult]:
        """Return the results of one question's tests."""
        return [test for test in self.tests if test.question == question.name]

    def question_score(self, question: Question) -> float:
        """Return the points earned in one question."""
        return sum(test.score for test in self.of(question))

    def fail_everything(self, message: str) -> None:
        """Give no points in any test: each of them still stands in the result."""
        if self.assignment:
            self.tests = [
                TestResult(question.name, test, False, message, self.status)
                for question in self.assignment.graded
                for test in question.tests
            ]
            self.states = {question.name: MISSING for question in self.assignment.graded}

    def as_gradescope(self) -> dict[str, Any]:
        """Return the content of ``results.json``.

        How long it took is not in there: the same seed gives the same bytes.
        """
        return {
            "score": self.score,
            "output": self.summary(),
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "tests": [part.entry() for part in (*self.tests, *self.extras)],
            "extra_data": {
                "status": self.status,
                "notebook": self.assignment.notebook if self.assignment else None,
                "max_score": self.max_score,
                "questions": self.states,
                "hints": self.hints,
                "written": self.written,
                "outcome": asdict(self.policy) if self.policy else None,
                "manual": {name: asdict(grade) for name, grade in self.manual.items()},
                "trees": {name: astuple(tree) for name, tree in self.trees.items()},
                "cells": self.cells,
                "notes": self.notes,
                "variant": self.variant,
                **self.environment,
            },
        }

    def summary(self) -> str:
        """Return what a student reads first."""
        return "\n".join([_STATUS_SENTENCES.get(self.status, ""), *self.notes]).strip()


_STATUS_SENTENCES = {
    "timeout": "A part of this submission used up its time; the rest was graded.",
    "died": "A part of this submission ended its own program; the rest was graded.",
    "out_of_memory": "A part of this submission used up its memory; the rest was graded.",
    MALFORMED: "This submission could not be graded as a notebook of this course.",
}


def write_json(path: Path, value: Any) -> None:
    """Write a file such that it is there as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file such that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(text.encode("utf-8", errors="replace"))
    temporary.replace(path)


def write_grades(path: Path, results: Iterable[Result]) -> None:
    """Write one line per submission, with a column for every question that any of them has."""
    results = list(results)
    earned = [_earned(result) for result in results]
    columns = list(dict.fromkeys(column for scores in earned for column in scores))
    names = ["name", "notebook", "score", "max_score", "percent", "status", *columns, "file"]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for result, scores in zip(results, earned, strict=True):
        points = [scores.get(column, "") for column in columns]
        writer.writerow(map(harmless, [*_grades_row(result), *points, result.file]))
    write_text(path, text.getvalue())


def _earned(result: Result) -> dict[str, float]:
    """Return the points by question, and the outcome's."""
    graded = result.assignment.graded if result.assignment else ()
    outcome = {"outcome": result.policy.score} if result.policy else {}
    return {
        **{question.name: result.question_score(question) for question in graded},
        **outcome,
        **{name: grade.score for name, grade in result.manual.items()},
    }


def _grades_row(result: Result) -> list[Any]:
    return [
        result.name,
        result.assignment.notebook if result.assignment else "",
        result.score,
        result.max_score,
        round(result.percent, 1),
        result.status,
    ]


def harmless(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula: a name may be ``=HYPERLINK(…)``."""
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return "'" + value
    return value


def unquoted(text: str) -> str:
    """Return the text that ``harmless`` made harmless."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_SIGNS) else text
