"""Noise on what a vehicle does and on what its driver sees."""

import torch
from torch import Tensor

from imitation_lab.types import Generator


def disturbance(scale: float | Tensor, like: Tensor, generator: Generator) -> Tensor:
    """Return Gaussian noise for every number of a batch.

    Args:
        scale: Standard deviation, in the numbers' unit: one for all, or one for each episode of the
            batch, of shape (batch,). The number 0 draws nothing.
        like: Gives shape (batch, ...) and device.
        generator: The source of the noise.
    """
    if is_none(scale):
        return torch.zeros_like(like)
    scale = torch.as_tensor(scale, dtype=like.dtype, device=like.device)
    noise = torch.randn(like.shape, generator=generator, device=like.device)
    return scale.reshape(-1, *[1] * (like.dim() - 1)) * noise


def is_none(scale: float | Tensor) -> bool:
    """Tell whether a standard deviation is the number 0, so that there is nothing to draw."""
    return not isinstance(scale, Tensor) and scale == 0
