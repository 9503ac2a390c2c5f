"""Push-T: the table from above, what policies reached, and films of episodes."""

import base64
import html
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from IPython.display import HTML, display
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from imitation_lab.plots.looks import DRIVER_LOOKS, POLICY_LOOKS
from imitation_lab.plots.pictures import show
from imitation_lab.pusht.environment import RATE, first_side, make_environment
from imitation_lab.pusht.geometry import AGENT, GOAL, TABLE, corners
from imitation_lab.types import Trajectory

PACE = 3  # times as fast as it was
LAST_PICTURE = 1.0  # seconds that a film stands still at its end
STRIP = 6  # pictures of an episode, for print
GOAL_COLOR, TEE_COLOR = "#90EE90", "#778899"  # as the environment draws them

Picture = NDArray[np.uint8]
Interval = tuple[float, float]


def draw_table(axes: Axes) -> Axes:
    """Draw the table from above, with the goal. As in the environment's pictures, y points down."""
    goal = corners(torch.tensor([0.0, 0.0, *GOAL]))
    axes.fill(*goal.T, color=GOAL_COLOR, zorder=0)
    axes.set(xlim=(0, TABLE), ylim=(TABLE, 0), aspect="equal")
    axes.set(xticks=(0, 256, 512), yticks=(0, 256, 512), xlabel="x, pixels", ylabel="y, pixels")
    return axes


def draw_tee(axes: Axes, observation: Float[Tensor, "observation_dim"], filled: bool) -> Axes:
    """Draw the T where an observation has it."""
    outline = corners(observation)
    axes.fill(*outline.T, fill=filled, facecolor=TEE_COLOR, edgecolor="0.25", ls="-", alpha=0.8)
    return axes


def plot_paths(axes: Axes, trajectories: Sequence[Trajectory], moments: int = 40) -> Axes:
    """Draw how agents' paths begin from one start, and the T as it stood there.

    Args:
        axes: Where to draw.
        trajectories: Episodes from the same start. The look tells from which side each pushed first.
        moments: Observations to draw of each.
    """
    draw_table(axes)
    draw_tee(axes, trajectories[0].observations[0], filled=True)
    axes.plot(*trajectories[0].observations[0, AGENT], "o", color="black", ms=7, zorder=4)
    for trajectory in trajectories:
        side = first_side(trajectory)
        look = DRIVER_LOOKS.get(side, POLICY_LOOKS["expert"])
        path = trajectory.observations[:moments, AGENT]
        label = f"first push from the {side}"
        axes.plot(*path.T, color=look.color, ls=look.linestyle, lw=1.6, label=label, zorder=3)
        axes.plot(*path[-1], look.marker, color=look.color, ms=7, zorder=4)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=8)
    return axes


def plot_coverage(
    axes: Axes,
    coverage: Mapping[str, Float[Tensor, "seeds starts"]],
    intervals: Mapping[str, Interval],
) -> Axes:
    """Draw mean coverage with its interval, one row for each kind of policy, and a dot for each seed.

    Args:
        axes: Where to draw.
        coverage: The largest coverage, by the name of the kind, seed and start.
        intervals: The bounds of each kind's mean.
    """
    rows = range(len(coverage))[::-1]
    for row, (name, reached) in zip(rows, coverage.items(), strict=True):
        look, mean = POLICY_LOOKS[name], float(reached.mean())
        low, high = (float(bound) for bound in intervals[name])
        ends = [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]
        axes.errorbar([mean], [row], xerr=ends, color=look.color, fmt=look.marker, ms=7, capsize=4)
        seeds = reached.mean(dim=1)
        axes.plot(seeds, [row - 0.25] * len(seeds), ".", color=look.color, ms=5)
        axes.annotate(f"{mean:.2f} ({low:.2f}–{high:.2f})", (1.02, row), va="center", fontsize=8)
    axes.axvline(0.95, color="0.4", lw=1, ls=":")
    axes.set(yticks=rows, yticklabels=list(coverage), xlim=(0, 1.0), ylim=(-0.6, len(rows) - 0.4))
    axes.set_xlabel("largest coverage of the goal, mean over starts")
    return axes


def plot_differences(
    axes: Axes, rows: Mapping[str, tuple[float, Interval, Interval]], unit: str
) -> Axes:
    """Draw differences of two policies, each with its paired and its unpaired interval.

    Args:
        axes: Where to draw.
        rows: By what is compared: the difference, the paired and the unpaired interval.
        unit: What is on the axis.
    """
    places = range(len(rows))[::-1]
    for place, (mean, paired, unpaired) in zip(places, rows.values(), strict=True):
        for bounds, lift, look in [(paired, 0.12, "k-"), (unpaired, -0.12, "k:")]:
            ends = [float(bound) for bound in bounds]
            axes.plot(ends, [place + lift] * 2, look, lw=2)
        axes.plot([mean], [place + 0.12], "o", color="black", ms=5)
    axes.plot([], [], "k-", lw=2, label="the same starts for both")
    axes.plot([], [], "k:", lw=2, label="starts drawn for each by itself")
    axes.axvline(0, color="0.4", lw=1)
    axes.set(yticks=places, yticklabels=list(rows), ylim=(-0.6, len(rows) - 0.4), xlabel=unit)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8)
    return axes


def plot_against(axes: Axes, points: Mapping[str, tuple[float, float, Interval]]) -> Axes:
    """Draw a flow's means with their intervals against another number, with each point's name beside it.

    Args:
        axes: Where to draw.
        points: By name: where it stands from left to right, its mean, and the mean's interval.
    """
    look = POLICY_LOOKS["flow"]
    for name, (place, mean, bounds) in points.items():
        low, high = (float(bound) for bound in bounds)
        ends = [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]
        axes.errorbar([place], [mean], yerr=ends, color=look.color, fmt=look.marker, capsize=4)
        axes.annotate(name, (place, mean), (6, 6), textcoords="offset points", fontsize=8)
    return axes


def plot_choices(axes: Axes, shares: Float[Tensor, "starts"], name: str) -> Axes:
    """Draw for every start the share of first pushes from the left, as a bar from below.

    The rest, from above, is the share from the right. A start from which nothing was pushed (NaN) stays
    empty.
    """
    known, places = shares.isfinite(), np.arange(len(shares))
    left, right = (torch.where(known, part, 0.0).numpy() for part in (shares, 1 - shares))
    axes.bar(places, left, color=DRIVER_LOOKS["left"].color, label="from the left")
    axes.bar(
        places,
        right,
        bottom=left,
        color=DRIVER_LOOKS["right"].color,
        hatch="///",
        edgecolor="white",
        label="from the right",
    )
    axes.set(xticks=[], yticks=(0, 1), yticklabels=("", ""), xlim=(-0.6, len(shares) - 0.4))
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
    axes.grid(visible=False)
    return axes


def film(trajectories: Mapping[str, Trajectory], alt: str, caption: str, size: int = 256) -> None:
    """Show episodes side by side as a film that waits to be started, and as pictures for print.

    Args:
        trajectories: By the names that stand in the picture. Shorter ones wait at their end.
        alt: What the film shows, for people who cannot see it.
        caption: What to look for in it.
        size: Of each episode's picture, in pixels; an even number.

    Raises:
        ImportError: If ``gym-pusht``, which draws the pictures and brings along what films them, is missing.
    """
    pictures = {
        name: [_named(picture, name) for picture in draw(trajectory, size)]
        for name, trajectory in trajectories.items()
    }
    video = base64.b64encode(_webm(_side_by_side(list(pictures.values())))).decode()
    first = base64.b64encode(
        _png(_side_by_side([own[:1] for own in pictures.values()])[0])
    ).decode()
    label = html.escape(alt, quote=True)
    display(
        HTML(
            f'<video controls loop muted playsinline preload="metadata" aria-label="{label}"'
            f' width="{size * len(pictures)}" style="max-width: 100%"'
            f' poster="data:image/png;base64,{first}">'
            f'<source type="video/webm" src="data:video/webm;base64,{video}">{label}</video>'
        )
    )
    show(_strips(trajectories, pictures), alt, caption)


def draw(trajectory: Trajectory, size: int = 256) -> list[Picture]:
    """Return pictures of every moment of an episode, drawn by the environment's own renderer.

    Nothing is simulated again: agent and T are put where they were seen. A red cross is the target that
    the agent is sent to.

    Args:
        trajectory: An episode of Push-T.
        size: Height and width, in pixels.

    Raises:
        ImportError: If ``gym-pusht`` is missing.
    """
    environment: Any = make_environment(size=size).unwrapped
    environment.reset(seed=0)
    targets = torch.cat([trajectory.actions, trajectory.actions[-1:]])
    pictures = []
    for observation, target in zip(trajectory.observations.tolist(), targets.numpy(), strict=True):
        environment.agent.position = tuple(observation[:2])
        environment.block.angle = observation[4]  # first: it turns about the centre of gravity
        environment.block.position = tuple(observation[2:4])
        for body in (environment.agent, environment.block):
            environment.space.reindex_shapes_for_body(body)
        environment._last_action = np.clip(target, 0, TABLE)  # what the red cross shows
        pictures.append(environment.render())
    return pictures


def _side_by_side(episodes: Sequence[Sequence[Picture]]) -> list[Picture]:
    """Return the episodes' pictures next to each other. Who is done stands still."""
    longest = max(map(len, episodes))
    return [
        np.hstack([pictures[min(moment, len(pictures) - 1)] for pictures in episodes])
        for moment in range(longest)
    ]


def _named(picture: Picture, name: str) -> Picture:
    """Return a picture with a name written into its corner."""
    import cv2

    named = picture.copy()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(named, name, (8, 20), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return named


def _webm(pictures: Sequence[Picture]) -> bytes:
    """Return a film in WebM (VP8), which every browser plays."""
    import cv2

    height, width, _ = pictures[0].shape
    rate = RATE * PACE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.webm"
        # mypy: opencv's own types do not know this function.
        code = cv2.VideoWriter_fourcc(*"VP80")  # type: ignore[attr-defined]
        with _silent():
            writer = cv2.VideoWriter(str(path), code, rate, (width, height))
        for picture in [*pictures, *[pictures[-1]] * round(rate * LAST_PICTURE)]:
            writer.write(np.ascontiguousarray(picture[:, :, ::-1]))  # it wants blue first
        writer.release()
        return path.read_bytes()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what a library prints behind Python's back, here about a tag of no importance, to itself."""
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


def _png(picture: Picture) -> bytes:
    import cv2

    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()


def _strips(
    trajectories: Mapping[str, Trajectory], pictures: Mapping[str, Sequence[Picture]]
) -> Figure:
    """Return a figure with some moments of each episode in a row, with their times."""
    size = (1.75 * STRIP, 1.95 * len(pictures))
    figure, grid = plt.subplots(len(pictures), STRIP, figsize=size, squeeze=False)
    for row, (name, own) in zip(grid, pictures.items(), strict=True):
        moments = np.linspace(0, len(trajectories[name]), STRIP).round().astype(int)
        for axes, moment in zip(row, moments, strict=True):
            axes.imshow(own[moment])
            axes.set_title(f"{moment / RATE:.1f} s", loc="center", fontsize=8)
            axes.set_axis_off()
    return figure
