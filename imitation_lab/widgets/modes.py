"""Notebook 01's widget: two drivers who disagree, and what regression makes of them.

The road is seen through one number, the steering action, in metres per second sideways (left is
negative). Each driver's actions are a Gaussian; together they are a mixture of two. Everything that
the widget shows is a closed form of the mixture, computed by ``static/gaussians.js`` in the browser
and by ``summary`` here.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imitation_lab.plots import POLICY_LOOKS
from imitation_lab.style import OKABE_ITO
from imitation_lab.widgets.base import CourseWidget
from imitation_lab.widgets.gaussians import gaussian_density, gaussian_share
from imitation_lab.widgets.words import fixed, percent, signed

LIMITS = {
    "left_mode": (-1.0, 1.0),
    "right_mode": (-1.0, 1.0),
    "left_weight": (0.0, 1.0),
    "spread": (0.04, 0.4),
    "guess": (-1.0, 1.0),
    "obstacle": (0.0, 0.5),
}
REGRESSION, GAUSSIAN = POLICY_LOOKS["regression"], POLICY_LOOKS["gaussian"]
SHOWN_ACTIONS = (-1.2, 1.2)  # a little more than the range of the actions, so that tails show


@dataclass(frozen=True)
class ModesSummary:
    """What a mixture of two drivers means for regression and for a single Gaussian.

    Attributes:
        mean: The L2 optimum and the Gaussian fit's mean, in m/s.
        variance: The least expected squared error of any constant, in (m/s)².
        density_at_mean: The data's density at the L2 optimum, per m/s.
        data_in_obstacle: Share of the data that steers into the obstacle.
        gaussian_in_obstacle: Share of the Gaussian fit's samples that steers into the obstacle.
        guess: A constant action, in m/s.
        excess: What the guess costs beyond the variance, in (m/s)².
        guess_loss: The guess's expected squared error, in (m/s)².
        optimum_crashes: Whether the L2 optimum steers into the obstacle.
    """

    mean: float
    variance: float
    density_at_mean: float
    data_in_obstacle: float
    gaussian_in_obstacle: float
    guess: float
    excess: float
    guess_loss: float
    optimum_crashes: bool

    @property
    def std(self) -> float:
        """The Gaussian fit's standard deviation, in m/s."""
        return math.sqrt(self.variance)

    def sentence(self) -> str:
        """Return the numbers in words, just as the widget does."""
        verdict = "straight at the obstacle" if self.optimum_crashes else "clear of the obstacle"
        return (
            f"L2 optimum {signed(self.mean)} m/s: {verdict}. "
            f"Density of the data there: {fixed(self.density_at_mean)}. "
            f"The Gaussian fit puts {percent(self.gaussian_in_obstacle)} of its samples into the "
            f"obstacle, the drivers {percent(self.data_in_obstacle)}. "
            f"Your constant {signed(self.guess)} m/s costs {fixed(self.guess_loss)} ≈ "
            f"{fixed(self.variance)} (variance) + {fixed(self.excess)} (squared distance to the mean)."
        )


def summary(
    left_mode: float = -0.6,
    right_mode: float = 0.6,
    left_weight: float = 0.5,
    spread: float = 0.12,
    guess: float = 0.0,
    obstacle: float = 0.25,
) -> ModesSummary:
    """Return what two drivers mean for regression, in closed form.

    Args:
        left_mode: The left driver's mean action, in m/s.
        right_mode: The right driver's mean action, in m/s.
        left_weight: Share of the data that the left driver gave, in [0, 1].
        spread: Standard deviation of each driver's actions, in m/s.
        guess: A constant action, in m/s.
        obstacle: Actions smaller in size than this hit the obstacle, in m/s.
    """
    right_weight = 1 - left_weight
    mean = left_weight * left_mode + right_weight * right_mode
    variance = spread**2 + left_weight * right_weight * (right_mode - left_mode) ** 2
    excess = (guess - mean) ** 2
    return ModesSummary(
        mean=mean,
        variance=variance,
        density_at_mean=float(
            left_weight * gaussian_density(mean, left_mode, spread)
            + right_weight * gaussian_density(mean, right_mode, spread)
        ),
        data_in_obstacle=left_weight * gaussian_share(-obstacle, obstacle, left_mode, spread)
        + right_weight * gaussian_share(-obstacle, obstacle, right_mode, spread),
        gaussian_in_obstacle=gaussian_share(-obstacle, obstacle, mean, math.sqrt(variance)),
        guess=guess,
        excess=excess,
        guess_loss=variance + excess,
        optimum_crashes=abs(mean) < obstacle,
    )


class DragTheModes(CourseWidget, front_end="modes"):
    """Two drivers' actions as a mixture whose modes the student drags.

    On the left, the road and the density of the actions with the L2 optimum and the Gaussian fit; on
    the right, the expected squared error of one constant action, which the student rolls downhill.
    All six traits can be read and set from Python; ``summary`` explains them. A drag writes them
    back when it ends.
    """

    left_mode = traitlets.Float(-0.6).tag(sync=True)
    right_mode = traitlets.Float(0.6).tag(sync=True)
    left_weight = traitlets.Float(0.5).tag(sync=True)
    spread = traitlets.Float(0.12).tag(sync=True)
    guess = traitlets.Float(0.0).tag(sync=True)
    obstacle = traitlets.Float(0.25).tag(sync=True)

    def __init__(
        self,
        left_mode: float = -0.6,
        right_mode: float = 0.6,
        left_weight: float = 0.5,
        spread: float = 0.12,
        guess: float = 0.0,
        obstacle: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            left_mode=left_mode,
            right_mode=right_mode,
            left_weight=left_weight,
            spread=spread,
            guess=guess,
            obstacle=obstacle,
            **kwargs,
        )

    @traitlets.validate(*LIMITS)
    def _within_limits(self, proposal: dict[str, Any]) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise traitlets.TraitError(
                f"{name} must lie between {low:g} and {high:g}, got {value:g}."
            )
        modes = {"left_mode": self.left_mode, "right_mode": self.right_mode} | {name: value}
        if modes["left_mode"] > modes["right_mode"]:
            raise traitlets.TraitError(
                f"left_mode must not exceed right_mode, got {modes['left_mode']:g} and "
                f"{modes['right_mode']:g}: move the mode that must make room first."
            )
        return value

    def summary(self) -> ModesSummary:
        """Return the numbers that the widget shows."""
        return summary(**{name: getattr(self, name) for name in LIMITS})

    def describe(self) -> str:
        """Return in words what the widget shows."""
        return (
            f"Left: two drivers steer at {signed(self.left_mode)} and {signed(self.right_mode)} "
            f"m/s, the left one in {percent(self.left_weight)} of the data, and the L2 optimum and "
            "the Gaussian fit lie between them. Right: the expected squared error of a constant "
            f"action is a parabola over the floor of the variance. {self.summary().sentence()}"
        )

    def figure(self) -> Figure:
        """Return the two panels as a figure."""
        figure = Figure(figsize=(9.0, 3.8), layout="constrained")
        density_axes, loss_axes = figure.subplots(1, 2, width_ratios=(3, 2))
        plot_density(density_axes, self)
        plot_loss(loss_axes, self)
        handles = {label: handle for axes in figure.axes for handle, label in _legend(axes)}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
        return figure


def plot_density(axes: Axes, modes: DragTheModes) -> Axes:
    """Draw the drivers' density, the Gaussian fit and the L2 optimum over the steering action."""
    numbers = modes.summary()
    actions = np.linspace(*SHOWN_ACTIONS, 481)
    left = modes.left_weight * gaussian_density(actions, modes.left_mode, modes.spread)
    right = (1 - modes.left_weight) * gaussian_density(actions, modes.right_mode, modes.spread)
    _shade_obstacle(axes, modes.obstacle)
    axes.fill_between(actions, left + right, color=OKABE_ITO["blue"], alpha=0.2, linewidth=0)
    axes.plot(actions, left + right, color=OKABE_ITO["blue"], label="the drivers")
    fit = gaussian_density(actions, numbers.mean, numbers.std)
    axes.plot(actions, fit, GAUSSIAN.linestyle, color=GAUSSIAN.color, label="Gaussian fit")
    _mark_optimum(axes, numbers.mean)
    axes.set(xlim=SHOWN_ACTIONS, ylim=(0, None), title="What the drivers do")
    axes.set(xlabel="steering action a (m/s, left negative)", ylabel="density (per m/s)")
    return axes


def plot_loss(axes: Axes, modes: DragTheModes) -> Axes:
    """Draw the expected squared error of a constant action, with its floor and the guess."""
    numbers = modes.summary()
    constants = np.linspace(*SHOWN_ACTIONS, 481)
    losses = numbers.variance + (constants - numbers.mean) ** 2
    _shade_obstacle(axes, modes.obstacle)
    axes.plot(constants, losses, color=REGRESSION.color, label="error of the constant c")
    _mark_optimum(axes, numbers.mean)
    floor = f"floor: variance {fixed(numbers.variance)}"
    axes.axhline(numbers.variance, color=OKABE_ITO["black"], linestyle=":", label=floor)
    guess = f"your constant {signed(modes.guess)} costs {fixed(numbers.guess_loss)}"
    ball: dict[str, Any] = {
        "marker": "o",
        "markersize": 9,
        "markeredgecolor": "black",
        "linestyle": "none",
    }
    axes.plot(modes.guess, numbers.guess_loss, color=OKABE_ITO["yellow"], label=guess, **ball)
    axes.set(xlim=SHOWN_ACTIONS, ylim=(0, None), title="What one constant costs")
    axes.set(xlabel="constant action c (m/s)", ylabel="expected squared error (m²/s²)")
    return axes


def _shade_obstacle(axes: Axes, obstacle: float) -> None:
    axes.axvspan(-obstacle, obstacle, color="0.88", label="hits the obstacle")


def _mark_optimum(axes: Axes, mean: float) -> None:
    label = f"L2 optimum {signed(mean)}"
    axes.axvline(mean, color=REGRESSION.color, linestyle="-.", label=label)


def _legend(axes: Axes) -> list[tuple[Any, str]]:
    return list(zip(*axes.get_legend_handles_labels(), strict=True))
