"""No test of the course joins what it was given into a tensor that fills the judge's memory.

A column of n numbers is small, and so is a row; their difference has n² numbers. What a student's functions
return is the student's choice, and tests compute with it on the judge's side of the wall.
"""

import contextlib
import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autograder.assignment import load_assignments
from imitation_lab.testing import grading_seed

MANY = 1000
COLUMN, ROW = (MANY, 1), (1, MANY)


def in_turns(*shapes):
    """Return a function whose calls return tensors of these shapes, one after the other."""
    turns = itertools.cycle(shapes)
    return lambda *_, **__: torch.zeros(next(turns), requires_grad=True) * 1


def at_once(*shapes):
    """Return a function that returns tensors of all these shapes."""
    return lambda *_, **__: tuple(torch.zeros(shape) for shape in shapes)


# Functions that make an answer, since each test gets a new one.
ANSWERS = {
    "columns": lambda: in_turns(COLUMN),
    "rows": lambda: in_turns(ROW),
    "column, row": lambda: in_turns(COLUMN, ROW),
    "column, column, row": lambda: in_turns(COLUMN, COLUMN, ROW),
    "a column and a row": lambda: at_once(COLUMN, ROW),
    "a column, a row and a column": lambda: at_once(COLUMN, ROW, COLUMN),
}


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor had that was made."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, torch.Tensor):
                self.numbers = max(self.numbers, value.numel())
        return made


def largest_tensor(test, answer):
    with Largest() as largest, grading_seed(1), contextlib.suppress(Exception):
        test(*itertools.repeat(answer, test.__code__.co_argcount))
    return largest.numbers


@pytest.mark.parametrize("name", ANSWERS)
def test_columns_and_rows_become_no_square(name):
    for assignment in load_assignments().values():
        for question in assignment.graded:
            for test in question.tests:
                made = largest_tensor(test.function, ANSWERS[name]())
                assert made < MANY**2, f"{test.name} made a tensor of {made:,} numbers"


def test_a_difference_without_a_look_at_the_shapes_is_found():
    def careless(answer):
        assert (answer() - answer()).abs().max() < 1e-3

    assert largest_tensor(careless, in_turns(COLUMN, ROW)) == MANY**2
