"""Choose-the-bins in Python: its numbers, its demonstrations, its traits, its static figure."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from traitlets import TraitError

from imitation_lab.widgets import ChooseTheBins
from imitation_lab.widgets.bins import (
    HIGH,
    LIMITS,
    LOW,
    bin_centres,
    bin_edges,
    bin_width,
    count_in_bins,
    log_policy,
    squared_rounding,
    summary,
    true_masses,
)
from imitation_lab.widgets.mixtures import Mixture1D, uniform_numbers

GRID = np.linspace(-6, 6, 24_001)
UNEVEN = Mixture1D((0.2, 0.5, 0.3), (-0.7, 0.1, 0.9), (0.05, 0.2, 0.1))
WEIGHTS, STDS = st.floats(0, 1), st.floats(0.05, 0.4)


# --- the truth ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(WEIGHTS, st.floats(-1, 0), st.floats(0, 1), STDS, STDS)
def test_entropy_is_an_integral_of_the_density_and_shares_are_those_of_scipy(
    weight, left, right, narrow, wide
):
    truth = Mixture1D((weight, 1 - weight), (left, right), (narrow, wide))
    density = truth.density(GRID)
    logs = np.log(np.maximum(density, 1e-300))
    assert truth.entropy() == pytest.approx(-np.trapezoid(density * logs, GRID), abs=1e-8)
    parts = [stats.norm(*pair) for pair in zip(truth.means, truth.stds, strict=True)]
    share = np.dot(truth.weights, [part.cdf(0.3) - part.cdf(-0.3) for part in parts])
    assert truth.share(-0.3, 0.3) == pytest.approx(share, abs=1e-12)


def test_entropy_of_one_gaussian_is_its_closed_form():
    truth = Mixture1D((1.0,), (0.3,), (0.07,))
    assert truth.entropy() == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.07**2))


def test_random_numbers_are_uniform_and_differ_from_seed_to_seed():
    drawn = [uniform_numbers(seed, 20_000) for seed in (0, 1, 2**31 - 1)]
    for numbers in drawn:
        assert stats.kstest(numbers, "uniform").pvalue > 1e-9
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 6 / math.sqrt(20_000)
    assert abs(np.corrcoef(drawn)[np.triu_indices(3, 1)]).max() < 6 / math.sqrt(20_000)


def test_demonstrations_follow_the_density():
    actions = UNEVEN.draw(seed=3, count=10_000)

    def share_below(values):
        return np.array([UNEVEN.share(-math.inf, value) for value in values])

    assert stats.kstest(actions, share_below).pvalue > 1e-9


def test_more_demonstrations_keep_the_earlier_ones():
    assert np.array_equal(UNEVEN.draw(5, 1000)[:50], UNEVEN.draw(5, 50))


# --- the policy -----------------------------------------------------------------------------------


def test_bins_cover_the_range_and_outside_actions_go_to_the_ends():
    counts = count_in_bins(np.array([-9.0, LOW, -0.49, 0.0, 0.51, HIGH, 9.0]), 3)
    assert counts.tolist() == [2, 2, 3]
    assert bin_edges(7)[[0, -1]].tolist() == [LOW, HIGH]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_policy_is_a_tempered_softmax_of_log_counts_plus_a_half(temperature):
    counts = np.array([0, 3, 11, 1, 0, 5])
    logits = torch.log(torch.tensor(counts, dtype=torch.float64) + 0.5)
    expected = torch.distributions.Categorical(logits=logits / temperature).logits
    assert log_policy(counts, temperature) == pytest.approx(expected.numpy())


def test_at_temperature_zero_the_first_of_the_fullest_bins_takes_all():
    assert np.exp(log_policy(np.array([1, 4, 0, 4]), 0.0)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("num_bins", [2, 7, 40])
def test_cost_is_the_mean_negative_log_density_under_the_truth(num_bins):
    numbers = summary(num_bins=num_bins, num_actions=50, temperature=1.7, left_weight=0.3, seed=4)
    widget = ChooseTheBins(left_weight=0.3)
    density = np.array(numbers.probabilities) / bin_width(num_bins)
    middle = (np.linspace(LOW, HIGH, 280_001)[1:] + np.linspace(LOW, HIGH, 280_001)[:-1]) / 2
    bins = ((middle - LOW) / bin_width(num_bins)).astype(int)  # midpoints lie on no edge
    mass = widget.truth.density(middle) * (HIGH - LOW) / 280_000
    assert numbers.nats == pytest.approx(-np.sum(mass * np.log(density[bins])), abs=1e-8)
    assert np.sum(density) * bin_width(num_bins) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 101), st.integers(20, 500), st.floats(0.05, 3), st.integers(0, 9))
def test_no_policy_gets_below_the_entropy_nor_below_its_own_bins(bins, actions, temperature, seed):
    numbers = summary(bins, actions, temperature, seed)
    assert numbers.nats >= numbers.nats_endless - 1e-12
    assert numbers.nats_endless >= numbers.entropy - 1e-12


def test_many_bins_and_many_demonstrations_reach_the_floor():
    numbers = summary(num_bins=101, num_actions=10_000)
    assert numbers.nats - numbers.entropy < 0.02


def test_argmax_costs_infinitely_many_nats():
    numbers = summary(temperature=0.0)
    assert numbers.nats == math.inf
    assert "costs infinitely many nats" in numbers.sentence()
    assert sorted(numbers.probabilities)[-2:] == [0, 1]


def test_a_sample_is_a_bin_s_centre_and_hits_when_that_lies_in_the_obstacle():
    # Three bins: the centres are -1, 0 and 1, so all of the middle bin hits.
    numbers = summary(num_bins=3, num_actions=1000)
    assert numbers.policy_in_obstacle == pytest.approx(numbers.probabilities[1])
    # Two bins: the centres are -0.75 and 0.75, though a quarter of their width lies in the obstacle.
    assert summary(num_bins=2).policy_in_obstacle == 0


@pytest.mark.parametrize("num_bins", [2, 9, 33])
def test_rounding_is_the_distance_of_the_truth_from_the_centres(num_bins):
    edges, centres = bin_edges(num_bins), bin_centres(num_bins)
    edges[0], edges[-1] = -5, 5  # what lies outside is rounded to the end bins too
    total = sum(
        integrate.quad(lambda a, c=c: UNEVEN.density(a) * (a - c) ** 2, low, high, epsabs=1e-12)[0]
        for low, high, c in zip(edges[:-1], edges[1:], centres, strict=True)
    )
    assert squared_rounding(num_bins, UNEVEN) == pytest.approx(total, abs=1e-9)


def test_true_masses_sum_to_one_with_the_tails():
    wide = Mixture1D((1.0,), (0.9,), (0.4,))  # 7 % of it lies beyond the last bin
    assert true_masses(10, wide).sum() == pytest.approx(1)
    assert true_masses(10, wide)[-1] == pytest.approx(stats.norm(0.9, 0.4).sf(1.2))


def test_sentence_tells_where_the_cost_comes_from():
    numbers = summary(num_bins=101, num_actions=1000)
    text = numbers.sentence()
    assert f"costs {numbers.nats:.2f} nats" in text
    assert f"+{numbers.nats_at_one - numbers.nats_endless:.2f} for having 1,000" in text
    assert "0.00 for the temperature" in text
    assert "by 0.009 m/s" in text  # a hundredth of the range, by the square root of twelve


# --- the widget -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIMITS)
def test_traits_refuse_values_outside_their_limits(name):
    widget = ChooseTheBins()
    low, high = LIMITS[name]
    for value in (type(low)(low - 1), type(high)(high + 1)):
        with pytest.raises(TraitError, match=f"{name} must lie between"):
            setattr(widget, name, value)


def test_demonstrations_are_what_the_bins_were_counted_from():
    widget = ChooseTheBins(num_bins=15, num_actions=300, seed=8)
    counts = Counter(((widget.demonstrations - LOW) // bin_width(15)).astype(int).tolist())
    expected = [(counts[index] + 0.5) / (300 + 0.5 * 15) for index in range(15)]
    assert widget.summary().probabilities == pytest.approx(expected)


def test_static_figure_shows_the_bars_and_the_costs():
    widget = ChooseTheBins(num_bins=15, num_actions=50, temperature=2.0)
    policy_axes, cost_axes = widget.figure().axes
    [bars] = policy_axes.containers
    area = sum(bar.get_height() * bar.get_width() for bar in bars)
    assert area == pytest.approx(1)
    lines = {line.get_label(): line for line in cost_axes.lines}
    costs = dict(zip(*lines["this policy"].get_data(), strict=True))
    assert costs[15] == pytest.approx(widget.summary().nats)
    assert widget.summary().sentence() in widget.describe()


def test_static_figure_can_show_argmax():
    assert ChooseTheBins(temperature=0.0).to_png().startswith(b"\x89PNG")
