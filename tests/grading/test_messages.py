"""What a student reads about a failed test: no words of the submission's, and nothing of what is hidden."""

import dataclasses
import html
import re

import pytest
import torch

from autograder.assignment import load_assignments
from autograder.messages import explain_failure
from autograder.proxy import StudentError, UnreadableResultError
from autograder.report import render_feedback
from autograder.results import ManualGrade
from imitation_lab.testing import check_close
from tests.grading.conftest import ASSIGNMENTS

CANARY = "CANARY8675309"


def raises(*_, **__):
    raise StudentError(CANARY, CANARY)


def is_unreadable(*_, **__):
    raise UnreadableResultError(CANARY, CANARY)


# What a function that has seen a hidden input may hand to the test, to have it repeated.
ANSWERS = {
    "text": lambda *_, **__: CANARY,
    "texts": lambda *_, **__: [CANARY, CANARY],
    "three": lambda *_, **__: (torch.zeros(3), CANARY, CANARY),
    "keys": lambda *_, **__: {CANARY: CANARY},
    "bytes": lambda *_, **__: CANARY.encode(),
    "raises": raises,
    "unreadable": is_unreadable,
}


def fail(test, answer):
    """Return what a student reads whose functions all answer like this; empty where it passes."""
    try:
        test.function(**dict.fromkeys(test.parameters, answer))
    except Exception as error:
        return explain_failure(error, test, [], "")
    return ""


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_hidden_test_of_the_course_repeats_words_that_it_was_given(answer):
    for assignment in load_assignments().values():
        for question in assignment.graded:
            for test in question.tests:
                if test.hidden:
                    assert CANARY not in fail(test, ANSWERS[answer]), test.name


@pytest.mark.parametrize("hidden", [True, False])
def test_few_numbers_are_told_in_public_tests_alone(assignment, hidden):
    test = dataclasses.replace(assignment.graded[0].tests[0], hidden=hidden)
    with pytest.raises(AssertionError) as error:
        check_close(torch.tensor(12.5), 25.0, "sum, do not average.")
    text = explain_failure(error.value, test, [], "")
    assert text.startswith("the value is off by up to 12.5: sum, do not average.")
    assert ("Expected 25, got 12.5." in text) is not hidden


def test_feedback_holds_nothing_of_the_tests_but_their_sentences(grade, right, assignment):
    for question in assignment.graded:
        right.answer(question.name, f"def {question.name}(*_, **__):\n    return {CANARY!r}")
    text = render_feedback(grade(right))
    assert "Traceback" not in text and 'File "' not in text
    for question in assignment.graded:
        lines = (ASSIGNMENTS / assignment.notebook / f"{question.name}.py").read_text().splitlines()
        code = [line.strip() for line in lines if re.search(r"def |check_| = |import ", line)]
        assert len(code) > 3 and not [line for line in code if line in html.unescape(text)]
        assert all(wrong.source not in html.unescape(text) for wrong in question.wrong)


def test_an_answer_that_nobody_has_read_has_no_verdict(grade, right):
    result = grade(right)
    result.manual = {"is_it_luck": ManualGrade("Luck", 0, 3, read=False)}
    text = render_feedback(result)
    assert "Nobody has read this answer yet: until then it counts as 0 of 3 points." in text
    assert "given by a person" not in text
