"""Notebook 02's widget: one action in bins, and what bins, demonstrations and temperature cost.

The action is the steering command of notebook 01, in metres per second sideways. Its true density is
known, so every number is exact: bin masses by the error function, the floor by quadrature.
``static/bins_numbers.js`` computes the same in the browser.
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
from imitation_lab.widgets.mixtures import Mixture1D
from imitation_lab.widgets.words import fixed, percent, plain, signed

LOW, HIGH = -1.5, 1.5  # m/s: what the bins divide
SMOOTHING = 0.5  # added to every bin's count: without it one empty bin costs infinitely many nats
FARTHEST = 40  # standard deviations: there the density is zero in floating point
LIMITS: dict[str, tuple[float, float]] = {
    "num_bins": (2, 101),
    "num_actions": (20, 10_000),
    "temperature": (0.0, 3.0),
    "seed": (0, 2**31 - 1),
    "left_mode": (-1.0, 1.0),
    "right_mode": (-1.0, 1.0),
    "left_weight": (0.0, 1.0),
    "spread": (0.04, 0.4),
    "obstacle": (0.0, 0.5),
}
CATEGORICAL = POLICY_LOOKS["categorical"]
AXIS_NATS = (-0.2, 1.35)  # shown of the costs, counted from the floor


@dataclass(frozen=True)
class BinsSummary:
    """What a categorical policy over bins costs, and where the cost comes from.

    Attributes:
        num_actions: Demonstrated actions that the bins were counted from.
        probabilities: The policy's probability of each bin, at its temperature.
        entropy: The truth's differential entropy, in nats: no policy's expected cost is lower.
        nats: The policy's expected cost, in nats per action of the truth. It is infinite where the
            policy gives no probability to what the drivers do.
        nats_at_one: The same at temperature 1.
        nats_endless: The same bins' cost with their true shares as probabilities.
        truth_in_obstacle: Share of the drivers' actions that hits the obstacle.
        policy_in_obstacle: Share of the policy's samples, centres of bins, that hits the obstacle.
        rounding: Root mean square distance of the drivers' actions from their bins' centres, in m/s.
    """

    num_actions: int
    probabilities: tuple[float, ...]
    entropy: float
    nats: float
    nats_at_one: float
    nats_endless: float
    truth_in_obstacle: float
    policy_in_obstacle: float
    rounding: float

    def sentence(self) -> str:
        """Return the numbers in words, just as the widget does."""
        return (
            f"The policy costs {nats_in_words(self.nats)} nats per action; the drivers’ entropy "
            f"{plain(self.entropy)} is the floor. The way up from there: "
            f"{signed(self.nats_endless - self.entropy)} for the width of the bins, "
            f"{signed(self.nats_at_one - self.nats_endless)} for having {self.num_actions:,} "
            f"demonstrations only, {nats_in_words(self.nats - self.nats_at_one, signed)} for the "
            f"temperature. {percent(self.policy_in_obstacle)} of its samples hit the obstacle, of the "
            f"drivers’ actions {percent(self.truth_in_obstacle)}. Rounding to the centre of a bin "
            f"moves an action by {fixed(self.rounding, 3)} m/s (root mean square)."
        )


def summary(
    num_bins: int = 21,
    num_actions: int = 200,
    temperature: float = 1.0,
    seed: int = 0,
    left_mode: float = -0.6,
    right_mode: float = 0.6,
    left_weight: float = 0.5,
    spread: float = 0.12,
    obstacle: float = 0.25,
) -> BinsSummary:
    """Return what a categorical policy over bins costs under a known truth.

    The policy's logits are the logarithms of the bins' counts plus 1/2, which is the posterior mean
    under Jeffreys' prior. Within a bin its density is constant; its samples are the bin's centre.

    Args:
        num_bins: Bins of equal width between -1.5 and 1.5 m/s. What lies outside belongs to the
            nearest bin.
        num_actions: Demonstrated actions that the bins are counted from.
        temperature: Divides the logits. At 0 the policy takes the fullest bin, the first of equals.
        seed: Which demonstrations are drawn.
        left_mode: The left driver's mean action, in m/s.
        right_mode: The right driver's mean action, in m/s.
        left_weight: Share of the actions that the left driver gives, in [0, 1].
        spread: Standard deviation of each driver's actions, in m/s.
        obstacle: Actions smaller in size than this hit the obstacle, in m/s.
    """
    truth = two_drivers(left_mode, right_mode, left_weight, spread)
    masses = true_masses(num_bins, truth)
    counts = count_in_bins(truth.draw(seed, num_actions), num_bins)
    log_probabilities = log_policy(counts, temperature)
    probabilities = np.exp(log_probabilities)
    with np.errstate(divide="ignore"):  # a bin without mass costs nothing
        nats_endless = expected_nats(masses, np.log(masses))
    return BinsSummary(
        num_actions=num_actions,
        probabilities=tuple(probabilities.tolist()),
        entropy=truth.entropy(),
        nats=expected_nats(masses, log_probabilities),
        nats_at_one=expected_nats(masses, log_policy(counts, 1.0)),
        nats_endless=nats_endless,
        truth_in_obstacle=truth.share(-obstacle, obstacle),
        policy_in_obstacle=float(probabilities[np.abs(bin_centres(num_bins)) < obstacle].sum()),
        rounding=math.sqrt(squared_rounding(num_bins, truth)),
    )


def two_drivers(
    left_mode: float, right_mode: float, left_weight: float, spread: float
) -> Mixture1D:
    """Return the true density of the action."""
    return Mixture1D((left_weight, 1 - left_weight), (left_mode, right_mode), (spread, spread))


def bin_width(num_bins: int) -> float:
    """Return a bin's width, in m/s."""
    return (HIGH - LOW) / num_bins


def bin_edges(num_bins: int) -> np.ndarray:
    """Return the edges ``(num_bins + 1,)``, in m/s."""
    return LOW + bin_width(num_bins) * np.arange(num_bins + 1)


def bin_centres(num_bins: int) -> np.ndarray:
    """Return the centres ``(num_bins,)``, in m/s."""
    return LOW + bin_width(num_bins) * (np.arange(num_bins) + 0.5)


def true_masses(num_bins: int, truth: Mixture1D) -> np.ndarray:
    """Return the truth's share in each bin, ``(num_bins,)``; it sums to 1."""
    edges = bin_edges(num_bins)
    edges[0], edges[-1] = -math.inf, math.inf
    # Of two equal tails, rounding may leave less than nothing.
    return np.maximum(truth.share(edges[:-1], edges[1:]), 0)


def count_in_bins(actions: np.ndarray, num_bins: int) -> np.ndarray:
    """Return how many actions fall into each bin, ``(num_bins,)``."""
    indices = np.floor((actions - LOW) / bin_width(num_bins)).astype(int)
    return np.bincount(indices.clip(0, num_bins - 1), minlength=num_bins)


def log_policy(counts: np.ndarray, temperature: float) -> np.ndarray:
    """Return the log-probabilities of smoothed counts at a temperature, ``(num_bins,)``."""
    if temperature == 0:
        return np.where(np.arange(len(counts)) == counts.argmax(), 0.0, -math.inf)
    scaled = np.log(counts + SMOOTHING) / temperature
    scaled -= scaled.max()
    return scaled - math.log(np.exp(scaled).sum())


def expected_nats(masses: np.ndarray, log_probabilities: np.ndarray) -> float:
    """Return the expected nats per action of constant densities within bins."""
    taken = masses > 0
    cost = -np.sum(masses[taken] * log_probabilities[taken])
    return float(cost + math.log(bin_width(len(masses))))


def squared_rounding(num_bins: int, truth: Mixture1D) -> float:
    """Return the mean squared distance of the truth's actions from their bins' centres."""
    parts = zip(truth.weights, truth.means, truth.stds, strict=True)
    return sum(weight * _squared_rounding(num_bins, mean, std) for weight, mean, std in parts)


def _squared_rounding(num_bins: int, mean: float, std: float) -> float:
    """Return the second moments about the centres, summed over a Gaussian cut at the edges."""
    offsets = mean - bin_centres(num_bins)
    scores = (bin_edges(num_bins) - mean) / std
    scores[0], scores[-1] = -FARTHEST, FARTHEST
    low, high = scores[:-1], scores[1:]
    shares = gaussian_share(low, high, 0, 1)

    def edge(z: np.ndarray) -> np.ndarray:
        return std * (std * z + 2 * offsets) * gaussian_density(z, 0, 1)

    return float(np.sum((std**2 + offsets**2) * shares - (edge(high) - edge(low))))


def nats_in_words(nats: float, written: Any = plain) -> str:
    """Return nats with two decimals, or the word for what has no end."""
    return str(written(nats)) if math.isfinite(nats) else "infinitely many"


class ChooseTheBins(CourseWidget, front_end="bins"):
    """A categorical policy over one action, whose bins and temperature the student chooses.

    On the left, the true density and the policy as bars; on the right, the expected nats per action
    for every number of bins, over the floor of the truth's entropy. Every bin's count is raised by
    1/2 before the counts become probabilities. All traits can be read and set from Python; ``summary``
    explains them. A drag writes them back when it ends.
    """

    num_bins = traitlets.Int(21).tag(sync=True)
    num_actions = traitlets.Int(200).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    left_mode = traitlets.Float(-0.6).tag(sync=True)
    right_mode = traitlets.Float(0.6).tag(sync=True)
    left_weight = traitlets.Float(0.5).tag(sync=True)
    spread = traitlets.Float(0.12).tag(sync=True)
    obstacle = traitlets.Float(0.25).tag(sync=True)

    def __init__(
        self,
        num_bins: int = 21,
        num_actions: int = 200,
        temperature: float = 1.0,
        seed: int = 0,
        left_mode: float = -0.6,
        right_mode: float = 0.6,
        left_weight: float = 0.5,
        spread: float = 0.12,
        obstacle: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_bins=num_bins,
            num_actions=num_actions,
            temperature=temperature,
            seed=seed,
            left_mode=left_mode,
            right_mode=right_mode,
            left_weight=left_weight,
            spread=spread,
            obstacle=obstacle,
            **kwargs,
        )

    @traitlets.validate(*LIMITS)
    def _within_limits(self, proposal: dict[str, Any]) -> int | float:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise traitlets.TraitError(
                f"{name} must lie between {low:g} and {high:g}, got {value:g}."
            )
        return value

    @property
    def truth(self) -> Mixture1D:
        """The true density of the action."""
        return two_drivers(self.left_mode, self.right_mode, self.left_weight, self.spread)

    @property
    def demonstrations(self) -> np.ndarray:
        """The demonstrated actions ``(num_actions,)`` that the bins are counted from, in m/s."""
        return self.truth.draw(self.seed, self.num_actions)

    def summary(self) -> BinsSummary:
        """Return the numbers that the widget shows."""
        return summary(**{name: getattr(self, name) for name in LIMITS})

    def describe(self) -> str:
        """Return in words what the widget shows."""
        return (
            f"Left: the true density of two drivers who steer at {signed(self.left_mode)} and "
            f"{signed(self.right_mode)} m/s, and a categorical policy of {self.num_bins} bins at "
            f"temperature {fixed(self.temperature)}. Right: expected nats per action over the number "
            f"of bins, over the floor of the drivers’ entropy. {self.summary().sentence()}"
        )

    def figure(self) -> Figure:
        """Return the two panels as a figure."""
        figure = Figure(figsize=(9.0, 3.8), layout="constrained")
        policy_axes, cost_axes = figure.subplots(1, 2, width_ratios=(3, 2))
        plot_policy(policy_axes, self)
        plot_costs(cost_axes, self)
        figure.legend(loc="outside lower center", ncols=3)
        return figure


def plot_policy(axes: Axes, bins: ChooseTheBins) -> Axes:
    """Draw the truth's density and the policy's bars over the steering action."""
    numbers = bins.summary()
    centres, width = bin_centres(bins.num_bins), bin_width(bins.num_bins)
    actions = np.linspace(LOW, HIGH, 601)
    density = bins.truth.density(actions)
    hits = np.abs(centres) < bins.obstacle
    axes.axvspan(-bins.obstacle, bins.obstacle, color="0.88", label="hits the obstacle")
    bars = axes.bar(
        centres,
        np.array(numbers.probabilities) / width,
        width,
        color=CATEGORICAL.color,
        edgecolor=OKABE_ITO["blue"],
        linewidth=0.8,
        label="the policy, in bins",
    )
    for bar, hit in zip(bars, hits, strict=True):
        if hit:
            bar.set(facecolor=POLICY_LOOKS["regression"].color, hatch="////")
    axes.plot(actions, density, color=OKABE_ITO["black"], label="the drivers")
    axes.set(xlim=(LOW, HIGH), ylim=(0, axis_top(density.max(), numbers, width)))
    axes.set(title="What the policy does", ylabel="density (per m/s)")
    axes.set_xlabel("steering action a (m/s, left negative)")
    return axes


def axis_top(peak: float, numbers: BinsSummary, width: float) -> float:
    """Return where the axis of densities ends: higher bars are cut, or the truth would be flat."""
    return float(np.clip(1.12 * max(numbers.probabilities) / width, 1.4 * peak, 2.6 * peak))


def plot_costs(axes: Axes, bins: ChooseTheBins) -> Axes:
    """Draw the expected nats per action over the number of bins, with the floor and the choice."""
    settings = {name: getattr(bins, name) for name in LIMITS}
    choices = np.arange(LIMITS["num_bins"][0], LIMITS["num_bins"][1] + 1)
    every = [summary(**settings | {"num_bins": int(choice)}) for choice in choices]
    chosen = bins.summary()
    nats = [numbers.nats for numbers in every]
    axes.plot(choices, nats, color=OKABE_ITO["blue"], linestyle="-.", label="this policy")
    endless = [numbers.nats_endless for numbers in every]
    axes.plot(choices, endless, "--", color="0.25", label="with endless demonstrations")
    floor = f"floor: the drivers’ entropy {plain(chosen.entropy)}"
    axes.axhline(chosen.entropy, color=OKABE_ITO["black"], linestyle=":", label=floor)
    top = chosen.entropy + AXIS_NATS[1]
    ball = f"{bins.num_bins} bins cost {nats_in_words(chosen.nats)} nats"
    axes.plot(bins.num_bins, min(chosen.nats, top), "o", color=OKABE_ITO["yellow"],
              markersize=9, markeredgecolor="black", linestyle="none", label=ball, clip_on=False)  # fmt: skip
    axes.set_xscale("log", base=10)
    axes.set_xticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set(ylim=(chosen.entropy + AXIS_NATS[0], top), title="What a number of bins costs")
    axes.set(xlabel="number of bins", ylabel="expected nats per action")
    return axes
