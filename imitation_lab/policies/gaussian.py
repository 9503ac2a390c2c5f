"""Behaviour cloning with a Gaussian: a mean and a width per action dimension."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.networks import MLP
from imitation_lab.types import Generator, Policy


class GaussianPolicy(Policy):
    """A network that predicts mean and log standard deviation of a diagonal Gaussian over chunks.

    Attributes:
        log_std_range: Where predicted log standard deviations are clamped, in normalised units. The
            floor keeps the likelihood of data on a line finite.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
        log_std_range: tuple[float, float] = (-5.0, 2.0),
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        self.network = MLP(observation_dim, 2 * self.chunk_dim, width, depth, generator)
        self.log_std_range = log_std_range

    def forward(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> tuple[Float[Tensor, "batch chunk_dim"], Float[Tensor, "batch chunk_dim"]]:
        """Return the mean and the log standard deviation of every number in the chunk."""
        mean, log_std = self.network(observations).chunk(2, dim=-1)
        return mean, log_std.clamp(*self.log_std_range)

    def log_prob(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
    ) -> Float[Tensor, "batch"]:
        """Return the log density of the chunks, in nats per chunk of normalised actions."""
        mean, log_std = self(observations)
        standardised = (actions.flatten(1) - mean) * (-log_std).exp()
        log_density = -0.5 * standardised.square() - log_std - 0.5 * math.log(2 * math.pi)
        return log_density.sum(dim=1)

    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the negative log-likelihood, averaged over the batch."""
        # The mean of -log_prob, in fewer operations: small ones are what training waits for.
        mean, log_std = self(observations)
        standardised = (actions.flatten(1) - mean) * (-log_std).exp()
        variable = torch.add(log_std, standardised.square(), alpha=0.5)
        return variable.sum() / len(actions) + self.chunk_dim * 0.5 * math.log(2 * math.pi)

    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation."""
        mean, log_std = self(observations)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        chunks = mean + log_std.exp() * noise
        return chunks.unflatten(-1, (self.prediction_horizon, self.action_dim))
