"""The pendulum: a pole that falls unless somebody keeps correcting it."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.envs.noise import disturbance
from imitation_lab.types import Generator

GRAVITY = 9.8  # m/s², acting on a pole of 1 m


@dataclass(frozen=True)
class Pendulum:
    """A pole stands on its end. A torque keeps it upright, or it falls.

    Upright is an equilibrium, but an unstable one: left alone, an error of the angle grows by
    ``exp(sqrt(9.8) * time)``, more than twentyfold in a second. Random pushes see to it that there is always
    an error.

    | index | observation      | unit  | at the start                      |
    |-------|------------------|-------|-----------------------------------|
    | 0     | angle from upright | rad | normal, ``start_spread`` wide     |
    | 1     | angular velocity | rad/s | normal, ``start_spread`` wide     |

    | index | action                       | unit    | range |
    |-------|------------------------------|---------|-------|
    | 0     | torque per moment of inertia | rad/s²  | any   |

    Positive is to the left, for angles as for torques, as the picture shows it. Gymnasium's action
    space is ±``action_bound``.

    An episode *succeeds* when the pole still stands after ``seconds``. It *fails* when the angle
    exceeds ``largest_angle``. The reward is 1 on success and 0 otherwise. The state is the
    observation and, third, the time that has passed in seconds.

    Attributes:
        seconds: How long to stand.
        start_spread: Standard deviation of angle (rad) and angular velocity (rad/s) at the start.
        friction: Angular acceleration against the angular velocity, in 1/s.
        process_noise: Standard deviation of the random push at every step, in rad/s². One number, or
            one for each episode of a batch.
        observation_noise: Standard deviation of the noise on the observed angle (rad) and angular
            velocity (rad/s). One number, or one for each episode.
        largest_angle: At which the pole counts as fallen, in rad.
    """

    seconds: float = 10.0
    start_spread: float = 0.05
    friction: float = 0.1
    process_noise: float | Tensor = 0.5
    observation_noise: float | Tensor = 0.0
    largest_angle: float = 1.0

    name = "pendulum"
    state_dim = 3
    observation_dim = 2
    action_dim = 1
    time_step = 0.05
    action_bound = 100.0  # ten times gravity: finite, and far more than keeping upright takes

    def __post_init__(self) -> None:
        if self.seconds < self.time_step:
            raise ValueError(f"seconds must be at least {self.time_step}, got {self.seconds}.")

    @property
    def max_steps(self) -> int:
        """Steps in which an episode ends: one more than ``seconds`` hold, against rounding."""
        return round(self.seconds / self.time_step) + 1

    def initial_states(self, num_episodes: int, generator: Generator) -> Float[Tensor, "batch 3"]:
        """Draw the states in which episodes start, on the generator's device."""
        noise = torch.randn(num_episodes, 2, generator=generator, device=generator.device)
        return torch.cat([self.start_spread * noise, torch.zeros_like(noise[:, :1])], dim=1)

    def observe(
        self, states: Float[Tensor, "batch 3"], generator: Generator
    ) -> Float[Tensor, "batch 2"]:
        """Return angle and angular velocity."""
        seen = states[:, :2]
        return seen + disturbance(self.observation_noise, seen, generator)

    def advance(
        self,
        states: Float[Tensor, "batch 3"],
        actions: Float[Tensor, "batch 1"],
        generator: Generator,
    ) -> Float[Tensor, "batch 3"]:
        """Return the states 0.05 s later, by one step of the semi-implicit Euler method."""
        angle, velocity, time = states.unbind(dim=1)
        push = actions[:, 0] + disturbance(self.process_noise, actions[:, 0], generator)
        acceleration = GRAVITY * angle.sin() + push - self.friction * velocity
        velocity = velocity + self.time_step * acceleration
        angle = angle + self.time_step * velocity
        return torch.stack([angle, velocity, time + self.time_step], dim=1)

    def failed(self, states: Float[Tensor, "batch 3"]) -> Bool[Tensor, "batch"]:
        """Tell which poles have fallen."""
        return states[:, 0].abs() > self.largest_angle

    def succeeded(self, states: Float[Tensor, "batch 3"]) -> Bool[Tensor, "batch"]:
        """Tell which poles have stood long enough."""
        return ~self.failed(states) & (states[:, 2] > self.seconds - self.time_step / 2)
