"""The arithmetic of choose-the-order: two policies that count, and what each makes of the counts.

An action is a pair (steer, speed). Both policies see it through bins. Independent bins keep one
marginal for each number; the autoregressive policy keeps the first number's marginal and, for each of
its bins, a conditional of the second. Both are fitted by counting, so everything here is exact.

``static/order_counts.js`` holds the same arithmetic, operation by operation, and a test holds the
two equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imitation_lab.widgets.words import fixed, percent

LIMIT = 1.5  # of both numbers, in m/s: the toys' own limit
MODELS = ("independent", "autoregressive")
ORDERS = ("steer", "speed")  # which number comes first
SAMPLES = 80
# Left and fast ends in a wall, right and slow is hit from behind: (low, high) of steer, then of speed.
OBSTACLES = (((-LIMIT, -0.2), (0.2, LIMIT)), ((0.2, LIMIT), (-LIMIT, -0.2)))

Actions = Sequence[Sequence[float]]
Grid = list[list[float]]  # one number for each steer bin and speed bin


@dataclass(frozen=True)
class Counts:
    """How many of the demonstrated actions lie in each cell, and in each bin of either number."""

    cells: list[list[int]]
    steer: list[int]
    speed: list[int]

    @property
    def bins(self) -> int:
        """Bins per number."""
        return len(self.steer)

    @property
    def total(self) -> int:
        """Demonstrated actions."""
        return sum(self.steer)


@dataclass(frozen=True)
class OrderSummary:
    """What independent and autoregressive bins make of the same demonstrated actions.

    Where nothing was demonstrated there is nothing to fit: every number but the count is nan.

    Attributes:
        count: Demonstrated actions.
        invented_independent: Probability that independent bins put on cells where nobody acted.
        invented_autoregressive: The same for autoregressive bins.
        nats_independent: Negative mean log-likelihood of the demonstrated bins, in nats per action.
        nats_autoregressive: The same for autoregressive bins.
        mutual_information: Of steer and speed among the demonstrations, in nats.
        crash_demonstrated: Share of the demonstrated actions that hit an obstacle.
        crash_independent: Probability that a sample of the independent bins does.
        crash_autoregressive: The same for autoregressive bins.
    """

    count: int
    invented_independent: float
    invented_autoregressive: float
    nats_independent: float
    nats_autoregressive: float
    mutual_information: float
    crash_demonstrated: float
    crash_independent: float
    crash_autoregressive: float

    def sentence(self, obstacles: bool = True) -> str:
        """Return the numbers in words, just as the widget does."""
        if not self.count:
            return "No action yet: add some on the plane, or pick a preset."
        crashes = (
            f" Into an obstacle: {percent(self.crash_demonstrated)} of the demonstrations, "
            f"{percent(self.crash_independent)} of the independent samples, "
            f"{percent(self.crash_autoregressive)} of the autoregressive ones."
        )
        return (
            f"Independent bins put {percent(self.invented_independent)} of their probability where "
            f"nobody acted, autoregressive bins {percent(self.invented_autoregressive)}. "
            f"An action costs {fixed(self.nats_independent)} nats with independent bins and "
            f"{fixed(self.nats_autoregressive)} with autoregressive ones, in either order. "
            f"The difference is the mutual information of steer and speed: "
            f"{fixed(self.mutual_information)} nats."
        ) + (crashes if obstacles else "")


def summary(actions: Actions, bins: int = 9, order: str = "steer") -> OrderSummary:
    """Return what two policies that count make of some actions.

    Args:
        actions: Pairs (steer, speed), each number in ±``LIMIT``.
        bins: Bins per number.
        order: Which number the autoregressive policy draws first, ``"steer"`` or ``"speed"``.
    """
    counts = count_cells(actions, bins)
    if not counts.total:
        return OrderSummary(0, *[math.nan] * 8)
    independent, autoregressive = (probabilities(counts, model, order) for model in MODELS)
    return OrderSummary(
        count=counts.total,
        invented_independent=invented_share(counts, independent),
        invented_autoregressive=invented_share(counts, autoregressive),
        nats_independent=nats_per_action(counts, independent),
        nats_autoregressive=nats_per_action(counts, autoregressive),
        mutual_information=mutual_information(counts),
        crash_demonstrated=sum(map(hits_obstacle, actions)) / counts.total,
        crash_independent=crash_share(independent),
        crash_autoregressive=crash_share(autoregressive),
    )


def bin_of(value: float, bins: int) -> int:
    """Return the bin that a number lies in; bins are half-open, the last one is closed."""
    return min(bins - 1, math.floor((value + LIMIT) * bins / (2 * LIMIT)))


def count_cells(actions: Actions, bins: int) -> Counts:
    """Count the actions in each cell of the plane."""
    cells = [[0] * bins for _ in range(bins)]
    for steer, speed in actions:
        cells[bin_of(steer, bins)][bin_of(speed, bins)] += 1
    return Counts(
        cells, [sum(column) for column in cells], [sum(row) for row in zip(*cells, strict=True)]
    )


def probabilities(counts: Counts, model: str, order: str) -> Grid:
    """Return a model's probability of every cell: one factor a number, in the order of drawing."""
    cells = range(counts.bins)
    return [[_cell_probability(counts, model, order, i, j) for j in cells] for i in cells]


def _cell_probability(counts: Counts, model: str, order: str, i: int, j: int) -> float:
    first, second = (
        (counts.steer[i], counts.speed[j])
        if order == "steer"
        else (counts.speed[j], counts.steer[i])
    )
    if not first:
        return 0.0
    if model == "independent":
        return (first / counts.total) * (second / counts.total)
    return (first / counts.total) * (counts.cells[i][j] / first)


def invented_share(counts: Counts, grid: Grid) -> float:
    """Return the probability on cells where nobody acted."""
    share = 0.0
    for column, row in zip(grid, counts.cells, strict=True):
        for probability, count in zip(column, row, strict=True):
            share += probability if count == 0 else 0
    return share


def nats_per_action(counts: Counts, grid: Grid) -> float:
    """Return the negative mean log-likelihood of the demonstrated cells."""
    nats = 0.0
    for column, row in zip(grid, counts.cells, strict=True):
        for probability, count in zip(column, row, strict=True):
            nats -= count * math.log(probability) if count else 0
    return nats / counts.total


def mutual_information(counts: Counts) -> float:
    """Return how many nats one number tells of the other: KL of the joint to the marginals' product."""
    nats = 0.0
    for i, row in enumerate(counts.cells):
        for j, count in enumerate(row):
            if count:
                ratio = count * counts.total / (counts.steer[i] * counts.speed[j])
                nats += (count / counts.total) * math.log(ratio)
    return nats


def hits_obstacle(action: Sequence[float]) -> bool:
    """Tell whether an action lies in one of the obstacles."""
    return any(
        all(low <= value <= high for value, (low, high) in zip(action, obstacle, strict=True))
        for obstacle in OBSTACLES
    )


def crash_share(grid: Grid) -> float:
    """Return the probability of an obstacle, where a sample is uniform within its cell."""
    share = 0.0
    for steer, speed in OBSTACLES:
        for i, column in enumerate(grid):
            for j, probability in enumerate(column):
                share += (
                    probability * _covered(i, len(grid), *steer) * _covered(j, len(grid), *speed)
                )
    return share


def _covered(index: int, bins: int, low: float, high: float) -> float:
    """Return the share of a bin that an interval covers."""
    width = 2 * LIMIT / bins
    start = -LIMIT + index * width
    return max(0.0, min(start + width, high) - max(start, low)) / width
