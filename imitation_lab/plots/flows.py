"""From noise to data: the fields, the paths that follow them, and how noise and data are mixed."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from imitation_lab.plots.looks import POLICY_LOOKS

PLANE = 3.0  # planes of normalised actions show plus or minus this: noise seldom lies further out
SHARE = 0.25  # of the way to where an arrow points

# The velocity of points (batch, 2) at times (batch,).
Velocity = Callable[[Tensor, Tensor], Tensor]


def plot_arrows(
    axes: Axes,
    velocity: Velocity,
    time: float,
    color: str = "0.2",
    per_side: int = 13,
    width: float = 4e-3,
) -> Axes:
    """Draw a field at one time, as arrows on a grid.

    An arrow shows where its point would be at time 1 if it went straight on, at a fixed share of the
    way. So arrows of different times, where speeds differ by far, can share one scale.

    Args:
        axes: Where to draw.
        velocity: The field.
        time: At least 0 and below 1.
        color: Of the arrows.
        per_side: Arrows in a row, and in a column.
        width: Of their shafts, as a share of the axes' width.
    """
    ticks = torch.linspace(-PLANE, PLANE, per_side)
    points = torch.cartesian_prod(ticks, ticks)
    with torch.no_grad():
        ways = SHARE * (1 - time) * velocity(points, torch.full((len(points),), time)).cpu()
    axes.quiver(
        *points.T, *ways.T, angles="xy", scale_units="xy", scale=1, color=color, width=width
    )
    axes.set(xlim=(-PLANE, PLANE), ylim=(-PLANE, PLANE), aspect="equal")
    return axes


def plot_paths(axes: Axes, paths: Float[Tensor, "moments batch 2"]) -> Axes:
    """Draw the ways of points in the plane, in the flow's colour, and mark where they end."""
    look = POLICY_LOOKS["flow"]
    lines = paths.detach().cpu().transpose(0, 1)
    axes.add_collection(LineCollection(list(lines.numpy()), colors=look.color, lw=0.7, alpha=0.45))
    axes.plot(*lines[:, 0].T, ls="", marker=".", ms=2.5, color="0.45", label="noise")
    axes.plot(*lines[:, -1].T, ls="", marker=".", ms=5, color=look.color, label="action")
    axes.set(xlim=(-PLANE, PLANE), ylim=(-PLANE, PLANE), aspect="equal")
    return axes


def plot_mixtures(axes: Axes, alpha_bar: Float[Tensor, "num_timesteps"], every: int = 10) -> Axes:
    """Draw how much data and how much noise a point is made of: on a straight path, and in DDPM.

    Args:
        axes: Where to draw.
        alpha_bar: DDPM's schedule.
        every: Draw every so-manieth timestep, joined to the mixture on the straight path that has
            noise and data in the same ratio.
    """
    data, noise = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    flow, diffusion = POLICY_LOOKS["flow"], POLICY_LOOKS["diffusion"]
    for of_data, of_noise in zip(data[::every].tolist(), noise[::every].tolist(), strict=True):
        whole = of_data + of_noise
        axes.plot(
            [of_data / whole, of_data], [of_noise / whole, of_noise], color="0.75", ls="-", lw=1
        )
    times = torch.linspace(0, 1, 11)
    for look, across, up, name in (
        (flow, times, 1 - times, "flow matching"),
        (diffusion, data[::every], noise[::every], "DDPM"),
    ):
        axes.plot(across, up, color=look.color, marker=look.marker, ls=look.linestyle, label=name)
    axes.set(xlabel="times the data", ylabel="times the noise", aspect="equal")
    axes.set(xlim=(-0.05, 1.1), ylim=(-0.05, 1.1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.legend(loc="lower left", fontsize=8)
    return axes
