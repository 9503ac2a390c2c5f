"""The numbers behind ``FollowTheFlow``: where particles go, and what the exact field averages.

The arithmetic of flows is what notebook 05 asks for. So it comes from the student's own answers
(``FlowAnswers``), or from the course's where these are no longer due.

``static/flow_numbers.js`` and ``static/flow_field.js`` compute the same in the browser.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

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


# Of points, times and observations.
SeeingVelocity = Callable[[Tensor, Tensor, Tensor], Tensor]


def _exact_velocity(points: Tensor, times: Tensor, data: Tensor) -> Tensor:
    value: Tensor = _flows().exact_velocity(points, times, data)
    return value


def _euler_sample(velocity: SeeingVelocity, start: Tensor, steps: int, seen: Tensor) -> Tensor:
    landed: Tensor = _flows().integrate(lambda x, t: velocity(x, t, seen), start, steps)
    return landed


def _flows() -> ModuleType:
    """Return the course's own arithmetic, when it is asked for: a release and the grader may lack it."""
    try:
        return importlib.import_module("imitation_lab.flows")
    except ModuleNotFoundError:
        raise ValueError(
            "FollowTheFlow: this copy of the course does not have what notebook 05 asks for. Give the "
            "widget your own: FollowTheFlow(..., exact_velocity=exact_velocity, euler_sample=euler_sample)."
        ) from None


@dataclass(frozen=True)
class FlowAnswers:
    """The two functions of notebook 05 that the widget computes with, by default the course's own.

    Attributes:
        exact_velocity: Of points (batch, dim), times (batch,) and data (count, dim): the mean velocity
            (batch, dim) of all lines from noise to the data that pass through each point.
        euler_sample: Of a velocity, which takes points, times and observations, of points at time 0, a
            number of steps, and observations: the points at time 1.
    """

    exact_velocity: Callable[[Tensor, Tensor, Tensor], Tensor] = _exact_velocity
    euler_sample: Callable[[SeeingVelocity, Tensor, int, Tensor], Tensor] = _euler_sample


COURSE = FlowAnswers()


@torch.no_grad()
def euler_path(
    velocity: Velocity,
    noise: Float[Tensor, "count 2"],
    steps: int,
    answers: FlowAnswers = COURSE,
) -> Float[Tensor, "moments count 2"]:
    """Return the ``steps + 1`` stops of particles; between two of them, Euler goes straight.

    Raises:
        ValueError: If ``euler_sample`` is not an answer yet.
    """
    stops: list[Tensor] = []

    def watched(points: Tensor, times: Tensor, seen: Tensor) -> Tensor:
        stops.append(points.detach().clone())  # a sampler may move its points in place
        return velocity(points, times)

    landed = answers.euler_sample(watched, noise.clone(), steps, noise)
    _check_answer(landed, noise.shape, "euler_sample")
    if len(stops) != steps:
        raise ValueError(
            f"FollowTheFlow: your euler_sample asked for the velocity {len(stops)} times in {steps} "
            "steps: ask once a step."
        )
    return torch.stack([*stops, landed.detach()])


def _check_answer(value: object, shape: torch.Size, name: str) -> None:
    """Refuse what is no answer.

    Raises:
        ValueError: If it is no tensor of the expected shape.
    """
    if not isinstance(value, Tensor) or value.shape != shape:
        given = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)[:80]
        raise ValueError(
            f"FollowTheFlow computes with your {name}, which returned {given}, where shape "
            f"{tuple(shape)} was expected: complete {name}, run its cell and its check, and then this one."
        )


def positions(stops: Float[Tensor, "moments count 2"], time: float) -> Float[Tensor, "count 2"]:
    """Return where particles are at a time between 0 and 1."""
    steps = len(stops) - 1
    index = min(int(time * steps), steps - 1)
    share = time * steps - index
    return (1 - share) * stops[index] + share * stops[index + 1]


def exact_field(data: Float[Tensor, "count dim"], answers: FlowAnswers = COURSE) -> Velocity:
    """Return the exact field of some data, as a function of points and times.

    Calling it raises a ``ValueError`` if ``exact_velocity`` is not an answer yet.
    """

    def velocity(points: Tensor, times: Tensor) -> Tensor:
        parts = zip(points.split(CHUNK), times.split(CHUNK), strict=True)
        return torch.cat([exact(*part) for part in parts])

    @torch.enable_grad()  # an answer may well be a gradient
    def exact(points: Tensor, times: Tensor) -> Tensor:
        moments = times.to(points.dtype)
        value = answers.exact_velocity(points, moments, data.to(points.dtype))
        _check_answer(value, points.shape, "exact_velocity")
        return value.detach()

    return velocity


def posterior_at(
    place: Float[Tensor, "2"],
    time: float,
    data: Float[Tensor, "count 2"],
    answers: FlowAnswers = COURSE,
) -> Float[Tensor, "count"]:
    """Return the probability of every data point, given where a particle is.

    The exact field averages velocities by these probabilities, and so can tell them: each data point gets
    a dimension of its own, in which it lies at 1, and all others and the particle at 0. This adds as much
    to one distance as to the next, and the field in those dimensions is the probabilities.
    """
    count = len(data)
    marked = torch.cat([data.double(), torch.eye(count, dtype=torch.float64)], dim=1)
    point = torch.cat([place.double(), torch.zeros(count, dtype=torch.float64)]).unsqueeze(0)
    times = torch.tensor([min(time, LATEST_TIME)], dtype=torch.float64)
    return (1 - times) * exact_field(marked, answers)(point, times)[0, 2:]


def chosen_particle(
    index: int,
    place: Float[Tensor, "2"],
    time: float,
    data: Float[Tensor, "count 2"],
    answers: FlowAnswers = COURSE,
) -> ChosenParticle:
    """Return what the exact field averages where a particle is."""
    weights = posterior_at(place, time, data, answers)
    x, y = place.tolist()
    mean_x, mean_y = (weights @ data.double()).tolist()
    effective = 1 / weights.square().sum().item()
    return ChosenParticle(index, (x, y), effective, len(data), (mean_x, mean_y))


def landing_distance(landed: Float[Tensor, "particles 2"], data: Float[Tensor, "count 2"]) -> float:
    """Return the mean distance from where particles land to the nearest data point."""
    return torch.cdist(landed.double(), data.double()).amin(dim=1).mean().item()
