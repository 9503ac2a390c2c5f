"""Drag-the-modes in Python: its closed forms, its traits, its static figure."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from traitlets import TraitError

from imitation_lab.widgets import DragTheModes
from imitation_lab.widgets.modes import LIMITS, summary

GRID = np.linspace(-4, 4, 16_001)
mixtures = st.fixed_dictionaries(
    {name: st.floats(*LIMITS[name]) for name in LIMITS if name not in {"left_mode", "right_mode"}}
    | {"left_mode": st.floats(-1, 0), "right_mode": st.floats(0, 1)}
)


def mixture_density(values):
    left = stats.norm(values["left_mode"], values["spread"])
    right = stats.norm(values["right_mode"], values["spread"])
    weight = values["left_weight"]
    return lambda x: weight * left.pdf(x) + (1 - weight) * right.pdf(x)


@settings(max_examples=50, deadline=None)
@given(mixtures)
def test_mean_variance_and_loss_are_integrals_of_the_density(values):
    numbers = summary(**values)
    density = mixture_density(values)(GRID)

    def expected(function):
        return np.trapezoid(density * function, GRID)

    assert numbers.mean == pytest.approx(expected(GRID), abs=1e-6)
    assert numbers.variance == pytest.approx(expected((GRID - numbers.mean) ** 2), abs=1e-6)
    assert numbers.guess_loss == pytest.approx(expected((GRID - values["guess"]) ** 2), abs=1e-6)
    assert numbers.density_at_mean == pytest.approx(mixture_density(values)(numbers.mean))


@settings(max_examples=50, deadline=None)
@given(mixtures)
def test_shares_in_the_obstacle_are_those_of_scipy(values):
    numbers = summary(**values)
    width = values["obstacle"]

    def inside(mean, std):
        return stats.norm(mean, std).cdf(width) - stats.norm(mean, std).cdf(-width)

    weight, spread = values["left_weight"], values["spread"]
    data = weight * inside(values["left_mode"], spread) + (1 - weight) * inside(
        values["right_mode"], spread
    )
    assert numbers.data_in_obstacle == pytest.approx(data, abs=1e-12)
    assert numbers.gaussian_in_obstacle == pytest.approx(
        inside(numbers.mean, numbers.std), abs=1e-12
    )


def test_two_equal_drivers_put_the_optimum_where_nobody_drives():
    numbers = summary(left_mode=-0.6, right_mode=0.6, left_weight=0.5)
    assert numbers.mean == 0
    assert numbers.optimum_crashes
    assert numbers.gaussian_in_obstacle > 50 * numbers.data_in_obstacle


def test_one_driver_alone_is_no_trouble():
    numbers = summary(left_weight=1.0, guess=-0.6)
    assert numbers.mean == pytest.approx(-0.6)
    assert numbers.guess_loss == pytest.approx(0.12**2)
    assert not numbers.optimum_crashes


def test_sentence_tells_the_numbers():
    text = summary(left_weight=0.45, guess=0.3).sentence()
    mean, variance = 0.06, 0.12**2 + 0.45 * 0.55 * 1.2**2
    assert f"L2 optimum +{mean:.2f} m/s: straight at the obstacle" in text
    assert f"costs {variance + 0.24**2:.2f} ≈ {variance:.2f} (variance) + {0.24**2:.2f}" in text


def test_sentence_writes_zero_without_a_sign_and_negatives_with_a_minus():
    assert "L2 optimum 0.00 m/s" in summary(guess=-0.001).sentence()
    assert "Your constant 0.00 m/s" in summary(guess=-0.001).sentence()
    assert "Your constant −0.50 m/s" in summary(guess=-0.5).sentence()


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-7.0, 7.0, math.nan])
def test_traits_refuse_values_outside_their_limits(name, value):
    widget = DragTheModes()
    with pytest.raises(TraitError, match=f"{name} must lie between .*, got {value:g}"):
        setattr(widget, name, value)


def test_traits_refuse_a_left_driver_right_of_the_right_one():
    widget = DragTheModes()
    with pytest.raises(
        TraitError, match=r"left_mode must not exceed right_mode, got 0\.9 and 0\.6"
    ):
        widget.left_mode = 0.9
    assert widget.left_mode == -0.6


def test_both_modes_can_pass_their_old_places_in_one_message():
    widget = DragTheModes(left_mode=-0.9, right_mode=-0.8)
    widget.set_state({"left_mode": 0.5, "right_mode": 0.7})
    assert (widget.left_mode, widget.right_mode) == (0.5, 0.7)


def test_static_figure_shows_two_panels_with_the_summary_s_numbers():
    widget = DragTheModes(left_weight=0.3, guess=-0.4)
    numbers = widget.summary()
    density_axes, loss_axes = widget.figure().axes
    curves = {line.get_label(): line for line in density_axes.lines}
    action, density = curves["the drivers"].get_data()
    assert np.trapezoid(density, action) == pytest.approx(1, abs=1e-3)
    assert np.trapezoid(density * action, action) == pytest.approx(numbers.mean, abs=2e-3)
    fit = dict(zip(*curves["Gaussian fit"].get_data(), strict=True))
    assert max(fit.values()) == pytest.approx(1 / (numbers.std * math.sqrt(2 * math.pi)), rel=1e-3)
    losses = {line.get_label(): line for line in loss_axes.lines}[
        "error of the constant c"
    ].get_ydata()
    assert min(losses) == pytest.approx(numbers.variance, abs=1e-4)
