"""What notebooks say of their experiments holds with the constants that students get.

Solved notebooks run from top to bottom with the constants of students who were drawn at random. The bounds
stand where the words stand; how far the outcomes lie from them over many seeds is the business of
each notebook's own claims.
"""

import functools
import random
import statistics
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


def mean_success(evaluations):
    return statistics.mean(evaluation.success.rate for evaluation in evaluations)


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


def check_03(module):
    means = {name: mean_success(own) for name, own in module.results.items()}
    assert means["regression"] < 0.05
    assert 1 / 3 < means["Gaussian"] < 2 / 3
    assert means["mixture of 8"] > 0.8
    assert means["Gaussian, chunks of 8"] < 0.25
    assert means["mixture of 8, chunks of 8"] > 0.5
    assert statistics.stdev(module.rates["at random"][2]) > 20
    close = {k: (v - module.entropy < 0.05).float() for k, v in module.held_out_losses.items()}
    assert 0 < close[3].mean() < close[8].mean() and close[8].mean() > 0.5


def check_04(module):
    for name in ("independent, straight", "autoregressive, straight", "autoregressive, turned"):
        assert rate(module, name) > 0.95
    assert 0.65 < rate(module, "independent, turned") < 0.85
    # Each share is that of cells in which nobody acted: half, by chance and up to sparse cells.
    joint = module.joints["two corners"]
    product = module.product_of_marginals(joint)
    assert abs(module.invented_share(product, joint) - 0.5) < 0.02


def check_05(module):
    means = {steps: mean_success(own) for steps, own in module.drives.items()}
    assert means["euler", 10] > 0.95
    assert 0 < means["euler", 1] < 0.5
    assert means["midpoint", 1] > means["euler", 2]
    assert abs(means["midpoint", 1] - means["euler", 3]) < 0.15


def check_06(module):
    def share(drives, horizon):
        return float(drives[horizon].succeeded.float().mean())

    assert share(module.fork_drives, 1) < 0.5
    assert 0.6 < share(module.fork_drives, 16) < 0.8
    assert share(module.pause_drives, 1) < 0.5
    assert share(module.pause_drives, 4) == max(
        map(share, [module.pause_drives] * 5, module.HORIZONS)
    )
    assert share(module.drawn_drives, 1) > 0.85
    assert share(module.track_drives, 2) > share(module.track_drives, 1)
    assert share(module.track_drives, 2) > share(module.track_drives, 4)
    assert share(module.track_drives, 16) < 0.1
    assert share(module.pole_drives, 8) == 1 and share(module.pole_drives, 20) < 0.1


def check_07(module):
    assert not module.drives["expert"].failed.any()
    assert 40 <= int(module.crashed.sum()) <= 80
    assert int(module.early.sum()) > 0.9 * int(module.crashed.sum())
    training, fresh, own = (statistics.mean(errors) for errors in list(module.rows.values())[:3])
    assert training < own / 4 and fresh < own / 3


def check_08(module):
    often = module.decide(module.danger, 0.6, 0.6)
    assert module.switches(often[:60]) >= 3 and module.switches(often[60:]) >= 3
    assert module.switches(module.decide(module.danger, 0.4, 0.8)) == 2


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("number", VARIED)
def test_what_a_notebook_says_holds_with_a_students_constants(number, student):
    globals()[f"check_{number}"](experiment(number, student))
