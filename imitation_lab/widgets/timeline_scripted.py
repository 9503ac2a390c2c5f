"""Two drives that need no training: a driver who changes their mind, with and without real-time care."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from imitation_lab.controller import RecedingHorizon
from imitation_lab.envs import Fork
from imitation_lab.experts import ForkDriver
from imitation_lab.traces import ChunkTrace, trace
from imitation_lab.types import Generator

HORIZON, DELAY = 12, 2
DECISION = 0.9  # metres before the obstacle: far enough to change sides several times
SIDES = ("left", "right")
SEED = 7


@dataclass(frozen=True)
class FickleDriver:
    """A driver who plans a good chunk every time, and tosses a coin for the side every time.

    Attributes:
        task: The fork that is driven.
    """

    task: Fork

    def sample(self, observations: Tensor, generator: Generator) -> Tensor:
        """Draw one chunk for every observation."""
        left, right = (self._plan(observations, side, generator) for side in SIDES)
        heads = torch.rand(len(observations), 1, 1, generator=generator) < 0.5
        return torch.where(heads, left, right)

    def continue_plans(self, observations: Tensor, plans: Tensor, generator: Generator) -> Tensor:
        """Return the chunks of the side that the old plans are on, with what will have been done."""
        left, right = (self._plan(observations, side, generator) for side in SIDES)
        away = (left - plans).norm(dim=2).sum(dim=1), (right - plans).norm(dim=2).sum(dim=1)
        nearest = torch.where((away[0] < away[1])[:, None, None], left, right)
        return torch.cat([plans[:, :DELAY], nearest[:, DELAY:]], dim=1)

    def _plan(self, states: Tensor, side: str, generator: Generator) -> Tensor:
        driver = ForkDriver(self.task, (side,), DECISION)
        driver.reset(torch.ones(len(states), dtype=torch.bool))
        actions = []
        for _ in range(HORIZON):
            actions.append(driver.act(states, generator))
            states = self.task.advance(states, actions[-1], generator)
        return torch.stack(actions, dim=1)


@lru_cache(maxsize=1)
def scripted_traces() -> tuple[ChunkTrace, ...]:
    """Return a drive that takes every new chunk as it comes, and one that continues its plan."""
    task = Fork(goal_radius=0.25)
    driver = FickleDriver(task)
    actors = {
        "naive switching": RecedingHorizon(driver, DELAY, DELAY),
        "continuing the old plan": RecedingHorizon(driver, DELAY, DELAY, driver.continue_plans),
    }
    start = torch.tensor([0.0, 0.02, 0, 0, 1, 0, 2, 0.1])
    return tuple(
        trace(task, actor, torch.Generator().manual_seed(SEED), label, start)
        for label, actor in actors.items()
    )
