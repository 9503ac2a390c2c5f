"""Where a policy becomes an actor: physical units in, physical units out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.normalizer import Normalizer
from imitation_lab.types import Generator, Policy

NOTHING = torch.empty(0)  # no chunk yet

# New chunks from observations, from what was planned, and from a source of noise.
Decode = Callable[[Tensor, Tensor, Generator], Tensor]


@runtime_checkable
class Sampler(Protocol):
    """Whatever draws chunks in physical units."""

    def sample(self, observations: Tensor, generator: Generator) -> Tensor:
        """Draw one chunk (batch, prediction_horizon, action_dim) for every observation."""
        ...


@dataclass
class PhysicalPolicy:
    """A policy between the normalizers of its training: physical units in, physical units out.

    Attributes:
        policy: Speaks normalised units.
        observation_normalizer: Fitted on the training observations.
        action_normalizer: Fitted on the training actions.

    Raises:
        ValueError: If the normalizers' dimensions are not the policy's.
    """

    policy: Policy
    observation_normalizer: Normalizer
    action_normalizer: Normalizer

    def __post_init__(self) -> None:
        normalizers = (self.observation_normalizer, self.action_normalizer)
        given = tuple(normalizer.mean.shape[-1] for normalizer in normalizers)
        expected = (self.policy.observation_dim, self.policy.action_dim)
        if given != expected:
            raise ValueError(
                f"the normalizers of observations and actions have {given} dimensions, the policy "
                f"{expected}: use the normalizers of the policy's own training run."
            )

    @property
    def prediction_horizon(self) -> int:
        """Actions per chunk."""
        return self.policy.prediction_horizon

    @property
    def device(self) -> torch.device:
        """Where the policy computes."""
        return self.action_normalizer.mean.device

    def normalize_observations(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> Float[Tensor, "batch observation_dim"]:
        """Turn physical observations into normalised ones."""
        return self.observation_normalizer.normalize(observations)

    def normalize_actions(
        self, actions: Float[Tensor, "batch *horizon action_dim"]
    ) -> Float[Tensor, "batch *horizon action_dim"]:
        """Turn physical actions into normalised ones."""
        return self.action_normalizer.normalize(actions)

    def denormalize_actions(
        self, actions: Float[Tensor, "batch *horizon action_dim"]
    ) -> Float[Tensor, "batch *horizon action_dim"]:
        """Turn normalised actions into physical ones."""
        return self.action_normalizer.denormalize(actions)

    @torch.no_grad()
    def sample(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation."""
        chunks = self.policy.sample(self.normalize_observations(observations), generator)
        return self.denormalize_actions(chunks)


@dataclass
class RecedingHorizon:
    """An actor that asks its policy for a chunk, plays the first actions, and asks again.

    Thinking may take time. With a delay of ``d`` steps, what was seen at step ``t`` becomes a chunk
    that is at hand at step ``t + d``. Until then the old chunk is played on. The new chunk's first
    action was meant for step ``t``, so play goes on at its action number ``d``. Nobody thinks about
    two things at once: the next chunk is asked for after ``execution_horizon`` steps, or after
    ``delay`` if that is longer. A chunk that runs out holds its last action. Before the first step
    of an episode there is time to think.

    Every episode of the batch keeps its own clock. Where all started together, one serves for all.

    Attributes:
        policy: Draws chunks in physical units: ``policy.sample(observations, generator)``.
        execution_horizon: Steps between chunks, at least 1: one number, or one for each episode.
        delay: Steps that thinking takes: one number, or one for each episode.
        decode: Asked instead of the policy, if given, once an episode runs. Besides observations it
            gets plans (batch, prediction_horizon, action_dim): what is left of each episode's chunk,
            from the action that is due now, with the last one repeated to a chunk's length.

    Raises:
        ValueError: If a horizon is below 1 or a delay below 0.
    """

    policy: Sampler
    execution_horizon: int | Tensor = 1
    delay: int | Tensor = 0
    decode: Decode | None = None
    _clock: Tensor = field(init=False, repr=False)  # steps since the episode's start
    _age: Tensor = field(init=False, repr=False)  # steps since what is played was seen
    _common: tuple[int, int] | None = field(default=None, init=False, repr=False)  # both, for all
    _playing: Tensor = field(default=NOTHING, init=False, repr=False)
    _awaited: Tensor = field(default=NOTHING, init=False, repr=False)

    def __post_init__(self) -> None:
        shortest = int(torch.as_tensor(self.execution_horizon).min())
        least = int(torch.as_tensor(self.delay).min())
        if shortest < 1 or least < 0:
            raise ValueError(
                "execution_horizon must be at least 1 and delay at least 0, got "
                f"{shortest} and {least}."
            )

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew: what was planned for them is dropped.

        Raises:
            ValueError: If it is the first reset of this many episodes, and not of all.
        """
        if len(self._playing) != len(mask):
            if not mask.all():
                raise ValueError(f"the first reset must start all {len(mask)} episodes.")
            self._clock = torch.zeros(len(mask), dtype=torch.long, device=mask.device)
            self._age = torch.zeros_like(self._clock)
            self._playing = self._awaited = NOTHING
        if mask.all():
            self._common = 0, 0
        else:
            self._part()
            self._clock = self._clock.masked_fill(mask, 0)

    @torch.no_grad()
    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return every episode's next action."""
        at_once = isinstance(self.delay, int) and self.delay == 0 and self.decode is None
        if self._common and at_once and isinstance(self.execution_horizon, int):
            return self._act_together(
                *self._common, self.execution_horizon, observations, generator
            )
        self._part()
        delay = torch.as_tensor(self.delay, device=observations.device)
        horizon = torch.as_tensor(self.execution_horizon, device=observations.device)
        period = torch.maximum(horizon, delay)
        starts = self._clock == 0
        due = (self._clock >= delay) & ((self._clock - delay) % period == 0)
        asks = self._clock % period == 0
        self._take_up(due & ~starts & (delay > 0), delay)
        if self.decode is None:
            self._await(asks, observations, generator)
        else:
            self._await(starts, observations, generator)
            self._await(asks & ~starts, observations, generator, self.decode)
        self._take_up(asks & (starts | (delay == 0)), torch.zeros_like(delay))
        actions = self._plan(1)[:, 0]
        self._clock, self._age = self._clock + 1, self._age + 1
        return actions

    def _act_together(
        self, clock: int, age: int, horizon: int, observations: Tensor, generator: Generator
    ) -> Tensor:
        """Act as ``act`` does, where all episodes ask in the same steps and none waits."""
        if clock % horizon == 0:
            self._playing, age = self.policy.sample(observations, generator), 0
        self._common = clock + 1, age + 1
        # A copy: whoever gets the action may change it, and a chunk's last one may be played again.
        return self._playing[:, min(age, self._playing.shape[1] - 1)].clone()

    def _part(self) -> None:
        """Have every episode keep its own clock from now on."""
        if self._common:
            clock, age = self._common
            self._clock = torch.full_like(self._clock, clock)
            self._age = torch.full_like(self._age, age)
            self._awaited, self._common = self._playing, None

    def _await(
        self,
        mask: Tensor,
        observations: Tensor,
        generator: Generator,
        decode: Decode | None = None,
    ) -> None:
        """Have new chunks thought of for these episodes."""
        if not mask.any():
            return
        # Indexing copies: not where all episodes ask together, which is the rule.
        rows = slice(None) if mask.all() else mask.nonzero().squeeze(1)
        if decode is None:
            chunks = self.policy.sample(observations[rows], generator)
        else:
            plans = self._plan(self._playing.shape[1])[rows]
            chunks = decode(observations[rows], plans, generator)
        if not len(self._playing):
            self._playing = self._awaited = chunks
        # A copy: what is played may be the same tensor.
        self._awaited = self._awaited.clone()
        self._awaited[rows] = chunks

    def _take_up(self, mask: Tensor, age: Tensor) -> None:
        """Play the awaited chunks of these episodes, from the action of this age on."""
        if mask.any():
            self._playing = torch.where(mask[:, None, None], self._awaited, self._playing)
            self._age = torch.where(mask, age, self._age)

    def _plan(self, length: int) -> Float[Tensor, "batch length action_dim"]:
        """Return what each episode plays next, with a chunk's last action repeated."""
        steps = torch.arange(length, device=self._age.device)
        indices = (self._age.unsqueeze(1) + steps).clamp(max=self._playing.shape[1] - 1)
        return self._playing.take_along_dim(indices.unsqueeze(2), dim=1)


@dataclass
class ChunkPlayer(PhysicalPolicy):
    """A trained policy as an actor: plays every chunk to its end, then asks for the next.

    Attributes:
        execution_horizon: Actions that are played of each chunk; by default all.
    """

    execution_horizon: int | None = None
    _controller: RecedingHorizon = field(init=False, repr=False)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Drop the chunks of these episodes."""
        if mask.all():
            # Made here, of this very object: experiments copy players and exchange their policies.
            asked = self.execution_horizon
            played = self.prediction_horizon if asked is None else asked
            self._controller = RecedingHorizon(self, played)
        self._controller.reset(mask)

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the next action of every episode's chunk."""
        return self._controller.act(observations, generator)


@dataclass
class EnsemblingActor:
    """An actor that asks at every step, and combines all its chunks' actions for this step.

    All its episodes start together.

    Attributes:
        policy: Draws chunks in physical units.
        combine: Makes one action (batch, action_dim) of all predictions for it (batch, count,
            action_dim), oldest first: ACT's temporal ensemble, for one.

    Source:
        Zhao et al., ALOHA and ACT, arXiv:2304.13705.
    """

    policy: Sampler
    combine: Callable[[Tensor], Tensor]
    _chunks: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Drop all chunks.

        Raises:
            ValueError: If only some of the episodes start anew.
        """
        if not mask.all():
            raise ValueError(
                "an EnsemblingActor restarts all of its episodes at once, not some of them."
            )
        self._chunks = []

    @torch.no_grad()
    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return every episode's next action."""
        chunks = self.policy.sample(observations, generator)
        self._chunks = [*self._chunks, chunks][-chunks.shape[1] :]
        newest_first = [chunk[:, age] for age, chunk in enumerate(reversed(self._chunks))]
        return self.combine(torch.stack(newest_first[::-1], dim=1))
