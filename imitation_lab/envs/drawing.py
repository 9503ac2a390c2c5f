"""Pictures of the environments, drawn without a window or a display server."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, PathPatch, Polygon, Rectangle, Wedge
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Transform
from torch import Tensor

from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, VELOCITY, Fork
from imitation_lab.envs.pendulum import Pendulum
from imitation_lab.envs.racetrack import HEADING, Racetrack, X, Y
from imitation_lab.style import OKABE_ITO
from imitation_lab.types import Task

ROAD_START, ROAD_END = -0.4, 2.5  # metres along the road: what a picture of the fork shows
VERGE = 0.15  # metres of ground around what is drawn
LINE = 0.024  # metres: the width of edges and dashes
DASH, DASH_PERIOD = 0.14, 0.28  # metres
SURFACE, EDGE = "0.92", "0.25"  # greys
VEHICLE = np.array([[0.15, 0.0], [-0.13, 0.12], [-0.07, 0.0], [-0.13, -0.12]])  # metres
VEHICLE_SHARE = 0.8  # of a narrow lane
ROUND = torch.linspace(0, 2 * math.pi, 361, dtype=torch.float64)  # radians around the track
POLE, POLE_WIDTH = 1.0, 0.09  # metres
FRAME_WIDTH, DPI = 480, 100  # pixels, and pixels per inch

Limits = tuple[tuple[float, float], tuple[float, float]]
Draw = Callable[[Axes, Any, Tensor | None], Axes]
Points = Float[np.ndarray, "points 2"]


def draw_fork(axes: Axes, task: Fork, state: Float[Tensor, "8"] | None = None) -> Axes:
    """Draw the road, its obstacle and its goal, and the vehicle as an arrow, in the world's frame.

    Args:
        axes: Where to draw, in metres.
        task: Gives sizes and angle.
        state: The true state, in the road's frame. Without it, obstacle and goal stand in the middle
            of their ranges and there is no vehicle.
    """
    shown = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0]) if state is None else state.detach().cpu()
    patches = [*_road(task), *_obstacle(task, shown[OBSTACLE]), *_goal(task, shown[GOAL])]
    if state is not None:
        along, lateral = shown[VELOCITY].tolist()
        patches.append(_vehicle(shown[POSITION], math.atan2(lateral, along)))
    return _fill(axes, patches, _fork_limits(task), Affine2D().rotate(task.angle))


def draw_racetrack(axes: Axes, task: Racetrack, state: Float[Tensor, "5"] | None = None) -> Axes:
    """Draw the track, whose edges are where a vehicle fails, and the vehicle as an arrow.

    Args:
        axes: Where to draw, in metres.
        task: Gives the track.
        state: The true state. Without it there is no vehicle.
    """
    patches = _track(task)
    if state is not None:
        shown = state.detach().cpu()
        # Narrower than its lane: otherwise one would not see where in the lane the vehicle is.
        size = min(1.0, VEHICLE_SHARE * task.half_width / VEHICLE[:, 1].max())
        patches.append(_vehicle(shown[[X, Y]], float(shown[HEADING]), size))
    return _fill(axes, patches, _racetrack_limits(task))


def draw_pendulum(axes: Axes, task: Pendulum, state: Float[Tensor, "3"] | None = None) -> Axes:
    """Draw the range of angles in which a pole stands, with dashes upright, and the pole.

    A positive angle leans to the left.

    Args:
        axes: Where to draw, in metres.
        task: Gives the angles at which the pole counts as fallen.
        state: The true state. Without it there is a pivot and no pole.
    """
    patches = _standing_room(task)
    if state is not None:
        patches.append(_pole(float(state[0])))
    return _fill(axes, patches, _pendulum_limits(task))


def view_limits(task: Task) -> Limits:
    """Return the x range and the y range of a task's picture, in metres of the world's frame.

    Raises:
        ValueError: If there is no drawing of this kind of task.
    """
    _, limits = _drawing_of(task)
    return limits(task)


def _fill(
    axes: Axes, patches: Iterable[Patch], limits: Limits, placing: Transform | None = None
) -> Axes:
    # The placing comes after the patch's own, so that one road serves every angle.
    transform = axes.transData if placing is None else placing + axes.transData
    for patch in patches:
        patch.set_transform(transform)
        # Not add_patch, which measures every patch for automatic limits: the limits are known.
        axes.add_artist(patch)
    axes.set(xlim=limits[0], ylim=limits[1], aspect="equal", xlabel="x (m)", ylabel="y (m)")
    return axes


def _bounds(points: Points) -> Limits:
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    return (float(left), float(right)), (float(bottom), float(top))


def _vehicle(position: Float[Tensor, "2"], heading: float, size: float = 1.0) -> Patch:
    x, y = position.tolist()
    corners = Affine2D().scale(size).rotate(heading).translate(x, y).transform(VEHICLE)
    return Polygon(
        corners, facecolor=OKABE_ITO["blue"], edgecolor="white", linewidth=1.2, zorder=6,
        joinstyle="round",
    )  # fmt: skip


def _fork_limits(task: Fork) -> Limits:
    half_width = task.road_half_width + VERGE
    corners = [(x, y) for x in (ROAD_START, ROAD_END) for y in (-half_width, half_width)]
    return _bounds(Affine2D().rotate(task.angle).transform(corners))


def _road(task: Fork) -> list[Patch]:
    length, half_width = ROAD_END - ROAD_START, task.road_half_width
    surface = Rectangle((ROAD_START, -half_width), length, 2 * half_width, color=SURFACE, zorder=0)
    edges = [
        Rectangle((ROAD_START, side * half_width - LINE / 2), length, LINE, color=EDGE, zorder=1)
        for side in (-1, 1)
    ]
    dashes = [
        Rectangle((x, -LINE / 2), DASH, LINE, color="white", zorder=1)
        for x in np.arange(ROAD_START + 0.06, ROAD_END - DASH, DASH_PERIOD)
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


def _racetrack_limits(task: Racetrack) -> Limits:
    return _bounds(_lane_line(task, ROUND, task.half_width + VERGE))


def _track(task: Racetrack) -> list[Patch]:
    surface = _strips(task, ROUND[None], 0.0, 2 * task.half_width, SURFACE, zorder=0)
    edges = [
        _strips(task, ROUND[None], side * task.half_width, LINE, EDGE, zorder=1) for side in (-1, 1)
    ]
    return [surface, *edges, _strips(task, _dash_angles(task), 0.0, LINE, "white", zorder=1)]


def _strips(
    task: Racetrack,
    angles: Float[Tensor, "strips points"],
    offset: float,
    width: float,
    colour: str,
    zorder: int,
) -> Patch:
    """Return strips along the lane, with their middles at an offset from its middle, as one patch."""
    there = _lane_line(task, angles, offset + width / 2)
    back = _lane_line(task, angles.flip(1), offset - width / 2)
    outlines = Path.make_compound_path_from_polys(np.concatenate([there, back], axis=1))
    return PathPatch(outlines, facecolor=colour, edgecolor="none", zorder=zorder)


def _lane_line(
    task: Racetrack, angles: Float[Tensor, "*batch"], offset: float
) -> Float[np.ndarray, "*batch 2"]:
    """Return the points at angles around the origin that lie ``offset`` off the middle."""
    middle = task.middle(angles)
    # The inverse of Racetrack.offset, so that the edges are drawn where vehicles fail.
    stretch = 1 + offset * task.metres_per_radian(angles) / middle.square().sum(dim=-1)
    return (middle * stretch.unsqueeze(-1)).numpy()


def _dash_angles(task: Racetrack) -> Float[Tensor, "dashes points"]:
    """Return angles along every dash: equally long ones at equal distances along the lane."""
    pieces = torch.cumulative_trapezoid(task.metres_per_radian(ROUND), ROUND).numpy()
    along = np.concatenate([[0.0], pieces])  # metres driven at each angle
    starts = np.linspace(0, along[-1], round(along[-1] / DASH_PERIOD), endpoint=False)
    places = starts[:, None] + np.linspace(0, DASH, 6)
    return torch.from_numpy(np.interp(places, along, ROUND.numpy()))


def _pendulum_limits(task: Pendulum) -> Limits:
    # At least the half-plane above the pivot: poles that have just fallen are in the picture.
    reach = min(max(task.largest_angle, math.pi / 2), math.pi)
    angles = np.linspace(-reach, reach, 101)
    arc = (POLE + 2 * VERGE) * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return _bounds(np.concatenate([arc, [[0, -VERGE]]]))


def _standing_room(task: Pendulum) -> list[Patch]:
    fallen, length = task.largest_angle, POLE + VERGE
    left, right = 90 + math.degrees(fallen), 90 - math.degrees(fallen)
    surface = Wedge((0, 0), length, right, left, facecolor=SURFACE, edgecolor="none", zorder=0)
    edges = [_bar(angle, 0.0, length, LINE, EDGE) for angle in (-fallen, fallen)]
    starts = np.arange(DASH_PERIOD / 2, length - DASH, DASH_PERIOD)
    dashes = [_bar(0.0, start, start + DASH, LINE, "white") for start in starts]
    pivot = Circle(
        (0, 0), 0.4 * POLE_WIDTH, facecolor=EDGE, edgecolor="white", linewidth=1.2, zorder=7
    )
    return [surface, *edges, *dashes, pivot]


def _pole(angle: float) -> Patch:
    corners = Affine2D().rotate(angle).transform(_pole_outline())
    return Polygon(corners, facecolor=OKABE_ITO["blue"], edgecolor="white", linewidth=1.2, zorder=6)


def _pole_outline() -> Points:
    """Return the outline of an upright pole, with half a circle at either end."""
    turn = np.linspace(0, math.pi, 13)
    arc = POLE_WIDTH / 2 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([arc + np.array([0, POLE]), -arc])


def _bar(angle: float, start: float, end: float, width: float, colour: str) -> Patch:
    """Return a bar away from the origin, between two distances, at an angle from upright."""
    half = width / 2
    corners = [(-half, start), (-half, end), (half, end), (half, start)]
    turned = Affine2D().rotate(angle).transform(corners)
    return Polygon(turned, facecolor=colour, edgecolor="none", zorder=1)


# How each kind of task is drawn, and which part of the world it shows.
DRAWINGS: dict[type, tuple[Draw, Callable[[Any], Limits]]] = {
    Fork: (draw_fork, _fork_limits),
    Racetrack: (draw_racetrack, _racetrack_limits),
    Pendulum: (draw_pendulum, _pendulum_limits),
}


def _drawing_of(task: Task) -> tuple[Draw, Callable[[Any], Limits]]:
    kinds = [kind for kind in DRAWINGS if isinstance(task, kind)]
    if not kinds:
        raise ValueError(f"there is no drawing of {type(task).__name__}: add one to DRAWINGS.")
    return DRAWINGS[kinds[0]]


class Camera:
    """Takes RGB pictures of a task's states, quickly enough for videos.

    Args:
        task: One of the kinds in ``DRAWINGS``.

    Raises:
        ValueError: If there is no drawing of this kind of task.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._draw, limits = _drawing_of(task)
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
