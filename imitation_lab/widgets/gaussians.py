"""Gaussians in closed form, as ``static/gaussians.js`` has them."""

import math
from typing import Any

import numpy as np
from scipy.special import erf


def gaussian_density(x: Any, mean: Any, std: Any) -> Any:
    """Return the Gaussian's density at a number or an array."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def gaussian_share(low: Any, high: Any, mean: Any, std: Any) -> Any:
    """Return the share of a Gaussian that lies between two numbers, or between those of two arrays."""
    scale = std * math.sqrt(2)
    return 0.5 * (erf((high - mean) / scale) - erf((low - mean) / scale))
