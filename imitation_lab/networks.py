"""The networks inside the policies."""

import math
from itertools import pairwise

import torch
from torch import nn

from imitation_lab.types import Generator


class MLP(nn.Sequential):
    """A multilayer perceptron with ReLU between its layers.

    Args:
        input_dim: Numbers in.
        output_dim: Numbers out.
        width: Units per hidden layer.
        depth: Hidden layers.
        generator: The source of the initial weights, so that a seed fixes the network.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
    ) -> None:
        sizes = [input_dim, *[width] * depth, output_dim]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [seeded_linear(fan_in, fan_out, generator), nn.ReLU()]
        super().__init__(*layers[:-1])


def seeded_linear(fan_in: int, fan_out: int, generator: Generator | None) -> nn.Linear:
    """Return a layer whose weights and biases come from a generator, as torch would draw them."""
    layer = nn.Linear(fan_in, fan_out)
    bound = 1 / math.sqrt(fan_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def count_parameters(module: nn.Module) -> int:
    """Return how many numbers training may change."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
