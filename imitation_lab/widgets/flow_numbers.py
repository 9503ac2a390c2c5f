"""The numbers behind ``FollowTheFlow``: where particles go, and what the exact field averages.

``static/flow_numbers.js`` and ``static/flow_field.js`` compute the same in the browser.
"""

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.widgets.flow_scenes import Velocity
from imitation_lab.widgets.words import fixed, signed

LIMIT = 3.2  # the plane shows ±LIMIT
STEP_COUNTS = (1, 2, 3, 5, 10, 20, 50)
NOISE_SEED = 0
LATEST_TIME = 0.999  # at 1 a particle has arrived: its posterior is shown just before
CHUNK = 500  # particles times data points that fit a processor's cache: twice as fast
FIELDS = ("learned", "exact", "difference")


@dataclass(frozen=True)
class ChosenParticle:
    """What the exact field averages where one particle is.

    Attributes:
        index: Of the particle.
        place: Where it is.
        effective: Effective number of data points: 1 / sum of the squared probabilities.
        count: Data points in all.
        mean: Of the data, weighted by their probabilities: the exact field points there.
    """

    index: int
    place: tuple[float, float]
    effective: float
    count: int
    mean: tuple[float, float]

    def sentence(self) -> str:
        """Return the numbers in words, just as the widget does."""
        return (
            f"Particle {self.index} is at {_pair(self.place)}. There the exact field averages "
            f"effectively {fixed(self.effective, 1)} of {self.count} data points, "
            f"and points to their mean {_pair(self.mean)}."
        )


@dataclass(frozen=True)
class FlowSummary:
    """What the widget shows, in numbers.

    Attributes:
        title: Of the data.
        followed: The field that the particles follow, ``"learned"`` or ``"exact"``.
        steps: Euler steps.
        time: From 0, noise, to 1, data.
        particles: How many.
        points: Data points.
        mean: Of the data.
        landing: Mean distance between where a particle lands and the data point nearest to that.
        chosen: The chosen particle, if there is one.
    """

    title: str
    followed: str
    steps: int
    time: float
    particles: int
    points: int
    mean: tuple[float, float] | None = None
    landing: float | None = None
    chosen: ChosenParticle | None = None

    def sentence(self) -> str:
        """Return the numbers in words, just as the widget does."""
        if not self.points:
            return "No data yet: draw some points on the plane."
        return " ".join(filter(None, [self._standing(), self._landing(), self._chosen()]))

    def _standing(self) -> str:
        steps = "1 Euler step" if self.steps == 1 else f"{self.steps} Euler steps"
        return f"{self.title}, {steps} along the {self.followed} field, t = {fixed(self.time)}."

    def _landing(self) -> str:
        if self.mean is None or self.landing is None:
            return ""
        if self.steps == 1 and self.followed == "exact":
            return (
                f"One step takes every particle to the mean of the data, {_pair(self.mean)}, "
                f"which is {fixed(self.landing)} from the nearest data point."
            )
        return (
            f"The {self.particles:,} particles land {fixed(self.landing)} from their nearest data "
            "point on average."
        )

    def _chosen(self) -> str:
        return self.chosen.sentence() if self.chosen else ""


def _pair(place: tuple[float, float]) -> str:
    return f"({signed(place[0])}, {signed(place[1])})"


@cache
def start_noise(count: int) -> Float[Tensor, "count 2"]:
    """Return where particles start: the same standard normal noise for all scenes and steps."""
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(NOISE_SEED))


@torch.no_grad()
def euler_path(
    velocity: Velocity, noise: Float[Tensor, "count 2"], steps: int
) -> Float[Tensor, "moments count 2"]:
    """Return the ``steps + 1`` stops of particles; between two of them, Euler goes straight."""
    # Here, for the grader's copy of the library lacks the modules that answer a notebook.
    from imitation_lab.flows import path

    return path(velocity, noise, steps).detach()


def positions(stops: Float[Tensor, "moments count 2"], time: float) -> Float[Tensor, "count 2"]:
    """Return where particles are at a time between 0 and 1."""
    steps = len(stops) - 1
    index = min(int(time * steps), steps - 1)
    share = time * steps - index
    return (1 - share) * stops[index] + share * stops[index + 1]


def exact_field(data: Float[Tensor, "count 2"]) -> Velocity:
    """Return the exact field of some data, as a function of points and times."""
    # Here, for the grader's copy of the library lacks the modules that answer a notebook.
    from imitation_lab.flows import exact_velocity

    def velocity(points: Tensor, times: Tensor) -> Tensor:
        parts = zip(points.split(CHUNK), times.split(CHUNK), strict=True)
        return torch.cat([exact_velocity(*part, data.to(points.dtype)) for part in parts])

    return velocity


def posterior_at(
    place: Float[Tensor, "2"], time: float, data: Float[Tensor, "count 2"]
) -> Float[Tensor, "count"]:
    """Return the probability of every data point, given where a particle is."""
    # Here, for the grader's copy of the library lacks the modules that answer a notebook.
    from imitation_lab.flows import posterior

    times = torch.tensor([min(time, LATEST_TIME)], dtype=torch.float64)
    return posterior(place.double().unsqueeze(0), times, data.double())[0]


def chosen_particle(
    index: int, place: Float[Tensor, "2"], time: float, data: Float[Tensor, "count 2"]
) -> ChosenParticle:
    """Return what the exact field averages where a particle is."""
    weights = posterior_at(place, time, data)
    x, y = place.tolist()
    mean_x, mean_y = (weights @ data.double()).tolist()
    effective = 1 / weights.square().sum().item()
    return ChosenParticle(index, (x, y), effective, len(data), (mean_x, mean_y))


def landing_distance(landed: Float[Tensor, "particles 2"], data: Float[Tensor, "count 2"]) -> float:
    """Return the mean distance from where particles land to the nearest data point."""
    return torch.cdist(landed.double(), data.double()).amin(dim=1).mean().item()
