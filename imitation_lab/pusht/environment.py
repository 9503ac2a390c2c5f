"""Push-T as others wrote it (``gym-pusht``), driven by this course's actors."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import gymnasium
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht.geometry import TABLE, agent_in_tee_frame
from imitation_lab.training.settings import one_thread
from imitation_lab.types import Actor, Ending, Generator, Trajectory

MAX_STEPS = 300
RATE = 10  # actions per second
NAME = "push-t"

# What is executed instead of the actions that an actor asks for: shaking hands, a nudge.
Disturb = Callable[[Tensor], Tensor]


def make_environment(size: int = 256) -> gymnasium.Env:
    """Return Gymnasium's Push-T, observed as (agent x, agent y, T x, T y, T angle).

    Args:
        size: Width and height of what ``render()`` returns, in pixels.

    Raises:
        ImportError: If ``gym-pusht`` is missing.
    """
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pictures without a display
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import gym_pusht  # noqa: F401  (registers the environment)
    except ImportError as error:
        raise ImportError(
            "Push-T needs more packages: python3 course.py setup --capstone in the course's folder, or "
            'pip install "imitation-lab[capstone]", with Python 3.11 to 3.13.'
        ) from error
    return gymnasium.make(
        "gym_pusht/PushT-v0",
        obs_type="state",
        max_episode_steps=MAX_STEPS,
        disable_env_checker=True,
        visualization_width=size,
        visualization_height=size,
    )


@dataclass(frozen=True)
class Drives:
    """What an actor did from a number of starts.

    Attributes:
        trajectories: One for each start, with what the actor asked for as actions.
        coverage: The largest share of the goal that the T ever covered, per episode.
    """

    trajectories: tuple[Trajectory, ...]
    coverage: Float[Tensor, "episodes"]

    def __len__(self) -> int:
        return len(self.trajectories)

    @property
    def succeeded(self) -> list[bool]:
        """Whether each episode covered 95 % of the goal."""
        return [trajectory.ending is Ending.SUCCESS for trajectory in self.trajectories]

    @property
    def success(self) -> SuccessRate:
        """How many episodes covered 95 % of the goal."""
        return SuccessRate(sum(self.succeeded), len(self))

    @cached_property
    def sides(self) -> list[str]:
        """From which side each episode pushed first: ``"left"``, ``"right"``, or not at all."""
        return [first_side(trajectory) for trajectory in self.trajectories]


def drive(
    actor: Actor,
    seeds: Sequence[int],
    generator: Generator,
    max_steps: int = MAX_STEPS,
    disturb: Disturb | None = None,
    driver: str = "",
    progress: bool = False,
) -> Drives:
    """Let an actor push from the starts of these seeds, all episodes in step.

    An episode ends when the T covers the goal, and fails when an action is not finite: a network's
    numbers may overflow.

    Args:
        actor: Acts on the observations of all episodes at once.
        seeds: Of the environment's starts: the same seed is the same start.
        generator: The source of the actor's draws.
        max_steps: Actions after which an episode is cut off.
        disturb: Makes what is executed of what the actor asked for.
        driver: The name that the trajectories bear.
        progress: Whether to show a bar of episodes.

    Raises:
        ValueError: If the actor, or what disturbs it, returns actions of the wrong shape.
    """
    episodes = [_Episode(seed) for seed in seeds]
    actor.reset(torch.ones(len(episodes), dtype=torch.bool, device=generator.device))
    bar = tqdm(total=len(episodes), desc="pushing", unit=" episodes", disable=not progress)
    with bar, one_thread():
        for _ in range(max_steps):
            seen = np.array([episode.observations[-1] for episode in episodes], np.float32)
            wanted = _checked(
                actor.act(torch.from_numpy(seen).to(generator.device), generator), len(episodes)
            )
            done = _checked(disturb(wanted), len(episodes)) if disturb else wanted
            for episode, asked, executed in zip(episodes, wanted, done, strict=True):
                episode.step(asked.numpy(), executed.numpy())
            over = sum(episode.ending is not Ending.CUT_OFF for episode in episodes)
            bar.update(over - bar.n)
            if over == len(episodes):
                break
        bar.update(len(episodes) - bar.n)
    return Drives(
        tuple(episode.trajectory(driver) for episode in episodes),
        torch.tensor([episode.coverage for episode in episodes]),
    )


def _checked(actions: Tensor, num_episodes: int) -> Tensor:
    """Return actions on the CPU, if there is one for each episode."""
    if actions.shape != (num_episodes, 2):
        raise ValueError(
            f"the actor returned actions of shape {tuple(actions.shape)}: expected {(num_episodes, 2)}, "
            "one position on the table for each episode."
        )
    return actions.cpu()


class _Episode:
    """One environment, from its start until its ending. After that it stands still."""

    def __init__(self, seed: int) -> None:
        self._environment = make_environment()
        first, _ = self._environment.reset(seed=seed)
        self.observations = [first]
        self.actions: list[np.ndarray] = []
        self.coverage = 0.0
        self.ending = Ending.CUT_OFF  # while nothing else has happened

    def step(self, asked: np.ndarray, executed: np.ndarray) -> None:
        if self.ending is not Ending.CUT_OFF:
            return
        if not np.isfinite(executed).all():
            self.ending = Ending.FAILURE
            return
        on_table = np.clip(executed.astype(np.float64), 0, TABLE)
        observation, _, succeeded, _, facts = self._environment.step(on_table)
        self.observations.append(observation)
        self.actions.append(asked)
        self.coverage = max(self.coverage, float(facts["coverage"]))
        if succeeded:
            self.ending = Ending.SUCCESS

    def trajectory(self, driver: str) -> Trajectory:
        return Trajectory(
            torch.from_numpy(np.array(self.observations, np.float32)),
            torch.from_numpy(np.array(self.actions, np.float32).reshape(-1, 2)),
            driver,
            self.ending,
        )


def first_side(trajectory: Trajectory) -> str:
    """Return the side of the T, turned so that it reads as a letter, from which it was first pushed.

    Empty if the T never moved.
    """
    poses = trajectory.observations[:, 2:]
    moved = ((poses[1:] - poses[:1]).abs() > 0.5).any(dim=1) | (
        (poses[1:, 2] - poses[0, 2]).abs() > 0.01
    )
    if not moved.any():
        return ""
    before = trajectory.observations[int(moved.float().argmax())]
    return "left" if agent_in_tee_frame(before)[0] < 0 else "right"
