"""Pictures of the environments, drawn without a window or a display server."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Polygon, Rectangle
from matplotlib.transforms import Affine2D, Transform
from torch import Tensor

from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, VELOCITY, Fork
from imitation_lab.style import OKABE_ITO
from imitation_lab.types import Task

ROAD_START, ROAD_END = -0.4, 2.5  # metres along the road: what a picture of the fork shows
VERGE = 0.15  # metres of ground beside the road
VEHICLE = np.array([[0.15, 0.0], [-0.13, 0.12], [-0.07, 0.0], [-0.13, -0.12]])  # metres
FRAME_WIDTH, DPI = 480, 100  # pixels, and pixels per inch

Limits = tuple[tuple[float, float], tuple[float, float]]
Draw = Callable[[Axes, Any, Tensor | None], Axes]


def draw_fork(axes: Axes, task: Fork, state: Float[Tensor, "8"] | None = None) -> Axes:
    """Draw the road, its obstacle and its goal, and the vehicle as an arrow, in the world's frame.

    Args:
        axes: Where to draw, in metres.
        task: Gives sizes and angle.
        state: The true state, in the road's frame. Without it, obstacle and goal stand in the middle
            of their ranges and there is no vehicle.
    """
    shown = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0]) if state is None else state.detach().cpu()
    on_road = Affine2D().rotate(task.angle) + axes.transData
    patches = [*_road(task), *_obstacle(task, shown[OBSTACLE]), *_goal(task, shown[GOAL])]
    if state is not None:
        patches += _vehicle(shown)
    for patch in patches:
        _add(axes, patch, on_road)
    (left, right), (bottom, top) = view_limits(task)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set(xlabel="x (m)", ylabel="y (m)")
    return axes


def view_limits(task: Fork) -> Limits:
    """Return the x range and the y range that hold the whole road, in metres of the world's frame."""
    half_width = task.road_half_width + VERGE
    corners = [(x, y) for x in (ROAD_START, ROAD_END) for y in (-half_width, half_width)]
    turned = Affine2D().rotate(task.angle).transform(corners)
    (left, bottom), (right, top) = turned.min(axis=0), turned.max(axis=0)
    return (float(left), float(right)), (float(bottom), float(top))


def _road(task: Fork) -> list[Patch]:
    length, half_width = ROAD_END - ROAD_START, task.road_half_width
    surface = Rectangle((ROAD_START, -half_width), length, 2 * half_width, color="0.92", zorder=0)
    edges = [
        Rectangle((ROAD_START, side * half_width - 0.012), length, 0.024, color="0.25", zorder=1)
        for side in (-1, 1)
    ]
    dashes = [
        Rectangle((x, -0.012), 0.14, 0.024, color="white", zorder=1)
        for x in np.arange(ROAD_START + 0.06, ROAD_END - 0.14, 0.28)
    ]
    return [surface, *edges, *dashes]


def _obstacle(task: Fork, centre: Tensor) -> list[Patch]:
    x, y = centre.tolist()
    colour, radius = OKABE_ITO["vermillion"], task.obstacle_radius
    body = Circle((x, y), radius, facecolor=colour, edgecolor="none", zorder=2)
    # Stripes as well as a colour: the obstacle stays an obstacle in grey.
    stripes = Circle(
        (x, y), radius, facecolor="none", edgecolor="white", hatch="//", linewidth=0, zorder=3
    )
    rim = Circle((x, y), radius, facecolor="none", edgecolor=colour, linewidth=2, zorder=4)
    return [body, stripes, rim]


def _goal(task: Fork, centre: Tensor) -> list[Patch]:
    x, y = centre.tolist()
    colour, radius = OKABE_ITO["bluish_green"], task.goal_radius
    return [
        Circle((x, y), radius, facecolor="white", edgecolor=colour, linewidth=3, zorder=2),
        Circle((x, y), 0.45 * radius, facecolor=colour, edgecolor="none", zorder=3),
    ]


def _vehicle(state: Tensor) -> list[Patch]:
    x, y = state[POSITION].tolist()
    along, lateral = state[VELOCITY].tolist()
    heading = Affine2D().rotate(math.atan2(lateral, along)).translate(x, y)
    corners = heading.transform(VEHICLE)
    return [
        Polygon(
            corners, facecolor=OKABE_ITO["blue"], edgecolor="white", linewidth=1.2, zorder=6,
            joinstyle="round",
        )
    ]  # fmt: skip


def _add(axes: Axes, patch: Patch, on_road: Transform) -> None:
    # The turn comes after the patch's own placing, so that one road serves every angle.
    patch.set_transform(on_road)
    # Not add_patch, which measures every patch for automatic limits: the limits are known.
    axes.add_artist(patch)


# How each kind of task is drawn, and which part of the world it shows.
DRAWINGS: dict[type, tuple[Draw, Callable[[Any], Limits]]] = {Fork: (draw_fork, view_limits)}


class Camera:
    """Takes RGB pictures of a task's states, quickly enough for videos.

    Args:
        task: One of the kinds in ``DRAWINGS``.

    Raises:
        ValueError: If there is no drawing of this kind of task.
    """

    def __init__(self, task: Task) -> None:
        kinds = [kind for kind in DRAWINGS if isinstance(task, kind)]
        if not kinds:
            raise ValueError(f"there is no drawing of {type(task).__name__}: add one to DRAWINGS.")
        self.task = task
        self._draw, limits = DRAWINGS[kinds[0]]
        (left, right), (bottom, top) = limits(task)
        # Even numbers of pixels: video encoders ask for them.
        height = 2 * round(FRAME_WIDTH * (top - bottom) / (right - left) / 2)
        figure = Figure(figsize=(FRAME_WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
        # Whatever the course's style asks of other figures: here the axes fill the picture.
        figure.set_layout_engine("none")
        self._canvas = FigureCanvasAgg(figure)
        # Making axes takes longer than drawing in them, so they are kept from frame to frame.
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()

    def take(self, state: Float[Tensor, "state_dim"]) -> UInt8[np.ndarray, "height width 3"]:
        """Return one picture of a state."""
        for artist in list(self._axes.artists) + list(self._axes.patches):
            artist.remove()
        self._draw(self._axes, self.task, state)
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
