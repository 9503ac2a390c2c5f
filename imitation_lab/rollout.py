"""Let an actor act: all episodes of an experiment as one batch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Actor, Ending, Generator, Task, Trajectory


@dataclass(frozen=True)
class Rollouts:
    """A batch of episodes, time first. There is one moment more than there are actions: the end.

    Once an episode has ended its state stands still, and ``active`` is false.

    Attributes:
        states: True states, in the task's own units.
        observations: What the actor saw.
        actions: What the actor did.
        active: Whether the episode was still running when the action was taken.
        succeeded: Whether the episode reached its goal.
        failed: Whether it ended in failure. Neither of the two means that time ran out.
    """

    states: Float[Tensor, "moments batch state_dim"]
    observations: Float[Tensor, "moments batch observation_dim"]
    actions: Float[Tensor, "time batch action_dim"]
    active: Bool[Tensor, "time batch"]
    succeeded: Bool[Tensor, "batch"]
    failed: Bool[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.succeeded)

    @cached_property
    def lengths(self) -> list[int]:
        """Actions taken in every episode."""
        return self.active.sum(dim=0).tolist()

    def trajectory(self, episode: int, driver: str = "") -> Trajectory:
        """Return one episode as a trajectory, on the CPU."""
        length = self.lengths[episode]
        observations = self.observations[: length + 1, episode].cpu()
        actions = self.actions[:length, episode].cpu()
        return Trajectory(observations, actions, driver, self._ending(episode))

    def _ending(self, episode: int) -> Ending:
        if self.succeeded[episode]:
            return Ending.SUCCESS
        return Ending.FAILURE if self.failed[episode] else Ending.CUT_OFF


@torch.no_grad()
def rollout(
    task: Task,
    actor: Actor,
    num_episodes: int,
    generator: Generator,
    initial_states: Float[Tensor, "batch state_dim"] | None = None,
) -> Rollouts:
    """Run episodes until all have ended.

    Args:
        task: The environment.
        actor: Acts on the observations of all episodes at once.
        num_episodes: Episodes in the batch.
        generator: The source of every draw: starts, noise, samples. Its device is where all runs.
        initial_states: Where episodes start, instead of drawn starts.

    Raises:
        ValueError: If the starts are of the wrong number, shape or not finite, or if the actor
            returns actions of the wrong shape or not finite.
    """
    states = _starts(task, num_episodes, generator, initial_states)
    actor.reset(torch.ones(num_episodes, dtype=torch.bool, device=generator.device))
    observations = task.observe(states, generator)
    visited, seen = [states], [observations]
    done: list[Tensor] = []
    running: list[Tensor] = []
    active = torch.ones(num_episodes, dtype=torch.bool, device=generator.device)
    while len(done) < task.max_steps and active.any():
        actions = _checked(actor.act(observations, generator), num_episodes, task)
        advanced = task.advance(states, actions, generator)
        states = torch.where(active.unsqueeze(1), advanced, states)
        done.append(actions)
        running.append(active)
        active = active & ~task.failed(states) & ~task.succeeded(states)
        observations = task.observe(states, generator)
        visited.append(states)
        seen.append(observations)
    failed = task.failed(states)
    return Rollouts(
        states=torch.stack(visited),
        observations=torch.stack(seen),
        actions=torch.stack(done),
        active=torch.stack(running),
        succeeded=task.succeeded(states) & ~failed,
        failed=failed,
    )


def _starts(
    task: Task, num_episodes: int, generator: Generator, given: Tensor | None
) -> Float[Tensor, "batch state_dim"]:
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be at least 1, got {num_episodes}.")
    # Drawn even where starts are given, so that the noise that follows is the same.
    drawn = task.initial_states(num_episodes, generator)
    if given is None:
        return drawn
    if given.shape != drawn.shape:
        raise ValueError(
            f"got starts of shape {tuple(given.shape)}, expected {tuple(drawn.shape)}."
        )
    if not given.isfinite().all():
        raise ValueError("got starts with NaN or infinite numbers.")
    return given.to(generator.device)


def _checked(actions: Any, num_episodes: int, task: Task) -> Tensor:
    if actions is None:
        raise ValueError("the actor returned None: is the question that asks for `act` answered?")
    expected = (num_episodes, task.action_dim)
    if not isinstance(actions, Tensor) or actions.shape != expected:
        shaped = isinstance(actions, Tensor)
        given = f"a tensor of shape {tuple(actions.shape)}" if shaped else f"{actions!r}"
        raise ValueError(f"the actor returned {given}: expected a tensor of shape {expected}.")
    # The sum is quick, and finite as a rule. Where it is not, it may only be too large.
    if not actions.sum().isfinite() and not actions.isfinite().all():
        raise ValueError("the actor returned actions that are not finite: has training diverged?")
    return actions
