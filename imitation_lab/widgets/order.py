"""Notebook 04's widget: actions of two numbers, and what bins make of them.

``order_numbers`` and ``order_sampling`` hold the arithmetic, ``order_figure`` the static picture.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.widgets import order_numbers
from imitation_lab.widgets.base import CourseWidget
from imitation_lab.widgets.order_figure import plot_order
from imitation_lab.widgets.order_numbers import LIMIT, MODELS, ORDERS, OrderSummary
from imitation_lab.widgets.order_sampling import draw_samples

BINS = (3, 15)
OWN = "own"  # the preset's name once the student has touched it
Pairs = Sequence[Sequence[float]] | np.ndarray | Tensor
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def _corner(side: int, count: int) -> list[list[float]]:
    """Return ``count`` squared actions around a corner, -1 for left-and-brake, 1 for right-and-faster.

    Every steer meets every speed: within a corner the two numbers know nothing of each other.
    """
    steps = np.linspace(-0.26, 0.26, count)
    steer, speed = (side * (0.6 + steps + 0.04 * np.cos(np.arange(count) * k)) for k in (5, 7))
    return _rounded(np.repeat(steer, count), np.tile(speed, count))


def _ring(count: int) -> list[list[float]]:
    angles = 2 * math.pi * (np.arange(count) + 0.5) / count
    radii = 0.9 + 0.1 * np.cos(GOLDEN_ANGLE * np.arange(count))
    return _rounded(radii * np.cos(angles), radii * np.sin(angles))


def _line(count: int) -> list[list[float]]:
    along = np.linspace(-1.1, 1.1, count)
    across = 0.12 * np.cos(GOLDEN_ANGLE * np.arange(count))
    return _rounded(along - across, along + across)


def _rounded(steer: np.ndarray, speed: np.ndarray) -> list[list[float]]:
    return np.stack([steer, speed], axis=1).round(2).tolist()


PRESETS = {
    "xor": _corner(-1, 4) + _corner(1, 4),
    "corners": _corner(-1, 5) + _corner(1, 3),
    "line": _line(32),
    "ring": _ring(40),
    "clear": [],
}


class ChooseTheOrder(CourseWidget, front_end="order"):
    """Demonstrated actions (steer, speed) on a plane, and two policies that see them through bins.

    Beside the plane stand the probabilities of *independent* bins, the product of two marginals, and
    of *autoregressive* bins, where the second number is drawn given the first. The student adds,
    moves and removes actions, picks which number comes first, and steps through the sampling.

    Both policies are fitted by counting. So the chain rule holds exactly and either order gives the
    same joint; and with fine bins every demonstrated action gets a cell of its own, which is
    memory. A learned autoregressive policy generalises between cells, and its order may matter.

    Attributes:
        actions: Pairs [steer, speed] in m/s, each in ±1.5; left and braking are negative.
        preset: ``"xor"``, ``"corners"``, ``"line"``, ``"ring"`` or ``"clear"``; ``"own"`` once the
            actions are others.
        bins: Bins per number, from 3 to 15.
        order: Which number is drawn first, ``"steer"`` or ``"speed"``.
        obstacles: Whether left-and-fast and right-and-slow count as crashes.
        seed: Of the samples, at least 0.
    """

    actions = traitlets.List(traitlets.List(traitlets.Float(), minlen=2, maxlen=2)).tag(sync=True)
    preset = traitlets.Enum([*PRESETS, OWN], "xor").tag(sync=True)
    bins = traitlets.Int(9).tag(sync=True)
    order = traitlets.Enum(ORDERS, "steer").tag(sync=True)
    obstacles = traitlets.Bool(True).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    presets = traitlets.Dict(PRESETS, read_only=True).tag(sync=True)  # the browser picks from them

    def __init__(
        self,
        actions: Pairs | None = None,
        preset: str = "xor",
        bins: int = 9,
        order: str = "steer",
        obstacles: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if actions is not None:
            preset = OWN
        super().__init__(
            actions=PRESETS.get(preset, []) if actions is None else as_pairs(actions),
            preset=preset,
            bins=bins,
            order=order,
            obstacles=obstacles,
            seed=seed,
            **kwargs,
        )

    @traitlets.validate("actions")
    def _on_the_plane(self, proposal: dict[str, Any]) -> list[list[float]]:
        for index, action in enumerate(proposal["value"]):
            if not all(abs(value) <= LIMIT for value in action):
                raise traitlets.TraitError(
                    f"every number of an action must lie between -{LIMIT:g} and {LIMIT:g}, got "
                    f"{action} at index {index}: scale or clip the actions first."
                )
        return proposal["value"]

    @traitlets.validate("bins", "seed")
    def _within_limits(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = BINS if name == "bins" else (0, 2**31 - 1)
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name} must lie between {low} and {high}, got {value}.")
        return value

    @traitlets.observe("preset")
    def _lay_out_the_preset(self, change: dict[str, Any]) -> None:
        if change["new"] != OWN:
            self.actions = PRESETS[change["new"]]

    @traitlets.observe("actions")
    def _name_the_actions(self, change: dict[str, Any]) -> None:
        if change["new"] != PRESETS.get(self.preset):
            self.preset = OWN

    def summary(self) -> OrderSummary:
        """Return the numbers that the widget shows."""
        return order_numbers.summary(self.actions, self.bins, self.order)

    def samples(self, model: str = "autoregressive") -> list[list[float]]:
        """Return the samples that the widget shows of ``"independent"`` or ``"autoregressive"``."""
        if model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}, got {model!r}.")
        return draw_samples(self.actions, self.bins, model, self.order, self.seed)

    def describe(self) -> str:
        """Return in words what the widget shows."""
        numbers = self.summary()
        return (
            f"Left: {numbers.count} demonstrated actions on the plane of steer and speed. Middle: the "
            f"probabilities of independent bins, {self.bins} per number. Right: those of "
            f"autoregressive bins, {self.order} first. {numbers.sentence(self.obstacles)}"
        )

    def figure(self) -> Figure:
        """Return the three panels as a figure."""
        samples = {model: self.samples(model) for model in MODELS}
        return plot_order(self.actions, self.bins, self.order, samples, self.obstacles)


def as_pairs(actions: Pairs) -> list[list[float]]:
    """Return actions, also those of an array or a tensor, as a list of pairs.

    Raises:
        ValueError: If the actions are not pairs.
    """
    array = np.asarray(actions, dtype=float)
    if array.size == 0:
        return []
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"expected actions of shape (count, 2), got {array.shape}.")
    return array.tolist()
