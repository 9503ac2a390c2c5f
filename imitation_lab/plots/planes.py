"""Actions of two numbers: tables of probabilities and clouds of samples in the plane."""

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.plots.looks import POLICY_LOOKS
from imitation_lab.toys import LIMIT

SHADES = "Blues"  # white where nobody acts


def plot_table(
    axes: Axes,
    probabilities: Float[Tensor, "num_bins num_bins"],
    darkest: float | None = None,
) -> Axes:
    """Draw a table of probabilities over (steer, speed), with the marginals along its edges.

    Args:
        axes: Where to draw.
        probabilities: One for each cell: ``probabilities[steer_bin, speed_bin]``. The bins of both
            numbers share the range of the toys.
        darkest: The probability drawn darkest; by default the largest. Give one number to several
            tables that are to be compared.
    """
    table = probabilities.detach().cpu()
    axes.imshow(
        table.T,
        cmap=SHADES,
        vmin=0,
        vmax=darkest or float(table.max()),
        origin="lower",
        extent=(-LIMIT, LIMIT, -LIMIT, LIMIT),
    )
    axes.set(xlabel="steer, m/s", ylabel="speed, m/s", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    edges = torch.linspace(-LIMIT, LIMIT, len(table) + 1)
    above = axes.inset_axes((0, 1.03, 1, 0.16), sharex=axes)
    above.stairs(table.sum(dim=1), edges, color="0.35", lw=1, fill=True, alpha=0.5)
    beside = axes.inset_axes((1.03, 0, 0.16, 1), sharey=axes)
    beside.stairs(
        table.sum(dim=0), edges, orientation="horizontal", color="0.35", lw=1, fill=True, alpha=0.5
    )
    for margin in (above, beside):
        margin.axis("off")
    return axes


def plot_plane(
    axes: Axes, actions: Float[Tensor, "batch 2"], policy: str, limit: float = LIMIT
) -> Axes:
    """Draw actions of two numbers, in m/s, as a cloud of points in a policy's look."""
    look = POLICY_LOOKS[policy]
    points = actions.detach().cpu()
    axes.scatter(*points.T, s=12, color=look.color, marker=look.marker, alpha=0.4, linewidths=0)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    return axes
