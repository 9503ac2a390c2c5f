"""Toys against quadrature, and their samples against their densities."""

import numpy as np
import pytest
import torch
from scipy import stats

from imitation_lab.toys import LIMIT, ring, steer_or_brake, three_lanes, two_drivers

LINES = [two_drivers, three_lanes]
PLANES = [steer_or_brake, ring]


def axis(count):
    """Return midpoints of equal cells of ±LIMIT, and the cells' width."""
    width = 2 * LIMIT / count
    return torch.arange(count).double() * width - LIMIT + width / 2, width


def plane(count):
    points, width = axis(count)
    return torch.cartesian_prod(points, points).float(), width**2


@pytest.mark.parametrize("make_toy", LINES)
def test_a_density_over_one_number_integrates_to_one_within_the_limit(make_toy):
    points, width = axis(6000)
    total = make_toy().log_prob(points.float()[:, None]).double().exp().sum() * width
    assert abs(total - 1) < 2e-6


@pytest.mark.parametrize("make_toy", PLANES)
def test_a_density_over_two_numbers_integrates_to_one_within_the_limit(make_toy):
    points, area = plane(600)
    total = make_toy().log_prob(points).double().exp().sum() * area
    assert abs(total - 1) < 2e-6


@pytest.mark.parametrize("make_toy", LINES)
def test_samples_of_one_number_follow_the_density(make_toy, generator):
    toy = make_toy()
    samples = toy.sample(20_000, generator).flatten().numpy()
    points, width = axis(6000)
    cumulative = toy.log_prob(points.float()[:, None]).double().exp().cumsum(0) * width
    test = stats.kstest(samples, lambda x: np.interp(x, points + width / 2, cumulative))
    assert test.pvalue > 1e-9


@pytest.mark.parametrize("make_toy", PLANES)
def test_samples_of_two_numbers_follow_the_density(make_toy, generator):
    toy, number, side = make_toy(), 20_000, 20
    points, area = plane(400)
    mass = (toy.log_prob(points).double().exp() * area).view(side, 20, side, 20).sum(dim=(1, 3))
    samples = toy.sample(number, generator)
    seen, *_ = np.histogram2d(*samples.T.numpy(), bins=side, range=[(-LIMIT, LIMIT)] * 2)
    common = (number * mass >= 5).numpy()
    expected = number * np.append(mass.numpy()[common], mass.numpy()[~common].sum())
    counts = np.append(seen[common], seen[~common].sum())
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-9


@pytest.mark.parametrize("make_toy", LINES + PLANES)
def test_a_generator_fixes_the_samples_and_the_next_call_draws_anew(make_toy):
    toy = make_toy()
    first, again = (toy.sample(5, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (5, toy.action_dim)
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(toy.sample(5, generator), first)
    assert not torch.equal(toy.sample(5, generator), first)


def test_sampling_leaves_the_global_random_state_alone(generator):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    ring().sample(5, generator)
    assert torch.equal(torch.rand(1), expected)


def test_sampling_leaves_the_random_state_of_gpus_alone(generator, monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    ring().sample(5, generator)
    assert not touched


def test_the_numbers_of_steer_or_brake_agree_in_sign(generator):
    steer, speed = steer_or_brake().sample(5000, generator).T
    # A mode lies five standard deviations from either axis: 3e-7 per number, so that 3 or more of
    # 10,000 numbers on the wrong side have probability 4e-9.
    assert (steer * speed < 0).sum() < 3
