"""How far crowds of states lie apart, and how fast costs grow."""

import numpy as np
import torch
from scipy.stats import energy_distance

from imitation_lab.shift import loglog_slope, state_divergence


def crowds(seed=0):
    generator = torch.Generator().manual_seed(seed)
    expert = torch.randn(5, 40, 1, generator=generator)
    policy = 3 * torch.randn(5, 25, 1, generator=generator) + 1
    return expert, policy


def test_in_one_dimension_it_is_scipys_squared():
    expert, policy = crowds()
    expected = [
        energy_distance(e.flatten(), p.flatten()) ** 2 for e, p in zip(expert, policy, strict=True)
    ]
    given = state_divergence(expert, policy)
    np.testing.assert_allclose(given, expected, rtol=1e-4)


def test_equal_crowds_do_not_differ_in_whatever_order(generator):
    states = torch.randn(3, 20, 4, generator=generator)
    turned = states[:, torch.randperm(20, generator=generator)]
    torch.testing.assert_close(state_divergence(states, turned), torch.zeros(3), atol=1e-5, rtol=0)


def test_two_points_lie_twice_their_distance_apart():
    expert = torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]])
    policy = torch.tensor([[[3.0, 4.0]], [[1.0, 1.0]]])
    torch.testing.assert_close(state_divergence(expert, policy), torch.tensor([10.0, 0.0]))


def test_it_grows_with_the_unit_and_not_with_where_the_origin_is():
    expert, policy = crowds()
    near = state_divergence(expert, policy)
    torch.testing.assert_close(state_divergence(10 * expert, 10 * policy), 10 * near)
    torch.testing.assert_close(state_divergence(expert + 7, policy + 7), near, atol=1e-4, rtol=0)


def test_the_slope_of_a_power_is_the_power():
    horizons = torch.tensor([3.0, 10.0, 20.0, 100.0])
    torch.testing.assert_close(loglog_slope(horizons, 5 * horizons**1.7), torch.tensor(1.7))


def test_the_slope_of_scattered_costs_is_numpys():
    generator = torch.Generator().manual_seed(2)
    horizons = 100 * torch.rand(9, generator=generator) + 1
    costs = horizons**1.5 * torch.exp(torch.randn(9, generator=generator))
    expected = np.polyfit(horizons.log().numpy(), costs.log().numpy(), 1)[0]
    np.testing.assert_allclose(loglog_slope(horizons, costs), expected, rtol=1e-4)
