"""Every question of every notebook, straight from the source, against every answer listed with it.

A notebook's ordinary cells and solutions run once. Each answer then takes the solution's place in a
copy of what they defined.
"""

import ast
import functools
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import pytest

from imitation_lab.testing import grading_seed
from tools.build import PROJECT
from tools.marks import blank
from tools.rules import read_course
from tools.source import Answer, Cell, Notebook, Question, Test

Namespace = dict[str, Any]
SEEDS = 50

NOTEBOOKS = {notebook.name: notebook for notebook in read_course(PROJECT / "source")}
QUESTIONS = [
    (notebook, question)
    for notebook in NOTEBOOKS.values()
    for question in notebook.questions
    if not question.written
]
STRETCHES = [(notebook, goal) for notebook in NOTEBOOKS.values() for goal in notebook.stretches]
TESTS = [(notebook, q, test) for notebook, q in QUESTIONS for test in q.tests]
WRONG = [(notebook, q, answer) for notebook, q in QUESTIONS for answer in q.wrong]
RIGHT = [(notebook, q, answer) for notebook, q in QUESTIONS for answer in q.right]


def each(names: str, cases: list[tuple]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(names, cases, ids=[case[-1].name for case in cases])


@functools.cache
def solved(name: str) -> Namespace:
    """Run a notebook's ordinary cells and solutions, without those that only train."""
    module = ModuleType(name)
    for cell in NOTEBOOKS[name].cells:
        if cell.kind == "code" and cell.tag != "train":
            execute(cell, cell.source, module.__dict__)
    return module.__dict__


def execute(cell: Cell, source: str, namespace: Namespace) -> None:
    exec(compile(source, f"{cell.file}:{cell.line}", "exec"), namespace)


def answered(notebook: Notebook, question: Question, answer: Answer) -> Namespace:
    """Return the solved notebook with another answer in the solution's place."""
    namespace = dict(solved(notebook.name))
    execute(answer.cell, answer.cell.source, namespace)
    namespace[question.name] = namespace[answer.name]
    return namespace


def unanswered(notebook: Notebook, question: Question) -> Namespace:
    """Return the solved notebook with the cell that students get in the solution's place."""
    namespace = dict(solved(notebook.name))
    execute(question.solution, blank(question.solution), namespace)
    return namespace


def run(test: Test, namespace: Namespace) -> None:
    """Call a test as graders do: by the names of its parameters, with nothing else in sight."""
    own: Namespace = {}
    execute(test.cell, test.source, own)
    parameters = [argument.arg for argument in test.function.args.args]
    own[test.name](**{parameter: namespace[parameter] for parameter in parameters})


def failures(tests: Iterable[Test], namespace: Namespace) -> Iterator[str]:
    for test in tests:
        try:
            run(test, namespace)
        except Exception:  # an answer may fail in any way
            yield test.name


@each("notebook, question, test", TESTS)
def test_the_solution_passes_with_any_seed(notebook, question, test):
    for seed in range(SEEDS):
        with grading_seed(seed):
            run(test, solved(notebook.name))


@each("notebook, question, test", TESTS)
def test_the_blank_fails_and_says_what_to_do(notebook, question, test):
    namespace = unanswered(notebook, question)
    with grading_seed(0), pytest.raises(AssertionError) as failure:
        run(test, namespace)
    assert "replace" in str(failure.value), "the message should tell what to replace by what"


@each("notebook, question, answer", WRONG)
def test_a_wrong_answer_loses_hidden_points_with_any_seed(notebook, question, answer):
    namespace = answered(notebook, question, answer)
    for seed in range(10):
        with grading_seed(seed):
            caught = list(failures(question.hidden, namespace))
        assert caught, f"no hidden test notices {answer.name} with seed {seed}"


@each("notebook, question, answer", RIGHT)
def test_a_right_answer_gets_full_marks_with_any_seed(notebook, question, answer):
    namespace = answered(notebook, question, answer)
    for seed in range(10):
        with grading_seed(seed):
            for test in question.tests:
                run(test, namespace)


@each("notebook, goal", STRETCHES)
def test_a_stretch_goal_that_is_left_blank_does_no_harm(notebook, goal):
    namespace = dict(solved(notebook.name))
    before = dict(namespace)
    for cell in goal.solution:
        if cell.kind == "code":
            execute(cell, blank(cell), namespace)
            last = ast.parse(blank(cell)).body[-1]
            shown = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)
            assert not shown, "a notebook shows the value of a cell's last line: Ellipsis"
    assert all(namespace[name] is value for name, value in before.items())
