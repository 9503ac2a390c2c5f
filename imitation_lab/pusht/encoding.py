"""What a Push-T policy sees and says: between pixels and the numbers inside."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imitation_lab.pusht.geometry import (
    AGENT,
    ANGLE,
    CORNERS,
    TEE,
    agent_in_tee_frame,
    corners,
    error_to_goal,
)

OBSERVATION_DIM, ACTION_DIM = 5, 2
FEATURE_DIM = 8 + 4 * CORNERS + 3
NEAR = 8.0  # pixels: nearer than this, distances are told linearly, beyond ever more coarsely


class Range(nn.Module):
    """Between physical units and [-1, 1]: the smallest training value becomes -1, the largest 1.

    A dimension that never changed becomes 0. What lies outside the training data lies outside [-1, 1].
    """

    low: Tensor
    high: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("low", -torch.ones(dim))
        self.register_buffer("high", torch.ones(dim))

    @classmethod
    def fit(cls, values: Float[Tensor, "*batch dim"]) -> "Range":
        """Return the range of training values, over all axes but the last."""
        fitted = cls(values.shape[-1]).to(values.device)
        fitted.low.copy_(values.flatten(0, -2).amin(dim=0))
        fitted.high.copy_(values.flatten(0, -2).amax(dim=0))
        return fitted

    def normalize(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Turn physical into normalised units."""
        half = (self.high - self.low) / 2
        return (values - (self.high + self.low) / 2) / torch.where(half > 0, half, 1.0)

    def denormalize(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Turn normalised into physical units."""
        return (self.high + self.low) / 2 + values * (self.high - self.low) / 2


def enlarge(pixels: Tensor) -> Tensor:
    """Return distances with the small ones told finely and the large ones coarsely.

    A hundred pixels and a hundred and one are alike; one pixel and two are not.
    """
    return torch.asinh(pixels / NEAR)


def encode(observations: Float[Tensor, "batch stacked_dim"]) -> Float[Tensor, "batch feature_dim"]:
    """Return what the network sees of observations, not yet normalised.

    Args:
        observations: In pixels and radians. Several frames lie side by side, the newest first.
    """
    frames = observations.split(OBSERVATION_DIM, dim=1)
    return torch.cat([_features(frame) for frame in frames], dim=1)


def _features(observations: Float[Tensor, "batch 5"]) -> Float[Tensor, "batch feature_dim"]:
    """Return one frame's features.

    The T's angle is told as a cosine and a sine, since 0 and 2 pi are one angle. Where things lie to
    each other counts more than where they lie on the table: the agent as the T sees it, the T's corners
    as the agent sees them, the T as the goal sees it. The last pixels decide, so some are enlarged.
    """
    angle = observations[:, ANGLE, None]
    around = (corners(observations) - observations[:, None, AGENT]).flatten(1)
    return torch.cat(
        [
            observations[:, AGENT],
            observations[:, TEE],
            angle.cos(),
            angle.sin(),
            agent_in_tee_frame(observations),
            around,
            enlarge(around),
            enlarge(error_to_goal(observations)),
        ],
        dim=1,
    )


def relative(
    actions: Float[Tensor, "batch prediction_horizon 2"],
    observations: Float[Tensor, "batch stacked_dim"],
) -> Float[Tensor, "batch prediction_horizon 2"]:
    """Return chunks of targets as seen from where the agent is, near ones enlarged."""
    return enlarge(actions - observations[:, None, AGENT])


def absolute(
    chunks: Float[Tensor, "batch prediction_horizon 2"],
    observations: Float[Tensor, "batch stacked_dim"],
) -> Float[Tensor, "batch prediction_horizon 2"]:
    """Return the targets on the table, in pixels: the inverse of ``relative``."""
    return NEAR * torch.sinh(chunks) + observations[:, None, AGENT]


def stack_frames(
    observations: Float[Tensor, "moments 5"], frames: int
) -> Float[Tensor, "moments stacked_dim"]:
    """Return every observation of an episode beside those before it, the newest first.

    Before the episode's start, its first observation repeats.
    """
    moments = torch.arange(len(observations))
    return torch.cat([observations[(moments - age).clamp(min=0)] for age in range(frames)], dim=1)
