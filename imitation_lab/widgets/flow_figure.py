"""The static picture of follow-the-flow: four moments on the way from noise to data."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.plots import POLICY_LOOKS
from imitation_lab.style import OKABE_ITO
from imitation_lab.widgets.flow_numbers import LIMIT, positions
from imitation_lab.widgets.flow_packing import GRID, MOMENTS, TOP_SPEED, arrow_grid
from imitation_lab.widgets.flow_scenes import FlowScene, Velocity

TIMES = (0.0, 1 / 3, 2 / 3, 1.0)
NAMES = ("t = 0: noise", "t = 1/3", "t = 2/3", "t = 1: data")
LAST_MOMENT = (MOMENTS - 1) / MOMENTS  # towards 1, the exact field grows without bound


def plot_flow(
    scene: FlowScene | None,
    velocity: Velocity | None,
    stops: Float[Tensor, "moments particles 2"],
    particle: int | None,
) -> Figure:
    """Draw the particles at four times, each with the field, if any, that they follow then."""
    figure = Figure(figsize=(11.0, 3.3), layout="constrained")
    panels = figure.subplots(1, 4, sharey=True)
    for axes, time, name in zip(panels, TIMES, NAMES, strict=True):
        frame_plane(axes, name, ("", "") if scene is None else scene.axes)
        if scene is not None:
            axes.plot(*scene.points.T, "o", mfc="none", color=OKABE_ITO["orange"], ms=3, mew=0.8)
        draw_particles(axes, positions(stops, time))
        if scene is None:
            continue
        if velocity is not None and time < 1:
            draw_arrows(axes, velocity, time)
        if particle is not None:
            draw_path(axes, stops[:, particle % stops.shape[1]], time)
    panels[0].set_ylabel("" if scene is None else scene.axes[1])
    return figure


def frame_plane(axes: Axes, title: str, names: Sequence[str]) -> Axes:
    """Make the plane's frame."""
    limits = (-LIMIT, LIMIT)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel=names[0], title=title)
    axes.set_xticks([-2, 0, 2])
    axes.set_yticks([-2, 0, 2])
    return axes


def draw_particles(axes: Axes, places: Float[Tensor, "particles 2"]) -> Axes:
    """Draw particles as fine points, darker where there are many."""
    colour = POLICY_LOOKS["flow"].color
    axes.plot(*places.T, ".", color=colour, ms=2, mew=0, alpha=0.5, rasterized=True)
    return axes


@torch.no_grad()
def draw_arrows(axes: Axes, velocity: Velocity, time: float) -> Axes:
    """Draw a field's arrows, of which none is longer than a cell."""
    grid = arrow_grid()
    field = velocity(grid, torch.full((len(grid),), min(time, LAST_MOMENT)))
    speed = field.norm(dim=1, keepdim=True).clamp(min=1e-9)
    cell = 2 * LIMIT / GRID
    arrows = field / speed * (speed / TOP_SPEED).clamp(max=1) * cell
    axes.quiver(
        *grid.T, *arrows.T, angles="xy", scale_units="xy", scale=1, width=0.004, color="0.4"
    )
    return axes


def draw_path(axes: Axes, stops: Float[Tensor, "moments 2"], time: float) -> Axes:
    """Draw the way of one particle up to a time, with its stops."""
    steps = len(stops) - 1
    before = stops[: int(np.floor(time * steps + 1e-9)) + 1]
    place = positions(stops.unsqueeze(1), time)
    way = torch.cat([before, place])
    axes.plot(*way.T, "o-", color="black", ms=2, lw=1)
    axes.plot(*place.T, "o", color="white", mec="black", ms=6)
    return axes
