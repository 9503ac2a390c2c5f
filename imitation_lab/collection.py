"""Have experts demonstrate."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.rollout import Rollouts, rollout
from imitation_lab.types import Actor, Generator, Task


def demonstrate(
    task: Task, drivers: Mapping[str, Actor], num_starts: int, generator: Generator
) -> Demonstrations:
    """Let every driver drive from the same starts, and keep the episodes that succeed.

    The same starts for all: up to the moment of choice nothing in the observation tells who drives,
    and so which way to go. That is what makes regression average.

    Args:
        task: The environment.
        drivers: Actors by name. The name is kept with every trajectory.
        num_starts: Starts, each driven once by every driver.
        generator: The source of starts and noise.

    Raises:
        ValueError: If no episode succeeds.
    """
    starts = task.initial_states(num_starts, generator)
    return demonstrate_from(task, drivers, starts, generator)


def demonstrate_from(
    task: Task,
    drivers: Mapping[str, Actor],
    starts: Float[Tensor, "batch state_dim"],
    generator: Generator,
) -> Demonstrations:
    """Let every driver drive from these starts, and keep the episodes that succeed."""
    trajectories = []
    for name, driver in drivers.items():
        rollouts = rollout(task, driver, len(starts), generator, starts)
        trajectories += [rollouts.trajectory(i, name) for i in _successes(rollouts)]
    if not trajectories:
        raise ValueError(f"none of {list(drivers)} succeeded once from {len(starts)} starts.")
    return Demonstrations(tuple(trajectories), task.name)


def seen_by(
    demonstrations: Demonstrations, task: Fork | Racetrack | Pendulum, generator: Generator
) -> Demonstrations:
    """Return demonstrations as a noisy sensor records them.

    The drivers acted on the truth, as people do; the sensor that records and later drives sees less
    well. The actions stay as they were.

    Args:
        demonstrations: With exact observations.
        task: Its ``observation_noise``, one number, is the sensor's.
        generator: The source of the noise.
    """
    return Demonstrations(
        tuple(
            replace(trajectory, observations=_seen(trajectory.observations, task, generator))
            for trajectory in demonstrations.trajectories
        ),
        demonstrations.task,
    )


def _seen(
    observations: Float[Tensor, "moments observation_dim"],
    task: Fork | Racetrack | Pendulum,
    generator: Generator,
) -> Float[Tensor, "moments observation_dim"]:
    # The sensors' noise is added, whatever the state: what it adds to zeros it adds to all.
    zeros = torch.zeros(len(observations), task.state_dim)
    exact = replace(task, observation_noise=0.0)
    return observations + (task.observe(zeros, generator) - exact.observe(zeros, generator))


def _successes(rollouts: Rollouts) -> list[int]:
    return torch.nonzero(rollouts.succeeded).flatten().tolist()
