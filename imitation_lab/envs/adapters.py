"""Any task as a Gymnasium environment: one episode at a time, or many as one batch."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from imitation_lab.envs import TASKS
from imitation_lab.envs.drawing import Camera
from imitation_lab.types import Task

# In the observation's own units. Finite, since Gymnasium's checker takes infinity for an oversight;
# far beyond what any task shows.
LARGEST_OBSERVATION = 1e6
RENDER_MODES = ("rgb_array",)

Array = NDArray[Any]


class TaskEnv(gymnasium.Env[Array, Array]):
    """A task as a Gymnasium environment.

    Observations and actions are float32 arrays in physical units; the task's docstring is their data
    sheet. The action space is ± the task's ``action_bound``. Actions need not lie in it: the task
    decides what longer ones mean, as it does in ``rollout``. The reward is 1 for the step that
    reaches the goal and 0 otherwise. An episode terminates in success or failure and is truncated
    after ``max_steps`` steps. ``info`` holds ``success``.

    ``reset`` takes ``options={"state": array}``, with the true state in which to start.

    Args:
        task: The batched dynamics.
        render_mode: ``"rgb_array"`` makes ``render`` return the picture of the true state.
        device: Where the dynamics run.
    """

    def __init__(
        self, task: Task, render_mode: str | None = None, device: torch.device | str = "cpu"
    ) -> None:
        self.task = task
        self.metadata = _metadata(task)
        self.render_mode = _checked_render_mode(render_mode)
        self.observation_space, self.action_space = _spaces(task)
        self._episodes = _Episodes(task, 1, device)
        self._camera: Camera | None = None
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode, at a drawn state or at ``options["state"]``.

        Raises:
            ValueError: If the options hold anything else, or a state of the wrong shape.
        """
        super().reset(seed=seed)
        if seed is not None or not self._episodes.seeded:
            self._episodes.seed(self.np_random)
        state = _checked_options(options, {"state"}).get("state")
        states = None if state is None else np.asarray(state)[None]
        self._episodes.start(np.ones(1, dtype=bool), states)
        self._running = True
        return self._episodes.observe()[0], {"success": False}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take one action, a float array of shape (action_dim,).

        Raises:
            ResetNeeded: If no episode is running.
            TypeError: If the action holds anything but floats.
            ValueError: If the action has the wrong shape, or is not finite.
        """
        if not self._running:
            raise ResetNeeded("no episode is running: call reset() first, and after every end.")
        action = _checked_actions(action, (self.task.action_dim,))
        self._episodes.advance(action[None], np.ones(1, dtype=bool))
        succeeded, terminated, truncated = (bool(flag[0]) for flag in self._episodes.flags())
        self._running = not (terminated or truncated)
        info = {"success": succeeded}
        return self._episodes.observe()[0], float(succeeded), terminated, truncated, info

    def render(self) -> Array | None:
        """Return the picture of the true state as RGB pixels, of shape (height, width, 3).

        Raises:
            ResetNeeded: If there was no ``reset`` yet.
        """
        if self.render_mode is None:
            _warn_that_nothing_is_drawn()
            return None
        self._camera = self._camera or Camera(self.task)
        return self._camera.take(self._episodes.states[0])


class TaskVectorEnv(VectorEnv[Array, Array, Array]):
    """Many episodes of a task as a Gymnasium vector environment: one batch of torch dynamics.

    Everything is as in ``TaskEnv``, batched. ``reset`` takes ``options={"states": array}`` with one
    true state per episode, and ``options={"reset_mask": array}`` with the episodes to start anew.

    When an episode has ended, ``metadata["autoreset_mode"]`` tells what follows. In ``NEXT_STEP``,
    Gymnasium's default, the next ``step`` ignores that episode's action and starts it anew, with
    reward 0. In ``SAME_STEP`` the same ``step`` starts it anew already, and ``info`` keeps
    ``final_obs`` and ``final_info``. In ``DISABLED``, ``reset`` with a mask is the caller's duty.

    Args:
        task: The batched dynamics.
        num_envs: Episodes in the batch.
        render_mode: ``"rgb_array"`` makes ``render`` return one picture per episode.
        device: Where the dynamics run. Arrays go in and come out on the CPU.
        autoreset_mode: What follows the end of an episode.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int = 1,
        render_mode: str | None = None,
        device: torch.device | str = "cpu",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}.")
        self.task, self.num_envs = task, num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = _metadata(task) | {"autoreset_mode": self.autoreset_mode}
        self.render_mode = _checked_render_mode(render_mode)
        self.single_observation_space, self.single_action_space = _spaces(task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._episodes = _Episodes(task, num_envs, device)
        self._camera: Camera | None = None
        self._ended = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start all episodes, or those of ``options["reset_mask"]``.

        Raises:
            ValueError: If the options hold anything else, or arrays of the wrong shape.
        """
        super().reset(seed=seed)
        if seed is not None or not self._episodes.seeded:
            self._episodes.seed(self.np_random)
        options = _checked_options(options, {"states", "reset_mask"})
        mask = _checked_mask(options.get("reset_mask"), self.num_envs)
        self._episodes.start(mask, options.get("states"))
        self._ended &= ~mask
        return self._episodes.observe(), _success_info(np.zeros(self.num_envs, dtype=bool), mask)

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Take one action in every episode, a float array of shape (num_envs, action_dim).

        Raises:
            ResetNeeded: If an episode is not running and not restarted by itself.
            TypeError: If the actions hold anything but floats.
            ValueError: If the actions have the wrong shape, or are not finite.
        """
        self._check_running()
        actions = _checked_actions(actions, (self.num_envs, self.task.action_dim))
        restarting = self._ended
        self._episodes.start(restarting)
        self._episodes.advance(actions, ~restarting)
        succeeded, terminated, truncated = (flag & ~restarting for flag in self._episodes.flags())
        self._ended = terminated | truncated
        observations = self._episodes.observe()
        info = _success_info(succeeded, np.ones(self.num_envs, dtype=bool))
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            observations, info = self._restart_ended(observations, succeeded)
        return observations, succeeded.astype(np.float64), terminated, truncated, info

    def render(self) -> tuple[Array, ...] | None:
        """Return one picture of every episode's true state as RGB pixels.

        Raises:
            ResetNeeded: If there was no ``reset`` yet.
        """
        if self.render_mode is None:
            _warn_that_nothing_is_drawn()
            return None
        self._camera = self._camera or Camera(self.task)
        return tuple(self._camera.take(state) for state in self._episodes.states)

    def _check_running(self) -> None:
        if not self._episodes.seeded:
            raise ResetNeeded("no episode is running: call reset() first.")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            raise ResetNeeded(
                f"episodes {np.flatnonzero(self._ended).tolist()} have ended: call "
                'reset(options={"reset_mask": mask}) first, or choose an autoreset mode.'
            )

    def _restart_ended(self, final: Array, succeeded: Array) -> tuple[Array, dict[str, Any]]:
        ended, self._ended = self._ended, np.zeros(self.num_envs, dtype=bool)
        self._episodes.start(ended)
        info = _success_info(succeeded & ~ended, np.ones(self.num_envs, dtype=bool))
        for index in np.flatnonzero(ended).tolist():
            last = {"final_obs": final[index], "final_info": {"success": bool(succeeded[index])}}
            info = self._add_info(info, last, index)
        # Episodes that go on keep what was seen: a second look would draw second noise.
        return np.where(ended[:, None], self._episodes.observe(), final), info


class _Episodes:
    """A batch of running episodes: their true states, their ages and their source of randomness."""

    def __init__(self, task: Task, number: int, device: torch.device | str) -> None:
        self.task, self.number = task, number
        self._generator = torch.Generator(device)
        self._ages = np.zeros(number, dtype=np.int64)
        self._states: Tensor | None = None
        self.seeded = False

    @property
    def states(self) -> Tensor:
        """The true states, of shape (number, state_dim)."""
        if self._states is None:
            raise ResetNeeded("no episode has started: call reset() first.")
        return self._states

    def seed(self, source: np.random.Generator) -> None:
        self._generator.manual_seed(int(source.integers(2**63 - 1)))
        self.seeded = True

    def start(self, mask: Array, states: Any = None) -> None:
        """Start the episodes of the mask anew, at given or at drawn states."""
        if not mask.any():
            return
        # Drawn even where states are given, so that the noise that follows is the same.
        fresh = self.task.initial_states(self.number, self._generator)
        if states is not None:
            fresh = _checked_states(states, fresh)
        started = self._tensor(mask)
        if self._states is None and not mask.all():
            raise ResetNeeded("the first reset() must start all episodes: leave the mask out.")
        old = fresh if self._states is None else self._states
        self._states = torch.where(started.unsqueeze(1), fresh, old)
        self._ages[mask] = 0

    def advance(self, actions: Array, moving: Array) -> None:
        """Move the episodes of the mask one step on; the others stand still."""
        advanced = self.task.advance(self.states, self._tensor(actions), self._generator)
        self._states = torch.where(self._tensor(moving).unsqueeze(1), advanced, self.states)
        self._ages[moving] += 1

    def observe(self) -> Array:
        """Return a new float32 array of what an actor sees."""
        seen = self.task.observe(self.states, self._generator)
        return seen.cpu().numpy().astype(np.float32)  # astype copies: nobody shares our memory

    def flags(self) -> tuple[Array, Array, Array]:
        """Tell which episodes succeeded, terminated (in success or failure) and were truncated."""
        failed = self.task.failed(self.states)
        succeeded = self.task.succeeded(self.states) & ~failed
        terminated = (failed | succeeded).cpu().numpy()
        return (
            succeeded.cpu().numpy(),
            terminated,
            ~terminated & (self._ages >= self.task.max_steps),
        )

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self._generator.device)


def make_env(
    task: str,
    render_mode: str | None = None,
    device: torch.device | str = "cpu",
    **settings: Any,
) -> TaskEnv:
    """Return the task of a name in ``TASKS`` as a Gymnasium environment, with the task's settings."""
    return TaskEnv(TASKS[task](**settings), render_mode, device)


def make_vector_env(
    task: str,
    num_envs: int = 1,
    render_mode: str | None = None,
    device: torch.device | str = "cpu",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **settings: Any,
) -> TaskVectorEnv:
    """Return the task of a name as a Gymnasium vector environment, with the task's settings."""
    return TaskVectorEnv(TASKS[task](**settings), num_envs, render_mode, device, autoreset_mode)


def _metadata(task: Task) -> dict[str, Any]:
    return {"render_modes": list(RENDER_MODES), "render_fps": round(1 / task.time_step)}


def _spaces(task: Task) -> tuple[Box, Box]:
    observations = Box(-LARGEST_OBSERVATION, LARGEST_OBSERVATION, (task.observation_dim,))
    return observations, Box(-task.action_bound, task.action_bound, (task.action_dim,))


def _success_info(succeeded: Array, known: Array) -> dict[str, Any]:
    return {"success": succeeded.copy(), "_success": known.copy()}


def _warn_that_nothing_is_drawn() -> None:
    gymnasium.logger.warn('nothing is drawn: make the environment with render_mode="rgb_array".')


def _checked_render_mode(render_mode: str | None) -> str | None:
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be None or one of {RENDER_MODES}, got {render_mode!r}.")
    return render_mode


def _checked_options(options: dict[str, Any] | None, known: set[str]) -> dict[str, Any]:
    unknown = set(options or {}) - known
    if unknown:
        raise ValueError(f"unknown reset options {sorted(unknown)}: there are {sorted(known)}.")
    return options or {}


def _checked_mask(mask: Any, number: int) -> Array:
    if mask is None:
        return np.ones(number, dtype=bool)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (number,) or not mask.any():
        raise ValueError(
            f"reset_mask must be {number} booleans with at least one true, got shape {mask.shape} of "
            f"{mask.dtype} with {int(mask.astype(bool).sum())} true."
        )
    return mask


def _checked_states(states: Any, like: Tensor) -> Tensor:
    given = torch.as_tensor(np.atleast_1d(states), dtype=like.dtype, device=like.device)
    if given.shape != like.shape:
        raise ValueError(
            f"got {len(given)} state(s) of shape {tuple(given.shape[1:])} to start from: expected "
            f"{len(like)} of shape {tuple(like.shape[1:])}."
        )
    if not given.isfinite().all():
        raise ValueError("got a state to start from with NaN or infinite numbers.")
    return given


def _checked_actions(actions: Any, shape: tuple[int, ...]) -> Array:
    given = np.asarray(actions)
    if not np.issubdtype(given.dtype, np.floating):
        raise TypeError(
            f"actions must be floats, got {given.dtype}: write np.asarray(action, dtype=np.float32)."
        )
    if given.shape != shape:
        raise ValueError(f"actions have shape {given.shape}: expected {shape}.")
    if not np.isfinite(given).all():
        raise ValueError("actions hold NaN or infinite numbers: has the policy diverged?")
    return given.astype(np.float32)
