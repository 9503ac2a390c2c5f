"""A simulated hand for the pendulum."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Generator


@dataclass
class PendulumBalancer:
    """A controller that pushes against the angle and against the angular velocity.

    Attributes:
        stiffness: Torque against the sine of the angle, in rad/s².
        damping: Torque against the angular velocity, in 1/s.
    """

    stiffness: float = 25.0
    damping: float = 8.0

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Do nothing: this controller remembers nothing."""

    def act(
        self, observations: Float[Tensor, "batch 2"], generator: Generator
    ) -> Float[Tensor, "batch 1"]:
        """Return torques per moment of inertia, in rad/s²."""
        angle, velocity = observations.unbind(dim=1)
        return -(self.stiffness * torch.sin(angle) + self.damping * velocity).unsqueeze(1)
