"""Behaviour cloning by flow matching: a network learns which way noise should move to become a chunk."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from imitation_lab.flows import check_solver, integrate, interpolate
from imitation_lab.networks import MLP
from imitation_lab.types import Generator, Policy


class FlowPolicy(Policy):
    """A network that predicts the velocity of a noisy chunk on its way to a demonstrated one.

    Attributes:
        num_steps: Integration steps when sampling.
        solver: ``"euler"``, ``"midpoint"`` or ``"heun"``.

    Raises:
        ValueError: If there is no such solver or no step.

    Source:
        Lipman et al., Flow matching, arXiv:2210.02747; Black et al., π0, arXiv:2410.24164.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
        num_steps: int = 10,
        solver: str = "euler",
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        check_solver(num_steps, solver)
        self.num_steps = num_steps
        self.solver = solver
        input_dim = observation_dim + self.chunk_dim + 1
        self.network: nn.Sequential = MLP(input_dim, self.chunk_dim, width, depth, generator)

    def velocity(
        self,
        points: Float[Tensor, "batch chunk_dim"],
        times: Float[Tensor, "batch"],
        observations: Float[Tensor, "batch observation_dim"],
    ) -> Float[Tensor, "batch chunk_dim"]:
        """Return the predicted velocity of noisy chunks at times between 0 (noise) and 1 (data)."""
        return self.network(torch.cat([points, times.unsqueeze(1), observations], dim=1))

    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the squared L2 norm of the velocity's error, averaged over the batch."""
        chunks = actions.flatten(1)
        noise = torch.randn(chunks.shape, generator=generator, device=chunks.device)
        times = torch.rand(len(chunks), generator=generator, device=chunks.device)
        points, velocity = interpolate(noise, chunks, times)
        predicted = self.velocity(points, times, observations)
        return F.mse_loss(predicted, velocity, reduction="sum") / len(chunks)

    def denoise(
        self,
        noise: Float[Tensor, "batch chunk_dim"],
        observations: Float[Tensor, "batch observation_dim"],
        num_steps: int | None = None,
        solver: str | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Return the chunks that noise becomes. The same noise becomes the same chunk.

        Args:
            noise: Standard normal.
            observations: Normalised.
            num_steps: Instead of the policy's own number.
            solver: Instead of the policy's own.
        """
        chunks = integrate(
            lambda points, times: self.velocity(points, times, observations),
            noise,
            self.num_steps if num_steps is None else num_steps,
            solver or self.solver,
        )
        return chunks.unflatten(1, (self.prediction_horizon, self.action_dim))

    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation: its own noise, moved along the field."""
        shape = (len(observations), self.chunk_dim)
        noise = torch.randn(shape, generator=generator, device=observations.device)
        return self.denoise(noise, observations)
