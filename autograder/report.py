"""The two pages that people read: a student's feedback and the instructor's report."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from autograder.assignment import Assignment, Question
from autograder.results import Result, TestResult
from autograder.selection import BLANK, MISSING
from autograder.session import MALFORMED, OK

_BINS = 10
_ADVICE = {
    BLANK: "This question was left as it was handed out: replace each `...` with your answer.",
    MISSING: "No cell defines this name. Restore the question's cell from the original notebook.",
}


_NOTHING = {"unsafe": False, "backend": "not used", "seed": "none", "versions": {}}


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # names, messages and outputs are strangers' words
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value: f"{value:g}"
    return environment


def render_feedback(result: Result) -> str:
    """Return the page that a student reads."""
    questions = result.assignment.questions if result.assignment else ()
    return (
        _templates()
        .get_template("feedback.html")
        .render(
            result=result,
            title=result.assignment.title if result.assignment else "Not graded",
            questions=[_question_view(result, question) for question in questions],
            other_cells=[cell for cell in result.cells if not cell["question"]],
        )
    )


def _question_view(result: Result, question: Question) -> dict[str, Any]:
    return {
        "question": question,
        "tests": result.of(question),
        "score": result.question_score(question),
        "hints": result.hints.get(question.name, []),
        "advice": _ADVICE.get(result.states.get(question.name, ""), ""),
        "cells": [cell for cell in result.cells if cell["question"] == question.name],
        "written": result.written.get(question.name, ""),
    }


def render_report(results: Sequence[Result], expected: int | None = None) -> str:
    """Return the page that an instructor reads.

    Args:
        results: Of the submissions that were graded.
        expected: How many there were to grade, where the run may have been stopped.
    """
    assignments = {r.assignment.notebook: r.assignment for r in results if r.assignment}
    return (
        _templates()
        .get_template("report.html")
        .render(
            results=results,
            expected=len(results) if expected is None else expected,
            environment=results[0].environment if results else _NOTHING,
            eyes=[result for result in results if result.status != OK],
            statuses=_count(result.status for result in results),
            assignments=[
                _assignment_view(assignment, [r for r in results if r.assignment is assignment])
                for assignment in assignments.values()
            ],
        )
    )


def _assignment_view(assignment: Assignment, results: list[Result]) -> dict[str, Any]:
    return {
        "assignment": assignment,
        "results": results,
        "outcome": results[0].policy.max_score if results[0].policy else 0,
        "mean": statistics.mean(result.percent for result in results),
        "median": statistics.median(result.percent for result in results),
        "malformed": sum(result.status == MALFORMED for result in results),
        "bars": histogram([result.percent for result in results]),
        "tests": [
            (question, test.test, sum(not other.passed for other in same))
            for question in assignment.graded
            for test in results[0].of(question)
            for same in [_same_test(results, question, test)]
        ],
        "hints": _count(
            (name, hint) for r in results for name, hints in r.hints.items() for hint in hints
        ),
        "written": [
            _written_view(question, results)
            for question in assignment.questions
            if question.written
        ],
    }


def _written_view(question: Question, results: list[Result]) -> dict[str, Any]:
    texts = [(result.name, result.written.get(question.name, "")) for result in results]
    answers = [(name, text) for name, text in texts if text]
    return {"question": question, "answers": answers, "blank": len(texts) - len(answers)}


def _same_test(
    results: Sequence[Result], question: Question, wanted: TestResult
) -> list[TestResult]:
    return [
        test
        for result in results
        for test in result.of(question)
        if test.test.name == wanted.test.name
    ]


def _count(items: Any) -> list[tuple[Any, int]]:
    counts: dict[Any, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return sorted(counts.items(), key=lambda pair: (pair[0] != OK, -pair[1]))


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram: the submissions from ``low`` to ``high`` percent."""

    low: int
    high: int
    count: int
    share: float


def histogram(percents: Sequence[float]) -> list[Bar]:
    """Return ten bars of ten percent each; a full score stands in the last."""
    counts = [0] * _BINS
    for percent in percents:
        counts[min(int(percent * _BINS / 100), _BINS - 1)] += 1
    step = 100 // _BINS
    highest = max([*counts, 1])
    return [
        Bar(index * step, (index + 1) * step, count, count / highest)
        for index, count in enumerate(counts)
    ]
