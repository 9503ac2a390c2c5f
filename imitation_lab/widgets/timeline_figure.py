"""The static picture of the chunk timeline: the road, what all plans steer, and the rows of chunks."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from imitation_lab.envs.drawing import draw_fork
from imitation_lab.envs.fork import POSITION
from imitation_lab.plots.looks import DRIVER_LOOKS
from imitation_lab.style import OKABE_ITO
from imitation_lab.traces import Fate
from imitation_lab.widgets.timeline_numbers import Drive

STRAIGHT = 0.1  # m/s: what steers less goes to neither side
NEUTRAL = "0.45"
LOOKS = {  # of a box: filled, hatch, line style, opacity
    Fate.TAKEN: (True, "", "-", 1.0),
    Fate.HELD: (True, "", "--", 1.0),
    Fate.MISSED: (False, "/////", "-", 0.6),
    Fate.AWAITED: (False, "", ":", 0.9),
    Fate.TO_COME: (False, "", "-", 1.0),
    Fate.DISCARDED: (False, "", "-", 0.3),
}


def plot_timeline(drive: Drive, step: int) -> Figure:
    """Draw a drive at a step."""
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(2, 3), height_ratios=(1, 2.4))
    road = figure.add_subplot(grid[:, 0])
    steering = figure.add_subplot(grid[0, 1])
    rows = figure.add_subplot(grid[1, 1], sharex=steering)
    draw_road(road, drive, step)
    draw_steering(steering, drive, step)
    draw_rows(rows, drive, step)
    handles = [*road.get_legend_handles_labels()[0], *_samples()]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
    return figure


def draw_road(axes: Axes, drive: Drive, step: int) -> Axes:
    """Draw the road from above, the way that the vehicle came, its plan and the one thrown away."""
    task, states = drive.task, drive.trace.states
    draw_fork(axes, task, states[step])
    axes.plot(*_places(drive, states[: step + 1]), ".-", color="0.3", ms=3, lw=1, label="driven")
    if step < len(drive.trace):
        ahead = drive.trace.planned_states(drive.trace.playing(step), step)
        axes.plot(*_places(drive, ahead), ".-", color=OKABE_ITO["blue"], lw=2, label="plan ahead")
        gone = drive.thrown_away(step)
        if gone:
            old = _places(drive, drive.trace.planned_states(*gone))
            axes.plot(*old, ":", color=OKABE_ITO["vermillion"], lw=1.8, label="old plan")
    axes.set_title(f"{drive.trace.label}, step {step}")
    return axes


def _places(drive: Drive, states: torch.Tensor) -> Sequence[torch.Tensor]:
    return drive.task.to_world(states[:, POSITION]).T.unbind()


def draw_steering(axes: Axes, drive: Drive, step: int) -> Axes:
    """Draw what every plan steers that was at hand by a step, and what was done."""
    trace, horizon = drive.trace, drive.commands.shape[1]
    for chunk, ready in enumerate(trace.ready):
        steps = range(ready, trace.born[chunk] + horizon) if ready <= step else range(0)
        axes.plot(
            [at + 0.5 for at in steps],
            [drive.lateral(chunk, at) for at in steps],
            "--",
            color="0.6",
            lw=0.9,
        )
    done = [drive.lateral(trace.playing(at), at) for at in range(step)]
    axes.plot([at + 0.5 for at in range(step)], done, color="black", lw=2.2)
    for takeover in drive.takeovers:
        if takeover.jumps and takeover.step <= step:
            places = [takeover.step + 0.5] * 2
            axes.plot(places, [takeover.old, takeover.new], color=OKABE_ITO["vermillion"], lw=2.5)
    axes.axvline(step, color="black", lw=1)
    axes.set(ylim=(-1.05, 1.05), yticks=[-0.7, 0, 0.7], yticklabels=["right", "straight", "left"])
    axes.set_title("what the plans steer, dashed, and what was done")
    axes.tick_params(labelbottom=False)
    return axes


def draw_rows(axes: Axes, drive: Drive, step: int) -> Axes:
    """Draw one row for each chunk asked for by a step: what became of its actions."""
    for chunk, fates in enumerate(drive.trace.fates(step)):
        for index, fate in enumerate(fates):
            at = drive.trace.born[chunk] + index
            lateral = drive.lateral(chunk, at)
            for patch in _cell(at, chunk, lateral, fate):
                axes.add_patch(patch)
    last, rows = drive.trace.born[-1] + drive.commands.shape[1], len(drive.trace.born)
    axes.axvline(step, color="black", lw=1)
    axes.set(xlim=(0, last), ylim=(rows + 0.5, 0.5), xlabel="step", ylabel="chunk")
    return axes


def _cell(at: int, chunk: int, lateral: float, fate: Fate) -> list[Patch]:
    filled, hatch, style, alpha = LOOKS[fate]
    colour = _colour(lateral)
    box = Rectangle((at + 0.06, chunk + 0.56), 0.88, 0.88, ls=style, hatch=hatch, alpha=alpha)
    box.set(edgecolor=colour, facecolor=colour if filled else "none", linewidth=0.9)
    if fate is Fate.AWAITED:
        return [box]
    size = max(0.04, 0.4 * abs(lateral))  # a row's number grows downwards: left is up
    bar = Rectangle((at + 0.3, chunk + 1), 0.4, -size if lateral > 0 else size, alpha=alpha)
    bar.set(facecolor="white" if filled else colour, edgecolor="none")
    return [box, bar]


def _colour(lateral: float) -> str:
    if abs(lateral) < STRAIGHT:
        return NEUTRAL
    return DRIVER_LOOKS["left" if lateral > 0 else "right"].color


def _samples() -> list[Patch]:
    names = {Fate.TAKEN: "taken", Fate.MISSED: "missed", Fate.AWAITED: "being thought of"}
    names |= {Fate.TO_COME: "still to come", Fate.DISCARDED: "thrown away"}
    samples = []
    for fate, name in names.items():
        filled, hatch, style, alpha = LOOKS[fate]
        sample = Patch(ls=style, hatch=hatch, alpha=alpha, label=name, edgecolor="0.25")
        sample.set_facecolor("0.25" if filled else "none")
        samples.append(sample)
    return samples
