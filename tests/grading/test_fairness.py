"""What is right gets full marks across the wall, and the command that looks for exceptions tells them."""

import json

import pytest

from autograder.assignment import load_assignments
from benchmarks import fairness
from benchmarks.fairness import Fairness, Grading, grade_all, right_answers, solutions
from benchmarks.submissions import (
    as_handed_in,
    blanks,
    course,
    graded,
    write_class,
    write_submission,
)

NAME = "01_the_mean_is_not_an_action"


@pytest.fixture
def graders(sandbox, tmp_path):
    return Fairness(sandbox, load_assignments(), tmp_path)


def test_right_answers_of_a_notebook_get_full_marks(graders, capsys):
    first = next(right_answers(seed=3, shift=1))
    assert grade_all(graders, [first], jobs=1) == (1, 0)
    assert capsys.readouterr().out == ""


def test_a_failure_is_told_with_notebook_seed_test_and_message(graders, capsys):
    text = write_submission(NAME, {"mse_loss": blanks(NAME)["mse_loss"]})
    assert grade_all(graders, [Grading(NAME, 5, text, "a blank")], jobs=1) == (1, 1)
    told = capsys.readouterr().out.splitlines()
    assert len(told) > 1
    assert all(line.startswith(f"{NAME}, seed 5, a blank: mse_loss, test_") for line in told)
    assert all("replace" in line for line in told)


def test_every_right_answer_is_graded_whatever_the_shift():
    for shift in range(3):
        texts: dict[str, str] = {}
        for grading in right_answers(0, shift):
            texts[grading.notebook] = texts.get(grading.notebook, "") + grading.text
        for name, notebook in course().items():
            for question in graded(notebook):
                for answer in question.right:
                    assert json.dumps(as_handed_in(question, answer)) in texts[name], answer.name


def test_each_solution_has_a_seed_of_its_own_and_all_notebooks_have_turns():
    planned = list(solutions(first=100, count=18))
    assert [grading.seed for grading in planned] == list(range(100, 118))
    assert {grading.notebook for grading in planned[:9]} == set(course())
    assert planned[0].notebook == planned[9].notebook


def test_a_class_is_the_same_each_time_and_mixed():
    first, again = write_class(NAME, 12), write_class(NAME, 12)
    assert first == again
    assert len(set(first)) == 12
    assert write_class(NAME, 12, seed=1) != first


@pytest.mark.long
def test_ninety_solutions_and_every_right_answer_get_full_marks():
    assert fairness.main(["--gradings", "90", "--right", "1"]) == 0
