"""The fork as one writes it for Gymnasium: one vehicle, numpy, no batch.

A test holds that it moves as the library's fork does. Peers drive it, in either Gymnasium.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class NumpyFork(gymnasium.Env[Array, Array]):
    """One vehicle on the road of ``imitation_lab.envs.Fork``, with that one's default settings."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (8,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start at a drawn state, or at ``options["state"]``."""
        super().reset(seed=seed)
        centres = np.array([0, 0, 0, 0, 1, 0, 2, 0])
        half_ranges = np.array([0.05, 0.05, 0, 0, 0.1, 0.05, 0, 0.2])
        drawn = centres + half_ranges * self.np_random.uniform(-1, 1, 8)
        self._state = drawn.astype(np.float32)
        if options and "state" in options:
            self._state = np.array(options["state"], dtype=np.float32)
        self._age = 0
        return self._state.copy(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Drive a tenth of a second."""
        state = self._state
        command = action / max(1.0, float(np.linalg.norm(action)))
        state[2:4] += 0.5 * (command - state[2:4])
        state[:2] += 0.1 * state[2:4]
        self._age += 1
        crashed = np.linalg.norm(state[:2] - state[4:6]) < 0.35 or abs(state[1]) > 0.8
        arrived = not crashed and np.linalg.norm(state[:2] - state[6:8]) < 0.15
        ended = bool(crashed or arrived)
        truncated = not ended and self._age >= 45
        return state.copy(), float(arrived), ended, truncated, {"success": bool(arrived)}
