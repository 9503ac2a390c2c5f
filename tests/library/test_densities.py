"""Drawn densities are densities: what the curves enclose is one."""

import numpy as np
import pytest
import torch

from imitation_lab.plots.densities import plot_bins, plot_gaussian, plot_mixture, plot_toy
from imitation_lab.toys import three_lanes, two_drivers


@pytest.mark.parametrize("toy", [two_drivers(), three_lanes()], ids=lambda toy: toy.name)
def test_the_area_of_a_drawn_toy_is_one(axes, toy):
    plot_toy(axes, toy)
    corners = axes.collections[0].get_paths()[0].vertices
    curve = np.unique(corners[corners[:, 1] > 0], axis=0)
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(-1.5, 1.5), (0.0, 0.5)])
def test_the_area_of_drawn_bins_is_one_and_their_shares_are_the_probabilities(axes, low, high):
    probabilities = torch.tensor([0.1, 0.2, 0.0, 0.7])
    plot_bins(axes, probabilities, low, high)
    heights, edges, _ = axes.patches[0].get_data()
    assert np.allclose(heights * np.diff(edges), probabilities)
    assert (edges[0], edges[-1]) == (low, high)


def test_the_area_of_a_drawn_gaussian_is_one_and_it_peaks_at_its_mean(axes):
    plot_gaussian(axes, 0.3, 0.1)
    actions, density = axes.lines[0].get_data()
    assert np.trapezoid(density, actions) == pytest.approx(1, abs=1e-3)
    assert actions[np.argmax(density)] == pytest.approx(0.3)


def test_the_area_of_a_drawn_mixture_is_one_also_while_it_is_trained(axes):
    weights, means, stds = (
        torch.tensor([0.3, 0.7]),
        torch.tensor([-0.5, 0.6]),
        torch.full((2,), 0.1),
    )
    plot_mixture(axes, weights, means.requires_grad_(), stds)
    actions, density = axes.lines[0].get_data()
    assert np.trapezoid(density, actions) == pytest.approx(1, abs=1e-3)
