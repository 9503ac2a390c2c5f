"""Habits of demonstrators: what a person does that no observation explains."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Actor, Generator

NOBODY = torch.empty(0)  # before the first reset


@dataclass
class PausingActor:
    """An actor whose hand rests now and then: for some steps it stays where it was.

    When a pause begins is left to chance, and how long it lasts as well. So nothing in an
    observation tells whether one is going on.

    Attributes:
        actor: The one who acts between the pauses.
        probability: Of a pause beginning at a step, in [0, 1].
        longest_pause: In steps. The number is drawn for every pause from the upper half of
            ``0 … longest_pause``.

    Raises:
        ValueError: If the probability is not in [0, 1], or the longest pause is negative.
    """

    actor: Actor
    probability: float
    longest_pause: int
    _left: Tensor = field(default=NOBODY, init=False, repr=False)  # steps of the pause to come
    _held: Tensor = field(default=NOBODY, init=False, repr=False)
    _fresh: Tensor = field(default=NOBODY, init=False, repr=False)  # nothing to hold yet

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if self.longest_pause < 0:
            raise ValueError(f"longest_pause must be at least 0, got {self.longest_pause}.")

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew: no pause is going on there."""
        self.actor.reset(mask)
        if len(self._left) != len(mask):
            self._left = torch.zeros(len(mask), dtype=torch.long, device=mask.device)
            self._fresh, self._held = mask, NOBODY
        self._left = self._left.masked_fill(mask, 0)
        self._fresh = self._fresh | mask

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the actor's actions, or the last ones where the hand rests."""
        actions = self.actor.act(observations, generator)
        shape, device = self._left.shape, self._left.device
        shortest, longest = self.longest_pause // 2, self.longest_pause + 1
        pause = torch.randint(shortest, longest, shape, generator=generator, device=device)
        begins = torch.rand(shape, generator=generator, device=device) < self.probability
        begins = begins & ~self._fresh & (self._left == 0)
        self._left = torch.where(begins, pause, self._left)
        rests = self._left > 0
        self._held = (
            torch.where(rests.unsqueeze(1), self._held, actions) if rests.any() else actions
        )
        self._left = (self._left - 1).clamp(min=0)
        self._fresh = torch.zeros_like(self._fresh)
        return self._held


@dataclass
class SwitchingActor:
    """Several actors take turns at the same episode, each in a style of their own.

    Who begins is left to chance, and so is when somebody else takes over.

    Attributes:
        actors: At least one.
        probability: Of drawing lots again at a step, in [0, 1]. With 0 one actor plays the episode.

    Raises:
        ValueError: If there is no actor, or the probability is not in [0, 1].
    """

    actors: Sequence[Actor]
    probability: float = 0.0
    _who: Tensor = field(default=NOBODY, init=False, repr=False)
    _undecided: Tensor = field(default=NOBODY, init=False, repr=False)

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if not self.actors:
            raise ValueError("got no actors: at least one is needed.")

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew: who plays them is drawn at the next action."""
        for actor in self.actors:
            actor.reset(mask)
        if len(self._who) != len(mask):
            self._who = torch.zeros(len(mask), dtype=torch.long, device=mask.device)
            self._undecided = mask
        self._undecided = self._undecided | mask

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the actions of those whose turn it is."""
        shape, device = self._who.shape, self._who.device
        lot = torch.randint(len(self.actors), shape, generator=generator, device=device)
        draws = torch.rand(shape, generator=generator, device=device) < self.probability
        self._who = torch.where(self._undecided | draws, lot, self._who)
        self._undecided = torch.zeros_like(self._undecided)
        actions = torch.stack([actor.act(observations, generator) for actor in self.actors])
        return actions.take_along_dim(self._who[None, :, None], dim=0)[0]


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies in [0, 1], got {probability}.")
