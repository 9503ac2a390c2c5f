"""What training is given, and what it gives back."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.normalizer import Normalizer
from imitation_lab.types import Policy

FAST = "IMITATION_LAB_FAST"


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast to learn.

    Attributes:
        steps: Gradient steps. Divided by 20 where the environment variable ``IMITATION_LAB_FAST``
            is set, for a quick look at whether everything runs.
        batch_size: Observations per step.
        learning_rate: Of AdamW at its peak, reached after ``warmup_steps`` and followed by a cosine
            down to a fiftieth.
        warmup_steps: Steps of linear warm-up.
        weight_decay: Of AdamW.
    """

    steps: int = 2500
    batch_size: int = 256
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(f"steps and batch_size must be at least 1, got {self}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}.")

    @property
    def steps_to_run(self) -> int:
        """Gradient steps, fewer where the environment asks for a fast run."""
        return max(1, self.steps // 20) if os.environ.get(FAST) else self.steps

    def learning_rate_factor(self, step: int, steps: int) -> float:
        """Return the share of the peak learning rate at a step, in (0, 1]."""
        warmup = min(1.0, (step + 1) / max(1, self.warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        return warmup * (0.98 * cosine + 0.02)


class Normalizers(NamedTuple):
    """The two places between physical and normalised units."""

    observations: Normalizer
    actions: Normalizer


@dataclass(frozen=True)
class TrainingRun:
    """What came out of training.

    Attributes:
        policy: The trained policy, the same object that went in.
        normalizers: Fitted on the training demonstrations.
        losses: The loss of every step, in the policy's own unit.
        seconds: Wall time. Policies that were trained together share it.
        interrupted: Whether someone stopped the training early.
    """

    policy: Policy
    normalizers: Normalizers
    losses: Float[Tensor, "steps"]
    seconds: float
    interrupted: bool


def finished(runs: list[TrainingRun]) -> list[TrainingRun]:
    """Return training runs that nobody stopped.

    Raises:
        KeyboardInterrupt: If somebody stopped one: half-trained policies would drive, and look like a
            result.
    """
    if any(run.interrupted for run in runs):
        raise KeyboardInterrupt("training was stopped: run this again to train anew")
    return runs


def best_device() -> torch.device:
    """Return the fastest device here: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one CPU thread: small networks only get slower with more, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
