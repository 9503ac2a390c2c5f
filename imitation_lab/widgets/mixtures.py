"""Mixtures of Gaussians in one dimension: the formulas and random numbers of ``static/mixtures.js``."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from imitation_lab.widgets.gaussians import gaussian_density, gaussian_share

GRID_STEPS_PER_STD = (
    16  # the trapezoidal rule is then exact to rounding: all is smooth and dies out
)
GRID_REACH = 9  # standard deviations beyond the outermost means


@dataclass(frozen=True)
class Mixture1D:
    """A known density over one action.

    Attributes:
        weights: Shares of the components, which sum to 1.
        means: Means, in m/s.
        stds: Standard deviations, in m/s.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    def density(self, x: Any) -> Any:
        """Return the density, per m/s, at a number or an array."""
        return sum(
            weight * gaussian_density(x, mean, std)
            for weight, mean, std in zip(self.weights, self.means, self.stds, strict=True)
        )

    def share(self, low: Any, high: Any) -> Any:
        """Return the share of actions between two numbers, or between those of two arrays."""
        return sum(
            weight * gaussian_share(low, high, mean, std)
            for weight, mean, std in zip(self.weights, self.means, self.stds, strict=True)
        )

    def entropy(self) -> float:
        """Return the differential entropy in nats: what no policy's expected loss gets below."""
        return mixture_entropy(self)

    def draw(self, seed: int, count: int) -> np.ndarray:
        """Return reproducible actions ``(count,)``; a larger count goes on where a smaller stopped."""
        chosen, radius, angle = uniform_numbers(seed, 3 * count).reshape(count, 3).T
        bounds = np.cumsum(self.weights)[:-1]
        component = np.searchsorted(bounds, chosen, side="right")
        normal = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)  # Box and Muller
        return np.array(self.means)[component] + np.array(self.stds)[component] * normal


@cache
def mixture_entropy(mixture: Mixture1D) -> float:
    """Return a mixture's differential entropy in nats, by the trapezoidal rule."""
    reach = GRID_REACH * max(mixture.stds)
    low, high = min(mixture.means) - reach, max(mixture.means) + reach
    steps = math.ceil((high - low) / min(mixture.stds) * GRID_STEPS_PER_STD)
    density = mixture.density(low + (high - low) * np.arange(steps + 1) / steps)
    inside = density[density > 0]
    return float(-np.sum(inside * np.log(inside)) * (high - low) / steps)


def uniform_numbers(seed: int, count: int) -> np.ndarray:
    """Return ``count`` numbers between 0 and 1, both left out, that a browser draws just so.

    Source:
        Tommy Ettinger's mulberry32, whose state is a counter. It serves pictures, no statistics.
    """
    counter = np.arange(1, count + 1, dtype=np.uint64)
    start = np.uint64((seed * 0x9E3779B9) % 2**32)
    state = ((start + counter * np.uint64(0x6D2B79F5)) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    mixed = (state ^ (state >> 15)) * (state | 1)
    mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
    return ((mixed ^ (mixed >> 14)) + 0.5) / 2**32
