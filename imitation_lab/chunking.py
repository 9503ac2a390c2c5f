"""What to do with chunks besides playing them: combine, choose, and continue the old one."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

# The velocity of noisy chunks (batch, prediction_horizon, action_dim) at times (batch,).
ChunkVelocity = Callable[[Tensor, Tensor], Tensor]


def temporal_ensemble(
    predictions: Float[Tensor, "batch count action_dim"], weight_decay: float
) -> Float[Tensor, "batch action_dim"]:
    """Average several predictions of the same action.

    The prediction number ``i`` has a weight in proportion to ``exp(-weight_decay * i)``.

    Args:
        predictions: Of the action that is due now, oldest first.
        weight_decay: 0 gives all the same weight. Above 0 the oldest has the largest.

    Source:
        Zhao et al., ALOHA and ACT, arXiv:2304.13705.
    """
    places = torch.arange(predictions.shape[1], device=predictions.device)
    weights = (-weight_decay * places).to(predictions.dtype).softmax(dim=0)
    return (weights.unsqueeze(1) * predictions).sum(dim=1)


def bidirectional_select(
    candidates: Float[Tensor, "batch num_candidates prediction_horizon action_dim"],
    previous: Float[Tensor, "batch overlap action_dim"],
    strong: Float[Tensor, "batch num_strong prediction_horizon action_dim"],
    weak: Float[Tensor, "batch num_weak prediction_horizon action_dim"],
    decay: float,
) -> Float[Tensor, "batch prediction_horizon action_dim"]:
    """Choose the candidate that continues the old plan and looks like a good policy's.

    The cost of a candidate is its backward coherence, the distances from the old plan's actions
    weighted by ``decay ** i``, plus its forward contrast, the mean distance from the strong policy's
    chunks minus that from the weak policy's. The distance of two chunks is the sum over their actions
    of the Euclidean distance.

    Args:
        candidates: Chunks to choose from.
        previous: What is left of the old plan, from the action that is due now.
        strong: Chunks of the policy.
        weak: Chunks of a worse one, such as an early checkpoint.
        decay: In [0, 1]: how much less each later action of the old plan counts.

    Source:
        Liu et al., Bidirectional decoding, arXiv:2408.17355.
    """
    overlap = previous.shape[1]
    away = (candidates[:, :, :overlap] - previous.unsqueeze(1)).norm(dim=3)
    weights = decay ** torch.arange(overlap, device=previous.device)
    coherence = (weights * away).sum(dim=2)
    contrast = _mean_distance(candidates, strong) - _mean_distance(candidates, weak)
    best = (coherence + contrast).argmin(dim=1)
    return candidates[torch.arange(len(best), device=best.device), best]


def _mean_distance(
    candidates: Float[Tensor, "batch num_candidates prediction_horizon action_dim"],
    others: Float[Tensor, "batch num_others prediction_horizon action_dim"],
) -> Float[Tensor, "batch num_candidates"]:
    apart = candidates.unsqueeze(2) - others.unsqueeze(1)
    return apart.norm(dim=4).sum(dim=3).mean(dim=2)


def rtc_weights(
    prediction_horizon: int, delay: int, execution_horizon: int
) -> Float[Tensor, "prediction_horizon"]:
    """Return how much each action of a new chunk is tied to the old plan.

    Actions before ``delay`` will have been taken when the chunk arrives: weight 1. The last
    ``execution_horizon`` ones have no counterpart in the old plan: weight 0. In between the weight
    falls: ``c * (exp(c) - 1) / (exp(1) - 1)`` with ``c`` falling in equal steps from below 1 to above 0.

    Args:
        prediction_horizon: Actions per chunk.
        delay: Steps that thinking takes.
        execution_horizon: Steps between chunks.

    Raises:
        ValueError: Unless ``0 <= delay`` and ``delay + execution_horizon <= prediction_horizon``.

    Source:
        Black et al., Real-time execution of action chunking flow policies, arXiv:2506.07339, eq. 5.
    """
    if not 0 <= delay <= prediction_horizon - execution_horizon:
        raise ValueError(
            f"delay {delay} must lie between 0 and prediction_horizon {prediction_horizon} minus "
            f"execution_horizon {execution_horizon}: else the old plan runs out."
        )
    steps = torch.arange(prediction_horizon)
    end = prediction_horizon - execution_horizon
    share = ((end - steps) / (end - delay + 1)).clamp(0, 1)
    share = torch.where(steps < delay, 1.0, share)
    return share * torch.expm1(share) / torch.expm1(torch.ones(()))


def rtc_guided_step(
    velocity: ChunkVelocity,
    points: Float[Tensor, "batch prediction_horizon action_dim"],
    time: float,
    step: float,
    previous: Float[Tensor, "batch prediction_horizon action_dim"],
    weights: Float[Tensor, "prediction_horizon"],
    max_guidance: float = 5.0,
) -> Float[Tensor, "batch prediction_horizon action_dim"]:
    """Take one Euler step from noise to data that leans towards an old plan.

    The velocity gains ``guidance * (weights * (previous - arrival)) @ d arrival / d points``, where
    ``arrival = points + (1 - time) * velocity`` is where the points seem to be going.

    Args:
        velocity: Of noisy chunks at times.
        points: Noisy chunks.
        time: At which they are, at least 0 and below 1.
        step: Length of the step in time.
        previous: The old plan.
        weights: How much each action is tied to it.
        max_guidance: The largest guidance: at time 0 it would be infinite.

    Source:
        Black et al., arXiv:2506.07339, eqs. 2 to 4.
    """
    times = points.new_full((len(points),), time)
    with torch.enable_grad():
        leaves = points.detach().requires_grad_()
        speed = velocity(leaves, times)
        arrival = leaves + (1 - time) * speed
        error = weights.unsqueeze(1) * (previous - arrival.detach())
        (pull,) = torch.autograd.grad(arrival, leaves, error)
    guidance = (time**2 + (1 - time) ** 2) / (time * (1 - time)) if time > 0 else max_guidance
    return points + step * (speed.detach() + min(max_guidance, guidance) * pull)


def rtc_sample(
    velocity: ChunkVelocity,
    noise: Float[Tensor, "batch prediction_horizon action_dim"],
    previous: Float[Tensor, "batch prediction_horizon action_dim"],
    delay: int,
    execution_horizon: int,
    num_steps: int = 10,
) -> Float[Tensor, "batch prediction_horizon action_dim"]:
    """Turn noise into chunks that continue an old plan.

    The first ``delay`` actions are the old plan's own: they are taken while the chunk is made.

    Args:
        velocity: Of noisy chunks at times.
        noise: Standard normal.
        previous: The old plan, from the action that is due now.
        delay: Steps that thinking takes.
        execution_horizon: Steps between chunks.
        num_steps: Euler steps.

    Raises:
        ValueError: If the old plan runs out, as in ``rtc_weights``.
    """
    weights = rtc_weights(noise.shape[1], delay, execution_horizon).to(noise)
    points = noise
    for index in range(num_steps):
        time, step = index / num_steps, 1 / num_steps
        points = rtc_guided_step(velocity, points, time, step, previous, weights)
    return torch.cat([previous[:, :delay], points[:, delay:]], dim=1)
