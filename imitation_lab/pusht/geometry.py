"""Push-T's table and T, as numbers: positions in pixels, angles in radians."""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

TABLE = 512.0  # the side of the square table
AGENT_RADIUS = 15.0
# The T's outline in its own frame, whose origin lies in the middle of the bar's outer edge.
OUTLINE = np.array(
    [(-60, 0), (60, 0), (60, 30), (15, 30), (15, 120), (-15, 120), (-15, 30), (-60, 30)], float
)
CORNERS = len(OUTLINE)
CENTRE = np.array([0.0, 45.0])  # of gravity
GYRATION = math.sqrt(3000.0)  # pixels that the T's corners move, about, for one radian
GOAL = (256.0, 256.0, math.pi / 4)  # x, y, angle of the T

# An observation is (agent x, agent y, T x, T y, T angle).
AGENT, TEE, ANGLE = slice(0, 2), slice(2, 4), 4


def rotation(angle: float) -> Array:
    """Return the matrix that turns the T's frame to the table's."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


_GOAL_CENTRE = (rotation(GOAL[2]) @ CENTRE + GOAL[:2]).tolist()


def distance_to_goal(x: float, y: float, angle: float) -> float:
    """Return how far a pose of the T is from the goal, in pixels: shift and turn together.

    About the root mean square distance that the points of the T still have to go.
    """
    centre_x = x - math.sin(angle) * CENTRE[1]
    centre_y = y + math.cos(angle) * CENTRE[1]
    turn = (angle - GOAL[2] + math.pi) % (2 * math.pi) - math.pi
    return math.hypot(centre_x - _GOAL_CENTRE[0], centre_y - _GOAL_CENTRE[1], GYRATION * turn)


def error_to_goal(
    observations: Float[Tensor, "*batch observation_dim"],
) -> Float[Tensor, "*batch 3"]:
    """Return the T's shift and turn from the goal, all in pixels."""
    turn = torch.remainder(observations[..., ANGLE] - GOAL[2] + math.pi, 2 * math.pi) - math.pi
    goal = torch.tensor(GOAL[:2], dtype=observations.dtype, device=observations.device)
    return torch.cat([observations[..., TEE] - goal, GYRATION * turn.unsqueeze(-1)], dim=-1)


def corners(
    observations: Float[Tensor, "*batch observation_dim"],
) -> Float[Tensor, "*batch corners 2"]:
    """Return where the eight corners of the T are on the table."""
    outline = torch.as_tensor(OUTLINE, dtype=observations.dtype, device=observations.device)
    cosine, sine = observations[..., ANGLE].cos(), observations[..., ANGLE].sin()
    turn = torch.stack([cosine, -sine, sine, cosine], dim=-1).unflatten(-1, (2, 2))
    return outline @ turn.mT + observations[..., None, TEE]


def agent_in_tee_frame(
    observations: Float[Tensor, "*batch observation_dim"],
) -> Float[Tensor, "*batch 2"]:
    """Return where the agent is as the T sees it."""
    offset = observations[..., AGENT] - observations[..., TEE]
    cosine, sine = observations[..., ANGLE].cos(), observations[..., ANGLE].sin()
    x = cosine * offset[..., 0] + sine * offset[..., 1]
    y = cosine * offset[..., 1] - sine * offset[..., 0]
    return torch.stack([x, y], dim=-1)
