"""Chunks that meet: predictions of one action, the seam between two plans, and success under delay."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.evaluation import SuccessRate
from imitation_lab.plots.looks import POLICY_LOOKS, Look
from imitation_lab.plots.road import format_side

# Ways to play the chunks of one flow: shades about its own blue, which no other policy has.
_DARK, _BLUE, _PALE = "#06304F", POLICY_LOOKS["flow"].color, "#7A93AC"
WAY_LOOKS = {
    "whole chunks": Look(_PALE, "h"),
    "new at every step": Look(_BLUE, "P"),
    "averaged": Look(_DARK, "d"),
    "single actions": Look(_PALE, "v", ":"),
    "chunks, switched": Look(_BLUE, "P", "--"),
    "real-time chunking": Look(_DARK, "o"),
}


def plot_predictions(axes: Axes, predictions: Sequence[Tensor], taken: Tensor) -> Axes:
    """Draw, for every step of an episode, all predictions of its action, and what was made of them.

    Args:
        axes: Where to draw.
        predictions: For each step, the lateral commands (count,) in m/s that chunks had for it.
        taken: The lateral commands (time,) that were taken.
    """
    steps = torch.cat([torch.full((len(one),), step) for step, one in enumerate(predictions)])
    look, mean = POLICY_LOOKS["flow"], WAY_LOOKS["averaged"]
    (dots,) = axes.plot(steps, torch.cat(list(predictions)), "o", ms=3.5, label="predictions")
    dots.set(color=look.color, alpha=0.45)
    axes.plot(
        taken, color=mean.color, marker=mean.marker, ms=5, ls="-", lw=1.5, label="their average"
    )
    axes.set(xlabel="step", ylabel="lateral command, m/s", ylim=(-1.4, 1.4))
    axes.yaxis.set_major_formatter(format_side)
    axes.legend(fontsize=8, loc="upper left")
    return axes


def plot_seam(axes: Axes, plan: Tensor, chunks: Tensor, delay: int) -> Axes:
    """Draw what is left of an old plan, and new chunks that are to take over from it.

    Args:
        axes: Where to draw.
        plan: Lateral commands (left,) of the old chunk in m/s, from the step that is due now.
        chunks: Lateral commands (count, prediction_horizon) of new chunks that were asked for now.
        delay: Steps at which the old plan is still played: they are shaded.
    """
    if delay:
        axes.axvspan(-0.5, delay - 0.5, color="0.88", label="while thinking")
    new, old = POLICY_LOOKS["flow"], POLICY_LOOKS["expert"]
    lines = axes.plot(chunks.T, color=new.color, ls="-", lw=1, alpha=0.4)
    lines[0].set_label("new chunks")
    axes.plot(plan, color=old.color, marker="o", ms=5, ls="-", lw=2, label="the old plan")
    axes.set(xlabel="steps from now", ylim=(-1.4, 1.4), xlim=(-0.5, chunks.shape[1] - 0.5))
    axes.yaxis.set_major_formatter(format_side)
    return axes


def plot_success_over(
    axes: Axes,
    values: Sequence[int | float],
    curves: Mapping[str, Sequence[SuccessRate]],
    looks: Sequence[Look],
) -> Axes:
    """Draw success rates with their intervals against a quantity, one curve each.

    Args:
        axes: Where to draw.
        values: Of the quantity.
        curves: By label, one success rate for every value.
        looks: One for each curve.
    """
    for (label, rates), look in zip(curves.items(), looks, strict=True):
        heights = [100 * rate.rate for rate in rates]
        # max: rounding may put a bound of 0 or 1 on the wrong side of the rate.
        below = [100 * max(rate.rate - rate.interval[0], 0) for rate in rates]
        above = [100 * max(rate.interval[1] - rate.rate, 0) for rate in rates]
        axes.errorbar(
            values,
            heights,
            [below, above],
            color=look.color,
            marker=look.marker,
            ls=look.linestyle,
            capsize=3,
            label=label,
        )
    axes.set(ylabel="reaches the goal, %", ylim=(-3, 104))
    return axes
