"""Let an actor act: all episodes of an experiment as one batch."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Actor, Generator, Task, Trajectory


@dataclass(frozen=True)
class Rollouts:
    """A batch of episodes, time first.

    Once an episode has ended its state stands still, and ``active`` is false.

    Attributes:
        states: True states, in the task's own units.
        observations: What the actor saw.
        actions: What the actor did.
        active: Whether the episode was still running when the action was taken.
        succeeded: Whether the episode reached its goal.
        failed: Whether it ended in failure. Neither of the two means that time ran out.
    """

    states: Float[Tensor, "time+1 batch state_dim"]
    observations: Float[Tensor, "time+1 batch observation_dim"]
    actions: Float[Tensor, "time batch action_dim"]
    active: Bool[Tensor, "time batch"]
    succeeded: Bool[Tensor, "batch"]
    failed: Bool[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.succeeded)

    @property
    def lengths(self) -> list[int]:
        """Actions taken in every episode."""
        return self.active.sum(dim=0).tolist()

    def trajectory(self, episode: int, driver: str = "") -> Trajectory:
        """Return one episode as a trajectory, on the CPU."""
        length = self.lengths[episode]
        observations = self.observations[: length + 1, episode].cpu()
        return Trajectory(observations, self.actions[:length, episode].cpu(), driver)


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
        ValueError: If the starts' number is not ``num_episodes``, or an action is not finite.
    """
    states = task.initial_states(num_episodes, generator)
    if initial_states is not None:
        states = initial_states.to(generator.device)
    if len(states) != num_episodes or num_episodes < 1:
        raise ValueError(f"got {len(states)} starts for {num_episodes} episodes (at least 1).")
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


def _checked(actions: Tensor, num_episodes: int, task: Task) -> Tensor:
    expected = (num_episodes, task.action_dim)
    if actions.shape != expected:
        raise ValueError(
            f"the actor returned actions of shape {tuple(actions.shape)}, not {expected}."
        )
    if not actions.isfinite().all():
        raise ValueError("the actor returned actions that are not finite: has training diverged?")
    return actions
