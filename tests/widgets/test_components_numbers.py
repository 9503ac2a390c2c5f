"""Drag-the-components in Python: likelihood, gradient, ascent, traits, static figure."""

import math
import re

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal
from traitlets import TraitError

from imitation_lab.toys import three_lanes, two_drivers
from imitation_lab.widgets import DragTheComponents
from imitation_lab.widgets.components_numbers import (
    NUM_ACTIONS,
    NUM_IDLE,
    STARTS,
    TRUTHS,
    ascend,
    data_actions,
    start_components,
    summary,
)

UNEVEN = np.array([[0.3, -0.7, -1.6], [-0.8, 0.2, -0.9], [1.1, 0.65, -2.2], [0.0, 0.9, -1.2]])
FLOOR = 0.02


def torch_mixture(components):
    logits, means, log_stds = torch.as_tensor(components).unbind(dim=1)
    return MixtureSameFamily(Categorical(logits=logits), Normal(means, log_stds.exp()))


def climbed(start, count, data, steps=3000, floor=FLOOR):
    return ascend(start_components(start, count), data, floor, steps)


# --- the numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", TRUTHS)
def test_likelihood_and_gradient_are_those_of_torch(data):
    components = torch.tensor(UNEVEN, requires_grad=True)
    actions = torch.tensor(data_actions(data))
    expected = torch_mixture(components).log_prob(actions).mean()
    expected.backward()
    numbers = summary(UNEVEN, data, FLOOR)
    assert numbers.log_likelihood == pytest.approx(expected.item(), abs=1e-12)
    gradient = [numbers.logit_gradient, numbers.mean_gradient, numbers.log_std_gradient]
    found = np.array(gradient).T
    assert found == pytest.approx(components.grad.numpy(), abs=1e-12)


def test_weights_and_responsibilities_are_shares():
    numbers = summary(UNEVEN, "three lanes", FLOOR)
    assert numbers.weights == pytest.approx(torch.tensor(UNEVEN)[:, 0].softmax(0).tolist())
    assert sum(numbers.responsibilities) == pytest.approx(1)


def test_no_width_counts_below_the_floor():
    narrow = UNEVEN - np.array([0, 0, 9])
    at_floor = np.column_stack([UNEVEN[:, :2], np.full(4, math.log(0.05))])
    assert summary(narrow, "two drivers", 0.05) == summary(at_floor, "two drivers", 0.05)
    assert summary(narrow, "two drivers", 0.05).stds == pytest.approx([0.05] * 4)


@pytest.mark.parametrize("toy", [two_drivers(), three_lanes()])
def test_the_true_densities_are_the_course_s_toys(toy):
    grid = np.linspace(-1.5, 1.5, 101)
    expected = toy.log_prob(torch.tensor(grid[:, None], dtype=torch.float32))
    assert np.log(TRUTHS[toy.name].density(grid)) == pytest.approx(expected.numpy(), rel=1e-4)


def test_the_true_log_likelihood_is_that_of_the_data():
    actions = torch.tensor(data_actions("three lanes")[:, None], dtype=torch.float32)
    expected = three_lanes().log_prob(actions).mean().item()
    found = summary(UNEVEN, "three lanes", FLOOR).true_log_likelihood
    assert found == pytest.approx(expected, abs=1e-5)


def test_idle_data_repeat_one_action_and_have_no_density():
    actions = data_actions("idle zeros")
    assert len(actions) == NUM_ACTIONS
    assert np.sum(actions == 0) == NUM_IDLE
    numbers = summary(UNEVEN, "idle zeros", FLOOR)
    assert numbers.true_log_likelihood == math.inf
    assert "20 of the 200 actions are exactly 0" in numbers.sentence()


# --- gradient ascent ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", TRUTHS)
@pytest.mark.parametrize("start", STARTS)
def test_ascent_climbs(data, start):
    components, scores = start_components(start, 3), []
    for _ in range(5):
        scores.append(summary(components, data, FLOOR).log_likelihood)
        components = ascend(components, data, FLOOR, 50)
    assert scores == sorted(scores)


def test_three_components_find_three_lanes():
    numbers = summary(climbed("spread", 3, "three lanes"), "three lanes", FLOOR)
    truth = TRUTHS["three lanes"]
    counts = np.array(truth.weights) * NUM_ACTIONS
    assert np.all(np.abs(np.array(numbers.weights) * NUM_ACTIONS - counts) < 6 * np.sqrt(counts))
    assert numbers.log_likelihood > numbers.true_log_likelihood
    assert not numbers.dead


def test_some_starts_at_random_miss_a_lane_with_three_components_and_fewer_with_six():
    found = {3: 0, 6: 0}
    for components in found:
        for seed in range(10):  # the first ten that a student gets
            rows = ascend(
                start_components("at random", components, seed), "three lanes", FLOOR, 1500
            )
            numbers = summary(rows, "three lanes", FLOOR)
            found[components] += numbers.log_likelihood > numbers.true_log_likelihood - 0.05
    assert 0 < found[3] < found[6]


def test_random_means_lie_about_the_data_and_differ_from_seed_to_seed():
    starts = [start_components("at random", 8, seed) for seed in range(200)]
    means = np.array(starts)[:, :, 1]
    assert np.abs(means).max() < 1.2
    assert means.std() == pytest.approx(1.2 / math.sqrt(3), rel=0.05)
    correlations = np.corrcoef(means.T) - np.eye(8)
    assert np.abs(correlations).max() < 6 / math.sqrt(200)
    assert np.all(np.array(starts)[:, :, [0, 2]] == [0, math.log(0.3)])


def test_the_sentence_compares_the_mixture_with_the_truth():
    truth = TRUTHS["three lanes"]
    exact = np.array([np.log(truth.weights), truth.means, np.log(truth.stds)]).T
    told = {
        "The mixture fits them just as well as the truth.": exact,
        "The mixture fits them 0.01 nats better than the truth.": climbed(
            "spread", 3, "three lanes"
        ),
        "nats worse than the truth.": start_components("all equal", 3),
    }
    for words, components in told.items():
        assert words in summary(components, "three lanes", FLOOR).sentence()


def test_the_sentence_s_difference_is_that_of_the_numbers_that_it_tells():
    for seed in range(20):
        components = start_components("at random", 3, seed)
        sentence = summary(components, "three lanes", FLOOR).sentence().replace("\u2212", "-")
        found, truth, gap = map(float, re.findall(r"(-?\d+\.\d\d) (?:nats|on)", sentence))
        assert gap == pytest.approx(truth - found)


def test_components_that_start_equal_stay_equal_and_fit_one_gaussian():
    components = climbed("all equal", 4, "two drivers")
    assert np.ptp(components, axis=0) == pytest.approx([0, 0, 0])
    actions = data_actions("two drivers")
    assert components[0, 1:] == pytest.approx([actions.mean(), math.log(actions.std())], abs=1e-3)


def test_a_component_astray_stays_dead():
    components = climbed("one astray", 3, "two drivers")
    numbers = summary(components, "two drivers", FLOOR)
    assert numbers.dead == [2]
    assert components[2, 1:] == pytest.approx(start_components("one astray", 3)[2, 1:], abs=1e-6)
    assert "Dead, for no action is near enough to pull: component 3." in numbers.sentence()


def test_a_component_collapses_onto_the_repeated_action():
    components = climbed("spread", 3, "idle zeros")
    numbers = summary(components, "idle zeros", FLOOR)
    assert numbers.collapsed == [1]
    assert components[1, 1] == pytest.approx(0, abs=FLOOR / 4)
    assert numbers.weights[1] * NUM_ACTIONS == pytest.approx(NUM_IDLE, abs=2)
    assert "Collapsed to the floor of 0.020 m/s: component 2." in numbers.sentence()


def test_a_collapse_wins_a_share_of_a_nat_for_every_halving_of_the_floor():
    components = climbed("spread", 3, "idle zeros")
    components[1] = [components[1, 0], 0.0, math.log(0.001)]
    scores = [summary(components, "idle zeros", floor).log_likelihood for floor in (0.008, 0.004)]
    # A tenth of the actions gains log 2 each; the others lose next to nothing.
    gain = NUM_IDLE / NUM_ACTIONS * math.log(2)
    assert scores[1] - scores[0] == pytest.approx(gain, abs=0.1 * gain)


def test_real_data_do_not_collapse():
    numbers = summary(climbed("spread", 3, "two drivers"), "two drivers", FLOOR)
    assert not numbers.collapsed


# --- the widget -----------------------------------------------------------------------------------


def test_traits_refuse_what_is_no_mixture():
    widget = DragTheComponents()
    with pytest.raises(TraitError, match="1 to 8 components here, got 0"):
        widget.components = []
    with pytest.raises(TraitError, match="a logit, a mean and a log_std, got 2 numbers"):
        widget.components = [[0.0, 0.1]]
    with pytest.raises(TraitError, match=r"mean must lie between -1\.5 and 1\.5, got 2"):
        widget.components = [[0.0, 2.0, -1.0]]
    with pytest.raises(TraitError, match="sigma_floor must lie between"):
        widget.sigma_floor = 0.5
    with pytest.raises(TraitError):
        widget.data = "four lanes"
    with pytest.raises(TraitError, match="got 9"):
        DragTheComponents(num_components=9)


def test_arrays_are_what_a_student_s_own_mixture_takes():
    widget = DragTheComponents(components=UNEVEN.tolist(), data="three lanes")
    parts = [torch.tensor(part) for part in (widget.logits, widget.means, widget.log_stds)]
    density = torch_mixture(torch.stack(parts, dim=1)).log_prob(torch.tensor(widget.actions))
    assert widget.summary().log_likelihood == pytest.approx(density.mean().item())


def test_following_the_gradient_and_starting_anew_from_python():
    widget = DragTheComponents(num_components=2)
    before = widget.summary().log_likelihood
    widget.follow_gradient(100)
    assert widget.summary().log_likelihood > before
    widget.start_anew(5, "all equal")
    assert widget.components == start_components("all equal", 5).tolist()
    assert widget.start == "all equal"
    widget.start_anew(start="at random")
    assert widget.components == start_components("at random", 5, 1).tolist()
    widget.start_anew()
    assert widget.components == start_components("at random", 5, 2).tolist()


def test_static_figure_shows_the_densities_and_the_shares():
    widget = DragTheComponents(components=UNEVEN.tolist(), data="three lanes")
    mixture_axes, share_axes = widget.figure().axes
    curves = {line.get_label(): line for line in mixture_axes.lines}
    action, density = curves["the mixture"].get_data()
    inside = torch_mixture(UNEVEN).cdf(torch.tensor([-1.5, 1.5])).diff().item()
    assert np.trapezoid(density, action) == pytest.approx(inside, abs=1e-3)
    action, density = curves["true density"].get_data()
    assert np.trapezoid(density, action) == pytest.approx(1, abs=1e-3)
    lengths = [bar.get_width() for bar in share_axes.patches]
    numbers = widget.summary()
    assert lengths == pytest.approx([*numbers.weights, *numbers.responsibilities])
    assert numbers.sentence() in widget.describe()
