"""What the browser must know of a task to drive its vehicle: ``static/vehicles.js`` does the same sums."""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.types import Task

CONSTANTS = ("name", "state_dim", "observation_dim", "action_dim", "action_bound")
FORK_CONSTANTS = ("top_speed",)
RACETRACK_CONSTANTS = ("speed", "top_turn_rate")


def vehicle_plan(task: Task) -> dict[str, Any]:
    """Return a task's sizes and its physics by name, for ``makeVehicle`` and ``makeRoadView``.

    Raises:
        ValueError: If the task is neither a fork nor a racetrack, or has several sizes of noise.
    """
    if not isinstance(task, Fork | Racetrack):
        raise ValueError(
            f"a person drives the fork or the racetrack, got {type(task).__name__}: "
            "pass a Fork or a Racetrack."
        )
    sizes = asdict(task)
    several = [name for name, value in sizes.items() if isinstance(value, Tensor)]
    if several:
        raise ValueError(
            f"{' and '.join(several)} must be one number: a person drives one vehicle."
        )
    own = FORK_CONSTANTS if isinstance(task, Fork) else RACETRACK_CONSTANTS
    return {**sizes, **{name: getattr(task, name) for name in (*CONSTANTS, *own)}}
