"""Behaviour cloning with a mixture of Gaussians: a few whole chunks to choose from."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imitation_lab.networks import MLP
from imitation_lab.policies.categorical import draw
from imitation_lab.types import Generator, Policy


class MixturePolicy(Policy):
    """A network that predicts weights, means and widths of Gaussian components over chunks.

    A component spans the whole chunk, so a choice of component is a choice for all its actions.

    Attributes:
        num_components: At least 1. More than there are modes: some will not find one.
        log_std_range: Where predicted log standard deviations are clamped, in normalised units. The
            floor keeps the likelihood of repeated actions finite.

    Source:
        Bishop, Mixture density networks, 1994.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
        num_components: int = 5,
        log_std_range: tuple[float, float] = (-5.0, 2.0),
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        if num_components < 1:
            raise ValueError(f"num_components must be at least 1, got {num_components}.")
        self.num_components = num_components
        self.log_std_range = log_std_range
        output_dim = num_components * (1 + 2 * self.chunk_dim)
        self.network: nn.Sequential = MLP(observation_dim, output_dim, width, depth, generator)
        self.spread_means(generator)

    def spread_means(self, generator: Generator | None) -> None:
        """Let the untrained components start from different means."""
        # Components that start alike get like gradients and stay alike.
        output = self.network[-1]
        assert isinstance(output, nn.Linear)
        with torch.no_grad():
            _, means, _ = self._split(output.bias.unsqueeze(0))
            means.copy_(torch.randn(means.shape, generator=generator))

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, rest = outputs.tensor_split([self.num_components], dim=-1)
        means, log_stds = rest.unflatten(-1, (2, self.num_components, self.chunk_dim)).unbind(-3)
        return logits, means, log_stds

    def forward(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> tuple[
        Float[Tensor, "batch num_components"],
        Float[Tensor, "batch num_components chunk_dim"],
        Float[Tensor, "batch num_components chunk_dim"],
    ]:
        """Return the components' logits, means and log standard deviations."""
        logits, means, log_stds = self._split(self.network(observations))
        return logits, means, log_stds.clamp(*self.log_std_range)

    def log_prob(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
    ) -> Float[Tensor, "batch"]:
        """Return the log density of the chunks, in nats per chunk of normalised actions."""
        logits, means, log_stds = self(observations)
        standardised = (actions.flatten(1).unsqueeze(1) - means) * (-log_stds).exp()
        log_densities = -0.5 * standardised.square() - log_stds - 0.5 * math.log(2 * math.pi)
        # logsumexp: the components' densities underflow in float32.
        return torch.logsumexp(logits.log_softmax(dim=1) + log_densities.sum(dim=2), dim=1)

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
        """Draw one chunk for every observation: a component first, then a chunk from it."""
        logits, means, log_stds = self(observations)
        rows = torch.arange(len(logits), device=logits.device)
        chosen = draw(logits, generator)
        mean, log_std = means[rows, chosen], log_stds[rows, chosen]
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        chunks = mean + log_std.exp() * noise
        return chunks.unflatten(-1, (self.prediction_horizon, self.action_dim))
