"""Hands that shake: random noise on what an actor does."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Actor, Generator


@dataclass
class NoisyActor:
    """An actor whose actions come out with Gaussian noise.

    Attributes:
        actor: The one who acts.
        noise: Standard deviation of the noise on every action dimension, in the action's unit.
    """

    actor: Actor
    noise: float

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew."""
        self.actor.reset(mask)

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the actor's actions plus fresh noise, in physical units."""
        actions = self.actor.act(observations, generator)
        noise = torch.randn(actions.shape, generator=generator, device=actions.device)
        return actions + self.noise * noise
