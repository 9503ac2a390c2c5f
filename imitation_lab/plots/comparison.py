"""Policy classes side by side: what `imitation_lab.comparison` measured."""

import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes

from imitation_lab.comparison import PolicyResult
from imitation_lab.plots.looks import POLICY_LOOKS


def plot_success_by_road(axes: Axes, results: Sequence[PolicyResult]) -> Axes:
    """Draw every class's success rate with its interval, one row each.

    A full marker stands for the first road, a hollow one for the second.
    """
    names = _names(results)
    for offset, fill, road in zip((0.15, -0.15), ("full", "none"), _roads(results), strict=False):
        for row, result in _rows(results, road):
            look, rate = POLICY_LOOKS[result.name], result.success
            low, high = rate.interval
            axes.errorbar(
                [100 * rate.rate],
                [row + offset],
                xerr=[[100 * max(rate.rate - low, 0)], [100 * max(high - rate.rate, 0)]],
                color=look.color,
                fmt=look.marker,
                mfc=look.color if fill == "full" else "white",
                ms=8,
                capsize=3,
            )
        axes.plot([], [], "o", color="0.3", fillstyle=fill, label=road)
    axes.set(yticks=range(len(names)), yticklabels=names[::-1], xlim=(-4, 104))
    axes.set_ylim(*_row_limits(results))
    axes.set_xlabel("reaches the goal, %")
    axes.legend(loc="lower left", bbox_to_anchor=(0.02, 0.02))
    return axes


def plot_excess_nats(axes: Axes, results: Sequence[PolicyResult]) -> Axes:
    """Draw how many nats every class spends beyond the drivers' own where they choose their side."""
    for offset, fill, road in zip((0.15, -0.15), ("full", "none"), _roads(results), strict=False):
        least = _drivers_nats(results, road)
        for row, result in _rows(results, road):
            if result.name == "expert":
                continue
            if not result.nats_at_the_choice:
                axes.text(0.2, row, "no density", color="0.4", va="center", fontsize=8)
                continue
            look = POLICY_LOOKS[result.name]
            excess = statistics.mean(result.nats_at_the_choice) - least
            axes.plot(excess, row + offset, look.marker, color=look.color, fillstyle=fill, ms=8)
    axes.axvline(0, color=POLICY_LOOKS["expert"].color, lw=1, ls=":")
    axes.set(yticks=[], ylim=_row_limits(results))
    axes.set_xlabel("nats beyond the drivers' own,\nper action at the choice")
    return axes


def plot_sides(axes: Axes, results: Sequence[PolicyResult], road: str) -> Axes:
    """Draw which way the samples go where the drivers choose: left, neither, right."""
    for row, result in _rows(results, road):
        left, right, neither = (100 * share for share in result.sides)
        color = POLICY_LOOKS[result.name].color
        axes.barh(row, left, color=color, height=0.6)
        axes.barh(row, neither, left=left, color="white", edgecolor=color, hatch="////", height=0.6)
        axes.barh(row, right, left=left + neither, color=color, alpha=0.55, height=0.6)
    top = len(_names(results)) - 1
    for side, place in (("left", 25), ("right", 75)):
        axes.text(place, top, side, color="white", ha="center", va="center")
    axes.set(yticks=[], xlim=(0, 100), ylim=_row_limits(results))
    axes.set_xlabel(f"samples at the choice, %\non the road {road} (hatched: neither)")
    return axes


def _names(results: Sequence[PolicyResult]) -> list[str]:
    return list(dict.fromkeys(result.name for result in results))


def _roads(results: Sequence[PolicyResult]) -> list[str]:
    return list(dict.fromkeys(result.road for result in results))


def _row_limits(results: Sequence[PolicyResult]) -> tuple[float, float]:
    return -0.6, len(_names(results)) - 0.4


def _rows(results: Sequence[PolicyResult], road: str) -> list[tuple[int, PolicyResult]]:
    names = _names(results)[::-1]
    return [(names.index(result.name), result) for result in results if result.road == road]


def _drivers_nats(results: Sequence[PolicyResult], road: str) -> float:
    found = [result for result in results if (result.name, result.road) == ("expert", road)]
    return statistics.mean(found[0].nats_at_the_choice)
