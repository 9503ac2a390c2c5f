"""What the recorder says and hands over, and how it takes in a drive."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.types import Ending, Generator, Trajectory
from imitation_lab.widgets.words import fixed

INTERFACES = ("drag", "remote", "leader")
ENDINGS = {
    Ending.SUCCESS: "reached the goal",
    Ending.FAILURE: "crashed",
    Ending.CUT_OFF: "cut off",
}
TRAIL_POINTS = 64  # of a drive that the kernel tells the browser of: a picture needs no more
SAME_START = 1e-3  # metres: starts are drawn further apart from each other


def drives_sentence(trajectories: Sequence[Trajectory], time_step: float) -> str:
    """Return in words what has been recorded, just as the widget does."""
    if not trajectories:
        return "No demonstrations yet."
    endings = [trajectory.ending for trajectory in trajectories]
    counts = [f"{endings.count(e)} {text}" for e, text in ENDINGS.items() if e in endings]
    steps = sum(len(trajectory) for trajectory in trajectories)
    noun = "demonstration" if len(trajectories) == 1 else "demonstrations"
    return (
        f"{len(trajectories)} {noun}: {', '.join(counts)}. "
        f"{steps} actions, {fixed(steps * time_step, 1)} seconds at the wheel."
    )


def read_drive(
    message: dict[str, Any],
    buffers: Sequence[bytes | memoryview],
    task: Fork | Racetrack,
    generator: Generator,
) -> Trajectory:
    """Return the trajectory that the browser has sent.

    Args:
        message: ``steps``, ``driver`` and ``ending``.
        buffers: The states, one more than there are steps, and the actions, both float32.
        task: What was driven. It also says what its sensor saw of the states.
        generator: The source of the sensor's noise.

    Raises:
        ValueError: If the numbers do not make a drive.
    """
    steps = int(message["steps"])
    states = _rows(buffers[0], steps + 1, task.state_dim)
    actions = _rows(buffers[1], steps, task.action_dim)
    observations = task.observe(states, generator)
    ending = Ending(message["ending"])
    trajectory = Trajectory(observations, actions, str(message["driver"]), ending)
    Demonstrations(
        (trajectory,), task.name
    )  # refuses what is not finite, and drives without a step
    return trajectory


def _rows(buffer: bytes | memoryview, count: int, size: int) -> Float[Tensor, "count size"]:
    numbers = np.frombuffer(buffer, dtype="<f4")
    if numbers.size != count * size:
        raise ValueError(
            f"the browser sent {numbers.size} numbers, expected {count} rows of {size}: "
            "is the widget's cell older than the library? Run it again."
        )
    return torch.from_numpy(numbers.reshape(count, size).copy())


def trail_of(trajectory: Trajectory, task: Fork | Racetrack) -> Float[Tensor, "points 2"]:
    """Return at most 64 places on the way, from the first to the last, in metres, in the road's frame."""
    places = trajectory.observations[:, :2]
    count = min(len(places), TRAIL_POINTS)
    index = torch.linspace(0, len(places) - 1, count).round().long()
    return task.to_road(places[index]) if isinstance(task, Fork) else places[index]


def start_of(
    trajectory: Trajectory, seen: Float[Tensor, "starts observation_dim"], noise: float
) -> int:
    """Return which of the starts a drive began at, or -1.

    Args:
        trajectory: The drive.
        seen: What an exact sensor sees of the starts.
        noise: Of the sensor that recorded.
    """
    distances = (seen - trajectory.observations[0]).norm(dim=1)
    nearest = int(distances.argmin())
    return nearest if distances[nearest] < SAME_START + 5 * noise else -1
