"""The two pages that people read: a student's feedback and the instructor's report."""

import statistics
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from autograder.assignment import Assignment, Question, Test
from autograder.classroom import (
    FEWEST_FOR_CORRELATION,
    analyse_question,
    find_odd,
    histogram,
    readable,
    time_spent,
)
from autograder.results import Result
from autograder.selection import BLANK, MISSING
from autograder.session import MALFORMED, OK
from autograder.similarity import find_alike

MOST_ALIKE = 20
_ADVICE = {
    BLANK: "This question was left as it was handed out: replace each `...` with your answer.",
    MISSING: "No cell defines this name. Restore the question's cell from the original notebook.",
}
_NOTHING = {"unsafe": False, "backend": "not used", "seed": "none", "versions": {}}


@cache
def templates() -> jinja2.Environment:
    """Return the pages' templates."""
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
        templates()
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
        "manual": result.manual.get(question.name),
    }


def render_report(results: Sequence[Result], expected: int | None = None) -> str:
    """Return the page that an instructor reads.

    Args:
        results: Of the submissions that were graded.
        expected: How many there were to grade, where the run may have been stopped.
    """
    assignments = {r.assignment.notebook: r.assignment for r in results if r.assignment}
    return (
        templates()
        .get_template("report.html")
        .render(
            results=results,
            expected=len(results) if expected is None else expected,
            environment=results[0].environment if results else _NOTHING,
            eyes=[result for result in results if result.status != OK],
            statuses=_statuses(results),
            fewest=FEWEST_FOR_CORRELATION,
            assignments=[
                _assignment_view(assignment, [r for r in results if r.assignment is assignment])
                for assignment in assignments.values()
            ],
        )
    )


def _assignment_view(assignment: Assignment, results: list[Result]) -> dict[str, Any]:
    alike = find_alike(results)
    percents = [result.percent for result in results]
    read = readable(results)
    return {
        "assignment": assignment,
        "results": results,
        "outcome": results[0].policy.max_score if results[0].policy else 0,
        "manual": {
            name: grade.max_score for result in results for name, grade in result.manual.items()
        },
        "mean": statistics.mean(percents),
        "median": statistics.median(percents),
        "malformed": sum(result.status == MALFORMED for result in results),
        "bars": histogram(percents),
        "read": len(read),
        "questions": [analyse_question(question, read) for question in assignment.graded],
        "tests": _test_views(assignment, results),
        "hints": _misconceptions(results),
        "alike": alike[:MOST_ALIKE],
        "more_alike": len(alike[MOST_ALIKE:]),
        "odd": find_odd(results),
        "time": time_spent(results),
        "written": [
            _written_view(question, results)
            for question in assignment.questions
            if question.written
        ],
    }


def _test_views(assignment: Assignment, results: list[Result]) -> list[tuple[Question, Test, int]]:
    """Return every test, and how often it failed."""
    failed = Counter(
        (test.question, test.test.name)
        for result in results
        for test in result.tests
        if not test.passed
    )
    return [
        (question, test, failed[question.name, test.name])
        for question in assignment.graded
        for test in question.tests
    ]


def _misconceptions(results: list[Result]) -> list[tuple[str, str, int]]:
    """Return the hints that students got, with the question and how many got it, most first."""
    counts = Counter(
        (question, hint) for r in results for question, hints in r.hints.items() for hint in hints
    )
    return [(question, hint, count) for (question, hint), count in counts.most_common()]


def _written_view(question: Question, results: list[Result]) -> dict[str, Any]:
    texts = [(result.name, result.written.get(question.name, "")) for result in results]
    answers = [(name, text) for name, text in texts if text]
    return {"question": question, "answers": answers, "blank": len(texts) - len(answers)}


def _statuses(results: Sequence[Result]) -> list[tuple[str, int]]:
    """Return how often each status is, the ordinary one first."""
    counts = Counter(result.status for result in results)
    return sorted(counts.items(), key=lambda pair: (pair[0] != OK, -pair[1]))
