"""Notebook 03's widget: a mixture of Gaussians that one moves by hand or lets follow its gradient."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imitation_lab.plots import POLICY_LOOKS
from imitation_lab.style import OKABE_ITO
from imitation_lab.widgets.base import CourseWidget
from imitation_lab.widgets.components_numbers import (
    LIMITS,
    NUM_ACTIONS,
    NUM_IDLE,
    STARTS,
    TRUTHS,
    ComponentsSummary,
    ascend,
    data_actions,
    start_components,
    summary,
)
from imitation_lab.widgets.gaussians import gaussian_density
from imitation_lab.widgets.words import fixed, percent, signed

MIXTURE = POLICY_LOOKS["mixture"]
HUES = [OKABE_ITO[name] for name in ("blue", "vermillion", "reddish_purple", "orange")]
ROUNDING = 1e-9  # the browser's logarithm of a limit may differ from Python's in the last digit
HEADROOM = 1.6  # times the true density's peak


class DragTheComponents(CourseWidget, front_end="components"):
    """A mixture of Gaussians over one action, beside data whose true density is known.

    On the left, the densities with a handle for each mean, weight and width, and arrows along the
    gradient of the mean log-likelihood; on the right, that likelihood and what each component holds.
    ``components`` holds a row of logit, mean (m/s) and log standard deviation for each component. It
    is written back when a drag or a climb ends.

    The data are 200 actions of ``"two drivers"``, of ``"three lanes"``, or the first of these with
    twenty exact zeros (``"idle zeros"``), on which a component collapses. A component ``"one astray"``
    starts too far from the data to be pulled by them. ``seed`` is that of a start ``"at random"``.
    """

    components = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    data = traitlets.Enum(list(TRUTHS), "two drivers").tag(sync=True)
    start = traitlets.Enum(STARTS, "spread").tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    sigma_floor = traitlets.Float(0.02).tag(sync=True)

    def __init__(
        self,
        num_components: int = 3,
        data: str = "two drivers",
        start: str = "spread",
        sigma_floor: float = 0.02,
        components: Sequence[Sequence[float]] | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if components is None:
            _check_count(num_components)
            components = start_components(start, num_components, seed).tolist()
        kwargs |= {"data": data, "start": start, "sigma_floor": sigma_floor, "seed": seed}
        super().__init__(components=[list(row) for row in components], **kwargs)

    @traitlets.validate("components")
    def _check_components(self, proposal: dict[str, Any]) -> list[list[float]]:
        rows = proposal["value"]
        _check_count(len(rows))
        for row in rows:
            if len(row) != 3:
                raise traitlets.TraitError(
                    f"a component is a logit, a mean and a log_std, got {len(row)} numbers."
                )
            for name, value in zip(("logit", "mean", "log_std"), row, strict=True):
                _check_limits(name, value)
        return rows

    @traitlets.validate("sigma_floor")
    def _check_floor(self, proposal: dict[str, Any]) -> float:
        _check_limits("sigma_floor", proposal["value"])
        return proposal["value"]

    @property
    def logits(self) -> np.ndarray:
        """The logits of the weights, ``(components,)``."""
        return np.array(self.components)[:, 0]

    @property
    def means(self) -> np.ndarray:
        """The means ``(components,)``, in m/s."""
        return np.array(self.components)[:, 1]

    @property
    def log_stds(self) -> np.ndarray:
        """The log standard deviations ``(components,)``, none below the floor's."""
        return np.log(self.summary().stds)

    @property
    def actions(self) -> np.ndarray:
        """The data ``(200,)``, in m/s."""
        return data_actions(self.data).copy()

    def start_anew(self, num_components: int | None = None, start: str | None = None) -> None:
        """Put the components back to a start; without arguments, the same number and start.

        Every start at random has means of its own.
        """
        count = len(self.components) if num_components is None else num_components
        _check_count(count)
        self.start = self.start if start is None else start
        if self.start == "at random":
            self.seed += 1
        self.components = start_components(self.start, count, self.seed).tolist()

    def follow_gradient(self, steps: int = 600) -> None:
        """Take steps of gradient ascent on the mean log-likelihood, just as the button does."""
        climbed = ascend(np.array(self.components), self.data, self.sigma_floor, steps)
        self.components = climbed.tolist()

    def summary(self) -> ComponentsSummary:
        """Return the numbers that the widget shows."""
        return summary(np.array(self.components), self.data, self.sigma_floor)

    def describe(self) -> str:
        """Return in words what the widget shows."""
        numbers = self.summary()
        rows = zip(numbers.weights, self.means, numbers.stds, numbers.responsibilities, strict=True)
        parts = [
            f"component {index} has weight {percent(weight)}, mean {signed(mean)} m/s, width "
            f"{fixed(std, 3)} m/s and holds {fixed(held * NUM_ACTIONS, 0)} actions"
            for index, (weight, mean, std, held) in enumerate(rows, 1)
        ]
        return (
            f"A mixture of Gaussians over {NUM_ACTIONS} steering actions ({self.data}) with their true "
            f"density: {'; '.join(parts)}. {numbers.sentence()}"
        )

    def figure(self) -> Figure:
        """Return the mixture and its components' shares as a figure."""
        figure = Figure(figsize=(9.0, 3.8), layout="constrained")
        mixture_axes, share_axes = figure.subplots(1, 2, width_ratios=(3, 2))
        plot_mixture(mixture_axes, self)
        plot_shares(share_axes, self)
        figure.legend(loc="outside lower center", ncols=5)
        return figure


def _check_count(count: int) -> None:
    low, high = LIMITS["num_components"]
    if not low <= count <= high:
        raise traitlets.TraitError(f"a mixture has {low} to {high} components here, got {count}.")


def _check_limits(name: str, value: float) -> None:
    low, high = LIMITS[name]
    if not low - ROUNDING <= value <= high + ROUNDING:
        raise traitlets.TraitError(f"{name} must lie between {low:g} and {high:g}, got {value:g}.")


def plot_mixture(axes: Axes, widget: DragTheComponents) -> Axes:
    """Draw the data, the true density, the mixture and its components."""
    numbers = widget.summary()
    low, high = LIMITS["mean"]
    narrow = np.concatenate([
        mean + std * np.linspace(-4, 4, 33)
        for mean, std in zip(widget.means, numbers.stds, strict=True)
    ])  # fmt: skip
    grid = np.sort(np.concatenate([np.linspace(low, high, 601), narrow])).clip(low, high)
    share = 1 - NUM_IDLE / NUM_ACTIONS if widget.data == "idle zeros" else 1
    truth = share * TRUTHS[widget.data].density(grid)
    axes.plot(grid, truth, "--", color=OKABE_ITO["black"], label="true density")
    parts = [
        weight * gaussian_density(grid, mean, std)
        for weight, mean, std in zip(numbers.weights, widget.means, numbers.stds, strict=True)
    ]
    axes.fill_between(grid, sum(parts), color=MIXTURE.color, alpha=0.16, linewidth=0)
    axes.plot(grid, sum(parts), color=MIXTURE.color, linewidth=2.5, label="the mixture")
    for index, part in enumerate(parts):
        style = "-." if index < len(HUES) else ":"
        axes.plot(grid, part, style, color=HUES[index % len(HUES)], label=f"component {index + 1}")
    top = HEADROOM * truth.max()
    axes.plot(
        widget.actions, np.full(NUM_ACTIONS, -0.03 * top), "|", color="0.4", label="the actions"
    )
    axes.set(xlim=(low, high), ylim=(-0.06 * top, top), title="A mixture of Gaussians")
    axes.set(xlabel="steering action a (m/s, left negative)", ylabel="density (per m/s)")
    return axes


def plot_shares(axes: Axes, widget: DragTheComponents) -> Axes:
    """Draw every component's weight beside the share of the data that it holds."""
    numbers = widget.summary()
    places = np.arange(len(numbers.weights))
    colours = [HUES[index % len(HUES)] for index in places]
    axes.barh(places - 0.2, numbers.weights, 0.36, color=colours)
    axes.barh(
        places + 0.2,
        numbers.responsibilities,
        0.36,
        facecolor="white",
        edgecolor=colours,
        hatch="///",
    )
    axes.set_yticks(places, [str(index + 1) for index in places])
    axes.invert_yaxis()
    axes.set(xlabel="weight (filled), data held (hatched)", ylabel="component")
    axes.set_title(f"Mean log-likelihood {signed(numbers.log_likelihood)} nats")
    return axes
