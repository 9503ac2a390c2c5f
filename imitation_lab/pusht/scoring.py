"""How good is a Push-T policy? Three numbers, on starts that it was not made for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht.environment import MAX_STEPS, drive
from imitation_lab.types import Actor, Generator

# The demonstrations' starts, and those of the notebook, are smaller numbers.
STARTS = (10_000_000, 2**31)


@dataclass(frozen=True)
class Trial:
    """What all policies have to do: push from the same starts, with the same draws.

    Attributes:
        seed: Decides the starts and the policies' draws.
        num_starts: Starts that success is counted over.
        num_mode_starts: Starts from which a policy pushes several times, to see if it varies. None
            save a third of the time, and leave the entropy at 0.
        num_attempts: Attempts from each of these.
        max_steps: Actions of an episode, ten in a second.
        mode_steps: Actions of an attempt. Experts touch the T within 25.
    """

    seed: int
    num_starts: int = 100
    num_mode_starts: int = 20
    num_attempts: int = 10
    max_steps: int = MAX_STEPS
    mode_steps: int = 60

    def starts(self) -> tuple[list[int], list[int]]:
        """Return the seeds of the starts for success, and of those for the modes."""
        generator = torch.Generator().manual_seed(self.seed)
        count = self.num_starts + self.num_mode_starts
        drawn = torch.randint(*STARTS, (count,), generator=generator).tolist()
        return drawn[: self.num_starts], drawn[self.num_starts :]


@dataclass(frozen=True)
class Score:
    """What a policy did in a trial.

    Attributes:
        success: How many episodes covered 95 % of the goal.
        coverage: The largest share of the goal that the T covered, averaged over the episodes.
        mode_entropy: How evenly first pushes from one start divide between left and right, in bits,
            averaged over the starts.
        idle_attempts: Attempts that never moved the T.
        expert_seconds: How long an expert worked for the policy, as its file declares.
    """

    success: SuccessRate
    coverage: float
    mode_entropy: float
    idle_attempts: int
    expert_seconds: float

    @property
    def lower_bound(self) -> float:
        """The lower end of Wilson's 95 % interval for the success rate."""
        return self.success.interval[0]

    @property
    def key(self) -> tuple[float, float, float]:
        """The three axes, the more the better, the one that decides first."""
        return self.lower_bound, self.mode_entropy, -self.expert_seconds

    def beats(self, other: "Score") -> bool:
        """Tell whether this is at least as good on all three axes, and better on one."""
        pairs = zip(self.key, other.key, strict=True)
        return self.key != other.key and all(ours >= theirs for ours, theirs in pairs)


@dataclass(frozen=True)
class Points:
    """How a lower bound of success becomes outcome points.

    Attributes:
        most: All that there are.
        low: The lower bound up to which there are none.
        high: The lower bound from which on there are all.

    Raises:
        ValueError: If ``low`` is not below ``high``.
    """

    most: float
    low: float = 0.3
    high: float = 0.8

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"points rise from {self.low} to {self.high}: the first must be smaller."
            )

    def of(self, score: Score | None) -> float:
        """Return the points for a score, to a hundredth; none where there is no score."""
        if score is None:
            return 0.0
        share = (score.lower_bound - self.low) / (self.high - self.low)
        return round(self.most * min(max(share, 0.0), 1.0), 2)

    def __str__(self) -> str:
        return (
            f"Points: 0 up to a lower bound of {100 * self.low:g} %, {self.most:g} from "
            f"{100 * self.high:g} % on, in proportion between."
        )


def score(
    actor: Actor,
    trial: Trial,
    expert_seconds: float = 0.0,
    tick: Callable[[], None] = lambda: None,
) -> Score:
    """Put an actor on trial.

    Args:
        actor: Whoever pushes.
        trial: The same for all that are to be compared.
        expert_seconds: What the actor declares.
        tick: Called before each action, at most ``max_steps + mode_steps`` times.
    """
    counted = _Ticking(actor, tick)
    generator = torch.Generator().manual_seed(trial.seed)
    starts, mode_starts = trial.starts()
    drives = drive(counted, starts, generator, trial.max_steps)
    attempts = [start for start in mode_starts for _ in range(trial.num_attempts)]
    sides = drive(counted, attempts, generator, trial.mode_steps).sides if attempts else []
    by_start = [
        sides[first : first + trial.num_attempts]
        for first in range(0, len(sides), trial.num_attempts)
    ]
    return Score(
        success=drives.success,
        coverage=float(drives.coverage.mean()),
        mode_entropy=mean_entropy(by_start),
        idle_attempts=sides.count(""),
        expert_seconds=expert_seconds,
    )


def mean_entropy(sides: Sequence[Sequence[str]]) -> float:
    """Return the entropy in bits of each start's first pushes, averaged over the starts.

    An attempt that never pushed says nothing of a side and is left out. A start from which none
    pushed counts 0: whoever does nothing is not varied.

    Args:
        sides: For each start ``"left"``, ``"right"`` or ``""`` per attempt.
    """
    counts = [[attempts.count("left"), attempts.count("right")] for attempts in sides]
    bits = [_entropy(pair) if any(pair) else 0.0 for pair in counts]
    return sum(bits) / len(bits) if bits else 0.0


def _entropy(counts: Sequence[int]) -> float:
    """Return the entropy in bits of shares that are as large as the counts."""
    shares = torch.tensor(counts, dtype=torch.float64) / sum(counts)
    return float(torch.special.entr(shares).sum()) / math.log(2)


@dataclass
class _Ticking:
    """An actor whose actions are counted."""

    actor: Actor
    tick: Callable[[], None]

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        self.actor.reset(mask)

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        self.tick()
        return self.actor.act(observations, generator)
