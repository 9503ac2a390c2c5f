"""Environments: batched torch dynamics, offered to Gymnasium as well.

Importing this package makes ``gymnasium.make("ImitationLab/Fork-v0")`` and ``gymnasium.make_vec``
know the course's environments. Keyword arguments are those of the task, such as ``angle``.
"""

import gymnasium

from imitation_lab.envs.fork import Fork
from imitation_lab.envs.pendulum import Pendulum
from imitation_lab.envs.racetrack import Racetrack

__all__ = ["Fork", "Pendulum", "Racetrack"]

# By name: whoever needs the dynamics only need not wait for the adapters and their drawings.
gymnasium.register(
    "ImitationLab/Fork-v0",
    entry_point="imitation_lab.envs.adapters:make_fork",
    vector_entry_point="imitation_lab.envs.adapters:make_fork_vector",
)
