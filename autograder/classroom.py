"""What the results of a whole class tell about its questions, and which submissions to look at."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.assignment import Question
from autograder.results import Result
from autograder.selection import BLANK, MISSING
from autograder.session import MALFORMED, OK

FEWEST_FOR_CORRELATION = 10
_BINS = 10
_SLOW = 4.0  # times the median, and at least as many seconds


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


@dataclass(frozen=True)
class Item:
    """How a class did in one question.

    Attributes:
        question: The question.
        mean_share: The mean share of its points, from 0 to 1: low where it is difficult.
        discrimination: The correlation of its points with all others', from -1 to 1. None where it
            cannot be told.
        full: How many had all points.
        blank: How many left it as it was handed out, or deleted it.
    """

    question: Question
    mean_share: float
    discrimination: float | None
    full: int
    blank: int


def analyse_question(question: Question, results: Sequence[Result]) -> Item:
    """Return how submissions that could be read did in a question.

    Source:
        The corrected item-total correlation of classical test theory: Crocker and Algina,
        Introduction to Classical and Modern Test Theory, chapter 14.
    """
    scores = [result.question_score(question) for result in results]
    rests = [result.score - score for result, score in zip(results, scores, strict=True)]
    states = Counter(result.states.get(question.name) for result in results)
    return Item(
        question,
        statistics.fmean(scores) / question.points if scores and question.points else 0.0,
        _correlation(scores, rests),
        sum(score == question.points for score in scores),
        states[BLANK] + states[MISSING],
    )


def _correlation(scores: Sequence[float], rests: Sequence[float]) -> float | None:
    few = len(scores) < FEWEST_FOR_CORRELATION
    if few or len(set(scores)) < 2 or len(set(rests)) < 2:
        return None
    return statistics.correlation(scores, rests)


def readable(results: Sequence[Result]) -> list[Result]:
    """Return the results of those that could be read: a broken file tells nothing of a question."""
    return [result for result in results if result.status != MALFORMED]


@dataclass(frozen=True)
class Odd:
    """A submission that somebody should look at, and why."""

    result: Result
    reasons: tuple[str, ...]


def find_odd(results: Sequence[Result]) -> list[Odd]:
    """Return the submissions that a person should look at, those with most reasons first."""
    median = statistics.median(result.seconds for result in results) if results else 0.0
    odd = [Odd(result, tuple(_reasons(result, median))) for result in results]
    return sorted((item for item in odd if item.reasons), key=lambda item: -len(item.reasons))


def _reasons(result: Result, median: float) -> list[str]:
    reasons = [] if result.status == OK else [f"ended with the status {result.status}"]
    if result.seconds > _SLOW * max(median, 1.0):
        reasons.append(f"took {result.seconds:.1f} s, where the median is {median:.1f} s")
    if made_for := (result.variant or {}).get("made_for"):
        reasons.append(f"the notebook was made for {', '.join(made_for)}")
    graded = result.assignment.graded if result.assignment else ()
    if upside_down := [question.name for question in graded if _is_upside_down(question, result)]:
        reasons.append(
            "passes all hidden tests but not the public ones of " + ", ".join(upside_down)
        )
    if disabled := sum("disabled" in note for cell in result.cells for note in cell["notes"]):
        reasons.append(f"{disabled} × a command that is disabled while grading")
    return reasons


def _is_upside_down(question: Question, result: Result) -> bool:
    """Tell whether hidden tests passed where public ones, which come first and ask less, failed."""
    tests = result.of(question)
    hidden = [test.passed for test in tests if test.test.hidden]
    public = [test.passed for test in tests if not test.test.hidden]
    return bool(hidden) and all(hidden) and not all(public)


@dataclass(frozen=True)
class Time:
    """How long grading took, in seconds of one submission after the other."""

    median: float
    longest: float
    total: float


def time_spent(results: Sequence[Result]) -> Time:
    """Return how long at least one submission took."""
    seconds = [result.seconds for result in results]
    return Time(statistics.median(seconds), max(seconds), sum(seconds))
