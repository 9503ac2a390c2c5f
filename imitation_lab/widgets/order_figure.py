"""The static picture of choose-the-order: three planes with the marginals at their edges."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from imitation_lab.plots import OUTCOME_LOOKS, POLICY_LOOKS
from imitation_lab.style import OKABE_ITO
from imitation_lab.widgets.order_numbers import (
    LIMIT,
    MODELS,
    OBSTACLES,
    Actions,
    Counts,
    Grid,
    count_cells,
    hits_obstacle,
    probabilities,
)

COLORS = {
    "independent": POLICY_LOOKS["categorical"].color,
    "autoregressive": POLICY_LOOKS["autoregressive"].color,
}
OTHER = {"steer": "speed", "speed": "steer"}


def plot_order(
    actions: Actions,
    bins: int,
    order: str,
    samples: Mapping[str, Actions],
    obstacles: bool,
) -> Figure:
    """Draw the demonstrations, and each model's probabilities with its samples."""
    figure = Figure(figsize=(9.0, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    counts = count_cells(actions, bins)
    grids = {model: probabilities(counts, model, order) for model in MODELS}
    peak = max([1e-12, *np.ravel(list(grids.values()))])
    titles = [
        f"{len(actions)} demonstrated actions",
        f"Independent: p({order})·p({OTHER[order]})",
        f"Autoregressive: p({order})·p({OTHER[order]}|{order})",
    ]
    for ax, title in zip(axes, titles, strict=True):
        frame_plane(ax, title, obstacles)
        draw_marginals(ax, counts)
    draw_actions(axes[0], actions, obstacles, OKABE_ITO["blue"])
    for ax, model in zip(axes[1:], MODELS, strict=True):
        draw_cells(ax, counts, grids[model], peak, COLORS[model])
        draw_actions(ax, samples[model], obstacles, OKABE_ITO["black"])
    _draw_legend(figure, obstacles)
    return figure


def frame_plane(axes: Axes, title: str, obstacles: bool) -> Axes:
    """Name the directions of the plane, and mark where an action crashes."""
    limits = (-LIMIT, LIMIT)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="steer", ylabel="speed")
    axes.set_xticks([-1.2, 1.2], ["left", "right"])
    axes.set_yticks([-1.1, 1.0], ["brake", "speed up"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_title(title, pad=28, fontsize=9)
    for steer, speed in OBSTACLES if obstacles else ():
        corner, width, height = (steer[0], speed[0]), steer[1] - steer[0], speed[1] - speed[0]
        axes.add_patch(
            Rectangle(corner, width, height, facecolor="0.92", edgecolor="0.35", linestyle="--")
        )
    return axes


def draw_marginals(axes: Axes, counts: Counts) -> Axes:
    """Draw how the counts share themselves out over either number's bins, at the edges."""
    centres = -LIMIT + (np.arange(counts.bins) + 0.5) * 2 * LIMIT / counts.bins
    width = 2 * LIMIT / counts.bins * 0.86
    above = axes.inset_axes((0, 1.02, 1, 0.14), sharex=axes)
    above.bar(centres, counts.steer, width, color="0.55")
    beside = axes.inset_axes((1.02, 0, 0.14, 1), sharey=axes)
    beside.barh(centres, counts.speed, width, color="0.55")
    for edge in (above, beside):
        edge.axis("off")
    return axes


def draw_cells(axes: Axes, counts: Counts, grid: Grid, peak: float, color: str) -> Axes:
    """Draw a model's probabilities as a heat map, hatched where nobody acted."""
    edges = np.linspace(-LIMIT, LIMIT, counts.bins + 1)
    shown = np.ma.masked_equal(np.array(grid).T, 0)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", color])
    axes.pcolormesh(edges, edges, shown, cmap=shades, vmin=-0.15 * peak, vmax=peak)
    width = edges[1] - edges[0]
    for i, j in np.argwhere((np.array(grid) > 0) & (np.array(counts.cells) == 0)):
        axes.add_patch(
            Rectangle(
                (edges[i], edges[j]),
                width,
                width,
                fill=False,
                hatch="////",
                edgecolor="0.45",
                linewidth=0,
            )
        )
    return axes


def draw_actions(axes: Axes, actions: Actions, obstacles: bool, color: str) -> Axes:
    """Draw actions as points, and those that crash as crosses."""
    crashed = [action for action in actions if obstacles and hits_obstacle(action)]
    passed = [action for action in actions if not (obstacles and hits_obstacle(action))]
    cross = OUTCOME_LOOKS["crashed"]
    for group, marker, ink, size in (
        (passed, "o", color, 4),
        (crashed, cross.marker, cross.color, 6),
    ):
        [points] = axes.plot(*_columns(group), marker, color=ink, markersize=size)
        points.set(markeredgecolor="white", markeredgewidth=0.5)
    return axes


def _columns(actions: Sequence[Sequence[float]]) -> np.ndarray:
    return np.array(actions, dtype=float).reshape(-1, 2).T


def _draw_legend(figure: Figure, obstacles: bool) -> None:
    invented = Patch(facecolor="white", edgecolor="0.45", hatch="////", linewidth=0)
    handles = {"probability where nobody acted": invented}
    if obstacles:
        handles["obstacle"] = Patch(facecolor="0.92", edgecolor="0.35", linestyle="--")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)
