"""The nouns of the course: trajectories, policies, actors and the tasks that they act in.

Every tensor is batched along its first axis. Two families of units occur. *Physical* units (metres,
metres per second) are what an environment and a person see. *Normalised* units (about one in size)
are what a network sees. A ``Policy`` speaks normalised units, an ``Actor`` speaks physical ones, and
``imitation_lab.controller`` is the one place where an actor is made from a policy.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Generator = torch.Generator

# An actor without a memory: observations (batch, observation_dim) to actions (batch, action_dim).
ActionFunction = Callable[[Tensor], Tensor]

# Observations and the actions that belong to them, in physical units. Two data sets may differ in size.
Dataset = tuple[Float[Tensor, "_ observation_dim"], Float[Tensor, "_ action_dim"]]


class Ending(StrEnum):
    """How a recorded episode ends."""

    SUCCESS = "success"
    FAILURE = "failure"
    CUT_OFF = "cut off"  # time ran out, or nothing is known of what came after


@dataclass(frozen=True)
class Trajectory:
    """What one episode's demonstrator saw and did.

    Attributes:
        observations: What the demonstrator saw before each action and, one more than there are
            actions, how things stood at the end. Physical units.
        actions: The action taken at each of these steps, in physical units.
        driver: Who drove. Empty when unknown.
        ending: How the episode ended.
    """

    observations: Float[Tensor, "moments observation_dim"]
    actions: Float[Tensor, "time action_dim"]
    driver: str = ""
    ending: Ending = Ending.CUT_OFF

    def __len__(self) -> int:
        return len(self.actions)


class Policy(nn.Module, ABC):
    """A distribution over chunks of actions given one observation, in normalised units.

    Attributes:
        observation_dim: Numbers per observation.
        action_dim: Numbers per action.
        prediction_horizon: Actions per chunk. One for a policy that decides at every step.
    """

    def __init__(self, observation_dim: int, action_dim: int, prediction_horizon: int = 1) -> None:
        super().__init__()
        for name, value in [
            ("observation_dim", observation_dim),
            ("action_dim", action_dim),
            ("prediction_horizon", prediction_horizon),
        ]:
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        self.observation_dim = observation_dim
        self.action_dim = action_dim
        self.prediction_horizon = prediction_horizon

    @property
    def chunk_dim(self) -> int:
        """Numbers in one flattened chunk."""
        return self.prediction_horizon * self.action_dim

    @abstractmethod
    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the training loss, averaged over the batch.

        Args:
            observations: Normalised observations.
            actions: Normalised chunks of the demonstrator's actions.
            generator: The source of any noise that the loss draws.
        """

    @abstractmethod
    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation, all in normalised units."""


@runtime_checkable
class Actor(Protocol):
    """Whatever can act in an environment: an expert, a controller around a policy, a person."""

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Forget the past of the episodes that start anew: those where the mask is true."""
        ...

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return one action for every episode, in physical units."""
        ...


@runtime_checkable
class Task(Protocol):
    """An environment as pure functions of a batch of states.

    Functions, not an object with a hidden state: a state can be copied, relabelled, replayed, and
    all episodes of all seeds advance in one call. ``imitation_lab.envs`` wraps a task as a
    Gymnasium environment.
    """

    @property
    def name(self) -> str:
        """How the task is called in tables and files."""
        ...

    @property
    def observation_dim(self) -> int:
        """Numbers per observation."""
        ...

    @property
    def action_dim(self) -> int:
        """Numbers per action."""
        ...

    @property
    def action_bound(self) -> float:
        """Size of the largest number in an action that an actor should ask for, in its own unit."""
        ...

    @property
    def max_steps(self) -> int:
        """Steps after which an unfinished episode is cut off."""
        ...

    @property
    def time_step(self) -> float:
        """Seconds per step."""
        ...

    def initial_states(
        self, num_episodes: int, generator: Generator
    ) -> Float[Tensor, "batch state_dim"]:
        """Draw the states in which episodes start, on the generator's device."""
        ...

    def observe(
        self, states: Float[Tensor, "batch state_dim"], generator: Generator
    ) -> Float[Tensor, "batch observation_dim"]:
        """Return what an actor sees of the states."""
        ...

    def advance(
        self,
        states: Float[Tensor, "batch state_dim"],
        actions: Float[Tensor, "batch action_dim"],
        generator: Generator,
    ) -> Float[Tensor, "batch state_dim"]:
        """Return the states one time step later."""
        ...

    def failed(self, states: Float[Tensor, "batch state_dim"]) -> Bool[Tensor, "batch"]:
        """Tell which episodes have ended in failure."""
        ...

    def succeeded(self, states: Float[Tensor, "batch state_dim"]) -> Bool[Tensor, "batch"]:
        """Tell which episodes have reached their goal."""
        ...
