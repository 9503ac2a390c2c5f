"""Chunks as they are made and played, and what it brings to play more of each."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from imitation_lab.plots.looks import OUTCOME_LOOKS, POLICY_LOOKS, Look
from imitation_lab.plots.road import outcome_of
from imitation_lab.rollout import Rollouts


def plot_chunk_starts(
    axes: Axes,
    commands: Float[Tensor, "time"],
    chunks: Float[Tensor, "time prediction_horizon"],
    starts: Sequence[int],
) -> Axes:
    """Draw one episode's commands, and the chunks that begin at some of its steps.

    Args:
        axes: Where to draw.
        commands: One number of every action, in its own unit.
        chunks: The same number in the chunk that begins at every step.
        starts: The steps whose chunks are drawn.
    """
    line = POLICY_LOOKS["expert"]
    axes.plot(commands, color=line.color, lw=1, marker=".", ms=5, label="the episode")
    looks = ["flow", "gaussian", "mixture", "autoregressive"]
    for start, name in zip(starts, looks, strict=False):
        look = POLICY_LOOKS[name]
        steps = start + torch.arange(chunks.shape[1])
        axes.plot(
            steps, chunks[start], look.marker, color=look.color, mfc="none", ms=8,
            label=f"chunk of step {start}",
        )  # fmt: skip
    axes.axvline(len(commands) - 0.5, color="0.4", ls=":", lw=1, label="its end")
    axes.set_xlabel("step")
    axes.legend(fontsize=8, loc="upper right", bbox_to_anchor=(0.76, 1))
    return axes


def plot_schedule(axes: Axes, births: Sequence[int], prediction_horizon: int, steps: int) -> Axes:
    """Draw which actions of which chunk one episode plays: full when played, hatched when dropped.

    Args:
        axes: Where to draw: one row per chunk, one column per step.
        births: The steps at which the episode asks for a chunk, ascending.
        prediction_horizon: Actions per chunk.
        steps: Steps of the episode.
    """
    for row, (birth, end) in enumerate(zip(births, [*births[1:], steps], strict=True)):
        for number in range(prediction_horizon):
            _draw_cell(axes, birth + number, row, f"{number}", played=birth + number < end)
    last = max(steps, births[-1] + prediction_horizon)
    axes.set(xlim=(-0.6, last - 0.4), ylim=(len(births) - 0.4, -0.6), xlabel="step")
    axes.set(xticks=range(last), yticks=range(len(births)))
    axes.set_yticklabels([f"seen at step {birth}" for birth in births])
    axes.grid(visible=False)
    return axes


def _draw_cell(axes: Axes, step: int, row: int, text: str, played: bool) -> None:
    blue = POLICY_LOOKS["flow"].color
    face, edge, hatch = (blue, blue, None) if played else ("white", "0.55", "////")
    corner = (step - 0.45, row - 0.4)
    axes.add_patch(Rectangle(corner, 0.9, 0.8, facecolor=face, edgecolor=edge, hatch=hatch))
    label = axes.text(step, row, text, ha="center", va="center", fontsize=9)
    label.set_color("white" if played else "0.2")
    if not played:  # the number stays readable on the hatching
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})


def plot_success_by_horizon(
    axes: Axes,
    horizons: Sequence[int],
    shares: Float[Tensor, "horizons seeds"],
    look: Look,
    label: str = "",
    hollow: bool = False,
) -> Axes:
    """Draw the success over a horizon: the mean over seeds as a line, each seed as a small mark.

    Args:
        axes: Where to draw.
        horizons: What stands below the marks, one place each.
        shares: Of the episodes that succeed, in [0, 1].
        look: Colour, marker and line.
        label: For the legend.
        hollow: Whether markers are empty and the line is dashed.
    """
    places = torch.arange(len(horizons))
    # Seeds stand a little beside their mean, those of hollow marks on its other side.
    beside = places + (0.12 if hollow else -0.12)
    for seed in range(shares.shape[1]):
        axes.plot(
            beside, 100 * shares[:, seed], look.marker, color=look.color, ms=4.5, alpha=0.5,
            mew=0.8 if hollow else 0, mfc="none" if hollow else look.color,
        )  # fmt: skip
    axes.plot(
        places, 100 * shares.mean(dim=1), marker=look.marker, color=look.color, ms=8, label=label,
        ls="--" if hollow else "-", mfc="white" if hollow else look.color,
    )  # fmt: skip
    axes.set_xticks(range(len(horizons)), [f"{horizon}" for horizon in horizons])
    axes.set(ylim=(-4, 104), ylabel="success, %")
    return axes


def plot_courses(
    axes: Axes,
    rollouts: Rollouts,
    values: Float[Tensor, "time batch"],
    time_step: float,
    episodes: Sequence[int],
) -> Axes:
    """Draw a quantity of some episodes against time, up to the end of each, and how each ended.

    Args:
        axes: Where to draw.
        rollouts: The episodes.
        values: The quantity: at every action, or at every moment.
        time_step: Seconds per step.
        episodes: Which episodes to draw.
    """
    named: set[str] = set()
    for episode in episodes:
        outcome = outcome_of(rollouts, episode)
        look = OUTCOME_LOOKS[outcome]
        course = values[: rollouts.lengths[episode] + 1, episode].cpu()
        times = time_step * torch.arange(len(course))
        axes.plot(times, course, color=look.color, ls=look.linestyle, lw=1, alpha=0.6)
        label = None if outcome in named else outcome
        named.add(outcome)
        axes.plot(times[-1], course[-1], look.marker, color=look.color, ms=5, label=label, zorder=3)
    axes.set_xlabel("time, s")
    return axes
