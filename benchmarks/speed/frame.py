"""What every measurement shares: two sides timed in turns, and a row that holds all the times."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Does its work once and returns the seconds that it took.
Timed = Callable[[], float]


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure.

    Attributes:
        quick: A look at whether all runs, with few repetitions. Its figures mean little.
    """

    quick: bool = False

    def pairs(self, full: int) -> int:
        """Return how many pairs to measure instead of a full number."""
        return min(full, 3) if self.quick else full


@dataclass(frozen=True)
class Row:
    """One piece of work beside its peer.

    Attributes:
        group: The part of the benchmark, as ``--only`` knows it.
        work: What is done, in words.
        peer: Who else does it.
        ours: Seconds of every repetition.
        theirs: The peer's seconds, pair by pair with ``ours``.
        target: The ratio of the peer's seconds to ours that is aimed at. None where there is no aim.
        amount: How much is done in one repetition.
        unit: Of what: samples, steps, submissions.
        note: What a reader must know to judge the ratio.
        extra: Further figures: memory, a percentile.

    Raises:
        ValueError: If there is no pair, or a time that is not positive.
    """

    group: str
    work: str
    peer: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    target: float | None = None
    amount: float = 1
    unit: str = ""
    note: str = ""
    extra: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.ours or len(self.ours) != len(self.theirs):
            raise ValueError(
                f"{self.work}: got {len(self.ours)} of our times and {len(self.theirs)} of the peer's, "
                "expected pairs, at least one."
            )
        if min(*self.ours, *self.theirs) <= 0:
            raise ValueError(f"{self.work}: a time that is not positive was measured.")

    @property
    def ratios(self) -> list[float]:
        """How much longer the peer took, pair by pair."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios: what slows the machine for a while hits both of a pair."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.ratio >= self.target


def in_turns(
    ours: Timed, theirs: Timed, pairs: int, warm_up: bool = True
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Time two sides in turns and return the seconds of both.

    Args:
        ours: The library's side.
        theirs: The peer's.
        pairs: Repetitions of each.
        warm_up: Whether both work once before what counts.
    """
    if warm_up:
        ours(), theirs()
    times = [(ours(), theirs()) for _ in range(pairs)]
    own, peers = zip(*times, strict=True)
    return own, peers


def timed(work: Callable[[], Any]) -> Timed:
    """Return a side that does the work and looks at the clock before and after."""

    def side() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return side
