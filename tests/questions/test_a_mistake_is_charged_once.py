"""What is wrong in an earlier question of notebook 06 is not charged again in a later one that builds on it."""

import pytest

from imitation_lab.testing import grading_seed
from tests.questions.test_questions_prove_themselves import (
    NOTEBOOKS,
    QUESTIONS,
    answered,
    execute,
    failures,
)

(NAME,) = (name for name in NOTEBOOKS if name.startswith("06"))
BY_NAME = {question.name: question for _, question in QUESTIONS}
SAMPLE = BY_NAME["rtc_sample"]
# Without gradients it raises an error, also in the cell that draws the first guided chunks.
LOUD = {"rtc_guided_step__needs_gradients"}
WRONG = [
    (BY_NAME[name], answer)
    for name in ("rtc_weights", "rtc_guided_step")
    for answer in BY_NAME[name].wrong
    if answer.name not in LOUD
]


@pytest.mark.parametrize(("question", "answer"), WRONG, ids=[answer.name for _, answer in WRONG])
def test_rtc_sample_passes_on_what_the_earlier_questions_own_check_passes(question, answer):
    """A mistake that is seen by the check of its own question is mended before one goes on."""
    namespace = answered(NOTEBOOKS[NAME], question, answer)
    execute(SAMPLE.solution, SAMPLE.solution.source, namespace)
    with grading_seed(0):
        seen = list(failures(question.public, namespace))
        assert seen or list(failures(SAMPLE.tests, namespace)) == []


@pytest.mark.parametrize(
    "name", ["rtc_guided_step__pulls_through_the_velocity", "rtc_guided_step__turns_the_jacobian"]
)
def test_rtc_sample_passes_on_a_wrong_pull(name):
    question = BY_NAME["rtc_guided_step"]
    (answer,) = (answer for answer in question.wrong if answer.name == name)
    namespace = answered(NOTEBOOKS[NAME], question, answer)
    execute(SAMPLE.solution, SAMPLE.solution.source, namespace)
    with grading_seed(0):
        assert list(failures(question.tests, namespace))
        assert list(failures(SAMPLE.tests, namespace)) == []


def test_rtc_sample_has_no_points_for_agreeing_with_a_step_that_does_nothing():
    question = BY_NAME["rtc_guided_step"]
    namespace = answered(NOTEBOOKS[NAME], question, question.wrong[0])
    execute(SAMPLE.solution, SAMPLE.solution.source, namespace)
    namespace["rtc_guided_step"] = lambda velocity, points, *rest, **options: points
    with grading_seed(0):
        failed = list(failures(SAMPLE.tests, namespace))
    assert "test_rtc_sample_takes_guided_steps" in failed
