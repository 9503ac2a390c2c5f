"""What follow-the-flow hands to the browser, once: trajectories and learned fields, as bytes."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.widgets.base import as_bytes
from imitation_lab.widgets.flow_numbers import (
    COURSE,
    LIMIT,
    STEP_COUNTS,
    FlowAnswers,
    euler_path,
    exact_field,
    start_noise,
)
from imitation_lab.widgets.flow_scenes import Choice, FlowScene, Velocity

QUANTUM = 1 / 4096  # a fiftieth of a pixel; 16 bits then reach to ±8
GRID = 16  # arrows along each side of the plane
MOMENTS = 25  # at which a learned field is sampled: t = 0, 0.04, … 0.96
FULL_STATES = 3  # choices with more states show fewer particles in each of them
TOP_SPEED = 3.0  # the speed of an arrow as long as a cell; no arrow is longer
EXAGGERATED = 2.0  # the speed that a typical difference may look like
EXAGGERATIONS = (1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Packed:
    """Scenes as the browser takes them.

    Attributes:
        plan: Names, labels and counts, from which the browser knows where in the bytes it finds what.
        data: Points of all states, one after the other, float32.
        stops: For every state and, within it, every number of steps, the stops after the start,
            (steps, particles, 2), in 16 bits each, of ``QUANTUM``.
        arrows: For every state with a learned field, its velocities (moments, row, column, 2) on the
            grid, rows from below, float32.
    """

    plan: list[dict[str, Any]]
    data: bytes
    stops: tuple[bytes, ...]
    arrows: bytes

    def stops_of(self, state: int, steps: int, noise: Tensor) -> Float[Tensor, "moments count 2"]:
        """Return the stops of a state, counted over all choices, as the browser gets them."""
        part = self.stops[state * len(STEP_COUNTS) + STEP_COUNTS.index(steps)]
        integers = np.frombuffer(part, dtype="<i2").astype(np.float32).reshape(steps, -1, 2)
        later = torch.from_numpy(integers) * QUANTUM
        return torch.cat([noise[: later.shape[1]].unsqueeze(0), later])


@lru_cache(maxsize=4)  # a notebook's cell is run again and again
def pack(choices: tuple[Choice, ...], particles: int, answers: FlowAnswers = COURSE) -> Packed:
    """Integrate every state for every number of steps, and lay all out as bytes."""
    states = [(state, particles_shown(choice, particles)) for choice in choices for state in choice]
    paths = [
        _packed_stops(state, count, steps, answers)
        for state, count in states
        for steps in STEP_COUNTS
    ]
    learned = [state for state, _ in states if state.velocity is not None]
    return Packed(
        [_plan(choice, particles_shown(choice, particles), answers) for choice in choices],
        b"".join(as_bytes(state.points) for state, _ in states),
        tuple(paths),
        b"".join(as_bytes(learned_arrows(state)) for state in learned),
    )


def particles_shown(choice: Choice, particles: int) -> int:
    """Return how many particles every state of a choice shows: many states share them."""
    return min(particles, max(1, FULL_STATES * particles // len(choice)))


def _plan(choice: Choice, particles: int, answers: FlowAnswers) -> dict[str, Any]:
    first = choice[0]
    return {
        "name": first.name,
        "axes": list(first.axes),
        "learned": first.velocity is not None,
        "particles": particles,
        "states": [
            {
                "label": one.label,
                "points": len(one.points),
                "exaggeration": exaggeration(one, answers),
            }
            for one in choice
        ],
    }


def followed_field(scene: FlowScene, answers: FlowAnswers) -> Velocity:
    """Return the field that the trajectories follow: the learned one where there is one."""
    return scene.velocity or exact_field(scene.points, answers)


def _integers(stops: Tensor) -> Tensor:
    finite = torch.nan_to_num(stops, nan=0.0)  # a field that ran away is drawn at the edge
    return (finite / QUANTUM).round().clamp(-(2**15), 2**15 - 1).short()


def _packed_stops(scene: FlowScene, particles: int, steps: int, answers: FlowAnswers) -> bytes:
    field = followed_field(scene, answers)
    stops = euler_path(field, start_noise(particles), steps, answers)
    return _integers(stops[1:]).numpy().astype("<i2").tobytes()


def arrow_grid() -> Float[Tensor, "points 2"]:
    """Return where arrows stand: the middles of a grid's cells, row by row from below."""
    centres = (torch.arange(GRID) + 0.5) * (2 * LIMIT / GRID) - LIMIT
    return torch.cartesian_prod(centres, centres).flip(1)


@torch.no_grad()
def learned_arrows(scene: FlowScene) -> Float[Tensor, "moments points 2"]:
    """Return the learned velocities on the grid, moment by moment."""
    return _on_grid(scene.velocity).detach().cpu().float()


def _on_grid(velocity: Any) -> Tensor:
    points = arrow_grid().repeat(MOMENTS, 1)
    times = (torch.arange(MOMENTS) / MOMENTS).repeat_interleave(GRID**2)
    return velocity(points, times).reshape(MOMENTS, GRID**2, 2)


def exaggeration(scene: FlowScene, answers: FlowAnswers = COURSE) -> int:
    """Return how many times too long the arrows of the difference of two fields are drawn.

    As long as may be, while those where particles pass stay within a cell at most moments.
    """
    if scene.velocity is None:
        return 1
    difference = learned_arrows(scene) - _on_grid(exact_field(scene.points, answers))
    mean_squares = (_density(scene.points) * difference.square().sum(dim=2)).sum(dim=1)
    typical = mean_squares.median().sqrt().item()
    longest = max(EXAGGERATED / max(typical, 1e-9), 1)
    return max(factor for factor in EXAGGERATIONS if factor <= longest)


def _density(data: Float[Tensor, "count 2"]) -> Float[Tensor, "moments points"]:
    """Return the density of particles on the grid, each moment scaled so that it sums to one."""
    times = (torch.arange(MOMENTS) / MOMENTS).view(-1, 1, 1, 1)
    offsets = arrow_grid().unsqueeze(1) - times * data
    logits = -0.5 * (offsets / (1 - times)).square().sum(dim=-1)
    return logits.logsumexp(dim=-1).softmax(dim=1)
