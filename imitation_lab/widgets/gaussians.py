"""Gaussians in closed form, as ``static/gaussians.js`` has them."""

import math
from typing import Any

import numpy as np


def gaussian_density(x: Any, mean: Any, std: Any) -> Any:
    """Return the Gaussian's density at a number or an array."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def gaussian_share(low: float, high: float, mean: float, std: float) -> float:
    """Return the share of a Gaussian that lies between two values."""
    scale = std * math.sqrt(2)
    return 0.5 * (math.erf((high - mean) / scale) - math.erf((low - mean) / scale))
