"""Who drives, how much doubt there is, and what it costs to teach: the figures of notebook 08."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.plots.looks import POLICY_LOOKS, Look
from imitation_lab.style import OKABE_ITO

EXPERT_DRIVES = OKABE_ITO["orange"]
ENDING_MARKS = {"success": "o", "failure": "X", "cut off": "s"}
STRETCHES = 24  # of the road, each with its own mean
WAYS = [
    Look(OKABE_ITO["blue"], "o"),
    Look(OKABE_ITO["vermillion"], "s", "--"),
    Look(OKABE_ITO["reddish_purple"], "^", ":"),
    Look(OKABE_ITO["bluish_green"], "D", "-."),
]


def plot_driver(axes: Axes, score: Tensor, engaged: Tensor, low: float, high: float) -> Axes:
    """Draw a score over the steps of an episode, and shade where the expert drives.

    Args:
        axes: Where to draw.
        score: Danger or doubt (time,).
        engaged: Who drives (time,), true for the expert.
        low: Below it the expert lets go.
        high: Above it the expert engages.
    """
    for start, end in _stretches(engaged):
        axes.axvspan(start - 0.5, end - 0.5, color=EXPERT_DRIVES, alpha=0.3, lw=0)
    axes.plot(score, color=POLICY_LOOKS["expert"].color, ls="-", lw=1.2)
    for height, name in {high: "high", low: "low"}.items():
        axes.axhline(height, color="0.35", ls="--", lw=1)
        label = name if low != high else "low = high"
        axes.annotate(label, (0.0, height), va="bottom", fontsize=8)
    axes.set(xlabel="step", ylabel="danger")
    return axes


def _stretches(engaged: Tensor) -> list[tuple[int, int]]:
    """Return first step and end of every stretch in which a mask is true."""
    edges = torch.diff(engaged.int(), prepend=torch.zeros(1), append=torch.zeros(1))
    starts, ends = (edges == 1).nonzero().flatten(), (edges == -1).nonzero().flatten()
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def plot_before_crashes(axes: Axes, time_step: float, scores: Tensor, level: Tensor) -> Axes:
    """Draw a score over the last seconds before crashes: its median and quartiles.

    Args:
        axes: Where to draw.
        time_step: Seconds between steps.
        scores: (crashes, steps), the last step before the crash at the end; NaN is left out.
        level: The scores (number,) of drives that arrive.
    """
    times = time_step * torch.arange(-scores.shape[1], 0)
    low, middle, high = scores.nanquantile(torch.tensor([0.25, 0.5, 0.75]), dim=0)
    look = WAYS[1]
    axes.fill_between(times, low, high, color=look.color, alpha=0.2, lw=0)
    axes.plot(times, middle, color=look.color, marker=look.marker, ms=4, ls="-", label="to crash")
    axes.axhline(float(level.median()), color="0.35", ls="--", lw=1.2, label="to arrive")
    axes.set(xlabel="seconds before the crash", ylim=(0, None))
    axes.legend(fontsize=8, loc="upper left")
    return axes


def plot_crashes(
    axes: Axes,
    times: Sequence[float],
    crashes: Mapping[str, Sequence[Sequence[float]]],
    alone: Sequence[float],
) -> Axes:
    """Draw how many drives crash under supervision, against the supervisor's reaction time.

    Args:
        axes: Where to draw.
        times: Reaction times, in seconds.
        crashes: By kind of supervisor, for every time the shares of each policy's drives.
        alone: The shares without a supervisor.
    """
    for (name, shares), look in zip(crashes.items(), WAYS, strict=False):
        each = 100 * torch.tensor(shares)
        axes.plot(
            times,
            each.mean(dim=1),
            color=look.color,
            marker=look.marker,
            ls=look.linestyle,
            label=name,
        )
        axes.plot(times, each, look.marker, color=look.color, ms=3, alpha=0.5)
    level = 100 * sum(alone) / len(alone)
    axes.axhline(level, color="0.35", ls="--", lw=1)
    axes.annotate("nobody watches", (times[0], level + 2), va="bottom", fontsize=8)
    axes.set(xlabel="reaction time, s", ylabel="drives that crash, %", ylim=(-3, 103))
    axes.legend(fontsize=8, loc="lower right")
    return axes


def plot_learning(axes: Axes, curves: Mapping[str, Tensor], wanted: float | None = None) -> Axes:
    """Draw success against the seconds that an expert spent, one curve for each way to teach.

    Args:
        axes: Where to draw.
        curves: By way, seconds and success rates (2, rounds, seeds).
        wanted: A success rate to draw a line at.
    """
    for (name, curve), look in zip(curves.items(), WAYS, strict=False):
        seconds, rates = curve[0], 100 * curve[1]
        axes.plot(seconds, rates, look.marker, color=look.color, ms=3, alpha=0.45)
        axes.plot(
            seconds.mean(dim=1),
            rates.mean(dim=1),
            color=look.color,
            marker=look.marker,
            ms=8,
            ls=look.linestyle,
            label=name,
        )
    if wanted is not None:
        axes.axhline(100 * wanted, color="0.35", ls="--", lw=1)
    axes.set(xlabel="seconds of the expert's hands", ylabel="drives that arrive, %", ylim=(-3, 103))
    axes.legend(fontsize=8)
    return axes


def plot_roc(axes: Axes, doubts: Mapping[str, Tensor], labels: Tensor) -> Axes:
    """Draw hits against false alarms for every threshold, one curve for each kind of doubt.

    Args:
        axes: Where to draw.
        doubts: By name, the scores (number,).
        labels: Where one should have doubted (number,).
    """
    for (name, scores), look in zip(doubts.items(), WAYS, strict=False):
        ranked = labels[scores.argsort(descending=True)]
        hits = 100 * ranked.cumsum(dim=0) / ranked.sum()
        alarms = 100 * (~ranked).cumsum(dim=0) / (~ranked).sum()
        axes.plot(alarms, hits, color=look.color, ls=look.linestyle, lw=2, label=name)
    axes.plot([0, 100], [0, 100], color="0.6", ls=":", lw=1)
    axes.set(
        xlabel="alarms where all goes well, %", ylabel="alarms before a crash, %", aspect="equal"
    )
    axes.legend(fontsize=8, loc="lower right")
    return axes


def plot_doubt_along(
    axes: Axes,
    places: Tensor,
    doubts: Mapping[str, Tensor],
    look_of: Mapping[str, Look],
) -> Axes:
    """Draw quantities against where vehicles are along the road: the mean in every stretch of it.

    Args:
        axes: Where to draw.
        places: Metres along the road (number,).
        doubts: By name, quantities at these places (number,).
        look_of: How each is drawn.
    """
    edges = torch.linspace(float(places.min()), float(places.max()) + 1e-6, STRETCHES + 1)
    which = torch.bucketize(places, edges, right=True) - 1
    centres = (edges[1:] + edges[:-1]) / 2
    for name, values in doubts.items():
        counts = torch.bincount(which, minlength=STRETCHES)
        means = torch.bincount(which, weights=values.double(), minlength=STRETCHES) / counts
        look = look_of[name]
        axes.plot(
            centres[counts > 0],
            means[counts > 0],
            color=look.color,
            marker=look.marker,
            ls=look.linestyle,
            ms=4,
            label=name,
        )
    axes.set(xlabel="along the road, m")
    axes.legend(fontsize=8)
    return axes


def plot_hands(
    axes: Axes, demonstrations: Demonstrations, interface: str, time_step: float
) -> Axes:
    """Draw one interface's drives as rows, the longest on top: the speed asked for, and the ending.

    Args:
        axes: Where to draw. Its only collection maps the speeds to colours.
        demonstrations: Drives on the fork.
        interface: The driver's name in them.
        time_step: Seconds per step.
    """
    drives = sorted(demonstrations.by_driver(interface).trajectories, key=len)
    speeds = torch.full((len(drives), len(drives[-1])), torch.nan)
    for row, drive in zip(speeds, drives, strict=True):
        row[: len(drive)] = drive.actions.norm(dim=1)
    edges = time_step * torch.arange(speeds.shape[1] + 1)
    axes.pcolormesh(edges, torch.arange(len(drives) + 1), speeds, vmin=0, vmax=1, cmap="cividis")
    for row, drive in enumerate(drives):
        end = time_step * len(drive) + 0.12
        axes.plot(end, row + 0.5, ENDING_MARKS[drive.ending], color="k", ms=4)
    axes.grid(visible=False)
    axes.set(xlabel="time, s", ylabel="drives", yticks=[], title=interface)
    return axes
