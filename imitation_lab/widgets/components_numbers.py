"""The numbers behind ``DragTheComponents``: data, likelihood and gradient ascent in one dimension.

``static/components_numbers.js`` computes the same in the browser.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from imitation_lab.widgets.mixtures import Mixture1D, uniform_numbers
from imitation_lab.widgets.words import fixed, plain

SEED = 0
NUM_ACTIONS = 200
NUM_IDLE = 20  # repeated zeros among the idle drivers' actions
TWO_DRIVERS = Mixture1D((0.5, 0.5), (-0.6, 0.6), (0.12, 0.12))
THREE_LANES = Mixture1D((0.5, 0.3, 0.2), (-0.8, 0.1, 0.7), (0.06, 0.12, 0.08))
TRUTHS = {"two drivers": TWO_DRIVERS, "three lanes": THREE_LANES, "idle zeros": TWO_DRIVERS}
STARTS = ("spread", "at random", "all equal", "one astray")
LIMITS = {
    "logit": (-12.0, 12.0),
    "mean": (-1.5, 1.5),
    "log_std": (math.log(0.001), 0.0),
    "sigma_floor": (0.001, 0.1),
    "num_components": (1, 8),
}
START_STD = 0.3  # m/s
RANDOM_REACH = 1.2  # m/s: means that start at random lie between this and its negative
ASTRAY = (1.45, 0.03)  # m/s: mean and std of a component that no action is near
LEARNING_RATE = 0.02
LARGEST_STEP = 0.1  # of a mean in its standard deviations, and of a log std: clipped gradients
DEAD = 0.5  # actions: a component that holds fewer is dead


@dataclass(frozen=True)
class ComponentsSummary:
    """What a mixture makes of the data, component by component.

    Attributes:
        weights: Shares of the components, which sum to 1.
        stds: Standard deviations, none below the floor, in m/s.
        responsibilities: Share of the data that each component answers for; they sum to 1.
        log_likelihood: Mean log density of the data, in nats per action.
        true_log_likelihood: The same under the true density, or infinity where an action repeats
            exactly: then no density is the true one.
        logit_gradient: Derivatives of ``log_likelihood`` by the logits.
        mean_gradient: By the means, per m/s.
        log_std_gradient: By the log standard deviations, disregarding the floor.
        sigma_floor: The least standard deviation, in m/s.
    """

    weights: tuple[float, ...]
    stds: tuple[float, ...]
    responsibilities: tuple[float, ...]
    log_likelihood: float
    true_log_likelihood: float
    logit_gradient: tuple[float, ...]
    mean_gradient: tuple[float, ...]
    log_std_gradient: tuple[float, ...]
    sigma_floor: float

    @property
    def dead(self) -> list[int]:
        """Components, counted from 0, that hold less than half an action."""
        return [i for i, r in enumerate(self.responsibilities) if r * NUM_ACTIONS < DEAD]

    @property
    def collapsed(self) -> list[int]:
        """Components, counted from 0, that hold actions and sit on the floor."""
        on_floor = [std <= self.sigma_floor * (1 + 1e-9) for std in self.stds]
        return [i for i, floored in enumerate(on_floor) if floored and i not in self.dead]

    def sentence(self) -> str:
        """Return the numbers in words, just as the widget does."""
        return " ".join(filter(None, [self._score(), self._collapse(), self._death()]))

    def _score(self) -> str:
        score = f"Mean log-likelihood {plain(self.log_likelihood)} nats per action."
        if math.isinf(self.true_log_likelihood):
            return (
                f"{score} {NUM_IDLE} of the {NUM_ACTIONS} actions are exactly 0: a component that "
                "settles there wins more nats the narrower it is, without end."
            )
        truth = f"The true density gives {plain(self.true_log_likelihood)} on the same {NUM_ACTIONS} actions."
        # Of the numbers as they are told: whoever subtracts them finds the same.
        ahead = float(fixed(self.log_likelihood)) - float(fixed(self.true_log_likelihood))
        gap = fixed(abs(ahead))
        if float(gap) == 0:
            return f"{score} {truth} The mixture fits them just as well as the truth."
        than = f"{gap} nats {'better' if ahead > 0 else 'worse'} than the truth"
        return f"{score} {truth} The mixture fits them {than}."

    def _collapse(self) -> str:
        if not self.collapsed:
            return ""
        return (
            f"Collapsed to the floor of {fixed(self.sigma_floor, 3)} m/s: {_named(self.collapsed)}."
        )

    def _death(self) -> str:
        if not self.dead:
            return ""
        return f"Dead, for no action is near enough to pull: {_named(self.dead)}."


def _named(indices: list[int]) -> str:
    """Return components by the numbers that they wear."""
    return ("component " if len(indices) == 1 else "components ") + ", ".join(
        str(index + 1) for index in indices
    )


@cache
def data_actions(data: str) -> np.ndarray:
    """Return the fixed sample ``(200,)`` of a data set, in m/s."""
    idle = NUM_IDLE if data == "idle zeros" else 0
    drawn = TRUTHS[data].draw(SEED, NUM_ACTIONS - idle)
    return np.concatenate([drawn, np.zeros(idle)])


def start_components(start: str, num_components: int, seed: int = 0) -> np.ndarray:
    """Return rows of (logit, mean, log_std), ``(num_components, 3)``, to start from.

    Args:
        start: ``"spread"`` over the range, with means ``"at random"``, ``"all equal"``, or ``"one
            astray"``: spread, but for the last one, which is narrow and far from the data.
        num_components: From 1 to 8.
        seed: Of the random means.
    """
    components = np.zeros((num_components, 3))
    components[:, 2] = math.log(START_STD)
    components[:, 1] = 0.3
    if start == "at random":
        components[:, 1] = RANDOM_REACH * (2 * uniform_numbers(seed, num_components) - 1)
    elif start != "all equal" and num_components > 1:
        components[:, 1] = -1 + 2 * np.arange(num_components) / (num_components - 1)
    if start == "one astray":
        components[-1, 1:] = ASTRAY[0], math.log(ASTRAY[1])
    return components


def summary(components: np.ndarray, data: str, sigma_floor: float) -> ComponentsSummary:
    """Return what a mixture makes of the data.

    Args:
        components: Rows of (logit, mean, log_std).
        data: ``"two drivers"``, ``"three lanes"`` or ``"idle zeros"``: two drivers' actions of which
            twenty are exactly zero.
        sigma_floor: The least standard deviation, in m/s.
    """
    actions = data_actions(data)
    logits, means, log_stds = components.T
    log_weights = logits - np.logaddexp.reduce(logits)
    log_stds = np.maximum(log_stds, math.log(sigma_floor))
    scores = (actions[:, None] - means) * np.exp(-log_stds)
    joint = log_weights - 0.5 * scores**2 - log_stds - 0.5 * math.log(2 * math.pi)
    log_density = np.logaddexp.reduce(joint, axis=1)
    shares = np.exp(joint - log_density[:, None])  # (actions, components)
    weights, held = np.exp(log_weights), shares.mean(0)
    truth = math.inf if data == "idle zeros" else np.log(TRUTHS[data].density(actions)).mean()
    return ComponentsSummary(
        weights=tuple(weights.tolist()),
        stds=tuple(np.exp(log_stds).tolist()),
        responsibilities=tuple(held.tolist()),
        log_likelihood=float(log_density.mean()),
        true_log_likelihood=float(truth),
        logit_gradient=tuple((held - weights).tolist()),
        mean_gradient=tuple(((shares * scores).mean(0) * np.exp(-log_stds)).tolist()),
        log_std_gradient=tuple((shares * (scores**2 - 1)).mean(0).tolist()),
        sigma_floor=sigma_floor,
    )


def ascend(components: np.ndarray, data: str, sigma_floor: float, steps: int = 1) -> np.ndarray:
    """Return the components after steps of gradient ascent on the mean log-likelihood.

    Steps of means and widths are clipped, or a narrow component would leap off what it holds.
    """
    for _ in range(steps):
        numbers = summary(components, data, sigma_floor)
        widest = np.stack(
            [np.full(len(components), np.inf), numbers.stds, np.ones(len(components))]
        )
        step = LEARNING_RATE * np.array(
            [numbers.logit_gradient, numbers.mean_gradient, numbers.log_std_gradient]
        )
        step = np.clip(step, -LARGEST_STEP * widest, LARGEST_STEP * widest)
        components = clip_components(components + step.T, sigma_floor)
    return components


def clip_components(components: np.ndarray, sigma_floor: float) -> np.ndarray:
    """Return components within their limits, and none narrower than the floor."""
    low = [LIMITS["logit"][0], LIMITS["mean"][0], math.log(sigma_floor)]
    high = [LIMITS[name][1] for name in ("logit", "mean", "log_std")]
    return np.clip(components, low, high)
