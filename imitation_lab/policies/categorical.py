"""Behaviour cloning with bins: one categorical distribution per action dimension."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from imitation_lab.networks import MLP
from imitation_lab.types import Generator, Policy


@dataclass(frozen=True)
class Bins:
    """Equal bins that share [-limit, limit], in normalised units.

    Numbers beyond the limit count as the nearest bin's.

    Attributes:
        count: How many, at least 2.
        limit: Where the outermost bins end.
    """

    count: int = 31
    limit: float = 3.0

    def __post_init__(self) -> None:
        if self.count < 2 or not self.limit > 0:
            raise ValueError(f"expected at least 2 bins and a positive limit, got {self}.")

    @property
    def width(self) -> float:
        """In normalised units."""
        return 2 * self.limit / self.count

    def discretize(self, numbers: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """Return the bin of every number."""
        # Clamped first: what is too large for an integer would turn negative.
        return ((numbers + self.limit) / self.width).clamp(0, self.count - 1).long()

    def place(
        self, indices: Int[Tensor, "*shape"], generator: Generator | None
    ) -> Float[Tensor, "*shape"]:
        """Draw a number from each bin, evenly over its width."""
        share = torch.rand(indices.shape, generator=generator, device=indices.device)
        return (indices + share) * self.width - self.limit


class CategoricalPolicy(Policy):
    """A network that predicts, for every number of the chunk on its own, which bin it falls into.

    Any shape in one dimension; between dimensions, independence. As a density it is constant within
    each bin.

    Attributes:
        bins: How actions are cut.
    """

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
        self.bins = bins or Bins()
        output_dim = self.chunk_dim * self.bins.count
        self.network = MLP(observation_dim, output_dim, width, depth, generator)

    def forward(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> Float[Tensor, "batch chunk_dim num_bins"]:
        """Return the logits of every number's bins."""
        return self.network(observations).unflatten(-1, (self.chunk_dim, self.bins.count))

    def log_prob(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
    ) -> Float[Tensor, "batch"]:
        """Return the log density of the chunks, in nats per chunk of normalised actions."""
        indices = self.bins.discretize(actions.flatten(1))
        return log_density(self(observations), indices, self.bins)

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
        """Draw one chunk for every observation: a bin for each number, then a place in the bin."""
        chunks = self.bins.place(draw(self(observations), generator), generator)
        return chunks.unflatten(-1, (self.prediction_horizon, self.action_dim))


def draw(
    logits: Float[Tensor, "*batch choices"], generator: Generator | None
) -> Int[Tensor, "*batch"]:
    """Draw one choice from each distribution.

    Raises:
        FloatingPointError: If a logit is NaN, which would otherwise count as the largest.

    Source:
        The Gumbel-max trick: add minus the logarithm of an exponential variable to every logit, and
        the largest is a sample (Gumbel, 1954).
    """
    # A sum is NaN if one of its terms is, and quicker than to ask each.
    if logits.sum().isnan():
        raise FloatingPointError(
            "the network's logits are NaN: has training diverged, or is an observation not finite?"
        )
    waiting_times = torch.empty_like(logits).exponential_(generator=generator)
    return (logits - waiting_times.log()).argmax(dim=-1)


def log_density(
    logits: Float[Tensor, "batch chunk_dim num_bins"],
    indices: Int[Tensor, "batch chunk_dim"],
    bins: Bins,
) -> Float[Tensor, "batch"]:
    """Return the log density of chunks in these bins, in nats per chunk of normalised actions."""
    chosen = logits.log_softmax(dim=-1).gather(-1, indices.unsqueeze(-1)).squeeze(-1)
    return (chosen - math.log(bins.width)).sum(dim=1)
