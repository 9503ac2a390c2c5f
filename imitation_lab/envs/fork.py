"""The fork: a road with one obstacle that must be passed on the left or on the right."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.envs.noise import disturbance, is_none
from imitation_lab.envs.rates import fading_kick_at, response_at, steps_at
from imitation_lab.types import Generator

POSITION, VELOCITY, OBSTACLE, GOAL = slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)


@dataclass(frozen=True)
class Fork:
    """A vehicle drives towards an obstacle, commits to one side, passes it and reaches a goal.

    Straight ahead is a crash, left and right are equally good. Good drivers therefore disagree, and
    their average drives into the obstacle. The vehicle answers commands with a lag and the drivers
    decide late, so a policy that hesitates has no room left to correct itself.

    The state is what is true on the road, in the road's own frame: x runs along the road, y to the
    left. The observation is the same eight numbers in the world's frame, which may be turned
    against the road by ``angle``. All lengths are in metres.

    | index | observation        | unit | at the start                                     |
    |-------|--------------------|------|--------------------------------------------------|
    | 0, 1  | vehicle's position | m    | x in ±0.05, y in ±``start_spread``               |
    | 2, 3  | vehicle's velocity | m/s  | 0                                                |
    | 4, 5  | obstacle's centre  | m    | x in 1 ± 0.1, y in ±``obstacle_spread``          |
    | 6, 7  | goal's position    | m    | x = 2, y in ±``goal_spread``                     |

    | index | action           | unit | range                                              |
    |-------|------------------|------|----------------------------------------------------|
    | 0, 1  | desired velocity | m/s  | [-1, 1]; longer vectors are shortened to 1 m/s     |

    An episode *succeeds* within ``goal_radius`` of the goal. It *fails* when the vehicle's centre
    comes within ``obstacle_radius`` of the obstacle or leaves the road. It is *cut off* after
    ``max_steps`` steps of ``time_step`` seconds. The reward is 1 on success and 0 otherwise.

    Attributes:
        obstacle_radius: Distance from the obstacle's centre that counts as a crash.
        start_spread: Half the range of the start's lateral position.
        obstacle_spread: Half the range of the obstacle's lateral position.
        goal_spread: Half the range of the goal's lateral position.
        goal_radius: Distance from the goal that counts as arrival.
        road_half_width: Distance from the middle of the road to its edges.
        response: Share of the gap between velocity and command that one step closes, in (0, 1].
        process_noise: Standard deviation of the random kick to the velocity at every step, m/s. One
            number, or one for each episode of a batch.
        observation_noise: Standard deviation of the noise on the observed lateral position (m) and
            lateral velocity (m/s). One number, or one for each episode.
        angle: How far the road is turned against the world's frame, in radians.
        max_steps: Steps before the episode is cut off.
        time_step: Seconds per step. ``at_rate`` changes it and leaves the physics as they are.
    """

    obstacle_radius: float = 0.35
    start_spread: float = 0.05
    obstacle_spread: float = 0.05
    goal_spread: float = 0.20
    goal_radius: float = 0.15
    road_half_width: float = 0.8
    response: float = 0.5
    process_noise: float | Tensor = 0.0
    observation_noise: float | Tensor = 0.0
    angle: float = 0.0
    max_steps: int = 45
    time_step: float = 0.1

    name = "fork"
    state_dim = 8
    observation_dim = 8
    action_dim = 2
    top_speed = 1.0
    action_bound = top_speed

    def __post_init__(self) -> None:
        if not 0 < self.response <= 1:
            raise ValueError(f"response must lie in (0, 1], got {self.response}.")
        if self.max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {self.max_steps}.")
        if not self.time_step > 0:
            raise ValueError(f"time_step must be positive, got {self.time_step}.")

    def at_rate(self, rate: int | float) -> "Fork":
        """Return the same vehicle on the same road, with another number of steps per second.

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
            process_noise=fading_kick_at(self.process_noise, self.response, share),
            max_steps=steps_at(self.max_steps, share),
        )

    def initial_states(self, num_episodes: int, generator: Generator) -> Float[Tensor, "batch 8"]:
        """Draw the states in which episodes start, on the generator's device."""
        half_ranges = torch.tensor(
            [0.05, self.start_spread, 0, 0, 0.1, self.obstacle_spread, 0, self.goal_spread]
        )
        centres = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0])
        device = generator.device
        uniform = torch.rand(num_episodes, 8, generator=generator, device=device) * 2 - 1
        return centres.to(device) + half_ranges.to(device) * uniform

    def observe(
        self, states: Float[Tensor, "batch 8"], generator: Generator
    ) -> Float[Tensor, "batch 8"]:
        """Return positions, velocity, obstacle and goal in the world's frame."""
        seen = states.unflatten(-1, (4, 2))
        if not is_none(self.observation_noise):
            noise = disturbance(self.observation_noise, states, generator).unflatten(-1, (4, 2))
            lateral = states.new_tensor([[0, 1], [0, 1], [0, 0], [0, 0]])
            seen = seen + lateral * noise
        return self.to_world(seen).flatten(-2)

    def advance(
        self,
        states: Float[Tensor, "batch 8"],
        actions: Float[Tensor, "batch 2"],
        generator: Generator,
    ) -> Float[Tensor, "batch 8"]:
        """Return the states a step later: the velocity moves towards the commanded one."""
        command = self.limit_speed(self.to_road(actions))
        velocity = states[:, VELOCITY] + self.response * (command - states[:, VELOCITY])
        if not is_none(self.process_noise):
            velocity = velocity + disturbance(self.process_noise, velocity, generator)
        position = states[:, POSITION] + self.time_step * velocity
        return torch.cat([position, velocity, states[:, 4:]], dim=1)

    def failed(self, states: Float[Tensor, "batch 8"]) -> Bool[Tensor, "batch"]:
        """Tell which vehicles have hit the obstacle or left the road."""
        distance = (states[:, POSITION] - states[:, OBSTACLE]).norm(dim=1)
        off_road = states[:, 1].abs() > self.road_half_width
        return (distance < self.obstacle_radius) | off_road

    def succeeded(self, states: Float[Tensor, "batch 8"]) -> Bool[Tensor, "batch"]:
        """Tell which vehicles have reached their goal."""
        return (states[:, POSITION] - states[:, GOAL]).norm(dim=1) < self.goal_radius

    def limit_speed(self, actions: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 2"]:
        """Shorten commands that ask for more than the top speed."""
        excess = actions.norm(dim=1, keepdim=True) / self.top_speed
        return actions / excess.clamp(min=1.0)

    def to_world(self, vectors: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Turn vectors from the road's frame into the world's."""
        return vectors @ self._rotation(vectors).T if self.angle else vectors.clone()

    def to_road(self, vectors: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Turn vectors from the world's frame into the road's."""
        return vectors @ self._rotation(vectors) if self.angle else vectors.clone()

    def _rotation(self, like: Tensor) -> Float[Tensor, "2 2"]:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return like.new_tensor([[cosine, -sine], [sine, cosine]])
