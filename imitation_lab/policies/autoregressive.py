"""Behaviour cloning one number at a time: each bin depends on the bins before it."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imitation_lab.networks import MLP
from imitation_lab.policies.categorical import Bins, draw, log_density
from imitation_lab.types import Generator, Policy


class AutoregressivePolicy(Policy):
    """A network that predicts each number's bin from the observation and the numbers before it.

    The chain rule makes this exact: any joint distribution of bins is a product of such conditionals,
    in any order. Here the numbers of a chunk follow each other as in time, and within an action as
    in the action. The second-to-last layer is shared by all numbers; to what it gets from the
    observation, number i adds one table row for each number before it. A causal mask does that for
    all numbers in one pass in training. Sampling takes one pass of the last layer per number.

    Attributes:
        bins: How actions are cut.

    Raises:
        ValueError: If the depth is below 1: what the numbers share is a hidden layer.

    Source:
        Larochelle and Murray, NADE, 2011; Germain et al., MADE, arXiv:1502.03509.
    """

    mask: Tensor

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
        bins: Bins | None = None,
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}.")
        self.bins = bins or Bins()
        self.trunk = MLP(observation_dim, width, width, depth - 1, generator)
        shape = (self.chunk_dim, self.bins.count)
        self.tables = _uniform((*shape, width), 1 / math.sqrt(self.chunk_dim), generator)
        self.weights = _uniform((self.chunk_dim, width, shape[1]), 1 / math.sqrt(width), generator)
        self.biases = _uniform(shape, 1 / math.sqrt(width), generator)
        # mask[i, j]: number i may look at number j.
        self.register_buffer("mask", torch.ones(self.chunk_dim, self.chunk_dim).tril(-1))

    def forward(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        indices: Int[Tensor, "batch chunk_dim"],
    ) -> Float[Tensor, "batch chunk_dim num_bins"]:
        """Return the logits of every number's bins, given the bins of the numbers before it."""
        bins = torch.arange(self.bins.count, device=indices.device)
        one_hot = (indices.unsqueeze(-1) == bins).to(self.tables.dtype)
        rows = torch.einsum("bjk,jkw->bjw", one_hot, self.tables)
        before = torch.einsum("ij,bjw->biw", self.mask, rows)
        hidden = torch.relu(self.trunk(observations).unsqueeze(1) + before)
        return torch.einsum("biw,iwk->bik", hidden, self.weights) + self.biases

    def log_prob(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
    ) -> Float[Tensor, "batch"]:
        """Return the log density of the chunks, in nats per chunk of normalised actions."""
        indices = self.bins.discretize(actions.flatten(1))
        return log_density(self(observations, indices), indices, self.bins)

    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the negative log-likelihood, averaged over the batch."""
        return -self.log_prob(observations, actions).mean()

    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation, each number given those drawn before it."""
        hidden = self.trunk(observations)
        drawn = []
        for table, weight, bias in zip(self.tables, self.weights, self.biases, strict=True):
            index = draw(torch.relu(hidden) @ weight + bias, generator)
            hidden = hidden + table[index]
            drawn.append(index)
        chunks = self.bins.place(torch.stack(drawn, dim=1), generator)
        return chunks.unflatten(-1, (self.prediction_horizon, self.action_dim))


def _uniform(shape: tuple[int, ...], bound: float, generator: Generator | None) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
