"""Learning from the states that one visits oneself: who drives, who labels, and what is kept."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.data import Demonstrations
from imitation_lab.experiment import clone
from imitation_lab.experts import MixedActor
from imitation_lab.rollout import rollout
from imitation_lab.stack import PolicyStack
from imitation_lab.training import TrainingRun, TrainingSettings
from imitation_lab.types import Actor, Ending, Generator, Policy, Task, Trajectory


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


@dataclass(frozen=True)
class Round:
    """A round of DAgger, for all seeds.

    Attributes:
        demonstrations: What each seed's policy has learnt from.
        runs: What it has learnt.
    """

    demonstrations: list[Demonstrations]
    runs: list[TrainingRun]

    @property
    def policy(self) -> PolicyStack:
        """All policies as one, each for its share of the rows."""
        return PolicyStack([PhysicalPolicy(run.policy, *run.normalizers) for run in self.runs])


def dagger(
    task: Task,
    expert: Actor,
    make_policy: Callable[[int], Policy],
    demonstrations: Sequence[Demonstrations],
    settings: TrainingSettings,
    seeds: Sequence[int],
    betas: Sequence[float],
    labels: int,
    generator: Generator,
    drives: int = 12,
) -> Iterator[Round]:
    """Learn, drive, have what was seen labelled, and learn again from all of it.

    Every round trains new policies, on the generator's device. Of all that the policies of a round
    have seen, the expert labels a random choice.

    Args:
        task: Where to drive.
        expert: Who labels, and who drives in part where ``beta`` says so.
        make_policy: Makes the policy of a seed, with initial weights of its own.
        demonstrations: What each seed begins with.
        settings: How long and how fast every round learns.
        seeds: Each fixes initial weights and batches.
        betas: For each round but the last: the share of the steps at which the expert drives.
        labels: Bought for each seed after each round but the last. Fewer where less was seen.
        generator: The source of starts, noise, coins and of the choice of labels.
        drives: Episodes of each seed's policy in each round.

    Yields:
        A round more than there are betas, the first one behaviour cloning.

    Source:
        Ross et al., DAgger, arXiv:1011.0686.
    """
    own = list(demonstrations)
    for index in range(len(betas) + 1):
        runs = clone(make_policy, own, settings, seeds, generator.device, f"round {index}")
        done = Round(own, runs)
        yield done
        if index < len(betas):
            # The one who drives and the one who labels may remember different things.
            driver = MixedActor(RecedingHorizon(done.policy), copy.deepcopy(expert), betas[index])
            seen = rollout_and_label(task, driver, expert, drives * len(seeds), generator)
            parts = [seen.trajectories[i * drives : (i + 1) * drives] for i in range(len(seeds))]
            new = [Demonstrations(part, task.name) for part in parts]
            own = [
                before + choose_labels(part, min(labels, part.num_actions), generator)
                for before, part in zip(own, new, strict=True)
            ]
