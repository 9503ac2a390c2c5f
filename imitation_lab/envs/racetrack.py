"""The racetrack: a closed road with three bends, on which every mistake is carried along."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.envs.noise import disturbance
from imitation_lab.envs.rates import kick_at, response_at, steps_at
from imitation_lab.types import Generator

X, Y, HEADING, TURN_RATE, DRIVEN = range(5)


@dataclass(frozen=True)
class Racetrack:
    """A vehicle at constant speed steers round a closed track without leaving its lane.

    The middle of the lane is ``radius * (1 + bump * cos(3 * angle))`` away from the origin: a
    trefoil, with bends both ways. There is no obstacle, no choice and only one way to drive. What is
    hard is to keep on: a small error takes the vehicle to places that no demonstration has seen.

    The state is position, heading, turn rate, and the angle driven around the origin.

    | index | observation           | unit  | at the start                                  |
    |-------|-----------------------|-------|-----------------------------------------------|
    | 0, 1  | position              | m     | anywhere on the track, ``start_spread`` aside |
    | 2, 3  | sine, cosine of heading |     | along the track, ±``start_spread`` rad        |
    | 4     | turn rate             | rad/s | that of the bend, or 0 (``standing_start``)   |

    | index | action            | unit  | range                                            |
    |-------|-------------------|-------|--------------------------------------------------|
    | 0     | desired turn rate | rad/s | ±``top_turn_rate``; beyond, the nearest of these |

    An episode *succeeds* after ``laps`` laps. It *fails* when the vehicle's centre leaves the lane. It
    is *cut off* after ``max_steps`` steps of ``time_step`` seconds. The reward is 1 on success and 0
    otherwise.

    Attributes:
        half_width: Distance from the middle of the lane to its edges, in metres.
        radius: Of the circle that the track winds around, in metres.
        bump: How far the track leaves the circle, as a share of the radius.
        laps: To be driven.
        start_spread: Half the range of the start's lateral position (m) and heading (rad).
        standing_start: Whether the turn rate is zero at the start, instead of that of the bend. The
            vehicle has to swing into its lane then, which a lap shows only once.
        response: Share of the gap between turn rate and command that one step closes, in (0, 1].
        process_noise: Standard deviation of the random kick to the heading at every step, rad. One
            number, or one for each episode of a batch.
        observation_noise: Standard deviation of the noise on the observed position, m. One number,
            or one for each episode.
        max_steps: Steps before the episode is cut off.
        time_step: Seconds per step. ``at_rate`` changes it and leaves the physics as they are.
    """

    half_width: float = 0.12
    radius: float = 1.2
    bump: float = 0.25
    laps: float = 2.0
    start_spread: float = 0.02
    standing_start: bool = False
    response: float = 0.5
    process_noise: float | Tensor = 0.0
    observation_noise: float | Tensor = 0.0
    max_steps: int = 250
    time_step: float = 0.1

    name = "racetrack"
    state_dim = 5
    observation_dim = 5
    action_dim = 1
    speed = 1.0
    top_turn_rate = 2.5
    action_bound = top_turn_rate

    def __post_init__(self) -> None:
        if not 0 < self.response <= 1:
            raise ValueError(f"response must lie in (0, 1], got {self.response}.")
        if not 0 <= self.bump < 0.8:
            raise ValueError(f"bump must lie in [0, 0.8), got {self.bump}.")
        if self.max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {self.max_steps}.")
        if not self.time_step > 0:
            raise ValueError(f"time_step must be positive, got {self.time_step}.")

    def at_rate(self, rate: int | float) -> "Racetrack":
        """Return the same vehicle on the same track, with another number of steps per second.

        It answers, is kicked about and runs out of time as before. People need 30 Hz to drive.

        Args:
            rate: Steps per second.

        Raises:
            ValueError: If the rate is not positive.
        """
        if not rate > 0:
            raise ValueError(f"the rate must be positive, got {rate}.")
        share = 1 / (rate * self.time_step)
        return replace(
            self,
            time_step=1 / rate,
            response=response_at(self.response, share),
            process_noise=kick_at(self.process_noise, share),
            max_steps=steps_at(self.max_steps, share),
        )

    def initial_states(self, num_episodes: int, generator: Generator) -> Float[Tensor, "batch 5"]:
        """Draw the states in which episodes start, on the generator's device."""
        uniform = torch.rand(num_episodes, 3, generator=generator, device=generator.device)
        angle = 2 * math.pi * uniform[:, 0]
        aside, askew = ((2 * uniform[:, 1:] - 1) * self.start_spread).unbind(dim=1)
        along = self.heading(angle)
        across = torch.stack([-along.sin(), along.cos()], dim=1)
        position = self.middle(angle) + aside.unsqueeze(1) * across
        turn_rate = torch.zeros_like(angle) if self.standing_start else self.bend(angle)
        rest = torch.stack([along + askew, turn_rate, torch.zeros_like(angle)], dim=1)
        return torch.cat([position, rest], dim=1)

    def observe(
        self, states: Float[Tensor, "batch 5"], generator: Generator
    ) -> Float[Tensor, "batch 5"]:
        """Return position, sine and cosine of the heading, and turn rate."""
        position, heading = states[:, : Y + 1], states[:, HEADING]
        position = position + disturbance(self.observation_noise, position, generator)
        rest = torch.stack([heading.sin(), heading.cos(), states[:, TURN_RATE]], dim=1)
        return torch.cat([position, rest], dim=1)

    def advance(
        self,
        states: Float[Tensor, "batch 5"],
        actions: Float[Tensor, "batch 1"],
        generator: Generator,
    ) -> Float[Tensor, "batch 5"]:
        """Return the states a step later: the turn rate moves towards the commanded one."""
        command = actions[:, 0].clamp(-self.top_turn_rate, self.top_turn_rate)
        turn_rate = states[:, TURN_RATE] + self.response * (command - states[:, TURN_RATE])
        heading = states[:, HEADING] + self.time_step * turn_rate
        heading = heading + disturbance(self.process_noise, heading, generator)
        ahead = torch.stack([heading.cos(), heading.sin()], dim=1)
        position = states[:, : Y + 1] + self.time_step * self.speed * ahead
        turned = _wrapped(_angle(position) - _angle(states))
        rest = torch.stack([heading, turn_rate, states[:, DRIVEN] + turned], dim=1)
        return torch.cat([position, rest], dim=1)

    def failed(self, states: Float[Tensor, "batch 5"]) -> Bool[Tensor, "batch"]:
        """Tell which vehicles have left their lane."""
        return self.offset(states).abs() > self.half_width

    def succeeded(self, states: Float[Tensor, "batch 5"]) -> Bool[Tensor, "batch"]:
        """Tell which vehicles have driven all laps."""
        return states[:, DRIVEN] >= 2 * math.pi * self.laps

    def middle(self, angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 2"]:
        """Return the points in the middle of the lane at angles around the origin, in metres."""
        distance, _ = self._distance(angle)
        return torch.stack([distance * angle.cos(), distance * angle.sin()], dim=-1)

    def heading(self, angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return where the lane leads at angles around the origin, in radians."""
        distance, slope = self._distance(angle)
        return angle + torch.atan2(distance, slope)

    def metres_per_radian(self, angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the length of lane per radian around the origin."""
        return torch.hypot(*self._distance(angle))

    def bend(self, angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Return the turn rate that follows the lane, in rad/s. Negative in a bend to the right."""
        distance, slope = self._distance(angle)
        second = -9 * self.radius * self.bump * (3 * angle).cos()
        squared = distance.square() + slope.square()
        curvature = (squared + slope.square() - distance * second) / squared.pow(1.5)
        return self.speed * curvature

    def offset(self, states: Float[Tensor, "batch 5"]) -> Float[Tensor, "batch"]:
        """Return how far vehicles are from the middle of the lane, in metres. Outwards is positive."""
        angle = _angle(states)
        distance, _ = self._distance(angle)
        # From the gap along the ray from the origin, at the angle at which the lane crosses the ray.
        gap = states[:, : Y + 1].norm(dim=1) - distance
        return gap * distance / self.metres_per_radian(angle)

    def _distance(self, angle: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lane's distance from the origin, and its derivative by the angle."""
        distance = self.radius * (1 + self.bump * (3 * angle).cos())
        return distance, -3 * self.radius * self.bump * (3 * angle).sin()


def _angle(states: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
    return torch.atan2(states[:, Y], states[:, X])


def _wrapped(angle: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Return angles as those between -pi and pi."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
