"""Choose-the-order in Python: its counts, its samples, its traits, its static figure."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from traitlets import TraitError

from imitation_lab.widgets.order import PRESETS, ChooseTheOrder
from imitation_lab.widgets.order_numbers import (
    LIMIT,
    MODELS,
    OBSTACLES,
    ORDERS,
    bin_of,
    count_cells,
    probabilities,
    summary,
)
from imitation_lab.widgets.order_sampling import draw_samples, make_dice, pick

DRAWS = 5_000
numbers_of_actions = st.floats(-LIMIT, LIMIT)
some_actions = st.lists(st.tuples(numbers_of_actions, numbers_of_actions), min_size=1, max_size=40)
some_bins = st.integers(3, 15)
LOPSIDED = [
    [-1.0, -0.9],
    [-1.0, -0.9],
    [-0.9, 0.8],
    [0.1, 0.0],
    [0.9, -0.2],
    [1.2, 0.8],
    [1.2, 1.4],
]


def joint(actions, bins):
    """The demonstrated share of every cell, by numpy's indexing."""
    cells = np.zeros((bins, bins))
    places = [[bin_of(value, bins) for value in action] for action in actions]
    np.add.at(cells, tuple(np.transpose(places)), 1)
    return cells / len(actions)


def test_bins_are_half_open_and_the_last_one_closed():
    edges = [-1.5, -0.5, 0.5, 1.5]
    assert [bin_of(edge, 3) for edge in edges] == [0, 1, 2, 2]
    assert [bin_of(edge - 1e-9, 3) for edge in edges[1:]] == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(some_actions, some_bins, st.sampled_from(ORDERS))
def test_costs_are_the_entropies_of_scipy(actions, bins, order):
    numbers = summary(actions, bins, order)
    cells = joint(actions, bins)
    marginals = stats.entropy(cells.sum(axis=1)) + stats.entropy(cells.sum(axis=0))
    assert numbers.nats_independent == pytest.approx(marginals, abs=1e-9)
    assert numbers.nats_autoregressive == pytest.approx(stats.entropy(cells.ravel()), abs=1e-9)
    difference = numbers.nats_independent - numbers.nats_autoregressive
    assert numbers.mutual_information == pytest.approx(difference, abs=1e-9)
    assert numbers.mutual_information >= -1e-12


@settings(max_examples=60, deadline=None)
@given(some_actions, some_bins)
def test_independent_bins_invent_what_the_product_of_marginals_puts_on_empty_cells(actions, bins):
    cells = joint(actions, bins)
    product = np.outer(cells.sum(axis=1), cells.sum(axis=0))
    numbers = summary(actions, bins)
    assert numbers.invented_independent == pytest.approx(product[cells == 0].sum(), abs=1e-12)
    assert numbers.invented_autoregressive == 0


@settings(max_examples=60, deadline=None)
@given(some_actions, some_bins)
def test_either_order_gives_the_demonstrated_joint(actions, bins):
    counts = count_cells(actions, bins)
    for order in ORDERS:
        grid = np.array(probabilities(counts, "autoregressive", order))
        np.testing.assert_allclose(grid, joint(actions, bins), atol=1e-12)


@pytest.mark.parametrize("bins", [3, 5, 6, 10, 12, 15])
def test_crash_shares_are_integrals_of_the_density_over_the_obstacles(bins):
    fine = 600  # cells per axis: a multiple of every number of bins above, and the obstacles' edges fit
    centres = -LIMIT + (np.arange(fine) + 0.5) * 2 * LIMIT / fine
    steer, speed = np.meshgrid(centres, centres, indexing="ij")
    inside = np.zeros((fine, fine), dtype=bool)
    for (left, right), (low, high) in OBSTACLES:
        inside |= (left < steer) & (steer < right) & (low < speed) & (speed < high)
    numbers, counts = summary(LOPSIDED, bins), count_cells(LOPSIDED, bins)
    for model in MODELS:
        blocks = np.ones((fine // bins, fine // bins)) / (fine // bins) ** 2
        density = np.kron(np.array(probabilities(counts, model, "steer")), blocks)
        expected = density[inside].sum()
        assert getattr(numbers, f"crash_{model}") == pytest.approx(expected, abs=1e-9)
    assert numbers.crash_demonstrated == pytest.approx(2 / 7)  # by hand: the third and the fifth


@pytest.mark.parametrize("bins", [5, 7, 9, 10, 12, 15])
def test_two_corners_tell_one_bit_and_half_of_the_product_is_invented(bins):
    numbers = summary(PRESETS["xor"], bins)
    assert numbers.invented_independent == pytest.approx(0.5)
    assert numbers.mutual_information == pytest.approx(math.log(2))
    assert numbers.crash_demonstrated == 0
    assert numbers.crash_independent > 0.35
    assert numbers.crash_autoregressive < 0.01


def test_where_one_number_tells_nothing_of_the_other_the_policies_agree():
    crossed = [[steer, speed] for steer in (-1.2, 0.0, 0.7) for speed in (-0.9, 0.4)]
    numbers = summary(crossed)
    assert numbers.invented_independent == 0
    assert numbers.mutual_information == pytest.approx(0, abs=1e-12)


def test_nothing_demonstrated_is_nothing_fitted():
    numbers = summary([])
    assert numbers.count == 0
    assert math.isnan(numbers.nats_independent)
    assert numbers.sentence() == "No action yet: add some on the plane, or pick a preset."


def test_sentence_tells_the_numbers():
    diagonal = [[-1.0, -1.0], [-0.5, -0.5], [0.5, 0.5], [1.0, 1.0]]  # four bins of either number
    text = summary(diagonal).sentence()
    assert f"put {100 * (1 - 4 / 4**2):.0f} % of their probability where nobody acted" in text
    assert f"{2 * math.log(4):.2f} nats with independent bins" in text
    assert f"{math.log(4):.2f} with autoregressive ones" in text
    assert f"mutual information of steer and speed: {math.log(4):.2f} nats" in text
    assert "obstacle" in text
    assert "obstacle" not in summary(diagonal).sentence(obstacles=False)


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("model", MODELS)
def test_samples_follow_the_probabilities(model, order):
    bins = 6
    grid = np.array(probabilities(count_cells(LOPSIDED, bins), model, order))
    samples = draw_samples(LOPSIDED, bins, model, order, seed=1, count=DRAWS)
    drawn = joint(samples, bins) * DRAWS
    assert drawn[grid == 0].sum() == 0
    assert stats.chisquare(drawn[grid > 0], DRAWS * grid[grid > 0]).pvalue > 1e-9


def test_a_sample_is_uniform_within_its_bin():
    samples = np.array(draw_samples([[0.0, 0.0]], 3, "independent", "steer", seed=2, count=DRAWS))
    for values in samples.T:
        assert stats.kstest(values, stats.uniform(-0.5, 1).cdf).pvalue > 1e-9


def test_both_policies_draw_the_same_first_number():
    first = [np.array(draw_samples(LOPSIDED, 8, model, "speed", seed=3)) for model in MODELS]
    np.testing.assert_array_equal(first[0][:, 1], first[1][:, 1])
    assert (first[0][:, 0] != first[1][:, 0]).any()


def test_dice_are_uniform_and_differ_by_seed():
    throws = [make_dice(seed) for seed in (0, 1)]
    values = np.array([[throw() for _ in range(DRAWS)] for throw in throws])
    assert stats.kstest(values[0], "uniform").pvalue > 1e-9
    assert abs(np.corrcoef(values)[0, 1]) < 6 / math.sqrt(DRAWS)


def test_picking_passes_over_empty_bins():
    assert [pick([0, 1, 0, 3], share) for share in (0.0, 0.2499, 0.25, 0.9999)] == [1, 1, 3, 3]


# --- traits ---------------------------------------------------------------------------------------


def test_a_preset_lays_out_its_actions_and_others_are_the_student_s_own():
    widget = ChooseTheOrder(preset="line")
    assert widget.actions == PRESETS["line"]
    widget.preset = "ring"
    assert widget.actions == PRESETS["ring"]
    widget.actions = [[0.1, 0.2]]
    assert (widget.preset, widget.actions) == ("own", [[0.1, 0.2]])
    widget.preset = "clear"
    assert widget.actions == []


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_lie_on_the_plane(preset):
    assert np.abs(np.array(PRESETS[preset])).max(initial=0) <= LIMIT


def test_the_browser_may_change_actions_and_preset_in_one_message():
    widget = ChooseTheOrder()
    widget.set_state({"actions": PRESETS["ring"], "preset": "ring"})
    assert (widget.preset, widget.actions) == ("ring", PRESETS["ring"])
    widget.set_state({"actions": [[0, 1]], "preset": "own"})
    assert (widget.preset, widget.actions) == ("own", [[0.0, 1.0]])


def test_actions_may_be_an_array_or_a_tensor():
    pairs = [[0.25, -0.5], [1.0, 1.5], [-1.5, 0.0]]
    for actions in (np.array(pairs), torch.tensor(pairs)):
        widget = ChooseTheOrder(actions)
        assert (widget.actions, widget.preset) == (pairs, "own")
    assert ChooseTheOrder(np.zeros((0, 2))).actions == []


def test_actions_of_three_numbers_are_refused():
    with pytest.raises(ValueError, match=r"expected actions of shape \(count, 2\), got \(4, 3\)"):
        ChooseTheOrder(np.zeros((4, 3)))


@pytest.mark.parametrize("action", [[1.6, 0.0], [0.0, -2.0], [math.nan, 0.0]])
def test_an_action_off_the_plane_is_refused(action):
    widget = ChooseTheOrder()
    with pytest.raises(TraitError, match=r"must lie between -1\.5 and 1\.5, got .* at index 1"):
        widget.actions = [[0.0, 0.0], action]
    assert widget.actions == PRESETS["xor"]


@pytest.mark.parametrize(("name", "value"), [("bins", 2), ("bins", 16), ("seed", -1)])
def test_numbers_outside_their_limits_are_refused(name, value):
    with pytest.raises(TraitError, match=f"{name} must lie between .*, got {value}"):
        setattr(ChooseTheOrder(), name, value)


def test_samples_are_asked_for_by_the_model_s_name():
    widget = ChooseTheOrder(bins=5, order="speed", seed=4)
    expected = draw_samples(widget.actions, 5, "independent", "speed", 4)
    assert widget.samples("independent") == expected
    with pytest.raises(ValueError, match="model must be one of independent, autoregressive"):
        widget.samples("joint")


# --- the static figure ----------------------------------------------------------------------------


def test_static_figure_hatches_the_invented_cells_and_shows_every_action():
    widget = ChooseTheOrder(LOPSIDED, bins=6, obstacles=False)
    planes = widget.figure().axes
    cells = joint(LOPSIDED, 6)
    product = np.outer(cells.sum(axis=1), cells.sum(axis=0))
    hatched = [sum(patch.get_hatch() is not None for patch in axes.patches) for axes in planes]
    assert hatched == [0, ((product > 0) & (cells == 0)).sum(), 0]
    points = [sum(len(line.get_xdata()) for line in axes.lines) for axes in planes]
    assert points == [len(LOPSIDED), 80, 80]


def test_description_tells_what_the_figure_shows():
    widget = ChooseTheOrder(bins=7, order="speed", obstacles=False)
    assert "32 demonstrated actions" in widget.describe()
    assert "7 per number" in widget.describe()
    assert "speed first" in widget.describe()
    assert widget.summary().sentence(obstacles=False) in widget.describe()


def test_an_empty_plane_has_a_picture_too():
    assert ChooseTheOrder(preset="clear").to_png().startswith(b"\x89PNG")
