"""Flow matching: paths from noise to data, the field that averages them, and how to follow it.

Time runs from 0, where all is standard normal noise, to 1, where all is data.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

# The velocity of points (batch, dim) at times (batch,).
Velocity = Callable[[Tensor, Tensor], Tensor]


def interpolate(
    noise: Float[Tensor, "batch dim"],
    data: Float[Tensor, "batch dim"],
    times: Float[Tensor, "batch"],
) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]:
    """Return the points at the given times on straight lines from noise to data, and their velocity.

    Source:
        Lipman et al., Flow matching, arXiv:2210.02747, with the smallest width zero; Liu et al.,
        Rectified flow, arXiv:2209.03003.
    """
    times = times.unsqueeze(1)
    return (1 - times) * noise + times * data, data - noise


def posterior(
    points: Float[Tensor, "batch dim"],
    times: Float[Tensor, "batch"],
    data: Float[Tensor, "count dim"],
) -> Float[Tensor, "batch count"]:
    """Return the probability that each data point is where the line through a point ends.

    Every data point is as likely as every other before the point is seen. Given a data point, the
    points on the lines that end there are normal around ``times * data``, with standard deviation
    ``1 - times``. Bayes' rule turns this into a softmax over the data.

    Args:
        points: Where.
        times: At least 0 and below 1.
        data: At least one.

    Raises:
        ValueError: If a time is not in [0, 1), or without data.
    """
    _check_times(times)
    if not len(data):
        raise ValueError("got no data: expected at least one point where lines can end.")
    offsets = points.unsqueeze(1) - times.view(-1, 1, 1) * data
    widths = 1 - times.unsqueeze(1)
    return (-0.5 * offsets.square().sum(dim=2) / widths.square()).softmax(dim=1)


def exact_velocity(
    points: Float[Tensor, "batch dim"],
    times: Float[Tensor, "batch"],
    data: Float[Tensor, "count dim"],
) -> Float[Tensor, "batch dim"]:
    """Return the mean velocity of all lines from noise to a data set that pass through a point.

    This is the field that flow matching would learn from the data with a perfect network and no end
    of training. It leads every point to one of the data points.

    Args:
        points: Where.
        times: At least 0 and below 1: at 1 a line has arrived.
        data: At least one.

    Raises:
        ValueError: If a time is not in [0, 1), or without data.
    """
    destinations = posterior(points, times, data) @ data
    return (destinations - points) / (1 - times).unsqueeze(1)


def _check_times(times: Tensor) -> None:
    if not ((times >= 0) & (times < 1)).all():
        raise ValueError(
            f"times must be at least 0 and below 1, got {float(times.min()):g} to "
            f"{float(times.max()):g}: the field is not defined where lines have arrived."
        )


def integrate(
    velocity: Velocity, start: Float[Tensor, "batch dim"], num_steps: int, solver: str = "euler"
) -> Float[Tensor, "batch dim"]:
    """Follow a field from time 0 to time 1 and return where each point arrives.

    Args:
        velocity: Of points (batch, dim) at times (batch,). Never asked at time 1 by ``"euler"`` and
            ``"midpoint"``; ``"heun"`` asks there too.
        start: The points at time 0.
        num_steps: Steps of equal length, at least 1.
        solver: ``"euler"`` (first order, one evaluation a step), or one of second order with two
            evaluations a step: ``"midpoint"`` or ``"heun"``.

    Raises:
        ValueError: If there is no such solver or no step.
    """
    points = start
    for step in _steps(velocity, start, num_steps, solver):
        points = step
    return points


def path(
    velocity: Velocity, start: Float[Tensor, "batch dim"], num_steps: int, solver: str = "euler"
) -> Float[Tensor, "moments batch dim"]:
    """Follow a field as ``integrate`` does and return all ``num_steps + 1`` stops on the way."""
    return torch.stack([start, *_steps(velocity, start, num_steps, solver)])


def check_solver(num_steps: int, solver: str) -> None:
    """Refuse what ``integrate`` cannot do.

    Raises:
        ValueError: If there is no such solver or no step.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}.")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}.")


def _steps(velocity: Velocity, start: Tensor, num_steps: int, solver: str) -> Iterator[Tensor]:
    check_solver(num_steps, solver)
    points = start
    for index in range(num_steps):
        points = points + SOLVERS[solver](velocity, points, index / num_steps, 1 / num_steps)
        yield points


def _euler(velocity: Velocity, points: Tensor, time: float, step: float) -> Tensor:
    return step * _at(velocity, points, time)


def _midpoint(velocity: Velocity, points: Tensor, time: float, step: float) -> Tensor:
    middle = points + _euler(velocity, points, time, step / 2)
    return step * _at(velocity, middle, time + step / 2)


def _heun(velocity: Velocity, points: Tensor, time: float, step: float) -> Tensor:
    here = _at(velocity, points, time)
    there = _at(velocity, points + step * here, time + step)
    return step / 2 * (here + there)


def _at(velocity: Velocity, points: Tensor, time: float) -> Tensor:
    return velocity(points, points.new_full((len(points),), time))


# What each solver adds to the points in one step.
SOLVERS: dict[str, Callable[[Velocity, Tensor, float, float], Tensor]] = {
    "euler": _euler,
    "midpoint": _midpoint,
    "heun": _heun,
}
