"""Learning from the states that one visits oneself: who drives, who labels, and what is kept."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.rollout import rollout
from imitation_lab.types import Actor, Ending, Generator, Task, Trajectory


@dataclass
class _Watched:
    """An actor beside whom an expert writes down what they would have done."""

    driver: Actor
    expert: Actor
    labels: list[Tensor] = field(default_factory=list)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        self.driver.reset(mask)
        self.expert.reset(mask)

    def act(self, observations: Tensor, generator: Generator) -> Tensor:
        actions = self.driver.act(observations, generator)
        self.labels.append(self.expert.act(observations, generator))
        return actions


def rollout_and_label(
    task: Task,
    driver: Actor,
    expert: Actor,
    num_episodes: int,
    generator: Generator,
    initial_states: Float[Tensor, "batch state_dim"] | None = None,
) -> Demonstrations:
    """Let one drive, and have an expert label every observation on the way.

    The actions of these demonstrations are the expert's, though nobody took them. All episodes are
    kept, however they ended.

    Args:
        task: The environment.
        driver: Who drives: a learner, an expert with a shaking hand, or both in turns
            (``MixedActor``).
        expert: Who is asked. Not the same object as the driver, if it remembers anything.
        num_episodes: Episodes.
        generator: The source of starts, noise and samples.
        initial_states: Where episodes start, instead of drawn starts.
    """
    watched = _Watched(driver, expert)
    rollouts = rollout(task, watched, num_episodes, generator, initial_states)
    labelled = replace(rollouts, actions=torch.stack(watched.labels))
    episodes = tuple(labelled.trajectory(index) for index in range(num_episodes))
    return Demonstrations(episodes, task.name)


def choose_labels(
    demonstrations: Demonstrations, count: int, generator: Generator
) -> Demonstrations:
    """Return a random choice of single steps, each as an episode of its own.

    An expert's time is dear, and neighbouring steps say nearly the same: a choice from all of them
    teaches more than the first ones.

    Args:
        demonstrations: To choose from.
        count: Steps, each at most once.
        generator: Draws which.

    Raises:
        ValueError: If there are fewer steps.
    """
    places = [
        (trajectory, step)
        for trajectory in demonstrations.trajectories
        for step in range(len(trajectory))
    ]
    if count > len(places):
        raise ValueError(f"cannot choose {count} of {len(places)} labels.")
    order = torch.randperm(len(places), generator=generator, device=generator.device)
    chosen = sorted(order[:count].tolist())
    steps = tuple(_step(*places[index]) for index in chosen)
    return Demonstrations(steps, demonstrations.task)


def _step(trajectory: Trajectory, step: int) -> Trajectory:
    return Trajectory(
        trajectory.observations[step : step + 2],
        trajectory.actions[step : step + 1],
        trajectory.driver,
        Ending.CUT_OFF,
    )
