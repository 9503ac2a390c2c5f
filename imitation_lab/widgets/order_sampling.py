"""Samples of choose-the-order, the same ones that the browser draws.

Both policies throw the same dice: the first number falls on the same bin, and only the second tells
the two apart.
"""

from collections.abc import Callable, Sequence

from imitation_lab.widgets.order_numbers import LIMIT, SAMPLES, Actions, Counts, count_cells

_WORD = 0xFFFFFFFF


def make_dice(seed: int) -> Callable[[], float]:
    """Return a source of uniform numbers in [0, 1) that JavaScript can repeat bit by bit.

    Source:
        Mulberry32, a generator of 32 bits by Tommy Ettinger.
    """
    state = seed & _WORD

    def throw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & _WORD
        word = ((state ^ (state >> 15)) * (state | 1)) & _WORD
        word ^= (word + (word ^ (word >> 7)) * (word | 61)) & _WORD
        return ((word ^ (word >> 14)) & _WORD) / 2**32

    return throw


def draw_samples(
    actions: Actions, bins: int, model: str, order: str, seed: int, count: int = SAMPLES
) -> list[list[float]]:
    """Draw actions from a policy that counts; within its cell, a sample is uniform.

    Args:
        actions: Demonstrated pairs (steer, speed), in m/s.
        bins: Bins per number.
        model: ``"independent"`` or ``"autoregressive"``.
        order: Which number is drawn first, ``"steer"`` or ``"speed"``.
        seed: Of the dice.
        count: Samples to draw.
    """
    counts = count_cells(actions, bins)
    if not counts.total:
        return []
    throw = make_dice(seed)
    return [_draw_one(counts, model, order, [throw() for _ in range(4)]) for _ in range(count)]


def _draw_one(counts: Counts, model: str, order: str, dice: Sequence[float]) -> list[float]:
    first, second = (
        (counts.steer, counts.speed) if order == "steer" else (counts.speed, counts.steer)
    )
    first_bin = pick(first, dice[0])
    if model == "autoregressive":
        given_steer = counts.cells[first_bin]
        second = given_steer if order == "steer" else [column[first_bin] for column in counts.cells]
    second_bin = pick(second, dice[1])
    steer, speed = (first_bin, second_bin) if order == "steer" else (second_bin, first_bin)
    width = 2 * LIMIT / counts.bins
    return [-LIMIT + (steer + dice[2]) * width, -LIMIT + (speed + dice[3]) * width]


def pick(counts: Sequence[int], share: float) -> int:
    """Return the index where the running total of some counts first passes a share of their sum."""
    passed, total = 0, sum(counts)
    for index, count in enumerate(counts):
        passed += count
        if passed > share * total:
            return index
    raise ValueError(
        f"share must lie in [0, 1) and some count be positive, got {share} and {total}."
    )
