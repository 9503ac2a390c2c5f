"""Success rates with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from imitation_lab.evaluation import SuccessRate
from imitation_lab.plots.looks import POLICY_LOOKS, Look


def plot_success_rates(
    axes: Axes,
    rates: Mapping[str, SuccessRate],
    intervals: Sequence[tuple[float, float]] | None = None,
    looks: Sequence[Look] | None = None,
) -> Axes:
    """Draw success rates with their intervals, one row each, the first at the top.

    Args:
        axes: Where to draw.
        rates: Success rates by name.
        intervals: The bounds to draw, in [0, 1]; by default each rate's own.
        looks: One per row.

    Raises:
        ValueError: If an interval is None, as an unanswered question returns it.
    """
    bounds = intervals or [rate.interval for rate in rates.values()]
    if any(bound is None for bound in bounds):
        raise ValueError("an interval is None: is the question that asks for it answered?")
    looks = looks or [POLICY_LOOKS["expert"]] * len(rates)
    rows = np.arange(len(rates))[::-1]
    for row, rate, (low, high), look in zip(rows, rates.values(), bounds, looks, strict=True):
        # max: rounding may put a bound of 0 or 1 on the wrong side of the rate.
        ends = [[100 * max(rate.rate - low, 0)], [100 * max(high - rate.rate, 0)]]
        axes.errorbar(
            [100 * rate.rate], [row], xerr=ends, color=look.color, fmt=look.marker, ms=7, capsize=4
        )
        axes.annotate(
            f"{rate.successes}/{rate.trials} ({100 * low:.0f}–{100 * high:.0f} %)",
            (104, row),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    axes.set(yticks=rows, yticklabels=list(rates), xlim=(-2, 102), ylim=(-0.6, len(rates) - 0.4))
    axes.set_xlabel("episodes that reach the goal, in %, with 95 % intervals")
    return axes
