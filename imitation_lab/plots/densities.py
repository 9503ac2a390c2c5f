"""Densities of one-dimensional actions: the truth, and what stands for it."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.plots.looks import POLICY_LOOKS, Look
from imitation_lab.style import OKABE_ITO
from imitation_lab.toys import LIMIT, Toy


def plot_toy(axes: Axes, toy: Toy) -> Axes:
    """Draw the exact density of a toy's actions, one number each, as a filled curve."""
    actions = torch.linspace(-LIMIT, LIMIT, 601)
    density = toy.log_prob(actions[:, None]).exp()
    axes.fill_between(actions, density, color="0.85", linewidth=0, label="truth")
    axes.set(xlabel="action, m/s", ylabel="density per m/s", xlim=(-LIMIT, LIMIT), ylim=(0, None))
    return axes


def plot_bins(
    axes: Axes, probabilities: Float[Tensor, "num_bins"], low: float, high: float
) -> Axes:
    """Draw the density of a categorical distribution whose bins share [low, high] evenly."""
    num_bins, look = len(probabilities), POLICY_LOOKS["categorical"]
    heights = probabilities.detach().cpu() * num_bins / (high - low)
    edges = torch.linspace(low, high, num_bins + 1)
    axes.stairs(heights, edges, color=look.color, lw=1.5, label=f"{num_bins} bins")
    return axes


def plot_gaussian(axes: Axes, mean: float | Tensor, std: float | Tensor) -> Axes:
    """Draw the density of a single Gaussian."""
    actions, look = torch.linspace(-LIMIT, LIMIT, 601), POLICY_LOOKS["gaussian"]
    density = torch.distributions.Normal(mean, std).log_prob(actions).exp()
    axes.plot(actions, density, color=look.color, ls=look.linestyle, label="Gaussian")
    return axes


def plot_mixture(
    axes: Axes,
    weights: Float[Tensor, "components"],
    means: Float[Tensor, "components"],
    stds: Float[Tensor, "components"],
) -> Axes:
    """Draw a mixture of Gaussians over one number: its components filled, their sum as a line."""
    actions, look = torch.linspace(-LIMIT, LIMIT, 1201), POLICY_LOOKS["mixture"]
    weights, means, stds = (numbers.detach().cpu() for numbers in (weights, means, stds))
    normals = torch.distributions.Normal(means, stds)
    hills = weights * normals.log_prob(actions[:, None]).exp()
    for component, hill in enumerate(hills.T):
        color = component_color(component)
        axes.fill_between(actions, hill, color=color, alpha=0.35, linewidth=0)
    axes.plot(actions, hills.sum(dim=1), color=look.color, ls=look.linestyle, label="mixture")
    return axes


def plot_shares(
    axes: Axes, actions: Float[Tensor, "count"], shares: Float[Tensor, "count components"]
) -> Axes:
    """Draw how components share out each action, one above the other, up to one."""
    colors = [component_color(component) for component in range(shares.shape[1])]
    axes.stackplot(actions.cpu(), shares.detach().cpu().T, colors=colors, alpha=0.6)
    axes.set(ylabel="responsibility", ylim=(0, 1), xlim=(float(actions[0]), float(actions[-1])))
    return axes


def plot_dots(axes: Axes, groups: Mapping[str, Sequence[float]], looks: Sequence[Look]) -> Axes:
    """Draw every single value of some groups as a dot, and each group's mean as a bar.

    Args:
        axes: Where to draw.
        groups: Values by the name of their group, one column each.
        looks: One per group.
    """
    for column, (values, look) in enumerate(zip(groups.values(), looks, strict=True)):
        beside = column + torch.linspace(-0.22, 0.22, len(values))
        axes.plot(beside, values, color=look.color, marker=look.marker, ls="", ms=4, alpha=0.8)
        axes.hlines(sum(values) / len(values), column - 0.3, column + 0.3, color="black", lw=1.5)
    axes.set_xticks(range(len(groups)), list(groups))
    return axes


def component_color(component: int) -> str:
    """Return the colour of a mixture's component, by its number."""
    names = ("blue", "orange", "reddish_purple", "sky_blue", "vermillion", "yellow")
    return OKABE_ITO[names[component % len(names)]]
