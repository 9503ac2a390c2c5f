"""Simulated drivers for the fork."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, Fork
from imitation_lab.types import Generator

SIDES = {"left": 1.0, "right": -1.0}


@dataclass
class ForkDriver:
    """A driver who heads for the obstacle, decides late, and passes it on a side of their own.

    Until ``decision_distance`` before the obstacle the driver aims straight at it. Then the driver
    swerves while moving forward, and once past the obstacle heads for the goal.

    Attributes:
        task: The fork that is driven.
        sides: The sides that the driver uses; one is drawn for every episode.
        decision_distance: How far before the obstacle's centre the swerve begins, in metres.
        margin: Room that the driver leaves between obstacle and vehicle, in metres.
        longest_pause: Steps that the driver may stand still before swerving. The number is drawn
            for every episode from the upper half of ``0 … longest_pause`` and shows in no observation.
        gain: Commanded speed per metre of distance, in 1/s.
        swerve_speed: Forward speed, and top lateral speed, while swerving, in m/s.
    """

    task: Fork
    sides: tuple[str, ...] = ("left", "right")
    decision_distance: float = 0.72
    margin: float = 0.15
    longest_pause: int = 0
    gain: float = 4.0
    swerve_speed: float = 0.7
    _side: Tensor = field(init=False, repr=False)
    _pause: Tensor = field(init=False, repr=False)
    _undecided: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = set(self.sides) - set(SIDES)
        if unknown or not self.sides:
            raise ValueError(f"sides must name some of {list(SIDES)}, got {list(self.sides)}.")

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew: side and pause are drawn at their next action."""
        known = getattr(self, "_side", None)
        if known is None or known.shape != mask.shape or known.device != mask.device:
            self._side = torch.zeros(mask.shape, device=mask.device)
            self._pause = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
            self._undecided = torch.ones_like(mask)
        self._undecided = self._undecided | mask

    def act(
        self, observations: Float[Tensor, "batch 8"], generator: Generator
    ) -> Float[Tensor, "batch 2"]:
        """Return desired velocities in the world's frame, in m/s."""
        self._decide(generator)
        state = self.task.to_road(observations.unflatten(-1, (4, 2))).flatten(-2)
        action = self.task.limit_speed(self._command(state))
        return self.task.to_world(self._wait(state, action))

    def is_deciding(self, observations: Float[Tensor, "batch 8"]) -> Bool[Tensor, "batch"]:
        """Tell where the swerve begins: in the 6 cm behind the decision distance.

        A step is longer than that, so nothing in these observations shows yet who drives.
        """
        state = self.task.to_road(observations.unflatten(-1, (4, 2))).flatten(-2)
        ahead = state[:, OBSTACLE][:, 0] - state[:, POSITION][:, 0]
        return (ahead <= self.decision_distance) & (ahead > self.decision_distance - 0.06)

    def _decide(self, generator: Generator) -> None:
        shape, device = self._side.shape, self._side.device
        choices = torch.tensor([SIDES[side] for side in self.sides], device=device)
        index = torch.randint(len(choices), shape, generator=generator, device=device)
        shortest, longest = self.longest_pause // 2, self.longest_pause + 1
        pause = torch.randint(shortest, longest, shape, generator=generator, device=device)
        self._side = torch.where(self._undecided, choices[index], self._side)
        self._pause = torch.where(self._undecided, pause, self._pause)
        self._undecided = torch.zeros_like(self._undecided)

    def _command(self, state: Float[Tensor, "batch 8"]) -> Float[Tensor, "batch 2"]:
        position, obstacle, goal = state[:, POSITION], state[:, OBSTACLE], state[:, GOAL]
        ahead = obstacle[:, 0] - position[:, 0]
        aim = (self.gain * (obstacle[:, 1] - position[:, 1]).clamp(-0.2, 0.2)).unsqueeze(1)
        clearance = self._side * (self.task.obstacle_radius + self.margin)
        swerve = self.gain * (obstacle[:, 1] + clearance - position[:, 1]).unsqueeze(1)
        swerve = swerve.clamp(-self.swerve_speed, self.swerve_speed)
        approach = torch.cat([torch.ones_like(aim), aim], dim=1)
        passing = torch.cat([torch.full_like(swerve, self.swerve_speed), swerve], dim=1)
        before, behind = ahead > self.decision_distance, ahead < -0.1
        command = torch.where(before.unsqueeze(1), approach, passing)
        return torch.where(behind.unsqueeze(1), self.gain * (goal - position), command)

    def _wait(
        self, state: Float[Tensor, "batch 8"], action: Float[Tensor, "batch 2"]
    ) -> Float[Tensor, "batch 2"]:
        at_fork = state[:, OBSTACLE][:, 0] - state[:, POSITION][:, 0] <= self.decision_distance
        waiting = at_fork & (self._pause > 0)
        self._pause = self._pause - waiting.long()
        return torch.where(waiting.unsqueeze(1), torch.zeros_like(action), action)
