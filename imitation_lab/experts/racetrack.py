"""A simulated driver for the racetrack."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.envs.racetrack import Racetrack
from imitation_lab.types import Generator


@dataclass
class RacetrackDriver:
    """A driver who looks a little ahead along the middle of the lane and steers there.

    Attributes:
        task: The track that is driven.
        look_ahead: How far along the lane the driver looks, in metres.
        gain: Commanded turn rate per radian between heading and that point, in 1/s.
    """

    task: Racetrack
    look_ahead: float = 0.35
    gain: float = 6.0

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Do nothing: this driver remembers nothing."""

    def act(
        self, observations: Float[Tensor, "batch 5"], generator: Generator
    ) -> Float[Tensor, "batch 1"]:
        """Return desired turn rates, in rad/s."""
        position, heading = observations[:, :2], torch.atan2(observations[:, 2], observations[:, 3])
        angle = torch.atan2(position[:, 1], position[:, 0])
        ahead = angle + self.look_ahead / self.task.metres_per_radian(angle)
        towards = self.task.middle(ahead) - position
        error = torch.atan2(towards[:, 1], towards[:, 0]) - heading
        error = torch.remainder(error + math.pi, 2 * math.pi) - math.pi
        limit = self.task.top_turn_rate
        return (self.gain * error).clamp(-limit, limit).unsqueeze(1)
