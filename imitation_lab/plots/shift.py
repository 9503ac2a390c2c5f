"""Where a policy strays from its expert, what that costs, and what corrections buy."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.envs.drawing import draw_racetrack
from imitation_lab.envs.racetrack import Racetrack, X, Y
from imitation_lab.plots.looks import OUTCOME_LOOKS, Look
from imitation_lab.plots.road import outcome_of
from imitation_lab.rollout import Rollouts
from imitation_lab.style import OKABE_ITO

WAY_LOOKS = {
    "expert": Look(OKABE_ITO["black"], "*"),
    "cloning": Look(OKABE_ITO["vermillion"], "X"),
    "noise injection": Look(OKABE_ITO["bluish_green"], "D", ":"),
    "DAgger": Look(OKABE_ITO["blue"], "o"),
    "human gating": Look(OKABE_ITO["reddish_purple"], "^", "--"),
}

# Whose states are labelled, and which sides the expert takes there.
CONTROL_LOOKS = {
    ("demonstrators'", "at random"): Look(OKABE_ITO["orange"], "s", "--"),
    ("learner's", "at random"): Look(OKABE_ITO["vermillion"], "X"),
    ("demonstrators'", "always left"): Look(OKABE_ITO["sky_blue"], "D", "--"),
    ("learner's", "always left"): Look(OKABE_ITO["blue"], "o"),
}


def plot_laps(axes: Axes, task: Racetrack, rollouts: Rollouts, episodes: Sequence[int]) -> Axes:
    """Draw where some episodes drove on the track, up to the end of each, and how each ended."""
    draw_racetrack(axes, task)
    for episode in episodes:
        look = OUTCOME_LOOKS[outcome_of(rollouts, episode)]
        path = rollouts.states[: rollouts.lengths[episode] + 1, episode].cpu()
        axes.plot(path[:, X], path[:, Y], color=look.color, ls=look.linestyle, lw=0.8, alpha=0.5)
        axes.plot(*path[-1, [X, Y]], look.marker, color=look.color, ms=5, zorder=4)
    return axes


def plot_tube(axes: Axes, values: Float[Tensor, "moments batch"], time_step: float) -> Axes:
    """Shade what lies between the lowest and the highest of the expert's episodes, over time.

    Args:
        axes: Where to draw.
        values: A quantity of the expert's episodes, while all of them run.
        time_step: Seconds per step.
    """
    times = time_step * torch.arange(len(values))
    low, high = values.cpu().amin(dim=1), values.cpu().amax(dim=1)
    axes.fill_between(times, low, high, color="0.75", lw=0, zorder=0, label="all the expert's")
    return axes


def plot_growth(
    axes: Axes,
    horizons: Float[Tensor, "n"],
    costs: Mapping[str, Float[Tensor, "n"]],
    looks: Sequence[Look],
    guides: Mapping[int, float],
) -> Axes:
    """Draw costs over the horizon with both axes logarithmic: there a power is a straight line.

    Args:
        axes: Where to draw.
        horizons: In steps.
        costs: Expected costs by name.
        looks: One for each.
        guides: Grey lines to compare slopes with: by their power, their cost at the first horizon.
    """
    for power, start in guides.items():
        line = start * (horizons / horizons[0]) ** power
        axes.plot(horizons, line, color="0.6", ls="--", lw=1, zorder=0)
        axes.annotate(
            f"slope {power:g}", (horizons[-1], line[-1]), xytext=(4, 0),
            textcoords="offset points", fontsize=8, color="0.35", va="center",
        )  # fmt: skip
    for (name, own), look in zip(costs.items(), looks, strict=True):
        axes.plot(
            horizons, own, color=look.color, ls=look.linestyle, marker=look.marker, ms=5, label=name
        )
    axes.set(xscale="log", yscale="log", xlabel="horizon T, steps", ylabel="expected cost, steps")
    axes.legend(fontsize=8, loc="upper left")
    return axes


def plot_rounds(
    axes: Axes,
    labels: Sequence[float],
    shares: Float[Tensor, "rounds seeds"],
    look: Look,
    name: str,
) -> Axes:
    """Draw success over the labels spent: a dot for every seed, and a line through the means.

    Args:
        axes: Where to draw.
        labels: Spent up to each round, on average over the seeds.
        shares: The shares of drives that succeed, in [0, 1].
        look: Colour, marker and line.
        name: For the legend.
    """
    for seed in range(shares.shape[1]):
        axes.plot(labels, 100 * shares[:, seed], look.marker, color=look.color, ms=4, alpha=0.35)
    axes.plot(
        labels, 100 * shares.mean(dim=1), color=look.color, ls=look.linestyle,
        marker=look.marker, ms=8, label=name,
    )  # fmt: skip
    axes.set(ylim=(-4, 104), xlabel="labels", ylabel="success, %")
    return axes
