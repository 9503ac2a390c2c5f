"""What the chunk timeline says and hands over: a drive's commands, its takeovers, the sentence."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from imitation_lab.envs.fork import GOAL, OBSTACLE, Fork
from imitation_lab.traces import ChunkTrace, Fate
from imitation_lab.types import Ending
from imitation_lab.widgets.base import as_bytes
from imitation_lab.widgets.words import fixed

JUMP = 0.5  # m/s sideways: a new plan that differs by more from the old one jumps
ENDINGS = {
    Ending.SUCCESS: "reached the goal",
    Ending.FAILURE: "crashed",
    Ending.CUT_OFF: "ran out of time",
}


@dataclass(frozen=True)
class Takeover:
    """The moment at which a new chunk replaces the old one.

    Attributes:
        chunk: The new chunk's number.
        step: At which it takes over.
        old: What the old chunk had for this step, in m/s to the left.
        new: What the new one does instead, in m/s to the left.
    """

    chunk: int
    step: int
    old: float
    new: float

    @property
    def change(self) -> float:
        """By how much the steering changes because the plan does, in m/s."""
        return abs(self.new - self.old)

    @property
    def jumps(self) -> bool:
        """Whether that is a jump."""
        return self.change > JUMP


@dataclass(frozen=True)
class Drive:
    """A trace on the fork, as the widget shows it: in the road's frame, commands as the vehicle obeys.

    Raises:
        ValueError: If the trace is of another task.
    """

    trace: ChunkTrace

    def __post_init__(self) -> None:
        if not isinstance(self.trace.task, Fork):
            name = self.trace.task.name
            raise ValueError(f"ChunkTimeline draws the fork, got a trace of the {name}.")

    @property
    def task(self) -> Fork:
        """The fork that is driven."""
        assert isinstance(self.trace.task, Fork)
        return self.trace.task

    @cached_property
    def commands(self) -> Float[Tensor, "count prediction_horizon 2"]:
        """What the vehicle would obey for every predicted action, in m/s along the road and to the left."""
        chunks = self.trace.chunks
        return self.task.limit_speed(self.task.to_road(chunks.flatten(0, 1))).view_as(chunks)

    def lateral(self, chunk: int, step: int) -> float:
        """Return what a chunk has for a step, its last action repeated, in m/s to the left."""
        horizon = self.commands.shape[1]
        return self.commands[chunk, min(step - self.trace.born[chunk], horizon - 1), 1].item()

    @cached_property
    def takeovers(self) -> tuple[Takeover, ...]:
        """Every moment at which a new chunk replaces the old one."""
        return tuple(
            Takeover(chunk, step, self.lateral(chunk - 1, step), self.lateral(chunk, step))
            for chunk, step in enumerate(self.trace.ready)
            if chunk and step < len(self.trace)
        )

    @property
    def outcome(self) -> str:
        """How the drive ended and how often it jumped, in a few words."""
        jumps = sum(takeover.jumps for takeover in self.takeovers)
        count = "no jump" if jumps == 0 else "1 jump" if jumps == 1 else f"{jumps} jumps"
        return f"{count}, {ENDINGS[self.trace.ending]}"

    @property
    def telling_step(self) -> int:
        """The step at which the plan changes most."""
        if not self.takeovers:
            return 0
        return max(self.takeovers, key=lambda takeover: takeover.change).step

    def thrown_away(self, step: int) -> tuple[int, int] | None:
        """Return which chunk the present one replaced and at which step, if anything was left of it."""
        chunk = self.trace.playing(step)
        if chunk == 0:
            return None
        replaced = self.trace.ready[chunk]
        left = self.trace.born[chunk - 1] + self.commands.shape[1] - replaced
        return (chunk - 1, replaced) if left > 0 else None

    def sentence(self, step: int) -> str:
        """Return in words what has happened by a step, just as the widget does."""
        total = len(self.trace)
        fates = [fate for row in self.trace.fates(step) for fate in row]
        taken = fates.count(Fate.TAKEN) + fates.count(Fate.HELD)
        jumps = sum(takeover.jumps for takeover in self.takeovers)
        return (
            f"Step {step} of {total}. {self._chunk_in_words(min(step, total - 1))} "
            f"So far: {taken} taken, {fates.count(Fate.MISSED)} missed, "
            f"{fates.count(Fate.DISCARDED)} thrown away. "
            f"In the whole drive {jumps} of {len(self.takeovers)} new plans jump; "
            f"it {ENDINGS[self.trace.ending]}."
        )

    def _chunk_in_words(self, step: int) -> str:
        chunk = self.trace.playing(step)
        if chunk == 0:
            return "The first chunk plays: it was thought of before the start."
        asked = f"asked for at step {self.trace.born[chunk]}"
        if self.trace.delay:
            asked += f" and at hand at step {self.trace.ready[chunk]}"
        takeover = self.takeovers[chunk - 1]
        change = f"{fixed(takeover.change)} m/s"
        verdict = f"a jump of {change}" if takeover.jumps else f"a change of {change}, no jump"
        return (
            f"Chunk {chunk + 1} plays, {asked}. When it took over it steered {side(takeover.new)}, "
            f"where the plan that it replaced steered {side(takeover.old)}: "
            f"{verdict}."
        )

    def plan(self) -> dict[str, Any]:
        """Return what the browser must know besides the numbers."""
        trace, first = self.trace, self.trace.states[0]
        return {
            "label": trace.label,
            "outcome": self.outcome,
            "ending": ENDINGS[trace.ending],
            "steps": len(trace),
            "horizon": trace.chunks.shape[1],
            "delay": trace.delay,
            "born": list(trace.born),
            "obstacle": [*first[OBSTACLE].tolist(), self.task.obstacle_radius],
            "goal": [*first[GOAL].tolist(), self.task.goal_radius],
            "half_width": self.task.road_half_width,
            "response": self.task.response,
            "time_step": self.task.time_step,
        }

    def as_bytes(self) -> bytes:
        """Return positions and velocities, then commands, as float32."""
        return as_bytes(self.trace.states[:, :4]) + as_bytes(self.commands)


def side(lateral: float) -> str:
    """Write a lateral command without a sign that one could get wrong: ``0.50 m/s left``."""
    size = fixed(abs(lateral))
    if float(size) == 0:
        return "straight on"
    return f"{size} m/s {'left' if lateral > 0 else 'right'}"


def as_drives(traces: list[ChunkTrace] | tuple[ChunkTrace, ...]) -> tuple[Drive, ...]:
    """Return the traces as drives.

    Raises:
        ValueError: If there is none, if one is not of the fork, or if two have one label.
    """
    drives = tuple(Drive(trace) for trace in traces)
    labels = [drive.trace.label for drive in drives]
    if not drives:
        raise ValueError("ChunkTimeline needs at least one trace.")
    if len(set(labels)) < len(labels) or "" in labels:
        raise ValueError(f"every trace needs a label of its own to be chosen by, got {labels}.")
    return drives
