"""Time sampling beside other libraries: `python -m benchmarks.flow`.

The same network, the same noise and ten steps, on one thread. flow_matching and torchdiffeq follow the
flow policy's velocity by Euler, and diffusers' DDIM takes the diffusion policy's steps. What differs is
the time that a library spends around the network: most where batches are small.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import DDIMScheduler
from flow_matching.solver import ODESolver
from torch import Tensor
from torchdiffeq import odeint

from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.training import one_thread

ROUNDS = {1: 300, 256: 100, 4096: 15}  # by batch
STEPS = 10
GRID = torch.linspace(0, 1, STEPS + 1)
FLOW = FlowPolicy(8, 2, prediction_horizon=8, num_steps=STEPS)
DIFFUSION = DiffusionPolicy(8, 2, prediction_horizon=8, num_steps=STEPS)
Sampler = Callable[[Tensor, Tensor], Tensor]  # from noise and observations


def by_flow_matching(noise: Tensor, observations: Tensor) -> Tensor:
    """Return the flow policy's chunks by flow_matching's solver."""
    solver = ODESolver(lambda x, t: FLOW.velocity(x, t.expand(len(x)), observations))
    return solver.sample(noise, step_size=None, time_grid=GRID)


def by_torchdiffeq(noise: Tensor, observations: Tensor) -> Tensor:
    """Return the flow policy's chunks by torchdiffeq's solver."""

    def velocity(time: Tensor, points: Tensor) -> Tensor:
        return FLOW.velocity(points, time.expand(len(points)), observations)

    return odeint(velocity, noise, GRID, method="euler")[-1]


def diffusers_scheduler() -> Any:
    """Return diffusers' DDIM for the diffusion policy, ready for its steps."""
    scheduler: Any = DDIMScheduler(
        DIFFUSION.num_timesteps,
        beta_schedule="squaredcos_cap_v2",
        clip_sample_range=DIFFUSION.limit,
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(STEPS)
    return scheduler


SCHEDULER = diffusers_scheduler()


def by_diffusers(noise: Tensor, observations: Tensor) -> Tensor:
    """Return the diffusion policy's chunks by diffusers' scheduler."""
    points = noise
    for timestep in SCHEDULER.timesteps:
        predicted = DIFFUSION.predict_noise(points, timestep.expand(len(points)), observations)
        step = SCHEDULER.step(predicted, timestep, points, use_clipped_model_output=True)
        points = step.prev_sample
    return points


PEERS: list[tuple[str, Sampler, Sampler]] = [
    ("flow, Euler: flow_matching", FLOW.denoise, by_flow_matching),
    ("flow, Euler: torchdiffeq", FLOW.denoise, by_torchdiffeq),
    ("diffusion, DDIM: diffusers", DIFFUSION.denoise, by_diffusers),
]


def milliseconds(
    own: Sampler, peer: Sampler, noise: Tensor, observations: Tensor, rounds: int
) -> tuple[float, float]:
    """Return the median times of two samplers, taken in turns so that a busy machine hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for sampler, spent in zip((own, peer), times, strict=True):
            started = time.perf_counter()
            sampler(noise, observations)
            spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Print a table of median times and their ratios."""
    print("| beside | batch | library, ms | peer, ms | faster by |\n|---|--:|--:|--:|--:|")
    with torch.no_grad(), one_thread():
        for name, own, peer in PEERS:
            for batch, rounds in ROUNDS.items():
                noise, observations = torch.randn(batch, FLOW.chunk_dim), torch.randn(batch, 8)
                torch.testing.assert_close(
                    own(noise, observations).flatten(1),
                    peer(noise, observations),
                    rtol=1e-3,
                    atol=1e-3,
                )
                ours, theirs = milliseconds(own, peer, noise, observations, rounds)
                print(f"| {name} | {batch} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |")


if __name__ == "__main__":
    main()
