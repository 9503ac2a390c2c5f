"""What notebooks say of their experiments holds with the constants that students get.

Solved notebooks run from top to bottom with the constants of students who were drawn at random. The bounds
stand where the words stand; how far the outcomes lie from them over many seeds is the business of
each notebook's own claims.
"""

import functools
import random
from types import ModuleType

import matplotlib as mpl
import pytest

from autograder.variants import with_values
from tools.build import PROJECT
from tools.rules import read_course

COURSE = {notebook.name[:2]: notebook for notebook in read_course(PROJECT / "source")}
VARIED = [number for number, notebook in COURSE.items() if any(c.constants for c in notebook.cells)]
STUDENTS = range(3)
pytestmark = [pytest.mark.claims, pytest.mark.long]


@functools.cache
def experiment(number, student):
    """Run a solved notebook with a student's constants, and return what it defines."""
    mpl.use("Agg")
    notebook = COURSE[number]
    module = ModuleType(notebook.name)
    draws = random.Random(f"{number} {student}")
    for cell in notebook.cells:
        if cell.kind == "code":
            values = {constant.name: draws.choice(constant.choices) for constant in cell.constants}
            source = with_values(cell.source, values)
            exec(compile(source, f"{cell.file}:{cell.line}", "exec"), module.__dict__)
    return module


def rate(module, name):
    return module.rates[name].rate


def check_01(module):
    assert rate(module, "regression") < 0.05
    assert rate(module, "16 times larger") < 0.05
    assert rate(module, "one driver's data") > 0.95
    assert 1 / 3 < rate(module, "Gaussian") < 2 / 3
    assert rate(module, "Gaussian, chunks of 8") < 0.25
    assert module.demonstrations.actions[module.deciding, 1].abs().min() > 0.4
    assert module.windy["wind of 0.1 m/s"].rate > 1 / 3


def check_02(module):
    assert rate(module, "regression") < 0.05
    assert 0.4 < rate(module, "Gaussian") < 0.65
    assert rate(module, "5 bins") < rate(module, "Gaussian") + 0.1
    for bins in (11, 31, 101):
        assert 0.65 < rate(module, f"{bins} bins") < 0.87
    assert module.by_temperature["T = 0.25"].rate > 0.8
    assert module.by_temperature["T = 4"].rate < 0.5
    assert module.success["31 bins, chunks of 8"].rate < 0.4
    few, more = (module.held_out_nats(module.fit_logits(module.actions, n)) for n in (11, 31))
    assert more < few


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("number", VARIED)
def test_what_a_notebook_says_holds_with_a_students_constants(number, student):
    globals()[f"check_{number}"](experiment(number, student))
