"""The experiment that the notebooks repeat: clone the demonstrations with several seeds, then drive."""

from collections.abc import Callable, Sequence

import torch

from imitation_lab.controller import ChunkPlayer
from imitation_lab.data import Demonstrations
from imitation_lab.evaluation import Evaluation, evaluate
from imitation_lab.training import (
    TrainingRun,
    TrainingSettings,
    best_device,
    finished,
    train_ensemble,
)
from imitation_lab.types import Actor, Policy, Task

FIRST_DRIVE = 1000  # what is added to a seed for its test drives, so that they start elsewhere


def clone(
    make_policy: Callable[[int], Policy],
    demonstrations: Demonstrations | Sequence[Demonstrations],
    settings: TrainingSettings,
    seeds: Sequence[int],
    device: torch.device | str | None = None,
    description: str = "training",
) -> list[TrainingRun]:
    """Train one policy for every seed, all at once.

    Args:
        make_policy: Makes the policy of a seed, with initial weights of its own.
        demonstrations: In physical units: one set for all seeds, or one for each.
        settings: How long and how fast.
        seeds: Each fixes initial weights and batches.
        device: Where to train; by default the fastest.
        description: Stands before the progress bar.

    Raises:
        KeyboardInterrupt: If somebody stopped the training.
    """
    policies = [make_policy(seed) for seed in seeds]
    return finished(train_ensemble(policies, demonstrations, settings, seeds, device, description))


def players(runs: Sequence[TrainingRun], execution_horizon: int | None = None) -> list[ChunkPlayer]:
    """Return the actors that play the trained policies.

    Args:
        runs: Trained policies.
        execution_horizon: Actions that are played of each chunk; by default all.
    """
    return [ChunkPlayer(run.policy, *run.normalizers, execution_horizon) for run in runs]


def drive(
    actors: Sequence[Actor],
    task: Task,
    seeds: Sequence[int],
    episodes: int = 100,
    device: torch.device | str | None = None,
) -> list[Evaluation]:
    """Let every actor drive from fresh starts, the same ones for the same seed.

    Args:
        actors: One for each seed.
        task: The environment.
        seeds: Those that the actors were trained with.
        episodes: Drives of each.
        device: Where to drive; by default where each actor's policy computes, if the actor tells.

    Raises:
        ValueError: If there are not as many seeds as actors.
    """
    if len(actors) != len(seeds):
        raise ValueError(
            f"got {len(actors)} actors and {len(seeds)} seeds: expected a seed for every actor."
        )
    evaluations = []
    for actor, seed in zip(actors, seeds, strict=True):
        generator = torch.Generator(device or _device_of(actor)).manual_seed(FIRST_DRIVE + seed)
        evaluations.append(evaluate(task, actor, generator, episodes))
    return evaluations


def _device_of(actor: Actor) -> torch.device:
    known = [getattr(place, "device", None) for place in (actor, getattr(actor, "policy", None))]
    return next(filter(None, known), None) or best_device()
