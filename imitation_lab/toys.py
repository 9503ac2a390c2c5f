"""Toy distributions of actions: no observation, no time, and a density that is known exactly.

What a policy class can represent shows best where nothing else is in the way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from imitation_lab.types import Generator

LIMIT = 1.5  # every toy puts less than 1e-6 of its probability outside ±LIMIT


@dataclass(frozen=True)
class Toy:
    """A distribution of actions that can be sampled and whose density is known.

    Attributes:
        name: For titles and tables.
        distribution: Over one action, on the CPU.
    """

    name: str
    distribution: MixtureSameFamily

    @property
    def action_dim(self) -> int:
        """Numbers per action."""
        return self.distribution.event_shape[0]

    def sample(self, count: int, generator: Generator) -> Float[Tensor, "count action_dim"]:
        """Draw actions, in metres per second."""
        # torch's distributions draw from the global generator: lend it a seed, and put it back.
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed seeds GPUs as well
            return self.distribution.sample(torch.Size([count]))

    def log_prob(self, actions: Float[Tensor, "count action_dim"]) -> Float[Tensor, "count"]:
        """Return the exact log density, in nats per action."""
        return self.distribution.log_prob(actions)


def two_drivers() -> Toy:
    """Return lateral commands of two drivers, one for each side: one number, two equal modes."""
    return _gaussians("two drivers", [[-0.6], [0.6]], [0.12, 0.12])


def three_lanes() -> Toy:
    """Return lateral commands towards three lanes: three modes, unequal in weight and in width."""
    return _gaussians("three lanes", [[-0.8], [0.1], [0.7]], [0.06, 0.12, 0.08], [0.5, 0.3, 0.2])


def steer_or_brake() -> Toy:
    """Return (steer, speed): left and brake, or right and speed up. The other two corners crash."""
    return _gaussians("steer or brake", [[-0.6, -0.6], [0.6, 0.6]], [0.12, 0.12])


def ring() -> Toy:
    """Return actions on a ring of radius 0.9: each number alone tells nothing of the hole."""
    angles = torch.arange(16) * (2 * math.pi / 16)
    centres = 0.9 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return _gaussians("ring", centres.tolist(), [0.12] * 16)


def _gaussians(
    name: str,
    means: Sequence[Sequence[float]],
    stds: Sequence[float],
    weights: Sequence[float] | None = None,
) -> Toy:
    centres = torch.tensor(means)
    widths = torch.tensor(stds).unsqueeze(1).expand_as(centres)
    shares = torch.tensor(weights or [1.0] * len(stds))
    parts = Independent(Normal(centres, widths), 1)
    return Toy(name, MixtureSameFamily(Categorical(shares), parts))
