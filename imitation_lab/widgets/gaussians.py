"""Gaussians in closed form, as ``static/gaussians.js`` has them."""

import math
from typing import Any

import numpy as np
import torch


def gaussian_density(x: Any, mean: Any, std: Any) -> Any:
    """Return the Gaussian's density at a number or an array."""
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def gaussian_share(low: Any, high: Any, mean: Any, std: Any) -> Any:
    """Return the share of a Gaussian that lies between two numbers, or between those of two arrays."""
    scale = std * math.sqrt(2)
    return 0.5 * (_erf((high - mean) / scale) - _erf((low - mean) / scale))


def _erf(x: Any) -> Any:
    """Return the error function at a number or an array. NumPy has none, and SciPy's takes long to load."""
    values = torch.special.erf(torch.as_tensor(x, dtype=torch.float64)).numpy()
    return values if values.ndim else float(values)
