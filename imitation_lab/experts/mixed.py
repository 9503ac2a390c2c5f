"""Two who share the wheel."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Actor, Generator


@dataclass
class MixedActor:
    """A coin decides at every step of every episode whether the expert acts or the learner.

    Attributes:
        learner: Acts where the coin says so.
        expert: Acts elsewhere.
        beta: Probability of the expert, in [0, 1].

    Raises:
        ValueError: If ``beta`` is no probability.

    Source:
        Ross et al., DAgger, arXiv:1011.0686, algorithm 3.1.
    """

    learner: Actor
    expert: Actor
    beta: float

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta must lie in [0, 1], got {self.beta}.")

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew, for both."""
        self.learner.reset(mask)
        self.expert.reset(mask)

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the expert's actions where the coin falls so, else the learner's."""
        learnt = self.learner.act(observations, generator)
        expert = self.expert.act(observations, generator)
        coins = torch.rand(len(learnt), 1, generator=generator, device=learnt.device)
        return torch.where(coins < self.beta, expert, learnt)
