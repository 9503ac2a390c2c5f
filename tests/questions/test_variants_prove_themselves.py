"""Every solution passes every test, whatever constants a student has."""

import random
from types import ModuleType

import pytest

from autograder.variants import with_values
from imitation_lab.testing import grading_seed
from tests.questions.test_questions_prove_themselves import NOTEBOOKS, execute, run

VARIED = [name for name, book in NOTEBOOKS.items() if any(cell.constants for cell in book.cells)]
STUDENTS = 20


def solved_by(name: str, student: int) -> dict:
    """Run a notebook's ordinary cells and solutions with a student's constants."""
    module, draws = ModuleType(name), random.Random(student)
    for cell in NOTEBOOKS[name].cells:
        if cell.kind == "code" and cell.tag != "train":
            values = {constant.name: draws.choice(constant.choices) for constant in cell.constants}
            execute(cell, with_values(cell.source, values), module.__dict__)
    return module.__dict__


@pytest.mark.long
@pytest.mark.parametrize("name", VARIED)
def test_the_solutions_pass_with_any_students_constants(name):
    for student in range(STUDENTS):
        namespace = solved_by(name, student)
        for question in NOTEBOOKS[name].questions:
            for test in question.tests:
                with grading_seed(student):
                    run(test, namespace)
