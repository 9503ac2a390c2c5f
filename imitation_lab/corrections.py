"""Learning in rounds: train, let somebody correct, train again on all of it. All seeds at once."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.data import Demonstrations
from imitation_lab.evaluation import Evaluation, SuccessRate
from imitation_lab.experiment import FIRST_DRIVE, clone
from imitation_lab.files import write_atomically
from imitation_lab.rollout import Rollouts, rollout
from imitation_lab.stack import PolicyStack
from imitation_lab.training import TrainingRun, TrainingSettings
from imitation_lab.types import (
    ActionFunction,
    Actor,
    Dataset,
    Generator,
    Policy,
    Task,
    Trajectory,
)

RECORDED = "recorded_corrections.json"


def as_function(actor: Actor, num_episodes: int, generator: Generator) -> ActionFunction:
    """Return an actor as a function of observations, for one batch of episodes that starts now.

    Args:
        actor: Whoever can act.
        num_episodes: Episodes in the batch. An actor without a memory takes any number.
        generator: The source of what the actor draws.
    """
    actor.reset(torch.ones(num_episodes, dtype=torch.bool, device=generator.device))
    return lambda observations: actor.act(observations, generator)


def as_demonstrations(dataset: Dataset, task: str = "") -> Demonstrations:
    """Return labelled observations as demonstrations: each pair an episode of one step.

    They come from anywhere, so no chunk may reach from one to the next.
    """
    steps = zip(*dataset, strict=True)
    episodes = (Trajectory(seen.repeat(2, 1), label.unsqueeze(0)) for seen, label in steps)
    return Demonstrations(tuple(episodes), task)


def first_labels(demonstrations: Demonstrations, count: int) -> Dataset:
    """Return the first pairs of observation and action: what so many labels buy.

    Raises:
        ValueError: If there are fewer.
    """
    if demonstrations.num_actions < count:
        raise ValueError(f"got {demonstrations.num_actions} labels, which are fewer than {count}.")
    return demonstrations.observations[:count], demonstrations.actions[:count]


@dataclass(frozen=True)
class Round:
    """What all seeds have learnt, and from what.

    Attributes:
        datasets: What each seed's policy has learnt from.
        runs: What it has learnt.
    """

    datasets: list[Dataset]
    runs: list[TrainingRun]

    @property
    def players(self) -> list[PhysicalPolicy]:
        """Each seed's policy, in physical units."""
        return [PhysicalPolicy(run.policy, *run.normalizers) for run in self.runs]

    @property
    def policies(self) -> list[ActionFunction]:
        """Each seed's policy as a function of observations: the first action of its chunk."""
        return [_first_action(player) for player in self.players]

    def judge(self, task: Task, seed: int = 0, episodes: int = 100) -> list[Evaluation]:
        """Let every seed's policy drive from fresh starts, all of them in one rollout.

        Args:
            task: Where to drive.
            seed: Fixes starts and noise.
            episodes: Drives of each.
        """
        stack = PolicyStack(self.players)
        generator = torch.Generator(stack.device).manual_seed(FIRST_DRIVE + seed)
        actor = RecedingHorizon(stack)
        rollouts = rollout(task, actor, episodes * len(self.runs), generator)
        return [
            _evaluation(rollouts, slice(first, first + episodes))
            for first in range(0, len(rollouts), episodes)
        ]


# Asked for new labels: a seed's policy, the round, from 0 on, and the seed.
Collect = Callable[[ActionFunction, int, int], Dataset]


def learn_from_corrections(
    make_policy: Callable[[int], Policy],
    datasets: Sequence[Dataset],
    settings: TrainingSettings,
    seeds: Sequence[int],
    rounds: int = 0,
    collect: Collect | None = None,
) -> Iterator[Round]:
    """Learn, have each policy corrected, and learn anew from all labels so far.

    On the CPU: networks for a few hundred labels are too small to profit from a GPU.

    Args:
        make_policy: Makes the policy of a seed, with initial weights of its own.
        datasets: What each seed begins with.
        settings: How long and how fast every round learns.
        seeds: Each fixes initial weights and batches.
        rounds: Of corrections.
        collect: Returns new labels for one seed's policy: ``collect(policy, round, seed)``.
            Not needed without rounds.

    Yields:
        A round more than there are corrections, the first one behaviour cloning.

    Raises:
        ValueError: If there are rounds, but nobody who corrects.
    """
    if rounds and collect is None:
        raise ValueError(f"{rounds} rounds of corrections need somebody who corrects: collect.")
    datasets = list(datasets)
    for index in range(rounds + 1):
        demonstrations = [as_demonstrations(dataset) for dataset in datasets]
        runs = clone(make_policy, demonstrations, settings, seeds, "cpu", f"round {index}")
        done = Round(datasets, runs)
        yield done
        if collect and index < rounds:
            asked = zip(done.policies, seeds, strict=True)
            new = [collect(policy, index, seed) for policy, seed in asked]
            datasets = [_joined(*pair) for pair in zip(datasets, new, strict=True)]


def _joined(dataset: Dataset, new: Dataset) -> Dataset:
    return torch.cat([dataset[0], new[0]]), torch.cat([dataset[1], new[1]])


def _first_action(player: PhysicalPolicy) -> ActionFunction:
    generator = torch.Generator(player.device)
    return lambda observations: player.sample(observations, generator)[:, 0]


def _evaluation(rollouts: Rollouts, rows: slice) -> Evaluation:
    own = Rollouts(
        rollouts.states[:, rows],
        rollouts.observations[:, rows],
        rollouts.actions[:, rows],
        rollouts.active[:, rows],
        rollouts.succeeded[rows],
        rollouts.failed[rows],
    )
    successes = int(own.succeeded.sum())
    return Evaluation(SuccessRate(successes, len(own)), own)


@dataclass(frozen=True)
class SpentBudget:
    """What one way of spending labels brought, round by round.

    Attributes:
        way: How labels were collected.
        labels: After each round, the mean over seeds.
        successes: Drives that succeeded, for each round and seed.
        episodes: Drives of each seed.
    """

    way: str
    labels: tuple[float, ...]
    successes: tuple[tuple[int, ...], ...]
    episodes: int

    @property
    def shares(self) -> Float[Tensor, "rounds seeds"]:
        """The shares of drives that succeed."""
        return torch.tensor(self.successes) / self.episodes


def write_budgets(budgets: Iterable[SpentBudget], path: str | Path) -> None:
    """Write results as a JSON file, in place of an older one."""
    rows = ",\n".join(json.dumps(asdict(budget)) for budget in budgets)
    write_atomically(path, f"[\n{rows}\n]\n".encode())


def read_budgets(text: str) -> dict[str, SpentBudget]:
    """Return what ``write_budgets`` wrote, by its way."""
    rows = [
        SpentBudget(
            row["way"],
            tuple(row["labels"]),
            tuple(map(tuple, row["successes"])),
            row["episodes"],
        )
        for row in json.loads(text)
    ]
    return {row.way: row for row in rows}


def recorded_budgets() -> dict[str, SpentBudget]:
    """Return the results of ``python -m benchmarks.dagger`` that come with the library."""
    return read_budgets((resources.files("imitation_lab") / RECORDED).read_text(encoding="utf-8"))
