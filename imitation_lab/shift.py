"""How far a policy strays from its expert's states, and how its cost grows with time."""

from jaxtyping import Float
from torch import Tensor


def state_divergence(
    expert_states: Float[Tensor, "time experts state_dim"],
    policy_states: Float[Tensor, "time policies state_dim"],
) -> Float[Tensor, "time"]:
    """Return the energy distance between two crowds of states, step by step.

    Zero where the crowds are equal, and never negative. In the states' own units.

    Args:
        expert_states: Where the expert's episodes are at every step.
        policy_states: Where the policy's episodes are.

    Source:
        Székely and Rizzo, "Energy statistics", JSPI 143, 2013.
    """
    across = _mean_distance(expert_states, policy_states)
    within_expert = _mean_distance(expert_states, expert_states)
    within_policy = _mean_distance(policy_states, policy_states)
    return 2 * across - within_expert - within_policy


def _mean_distance(
    one: Float[Tensor, "time some state_dim"], other: Float[Tensor, "time others state_dim"]
) -> Float[Tensor, "time"]:
    # Differences, not cdist's matrix product: its rounding tells equal crowds apart.
    gaps = one.unsqueeze(2) - other.unsqueeze(1)
    return gaps.norm(dim=-1).mean(dim=(1, 2))


def loglog_slope(horizons: Float[Tensor, "n"], costs: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the power of the horizon with which costs grow: a least-squares fit of logarithms.

    Args:
        horizons: Steps, positive, not all equal.
        costs: Their costs, positive.
    """
    x, y = horizons.log(), costs.log()
    x = x - x.mean()
    return (x * y).sum() / x.square().sum()
