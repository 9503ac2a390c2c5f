"""Combining, choosing and continuing chunks, beside closed forms and plain loops."""

import math

import pytest
import torch

from imitation_lab.chunking import (
    bidirectional_select,
    rtc_guided_step,
    rtc_sample,
    rtc_weights,
    temporal_ensemble,
)
from imitation_lab.flows import integrate


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.7, -0.4])
def test_the_oldest_prediction_has_the_weight_of_the_papers_formula(decay, generator):
    predictions = torch.randn(3, 5, 2, generator=generator)
    weights = [math.exp(-decay * place) for place in range(5)]
    expected = sum(
        weight / sum(weights) * predictions[:, place] for place, weight in enumerate(weights)
    )
    torch.testing.assert_close(temporal_ensemble(predictions, decay), expected)


def test_predictions_that_agree_are_kept():
    same = torch.tensor([[1.5, -2.0]]).repeat(4, 7, 1).reshape(4, 7, 2)
    torch.testing.assert_close(temporal_ensemble(same, 0.3), same[:, 0])


def cost(candidate, previous, strong, weak, decay):
    """Return what a candidate costs, in loops and float64."""

    def apart(one, other):
        return math.dist(one.tolist(), other.tolist())

    steps = range(len(candidate))
    backward = sum(decay**i * apart(candidate[i], previous[i]) for i in steps if i < len(previous))
    near = sum(apart(candidate[i], chunk[i]) for chunk in strong for i in steps) / len(strong)
    far = sum(apart(candidate[i], chunk[i]) for chunk in weak for i in steps) / len(weak)
    return backward + near - far


@pytest.mark.parametrize("overlap", [0, 1, 3, 4])
@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_the_candidate_of_least_cost_is_chosen(overlap, decay, generator):
    candidates = torch.randn(6, 5, 4, 2, generator=generator)
    previous = torch.randn(6, overlap, 2, generator=generator)
    strong = torch.randn(6, 3, 4, 2, generator=generator)
    weak = 2 * torch.randn(6, 7, 4, 2, generator=generator)
    chosen = bidirectional_select(candidates, previous, strong, weak, decay)
    for row in range(6):
        costs = [cost(c, previous[row], strong[row], weak[row], decay) for c in candidates[row]]
        assert torch.equal(chosen[row], candidates[row, costs.index(min(costs))])


def test_one_candidate_is_no_choice(generator):
    candidates, others = torch.randn(2, 4, 1, 6, 3, generator=generator)
    chosen = bidirectional_select(candidates, others[:, 0, :2], others, others, 0.9)
    assert torch.equal(chosen, candidates[:, 0])


@pytest.mark.parametrize(
    ("prediction_horizon", "delay", "execution_horizon"), [(8, 2, 3), (16, 0, 1), (12, 5, 5)]
)
def test_weights_are_those_of_the_paper(prediction_horizon, delay, execution_horizon):
    end = prediction_horizon - execution_horizon
    expected = []
    for step in range(prediction_horizon):
        share = (end - step) / (end - delay + 1)
        soft = share * (math.exp(share) - 1) / (math.e - 1)
        expected.append(1.0 if step < delay else soft if step < end else 0.0)
    weights = rtc_weights(prediction_horizon, delay, execution_horizon)
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_weights_never_rise_and_lie_between_one_and_zero():
    for horizon in range(1, 12):
        for execution_horizon in range(1, horizon + 1):
            for delay in range(horizon - execution_horizon + 1):
                weights = rtc_weights(horizon, delay, execution_horizon)
                assert (weights[:delay] == 1).all()
                assert (weights[horizon - execution_horizon :] == 0).all()
                assert (weights.diff() <= 0).all()
                assert ((weights >= 0) & (weights <= 1)).all()


@pytest.mark.parametrize(("horizon", "delay", "executed"), [(8, 4, 5), (8, -1, 2), (4, 0, 5)])
def test_an_old_plan_that_runs_out_is_refused(horizon, delay, executed):
    with pytest.raises(ValueError, match="else the old plan runs out"):
        rtc_weights(horizon, delay, executed)


class Linear:
    """A field that is linear in the chunk: where it leads, and how that changes, is known."""

    def __init__(self, generator, dim=6):
        self.matrix = torch.randn(dim, dim, generator=generator)
        self.shift = torch.randn(dim, generator=generator)

    def __call__(self, points, times):
        flat = points.flatten(1) @ self.matrix.T + self.shift * times.unsqueeze(1)
        return flat.view_as(points)


@pytest.mark.parametrize("time", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("max_guidance", [0.5, 5.0, 100.0])
def test_a_guided_step_leans_by_the_closed_form(time, max_guidance, generator):
    field = Linear(generator)
    points, previous = torch.randn(2, 4, 3, 2, generator=generator)
    weights = torch.tensor([1.0, 0.4, 0.0])
    rest = 1 - time
    speed = field(points, torch.full((4,), time))
    error = (weights.unsqueeze(1) * (previous - points - rest * speed)).flatten(1)
    pull = error @ (torch.eye(6) + rest * field.matrix)
    # The paper: min(limit, (1 - t) / (t r²)) with r² = (1 - t)² / (t² + (1 - t)²).
    strength = max_guidance
    if time > 0:
        spread = rest**2 / (time**2 + rest**2)
        strength = min(max_guidance, rest / (time * spread))
    expected = points + 0.1 * (speed + strength * pull.view_as(points))
    given = rtc_guided_step(field, points, time, 0.1, previous, weights, max_guidance)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
    assert not given.requires_grad


def test_without_weights_a_guided_path_is_eulers(generator):
    field = Linear(generator)
    noise, previous = torch.randn(2, 4, 3, 2, generator=generator)
    free = noise
    for index in range(7):
        free = rtc_guided_step(field, free, index / 7, 1 / 7, previous, torch.zeros(3))
    expected = integrate(
        lambda points, times: field(points.view(4, 3, 2), times).flatten(1), noise.flatten(1), 7
    )
    torch.testing.assert_close(free.flatten(1), expected)


def test_guidance_works_where_gradients_are_switched_off(generator):
    field = Linear(generator)
    points, previous = torch.randn(2, 4, 3, 2, generator=generator)
    arguments = (field, points, 0.3, 0.1, previous, torch.ones(3))
    expected = rtc_guided_step(*arguments)
    with torch.no_grad():
        assert torch.equal(rtc_guided_step(*arguments), expected)


@pytest.mark.parametrize("delay", [0, 1, 4])
def test_what_is_taken_during_thinking_stays_as_it_was(delay, generator):
    noise, previous = torch.randn(2, 4, 6, 2, generator=generator)
    field = Linear(generator, 12)
    chunks = rtc_sample(field, noise, previous, delay, 2, num_steps=5)
    assert torch.equal(chunks[:, :delay], previous[:, :delay])
    points, weights = noise, rtc_weights(6, delay, 2)
    for index in range(5):
        points = rtc_guided_step(field, points, index / 5, 1 / 5, previous, weights)
    assert torch.equal(chunks[:, delay:], points[:, delay:])


def test_guidance_brings_a_chunk_nearer_to_the_old_plan(generator):
    previous = torch.full((50, 6, 2), 1.0)
    noise = torch.randn(50, 6, 2, generator=generator)

    def two_modes(points, times):
        # The exact field of chunks that are all +1 or all -1.
        time = times.view(-1, 1, 1)
        towards = (points.sum(dim=(1, 2), keepdim=True) * time / (1 - time) ** 2).tanh()
        return (towards - points) / (1 - time)

    free = rtc_sample(two_modes, noise, previous, 0, 6)
    guided = rtc_sample(two_modes, noise, previous, 0, 2)
    # Alone, each of 50 chunks picks its side like a coin: 45 or more on one have a chance of 4e-9.
    assert 5 < (free.mean(dim=(1, 2)) > 0).sum() < 45
    assert (guided.mean(dim=(1, 2)) > 0.9).sum() >= 45
