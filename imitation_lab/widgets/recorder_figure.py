"""The static picture of the recorder: the road and all drives on it."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.envs.drawing import draw_fork, draw_racetrack
from imitation_lab.style import OKABE_ITO
from imitation_lab.types import Ending, Trajectory
from imitation_lab.widgets.recorder_numbers import ENDINGS

LOOKS = {  # colour, line style and mark at the end
    Ending.SUCCESS: (OKABE_ITO["blue"], "-", "o"),
    Ending.FAILURE: (OKABE_ITO["vermillion"], "--", "x"),
    Ending.CUT_OFF: ("0.35", ":", "|"),
}


def plot_drives(task: Fork | Racetrack, trajectories: Sequence[Trajectory]) -> Figure:
    """Draw the road in the world's frame, and the trail of every drive as it ended."""
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    if isinstance(task, Fork):
        draw_fork(axes, task)
    else:
        draw_racetrack(axes, task)
    for trajectory in trajectories:
        _draw_trail(axes, trajectory)
    if trajectories:
        figure.legend(*_legend(axes), loc="outside lower center", ncols=3)
    return figure


def _draw_trail(axes: Axes, trajectory: Trajectory) -> None:
    colour, style, mark = LOOKS[trajectory.ending]
    x, y = trajectory.observations[:, :2].T
    axes.plot(x, y, style, color=colour, lw=1.1, alpha=0.8, label=ENDINGS[trajectory.ending])
    axes.plot(x[-1:], y[-1:], mark, color=colour, ms=6)


def _legend(axes: Axes) -> tuple[list, list[str]]:
    """Return one line for every ending that occurs."""
    lines = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    return list(lines.values()), list(lines)
