"""Ways for a ``RecedingHorizon`` to draw chunks that continue the old plan."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from imitation_lab.controller import Decode, PhysicalPolicy, Sampler
from imitation_lab.types import Generator


def guided_decoder(
    policy: PhysicalPolicy,
    rtc_sample: Callable[..., Tensor],
    delay: int,
    execution_horizon: int,
    num_steps: int = 10,
) -> Decode:
    """Return the decoder of real-time chunking around a trained flow policy.

    Args:
        policy: Holds a ``FlowPolicy``, or another with its ``velocity``.
        rtc_sample: Called with a velocity of noisy chunks (batch, prediction_horizon, action_dim) at
            times (batch,), noise and the old plan of that shape, delay, execution horizon and number
            of steps, all normalised; returns chunks. ``imitation_lab.chunking`` has one.
        delay: Steps that thinking takes.
        execution_horizon: Steps between chunks.
        num_steps: Integration steps.
    """
    flow: Any = policy.policy

    def decode(observations: Tensor, plans: Tensor, generator: Generator) -> Tensor:
        seen, previous = (
            policy.normalize_observations(observations),
            policy.normalize_actions(plans),
        )
        noise = torch.randn(plans.shape, generator=generator, device=plans.device)

        def velocity(points: Tensor, times: Tensor) -> Tensor:
            return flow.velocity(points.flatten(1), times, seen).view_as(points)

        chunks = rtc_sample(velocity, noise, previous, delay, execution_horizon, num_steps)
        return policy.denormalize_actions(chunks)

    return decode


def selecting_decoder(
    policy: Sampler,
    weak: Sampler,
    bidirectional_select: Callable[..., Tensor],
    execution_horizon: int,
    num_candidates: int = 16,
    decay: float = 0.5,
) -> Decode:
    """Return the decoder of bidirectional decoding around two trained policies.

    Args:
        policy: Draws the candidates, and the good examples.
        weak: A worse policy of the same horizon, such as an early checkpoint.
        bidirectional_select: Called with candidates (batch, num_candidates, prediction_horizon,
            action_dim), what is left of the old plan (batch, overlap, action_dim), good and bad
            chunks of the candidates' shape, and the decay; returns one chunk each.
        execution_horizon: Steps between chunks: the old plan has so many actions less than a chunk.
        num_candidates: Chunks to choose from, good examples and bad ones alike.
        decay: How much less each later action of the old plan counts.
    """

    def several(policy: Sampler, rows: Tensor, generator: Generator) -> Tensor:
        return policy.sample(rows, generator).unflatten(0, (-1, num_candidates))

    def decode(observations: Tensor, plans: Tensor, generator: Generator) -> Tensor:
        rows = observations.repeat_interleave(num_candidates, dim=0)
        candidates = several(policy, rows, generator)
        strong, bad = several(policy, rows, generator), several(weak, rows, generator)
        left = plans[:, : plans.shape[1] - execution_horizon]
        return bidirectional_select(candidates, left, strong, bad, decay)

    return decode
