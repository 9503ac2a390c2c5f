"""Sampling: the control loop's latency for one observation, and chunks per second for thousands.

The same network, the same noise, the same steps. flow_matching and torchdiffeq follow the flow policy's
velocity by Euler, and diffusers' DDIM takes the diffusion policy's steps. What differs is the time that
a library spends around the network.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from diffusers import DDIMScheduler
from flow_matching.solver import ODESolver
from torch import Tensor
from torchdiffeq import odeint

from benchmarks.speed.frame import Row, Settings, in_turns
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy

GROUP, UNIT = "sampling", "chunks"
FLOW, DIFFUSION = (
    FlowPolicy(8, 2, prediction_horizon=8),
    DiffusionPolicy(8, 2, prediction_horizon=8),
)
STEPS = (1, 2, 4, 10, 20)
USUAL = 10  # steps, and what the targets are about
# By batch: calls in one repetition, and repetitions.
CALLS = {1: (25, 40), 4096: (2, 15)}
# At 4,096 both sides wait for the same matrix products, so "never slower" is a ratio of 1. Timing
# tells it to three percent.
TARGETS = {1: 1.7, 4096: 0.97}
Sampler = Callable[[Tensor, Tensor], Tensor]  # from noise and observations


def measure(settings: Settings) -> Iterator[Row]:
    """Yield a row for every peer, batch and number of steps."""
    with torch.no_grad():
        for batch in CALLS:
            for steps in STEPS:
                for name, make_ours, make_theirs, has_target in PEERS:
                    if steps == USUAL or name == "flow_matching":
                        target = TARGETS[batch] if has_target and steps == USUAL else None
                        sides = make_ours(steps), make_theirs(steps)
                        yield beside(name, sides, steps, batch, target, settings)


def beside(
    name: str,
    sides: tuple[Sampler, Sampler],
    steps: int,
    batch: int,
    target: float | None,
    settings: Settings,
) -> Row:
    """Time two samplers that make the same chunks of the same noise."""
    inputs = torch.randn(batch, FLOW.chunk_dim), torch.randn(batch, 8)
    check_agreement(*sides, inputs)
    calls, pairs = CALLS[batch]
    ours, theirs = (Calls(side, inputs, calls) for side in sides)
    times = in_turns(ours, theirs, settings.pairs(pairs))
    extra = ours.latencies("our") + theirs.latencies("the peer's") if batch == 1 else ()
    kind = "DDIM" if name == "diffusers" else "a flow"
    work = f"sampling {kind}, {batch} at once, {steps} step{'s' * (steps > 1)}"
    return Row(GROUP, work, name, *times, target, calls * batch, UNIT, extra=extra)


class Calls:
    """A side that samples several times, and remembers how long each call took."""

    def __init__(self, sampler: Sampler, inputs: tuple[Tensor, Tensor], number: int) -> None:
        self._sampler, self._inputs, self._number = sampler, inputs, number
        self._seconds: list[float] = []

    def __call__(self) -> float:
        """Sample, and return the seconds of all calls together."""
        for _ in range(self._number):
            started = time.perf_counter()
            self._sampler(*self._inputs)
            self._seconds.append(time.perf_counter() - started)
        return sum(self._seconds[-self._number :])

    def latencies(self, whose: str) -> tuple[tuple[str, float], ...]:
        """Return median and 99th percentile of single calls, in milliseconds."""
        percentiles = statistics.quantiles(self._seconds, n=100)
        return (
            (f"{whose} median, ms", round(1000 * percentiles[49], 4)),
            (f"{whose} 99th percentile, ms", round(1000 * percentiles[98], 4)),
        )


def check_agreement(ours: Sampler, theirs: Sampler, inputs: tuple[Tensor, Tensor]) -> None:
    """Make sure that both sides make the same chunks.

    Raises:
        AssertionError: If they do not.
    """
    torch.testing.assert_close(
        ours(*inputs).flatten(1), theirs(*inputs).flatten(1), rtol=1e-3, atol=1e-3
    )


def our_flow(steps: int) -> Sampler:
    """Return the flow policy's own sampler."""
    return lambda noise, observations: FLOW.denoise(noise, observations, steps)


def by_flow_matching(steps: int) -> Sampler:
    """Return flow_matching's solver for the flow policy."""
    grid = torch.linspace(0, 1, steps + 1)

    def sample(noise: Tensor, observations: Tensor) -> Tensor:
        solver = ODESolver(lambda x, t: FLOW.velocity(x, t.expand(len(x)), observations))
        return solver.sample(noise, step_size=None, time_grid=grid)

    return sample


def by_torchdiffeq(steps: int) -> Sampler:
    """Return torchdiffeq's solver for the flow policy."""
    grid = torch.linspace(0, 1, steps + 1)

    def sample(noise: Tensor, observations: Tensor) -> Tensor:
        def velocity(time: Tensor, points: Tensor) -> Tensor:
            return FLOW.velocity(points, time.expand(len(points)), observations)

        return odeint(velocity, noise, grid, method="euler")[-1]

    return sample


def our_diffusion(steps: int) -> Sampler:
    """Return the diffusion policy's own sampler."""
    return lambda noise, observations: DIFFUSION.denoise(noise, observations, steps)


def by_diffusers(steps: int) -> Sampler:
    """Return diffusers' DDIM for the diffusion policy."""
    scheduler: Any = DDIMScheduler(
        DIFFUSION.num_timesteps,
        beta_schedule="squaredcos_cap_v2",
        clip_sample_range=DIFFUSION.limit,
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(steps)

    def sample(noise: Tensor, observations: Tensor) -> Tensor:
        points = noise
        for timestep in scheduler.timesteps:
            predicted = DIFFUSION.predict_noise(points, timestep.expand(len(points)), observations)
            step = scheduler.step(predicted, timestep, points, use_clipped_model_output=True)
            points = step.prev_sample
        return points

    return sample


# Name, our sampler, the peer's, and whether the ratio has a target.
PEERS: list[tuple[str, Callable[[int], Sampler], Callable[[int], Sampler], bool]] = [
    ("flow_matching", our_flow, by_flow_matching, True),
    ("torchdiffeq", our_flow, by_torchdiffeq, True),
    ("diffusers", our_diffusion, by_diffusers, False),
]
