"""The planner's demonstrations: how they are made, and how those in ``assets`` are loaded."""

import multiprocessing
import signal
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from imitation_lab.data import Demonstrations
from imitation_lab.pusht.environment import NAME, drive
from imitation_lab.pusht.planner import PushPlanner
from imitation_lab.types import Ending, Generator, Trajectory

SIDES = ("left", "right")
FIRST_START = 100_000  # of the demonstrations: nobody is judged from these starts


@dataclass
class Stumbles:
    """A hand that slips now and then: for a few steps it goes somewhere else than it was sent.

    Attributes:
        generator: Draws when, where and how far.
        rate: Chance at every step that a slip begins.
        steps: Steps that it lasts.
        size: Standard deviation of where it goes instead, in pixels per axis.
    """

    generator: Generator
    rate: float = 0.02
    steps: int = 3
    size: float = 25.0
    _left: int = field(default=0, init=False)
    _offset: Tensor = field(default_factory=lambda: torch.zeros(2), init=False)

    def __call__(self, actions: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 2"]:
        """Return what is executed of these actions, in pixels."""
        if self._left == 0 and torch.rand((), generator=self.generator) < self.rate:
            self._left = self.steps
            self._offset = self.size * torch.randn(2, generator=self.generator)
        if self._left == 0:
            return actions
        self._left -= 1
        return actions + self._offset


def collect(
    num_starts: int, workers: int = 1, progress: bool = True, folder: str | Path | None = None
) -> Demonstrations:
    """Let the planner solve Push-T from either side, and keep the episodes that succeed.

    Both sides begin from the same starts. The hand slips now and then; what is recorded as the action
    is where it was sent, and so the data show how to recover.

    Args:
        num_starts: Starts, each solved once from every side.
        workers: Processes. They change nothing but the time it takes.
        progress: Whether to show a bar.
        folder: Where to keep every episode as soon as it ends: after an interruption, the same call
            goes on from there.
    """
    starts = range(FIRST_START, FIRST_START + num_starts)
    jobs = [(side, start) for start in starts for side in SIDES]
    demonstrate = partial(_demonstrate, folder=Path(folder) if folder else None)
    with multiprocessing.get_context("spawn").Pool(workers, _leave_interrupts_alone) as pool:
        found = pool.imap(demonstrate, jobs, chunksize=4)
        bar = tqdm(found, "demonstrating", len(jobs), unit=" episodes", disable=not progress)
        kept = tuple(trajectory for trajectory in bar if trajectory.ending is Ending.SUCCESS)
    return Demonstrations(kept, NAME)


def demonstrate_once(side: str, start: int) -> Trajectory:
    """Return the episode that the planner makes from one start, from its preferred side.

    Args:
        side: ``"left"`` or ``"right"``.
        start: The seed of the start. It fixes when the hand slips, too.
    """
    slips = Stumbles(torch.Generator().manual_seed(start))
    drives = drive(PushPlanner(side), [start], torch.Generator(), disturb=slips, driver=side)
    return drives.trajectories[0]


def _demonstrate(job: tuple[str, int], folder: Path | None = None) -> Trajectory:
    """Return one episode: from the folder if it lies there, else made and put there."""
    torch.set_num_threads(1)
    side, start = job
    path = folder / f"{side}_{start}.npz" if folder else None
    if path and path.is_file():
        return Demonstrations.load(path).trajectories[0]
    trajectory = demonstrate_once(side, start)
    if path:
        Demonstrations((trajectory,), NAME).save(path)
    return trajectory


def _leave_interrupts_alone() -> None:
    """Ctrl-C reaches every process: the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
