"""Behaviour cloning by regression: one chunk per observation, and no distribution at all."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from imitation_lab.networks import MLP
from imitation_lab.types import Generator, Policy


class RegressionPolicy(Policy):
    """A network that predicts the mean chunk."""

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        self.network: nn.Sequential = MLP(observation_dim, self.chunk_dim, width, depth, generator)

    def forward(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Return the predicted chunks."""
        chunks = self.network(observations)
        return chunks.unflatten(-1, (self.prediction_horizon, self.action_dim))

    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the squared L2 norm of the chunk's error, averaged over the batch."""
        predicted = self.network(observations)
        return F.mse_loss(predicted, actions.flatten(1), reduction="sum") / len(actions)

    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Return the predicted chunks: the same ones at every call."""
        return self(observations)
