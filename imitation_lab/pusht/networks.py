"""The one trunk that all Push-T policies share."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imitation_lab.networks import seeded_linear
from imitation_lab.types import Generator

FREQUENCIES = 8


class TimeWaves(nn.Module):
    """Sines and cosines of one of the inputs, appended to all of them.

    A flow's velocity changes fast near the data, and one number between 0 and 1 hardly tells a
    network where it is.

    Args:
        column: Which of the inputs is the time.

    Source:
        Vaswani et al., Attention is all you need, arXiv:1706.03762, section 3.5.
    """

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column

    def forward(self, inputs: Float[Tensor, "batch input_dim"]) -> Float[Tensor, "batch _"]:
        """Return the inputs, then the sines, then the cosines."""
        exponents = torch.linspace(0, math.log(30.0), FREQUENCIES, device=inputs.device)
        angles = math.pi * inputs[:, self.column, None] * exponents.exp()
        return torch.cat([inputs, angles.sin(), angles.cos()], dim=1)


def trunk(
    input_dim: int,
    output_dim: int,
    width: int,
    depth: int,
    time_column: int | None = None,
    generator: Generator | None = None,
) -> nn.Sequential:
    """Return a multilayer perceptron with SiLU between its layers.

    Args:
        input_dim: Numbers in.
        output_dim: Numbers out.
        width: Units per hidden layer.
        depth: Hidden layers.
        time_column: Which of the inputs is the time of a generative policy, if one is.
        generator: The source of the initial weights, so that a seed fixes the network.
    """
    timed = time_column is not None
    layers: list[nn.Module] = [TimeWaves(time_column)] if time_column is not None else []
    sizes = [input_dim + 2 * FREQUENCIES * timed, *[width] * depth, output_dim]
    for fan_in, fan_out in pairwise(sizes):
        layers += [seeded_linear(fan_in, fan_out, generator), nn.SiLU()]
    return nn.Sequential(*layers[:-1])
