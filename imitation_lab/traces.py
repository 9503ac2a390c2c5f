"""One episode of a ``RecedingHorizon`` with every chunk that it was given, and what became of each action."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.controller import RecedingHorizon, Sampler
from imitation_lab.rollout import rollout
from imitation_lab.types import Ending, Generator, Task


class Fate(StrEnum):
    """What becomes of a predicted action."""

    TAKEN = "taken"
    HELD = "held"  # taken once more: the chunk ran out and its last action was repeated
    MISSED = "missed"  # for a step at which the old chunk played on, as this one was thought of
    AWAITED = "awaited"  # its chunk is still being thought of
    TO_COME = "to come"
    DISCARDED = "discarded"  # thrown away: another chunk took over before, or the episode ended


@dataclass(frozen=True)
class ChunkTrace:
    """What one episode saw, planned and did.

    The chunk number ``k`` was asked for at step ``born[k]`` and was at hand at step ``ready[k]``. Its
    action number ``h`` was meant for step ``born[k] + h``.

    Attributes:
        label: What to call it.
        task: Where it happened.
        states: True states, one more than there are steps.
        actions: What was done, in physical units.
        chunks: What was predicted, in physical units.
        born: The step at which each chunk was asked for, starting with 0.
        delay: Steps that thinking took.
        ending: How it ended.
    """

    label: str
    task: Task
    states: Float[Tensor, "moments state_dim"]
    actions: Float[Tensor, "time action_dim"]
    chunks: Float[Tensor, "count prediction_horizon action_dim"]
    born: tuple[int, ...]
    delay: int
    ending: Ending

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def ready(self) -> tuple[int, ...]:
        """The step from which each chunk was at hand: before the first step there is time to think."""
        return (0, *(born + self.delay for born in self.born[1:]))

    def playing(self, step: int) -> int:
        """Return which chunk the action of a step came from."""
        return max(index for index, ready in enumerate(self.ready) if ready <= step)

    def planned_actions(
        self, chunk: int, step: int, count: int | None = None
    ) -> Float[Tensor, "count action_dim"]:
        """Return what a chunk holds for the steps from one on, with its last action repeated.

        Args:
            chunk: Its number.
            step: Not before the one at which the chunk was asked for.
            count: How many actions; by default those that are left, and at least one.
        """
        horizon = self.chunks.shape[1]
        age = step - self.born[chunk]
        length = max(horizon - age, 1) if count is None else count
        return self.chunks[chunk, torch.arange(age, age + length).clamp(max=horizon - 1)]

    @torch.no_grad()
    def planned_states(self, chunk: int, step: int) -> Float[Tensor, "moments state_dim"]:
        """Return where a chunk would lead from the state at a step, were there no process noise."""
        quiet: Any = replace(self.task, process_noise=0.0)  # type: ignore[type-var]
        generator = torch.Generator()  # draws nothing that counts
        states = [self.states[step : step + 1]]
        for action in self.planned_actions(chunk, step):
            states.append(quiet.advance(states[-1], action.unsqueeze(0), generator))
        return torch.cat(states)

    def fates(self, now: int) -> list[list[Fate]]:
        """Return what has become of every action of every chunk that was asked for by a step.

        Args:
            now: Steps that have been taken. After the last one nothing is to come any more.

        Returns:
            One list for each chunk, oldest first. A chunk that ran out has more than
            ``prediction_horizon`` entries, of which the last are ``HELD``.
        """
        shown = [chunk for chunk, born in enumerate(self.born) if born <= now]
        return [self._fates_of(chunk, now) for chunk in shown]

    def _fates_of(self, chunk: int, now: int) -> list[Fate]:
        horizon, born = self.chunks.shape[1], self.born[chunk]
        held = max(0, min(self._replaced(chunk), now) - born - horizon)
        known = [self._fate(chunk, born + index, now) for index in range(horizon)]
        return known + [Fate.HELD] * held

    def _fate(self, chunk: int, step: int, now: int) -> Fate:
        ready, replaced = self.ready[chunk], self._replaced(chunk)
        if step < ready:
            return Fate.MISSED
        if step < min(now, replaced):
            return Fate.TAKEN
        if now == len(self) or replaced <= now:
            return Fate.DISCARDED
        return Fate.AWAITED if now < ready else Fate.TO_COME

    def _replaced(self, chunk: int) -> int:
        """Return the step at which the next chunk takes over."""
        return [*self.ready, len(self)][chunk + 1]


def trace(
    task: Task,
    actor: RecedingHorizon,
    generator: Generator,
    label: str = "",
    initial_state: Float[Tensor, "state_dim"] | None = None,
) -> ChunkTrace:
    """Run one episode, and keep every chunk that the actor is given.

    Args:
        task: The environment.
        actor: Stays as it is: a copy of it acts.
        generator: The source of every draw. Its device is where all runs.
        label: What to call the trace.
        initial_state: Where the episode starts, instead of a drawn start.

    Raises:
        ValueError: If the actor's horizon or delay is not one number.
    """
    delay = _one_number("delay", actor.delay)
    _one_number("execution_horizon", actor.execution_horizon)
    recorder = _Recorder(actor)
    start = None if initial_state is None else initial_state.unsqueeze(0)
    run = rollout(task, recorder, 1, generator, start)
    episode = run.trajectory(0)
    return ChunkTrace(
        label=label,
        task=task,
        states=run.states[: len(episode) + 1, 0].cpu(),
        actions=episode.actions,
        chunks=torch.stack(recorder.chunks).cpu(),
        born=tuple(recorder.born),
        delay=delay,
        ending=episode.ending,
    )


def _one_number(name: str, value: int | Tensor) -> int:
    numbers = torch.as_tensor(value).unique()
    if len(numbers) > 1:
        raise ValueError(
            f"a trace is of one episode, got an actor with {name} {numbers.tolist()}: give it one."
        )
    return int(numbers)


class _Recorder:
    """An actor that acts as another does, and writes down every chunk and the step it is asked for."""

    def __init__(self, actor: RecedingHorizon) -> None:
        self.chunks: list[Tensor] = []
        self.born: list[int] = []
        self._step = 0
        self._policy: Sampler = actor.policy
        self._decode = actor.decode
        decode = None if actor.decode is None else self._record_decode
        self._actor = replace(actor, policy=self, decode=decode)

    def reset(self, mask: Tensor) -> None:
        self._actor.reset(mask)

    def act(self, observations: Tensor, generator: Generator) -> Tensor:
        actions = self._actor.act(observations, generator)
        self._step += 1
        return actions

    def sample(self, observations: Tensor, generator: Generator) -> Tensor:
        return self._record(self._policy.sample(observations, generator))

    def _record_decode(self, observations: Tensor, plans: Tensor, generator: Generator) -> Tensor:
        assert self._decode is not None
        return self._record(self._decode(observations, plans, generator))

    def _record(self, chunks: Tensor) -> Tensor:
        self.chunks.append(chunks[0])
        self.born.append(self._step)
        return chunks
