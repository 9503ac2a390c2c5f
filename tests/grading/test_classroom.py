"""What a report tells about a class: difficulty, discrimination, and whom to look at."""

import dataclasses
import math

import pytest

from autograder.classroom import (
    FEWEST_FOR_CORRELATION,
    analyse_question,
    find_odd,
    histogram,
    readable,
    time_spent,
)
from autograder.report import render_report
from autograder.results import ManualGrade, Result, TestResult, Tree
from autograder.selection import ANSWERED, BLANK
from tests.grading.test_results import Page


@pytest.fixture
def student(assignment):
    """Return a function that makes a result in which the tests of some questions pass."""

    def student(*passed, name="student", **fields):
        environment = {"unsafe": False, "backend": "none", "seed": 1, "versions": {}}
        fields = {"status": "ok", "seconds": 1.0, "environment": environment, **fields}
        tests = [
            TestResult(question.name, test, question.name in passed)
            for question in assignment.graded
            for test in question.tests
        ]
        states = {question.name: ANSWERED for question in assignment.graded}
        return Result(name, "", assignment=assignment, tests=tests, states=states, **fields)

    return student


@pytest.fixture
def loss(assignment):
    return next(question for question in assignment.graded if question.name == "squared_loss")


def test_every_score_stands_in_one_bar():
    bars = histogram([0, 9.99, 10, 55, 99.9, 100])
    assert [bar.count for bar in bars] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert max(bar.share for bar in bars) == 1


def test_the_mean_share_counts_parts_of_a_questions_points(student, loss):
    item = analyse_question(loss, [student("squared_loss"), student(), student(), student()])
    assert (item.mean_share, item.full) == (0.25, 1)


def test_a_question_that_only_the_good_solve_discriminates(student, loss):
    good, bad = student("squared_loss", "draw"), student("best_constant")
    worse = student()
    results = [good] * 10 + [worse] * 10
    assert math.isclose(analyse_question(loss, results).discrimination, 1)
    results = [student("squared_loss")] * 10 + [bad] * 10
    assert math.isclose(analyse_question(loss, results).discrimination, -1)


def test_discrimination_compares_with_the_other_questions_alone(student, loss):
    # With the question's own points in the total, this would be positive.
    pairs = [("squared_loss", "draw"), ("squared_loss",), ("draw",), ()]
    results = [student(*passed) for passed in pairs for _ in range(5)]
    assert math.isclose(analyse_question(loss, results).discrimination, 0, abs_tol=1e-12)


@pytest.mark.parametrize("count", [0, 1, FEWEST_FOR_CORRELATION - 1])
def test_few_submissions_tell_no_discrimination(student, loss, count):
    results = [student("squared_loss", "draw"), *[student()] * FEWEST_FOR_CORRELATION][:count]
    assert analyse_question(loss, results).discrimination is None


@pytest.mark.parametrize("varied", ["squared_loss", "draw"])
def test_equal_points_tell_no_discrimination(student, loss, varied):
    results = [student(varied), student()] * 10
    assert analyse_question(loss, results).discrimination is None


def test_what_was_not_answered_is_counted(student, loss):
    blank = student()
    blank.states["squared_loss"] = BLANK
    assert analyse_question(loss, [student(), blank]).blank == 1


def test_a_file_that_is_no_notebook_tells_nothing_of_a_question(student):
    good, broken = student("draw"), student(status="malformed")
    assert readable([good, broken]) == [good]


def test_slow_is_far_above_the_median_and_not_a_matter_of_tenths(student):
    quick = [student(seconds=0.1) for _ in range(5)]
    assert find_odd([*quick, student(seconds=0.9)]) == []
    slow = student(seconds=9.0, name="slow")
    (odd,) = find_odd([*quick, slow])
    assert odd.result is slow and odd.reasons == ("took 9.0 s, where the median is 0.1 s",)


def test_odd_is_who_dies_or_runs_commands_or_passes_hidden_tests_alone(student, loss):
    died = student(status="died")
    shell = student(cells=[{"notes": ["The shell command !ls is disabled while grading."]}])
    lucky = student()
    lucky.tests = [
        dataclasses.replace(test, passed=test.test.hidden and test.question == loss.name)
        for test in lucky.tests
    ]
    reasons = {item.result.status + item.reasons[0] for item in find_odd([died, shell, lucky])}
    assert reasons == {
        "diedended with the status died",
        "ok1 × a command that is disabled while grading",
        "okpasses all hidden tests but not the public ones of squared_loss",
    }


def test_time_is_told_in_the_median_at_most_and_in_all(student):
    time = time_spent([student(seconds=seconds) for seconds in (1.0, 2.0, 9.0)])
    assert (time.median, time.longest, time.total) == (2.0, 9.0, 12.0)


def test_a_report_has_all_that_a_class_tells(student):
    results = [
        student("squared_loss", "draw", name=f"good {number}", trees={"draw": Tree("a", 40)})
        for number in range(2)
    ]
    results += [
        student(
            name=f"bad {number}", trees={"draw": Tree(f"b{number}", 40)}, hints={"draw": ["Mean!"]}
        )
        for number in range(10)
    ]
    results[0].manual = results[1].manual = {"is_it_luck": ManualGrade("Luck", 2, 5)}
    text = render_report(results)
    Page(text)
    assert '<td class="number">10</td><th scope="row"><code>draw</code></th><td>Mean!</td>' in text
    assert "(40 nodes, 2 of 12 answers)" in text and "good%200/feedback.html" in text
    assert "1.00" in text and "too few" not in text
    assert "is_<wbr>it_<wbr>luck (5)" in text and "1.0 s in the median" in text


def test_a_report_of_few_says_that_they_are_too_few(student):
    text = render_report([student("draw"), student()])
    assert "2 submissions that could be read are too few for it: it needs 10." in text
    assert text.count("too few</td>") == 3
