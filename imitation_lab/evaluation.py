"""How often does it work, and how sure are we?"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from statistics import NormalDist

from imitation_lab.rollout import Rollouts, rollout
from imitation_lab.types import Actor, Generator, Task


@dataclass(frozen=True)
class SuccessRate:
    """Successes in a number of trials, with Wilson's interval.

    Attributes:
        successes: Trials that succeeded.
        trials: All trials, at least 1.
        confidence: Of the interval.
    """

    successes: int
    trials: int
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials or self.trials < 1:
            raise ValueError(f"{self.successes} successes in {self.trials} trials are impossible.")

    @property
    def rate(self) -> float:
        """The share of successes."""
        return self.successes / self.trials

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval for the true rate (Wilson, JASA 22, 1927)."""
        z = NormalDist().inv_cdf((1 + self.confidence) / 2)
        spread = self.rate * (1 - self.rate) / self.trials + (z / (2 * self.trials)) ** 2
        middle, half = self.rate + z**2 / (2 * self.trials), z * sqrt(spread)
        scale = 1 + z**2 / self.trials
        low, high = (middle - half) / scale, (middle + half) / scale
        return (low if self.successes else 0.0), (high if self.successes < self.trials else 1.0)

    def __add__(self, other: "SuccessRate") -> "SuccessRate":
        return SuccessRate(
            self.successes + other.successes, self.trials + other.trials, self.confidence
        )

    def __str__(self) -> str:
        low, high = (round(100 * bound) for bound in self.interval)
        return f"{self.successes}/{self.trials} ({low}–{high} %)"


@dataclass(frozen=True)
class Evaluation:
    """What an actor did on fresh episodes.

    Attributes:
        success: Its success rate.
        rollouts: The episodes themselves.
    """

    success: SuccessRate
    rollouts: Rollouts


def evaluate(task: Task, actor: Actor, generator: Generator, num_episodes: int = 100) -> Evaluation:
    """Run fresh episodes and count the successes.

    Args:
        task: The environment.
        actor: The one to be judged.
        generator: The source of the starts, the noise and the actor's samples.
        num_episodes: Trials.
    """
    rollouts = rollout(task, actor, num_episodes, generator)
    return Evaluation(SuccessRate(int(rollouts.succeeded.sum()), num_episodes), rollouts)


def pool(evaluations: Iterable[Evaluation]) -> SuccessRate:
    """Return the success rate over the episodes of several evaluations, at least one."""
    successes = [evaluation.success for evaluation in evaluations]
    return sum(successes[1:], successes[0])
