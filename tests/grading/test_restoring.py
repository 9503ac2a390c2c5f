"""Results that were written are read again as they were."""

import dataclasses
import json

import pytest

from autograder.report import render_feedback, render_report
from autograder.restoring import RestoreError, restore, restore_folder
from autograder.results import (
    ManualGrade,
    PolicyGrade,
    harmless,
    unquoted,
    write_grades,
    write_json,
)


@pytest.fixture
def graded(grade, right):
    right.answer("best_constant", "def best_constant(actions):\n    return actions.mean()")
    right.insert(2, "print('a helper')\n!ls")
    return grade(right, "=student")


def written(result):
    return json.loads(json.dumps(result.as_gradescope()))


def test_a_result_is_restored_as_it_was(graded, assignments):
    graded.policy = PolicyGrade(1.5, 4, "Sometimes.")
    graded.manual = {"is_it_luck": ManualGrade("Question 4 · Is it luck?", 2, 3, "Nearly.")}
    again = restore(written(graded), assignments, graded.name, graded.file)
    assert written(again) == written(graded)
    assert dataclasses.replace(again, seconds=graded.seconds) == graded
    for render in (render_feedback, lambda result: render_report([result])):
        assert render(again) == render(dataclasses.replace(graded, seconds=again.seconds))


def test_a_result_that_cannot_be_told_an_assignment_is_restored(grade, assignments):
    result = grade("{", "broken")
    result.assignment, result.tests = None, []
    assert written(restore(written(result), assignments, "broken")) == written(result)


def test_a_result_of_other_tests_is_refused(graded, assignments):
    data = written(graded)
    data["tests"][0]["max_score"] = 99
    with pytest.raises(RestoreError, match=r"best_constant has other tests now.*grade it anew"):
        restore(data, assignments, "student")


@pytest.mark.parametrize("damage", [{}, {"extra_data": {}}, {"tests": []}], ids=str)
def test_a_file_that_was_not_written_here_is_refused(graded, assignments, damage):
    with pytest.raises(RestoreError, match="grade it anew"):
        restore({**written(graded), **damage} if damage else {}, assignments, "student")


def test_a_folder_is_restored_in_the_order_of_its_grades(graded, assignments, tmp_path):
    other = dataclasses.replace(graded, name="another", file="=file")
    for result in (graded, other):
        write_json(tmp_path / result.name / "results.json", result.as_gradescope())
    write_grades(tmp_path / "grades.csv", [graded, other])
    again = restore_folder(tmp_path, assignments)
    assert [(r.name, r.file) for r in again] == [(r.name, r.file) for r in (graded, other)]
    assert [written(result) for result in again] == [written(graded), written(other)]


def test_a_folder_without_grades_is_explained(assignments, tmp_path):
    with pytest.raises(RestoreError, match=r"no grades.csv: grade into it first"):
        restore_folder(tmp_path, assignments)


@pytest.mark.parametrize("name", ["Ada", "=1+1", "'=1+1", "''", "-", "'Ada", "+'"])
def test_what_is_made_harmless_can_be_undone(name):
    assert unquoted(harmless(name)) == name
