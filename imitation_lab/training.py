"""One training loop for every policy of the course."""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from imitation_lab.data import Demonstrations
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
        seconds: Wall time.
        interrupted: Whether someone stopped the training early.
    """

    policy: Policy
    normalizers: Normalizers
    losses: Float[Tensor, "steps"]
    seconds: float
    interrupted: bool


def best_device() -> torch.device:
    """Return the fastest device here: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def train(
    policy: Policy,
    demonstrations: Demonstrations,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    description: str = "training",
    progress: bool = True,
) -> TrainingRun:
    """Train a policy on demonstrations.

    Interrupting (Ctrl-C, or the stop button) keeps what was learnt so far.

    Args:
        policy: Is moved to the device and changed in place.
        demonstrations: In physical units.
        settings: How long and how fast.
        seed: Fixes the batches and the noise inside the loss.
        device: Where to train; by default the fastest.
        description: Stands before the progress bar.
        progress: Whether to show the bar.

    Raises:
        ValueError: If policy and demonstrations differ in dimensions.
        FloatingPointError: If the loss is no longer finite.
    """
    settings = settings or TrainingSettings()
    device = torch.device(device or best_device())
    normalizers = Normalizers(
        Normalizer.fit(demonstrations.observations).to(device),
        Normalizer.fit(demonstrations.actions).to(device),
    )
    data = _training_data(policy, demonstrations, normalizers, device)
    steps = range(_num_steps(settings))
    # Not on stderr, which notebooks paint as an error.
    bar = tqdm(steps, description, disable=not progress, unit=" steps", file=sys.stdout)
    started = time.perf_counter()
    with bar, one_thread():
        losses, interrupted = _descend(policy.to(device).train(), data, settings, seed, bar)
    if interrupted:
        print(f"stopped after {len(losses)} of {len(steps)} steps; what was learnt is kept")
    policy.eval()
    seconds = time.perf_counter() - started
    return TrainingRun(policy, normalizers, losses, seconds, interrupted)


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one CPU thread: small networks only get slower with more, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _num_steps(settings: TrainingSettings) -> int:
    return max(1, settings.steps // 20) if os.environ.get(FAST) else settings.steps


def _training_data(
    policy: Policy, demonstrations: Demonstrations, normalizers: Normalizers, device: torch.device
) -> tuple[Tensor, Tensor]:
    given = (demonstrations.observation_dim, demonstrations.action_dim)
    expected = (policy.observation_dim, policy.action_dim)
    if given != expected:
        raise ValueError(
            f"the demonstrations' (observation_dim, action_dim) are {given}, the policy's {expected}."
        )
    chunks = demonstrations.chunks(policy.prediction_horizon)
    observations = normalizers.observations.normalize(demonstrations.observations.to(device))
    return observations, normalizers.actions.normalize(chunks.to(device))


def _descend(
    policy: Policy,
    data: tuple[Tensor, Tensor],
    settings: TrainingSettings,
    seed: int,
    bar: tqdm,
) -> tuple[Tensor, bool]:
    observations, chunks = data
    steps, device = len(bar), observations.device
    generator = torch.Generator(device).manual_seed(seed)
    optimizer = torch.optim.AdamW(
        policy.parameters(), weight_decay=settings.weight_decay, fused=device.type != "mps"
    )
    losses = torch.full((steps,), math.nan, device=device)
    step, batch = 0, (settings.batch_size,)
    try:
        for step in bar:
            factor = settings.learning_rate_factor(step, steps)
            for group in optimizer.param_groups:
                group["lr"] = factor * settings.learning_rate
            chosen = torch.randint(len(chunks), batch, generator=generator, device=device)
            loss = _scalar(policy.loss(observations[chosen], chunks[chosen], generator))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses[step] = loss.detach()
            # Reading the loss makes a GPU wait: twenty times in all is often enough.
            if step % max(1, steps // 20) == 0 or step == steps - 1:
                shown = f"loss {_last_if_finite(losses[: step + 1]):.4g}"
                bar.set_postfix_str(shown, refresh=False)
    except KeyboardInterrupt:
        return losses[:step].cpu(), True
    return losses.cpu(), False


def _scalar(loss: Any) -> Tensor:
    if not isinstance(loss, Tensor) or loss.shape != () or not loss.requires_grad:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
        raise ValueError(
            f"the policy's loss returned {given}: expected a tensor of shape () that gradients flow "
            "through. Is the question that asks for this loss answered?"
        )
    return loss


def _last_if_finite(losses: Float[Tensor, "steps"]) -> float:
    broken = torch.nonzero(~losses.isfinite()).flatten()
    if len(broken):
        step = int(broken[0])
        raise FloatingPointError(
            f"the loss became {float(losses[step])} at step {step}: lower the learning rate, or look "
            "for a logarithm or a division in the loss that can meet zero."
        )
    return float(losses[-1])
