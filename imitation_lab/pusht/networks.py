"""The one trunk that all Push-T policies share."""

import math

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


class Residual(nn.Module):
    """A block of two layers whose output is added to its input.

    Args:
        width: Numbers in and out.
        generator: The source of the initial weights.

    Source:
        He et al., Deep residual learning, arXiv:1512.03385, with the normalisation in front (Xiong et
        al., arXiv:2002.04745).
    """

    def __init__(self, width: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            seeded_linear(width, width, generator),
            nn.SiLU(),
            seeded_linear(width, width, generator),
        )

    def forward(self, inputs: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Return the inputs and what the layers make of them, added."""
        return inputs + self.layers(inputs)


def trunk(
    input_dim: int,
    output_dim: int,
    width: int,
    depth: int,
    time_column: int | None = None,
    generator: Generator | None = None,
) -> nn.Sequential:
    """Return a multilayer perceptron of residual blocks.

    Args:
        input_dim: Numbers in.
        output_dim: Numbers out.
        width: Numbers between the blocks.
        depth: Blocks.
        time_column: Which of the inputs is the time of a generative policy, if one is.
        generator: The source of the initial weights, so that a seed fixes the network.
    """
    waves = [] if time_column is None else [TimeWaves(time_column)]
    return nn.Sequential(
        *waves,
        seeded_linear(input_dim + 2 * FREQUENCIES * len(waves), width, generator),
        *(Residual(width, generator) for _ in range(depth)),
        nn.LayerNorm(width),
        nn.SiLU(),
        seeded_linear(width, output_dim, generator),
    )
