"""One budget of labels, spent in four ways: `python -m benchmarks.dagger`.

Behaviour cloning, noise injection, DAgger and human gating on a racetrack whose lane forgives
little. This is how notebook 07's track, network and training were chosen; ten seeds, about two
minutes on one core. `--half-width` and `--noise` show how far the outcome hangs on them. The result
goes into the library, from where notebook 07 shows human gating.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.recording import LIBRARY, parse, record_parser
from imitation_lab.corrections import (
    RECORDED,
    Collect,
    Round,
    SpentBudget,
    as_function,
    learn_from_corrections,
    write_budgets,
)
from imitation_lab.dagger import choose_labels, noise_injected_demonstrations, rollout_and_label
from imitation_lab.envs import Racetrack
from imitation_lab.experts import RacetrackDriver, Supervisor
from imitation_lab.gating import human_gated_rollout
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings
from imitation_lab.types import ActionFunction, Dataset, Generator

BUDGET, BOUGHT, ROUNDS, DRIVES, EPISODES = 630, 105, 4, 12, 100
SETTINGS = TrainingSettings(steps=800, batch_size=256, learning_rate=5e-3)
RECORD = LIBRARY / RECORDED
Demonstrate = Callable[[Generator], Dataset]


def seeded(seed: int) -> Generator:
    """Return a source of random numbers."""
    return torch.Generator().manual_seed(seed)


def make_policy(seed: int) -> RegressionPolicy:
    """Return the network that learns, with a seed's initial weights."""
    return RegressionPolicy(5, 1, width=64, generator=seeded(seed))


class Experiment:
    """A track, its driver, and the seeds of one comparison.

    Args:
        track: Where to drive.
        seeds: Each fixes demonstrations, weights, batches and corrections.
    """

    def __init__(self, track: Racetrack, seeds: range) -> None:
        self.track, self.seeds = track, seeds
        self.expert = as_function(RacetrackDriver(track), 1, seeded(0))

    def demonstrations(self, episodes: int, generator: Generator) -> Dataset:
        """Return what the expert does in some drives."""
        return rollout_and_label(self.track, self.expert, self.expert, episodes, 1.0, generator)

    def disturbed(self, noise: float, generator: Generator) -> Dataset:
        """Return what the expert means while its hand is pushed."""
        return noise_injected_demonstrations(self.track, self.expert, noise, 1.0, generator, 6)

    def bought(self, policy: ActionFunction, index: int, seed: int) -> Dataset:
        """Return labels for some of the states that a policy visits."""
        generator = seeded(1000 * index + seed)
        seen, _ = rollout_and_label(self.track, policy, self.expert, DRIVES, 0.0, generator)
        return choose_labels(seen, self.expert, BOUGHT, generator)

    def gated(self, reaction: int, policy: ActionFunction, index: int, seed: int) -> Dataset:
        """Return some of what a supervisor did who took over where the policy left the middle."""
        generator = seeded(1000 * index + seed)
        supervisor = Supervisor(self._danger, generator, 0.6, 0.2, reaction)
        seen, _ = human_gated_rollout(
            self.track, policy, self.expert, supervisor, generator, DRIVES
        )
        return choose_labels(seen, self.expert, BOUGHT, generator)

    def learn(
        self,
        demonstrate: Demonstrate,
        count: int | None = None,
        rounds: int = 0,
        collect: Collect | None = None,
    ) -> Iterator[Round]:
        """Yield what is learnt from the first labels of demonstrations, and from corrections."""
        pairs = [demonstrate(seeded(100 + seed)) for seed in self.seeds]
        datasets = [(seen[:count], labels[:count]) for seen, labels in pairs]
        return learn_from_corrections(
            make_policy, datasets, SETTINGS, self.seeds, rounds, collect or self.bought
        )

    def methods(self) -> Iterator[tuple[str, Iterator[Round]]]:
        """Yield every way to spend the budget, by name."""
        once, often = partial(self.demonstrations, 1), partial(self.demonstrations, 4)
        yield "behaviour cloning", self.learn(often, BUDGET)
        for noise in (0.1, 0.3, 0.5):
            yield f"noise injection {noise}", self.learn(partial(self.disturbed, noise), BUDGET)
        yield "DAgger", self.learn(once, None, ROUNDS)
        for reaction in (0, 1, 2):
            name = f"human-gated, {reaction} steps to react"
            yield name, self.learn(once, None, ROUNDS, partial(self.gated, reaction))

    def _danger(self, observations: torch.Tensor) -> torch.Tensor:
        return self.track.offset(observations).abs() / self.track.half_width


def spent(way: str, rounds: Iterator[Round], track: Racetrack) -> SpentBudget:
    """Return what a way of spending labels brought."""
    labels, successes = [], []
    for done in rounds:
        evaluations = done.judge(track, episodes=EPISODES)
        successes.append(tuple(evaluation.success.successes for evaluation in evaluations))
        labels.append(sum(len(actions) for _, actions in done.datasets) / len(done.datasets))
    return SpentBudget(way, tuple(labels), tuple(successes), EPISODES)


def line(budget: SpentBudget) -> str:
    """Return one line of the table: labels and success after every round."""
    cells = [
        f"{labels:.0f}: {own.mean():.0f} % [{own.min():.0f}–{own.max():.0f}]"
        for labels, own in zip(budget.labels, 100 * budget.shares, strict=True)
    ]
    return f"| {budget.way} | {' → '.join(cells)} |"


def main() -> None:
    """Spend the budget in every way, print the table and record it."""
    parser = record_parser(__doc__, RECORD, seeds=10)
    parser.add_argument("--half-width", type=float, default=0.10, help="of the lane, m")
    parser.add_argument("--noise", type=float, default=0.01, help="on the heading, rad a step")
    arguments, seeds = parse(parser)
    track = Racetrack(
        half_width=arguments.half_width,
        process_noise=arguments.noise,
        start_spread=0.02,
        standing_start=True,
        max_steps=200,
    )
    started = time.perf_counter()
    methods = Experiment(track, seeds).methods()
    budgets = [spent(way, rounds, track) for way, rounds in methods]
    print(
        "| way | labels: success [lowest–highest seed] |\n|---|---|", *map(line, budgets), sep="\n"
    )
    write_budgets(budgets, arguments.out)
    print(f"{time.perf_counter() - started:.0f} s; written to {arguments.out.name}")


if __name__ == "__main__":
    main()
