"""Environments: batched torch dynamics, offered to Gymnasium as well.

Importing this package makes ``gymnasium.make`` and ``gymnasium.make_vec`` know the course's
environments: ``ImitationLab/Fork-v0``, ``ImitationLab/Pendulum-v0`` and
``ImitationLab/Racetrack-v0``. Keyword arguments are those of the task, such as the fork's ``angle``.
"""

import gymnasium

from imitation_lab.envs.fork import Fork
from imitation_lab.envs.pendulum import Pendulum
from imitation_lab.envs.racetrack import Racetrack
from imitation_lab.types import Task

__all__ = ["TASKS", "Fork", "Pendulum", "Racetrack"]

TASKS: dict[str, type[Task]] = {Fork.name: Fork, Pendulum.name: Pendulum, Racetrack.name: Racetrack}

for _name, _kind in TASKS.items():
    # By name: whoever needs the dynamics only need not wait for the adapters and their drawings, and
    # Gymnasium can write its description of an environment as JSON.
    gymnasium.register(
        f"ImitationLab/{_kind.__name__}-v0",
        entry_point="imitation_lab.envs.adapters:make_env",
        vector_entry_point="imitation_lab.envs.adapters:make_vector_env",
        kwargs={"task": _name},
    )
