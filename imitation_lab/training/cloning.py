"""Train one policy on demonstrations."""

import time

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.normalizer import Normalizer
from imitation_lab.training.capture import recorder_for
from imitation_lab.training.descent import checked_loss, descend
from imitation_lab.training.settings import (
    Normalizers,
    TrainingRun,
    TrainingSettings,
    best_device,
)
from imitation_lab.types import Policy


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

    The first steps are computed by the policy's code. The others repeat what it did on tensors, which is
    faster and gives the same to the bit. Where the code reads numbers out of tensors, counts or keeps
    something, it computes every step, and a line says so.

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
    normalizers = fit_normalizers(demonstrations, device)
    observations, chunks = training_data(policy, demonstrations, normalizers)
    policy.to(device).train()
    generator = torch.Generator(device).manual_seed(seed)
    batch = (settings.batch_size,)

    def next_loss() -> Tensor:
        chosen = torch.randint(len(chunks), batch, generator=generator, device=device)
        rows = observations.index_select(0, chosen), chunks.index_select(0, chosen)
        return checked_loss(policy.loss(*rows, generator))

    started = time.perf_counter()
    descent = descend(
        policy.parameters(),
        next_loss,
        settings,
        description,
        progress,
        [generator],
        recorder_for(device, [policy]),
    )
    seconds = time.perf_counter() - started
    return TrainingRun(policy.eval(), normalizers, descent.losses, seconds, descent.interrupted)


def fit_normalizers(demonstrations: Demonstrations, device: torch.device) -> Normalizers:
    """Return the normalizers of the demonstrations' observations and actions."""
    return Normalizers(
        Normalizer.fit(demonstrations.observations).to(device),
        Normalizer.fit(demonstrations.actions).to(device),
    )


def training_data(
    policy: Policy, demonstrations: Demonstrations, normalizers: Normalizers
) -> tuple[
    Float[Tensor, "num_actions observation_dim"],
    Float[Tensor, "num_actions prediction_horizon action_dim"],
]:
    """Return normalised observations and chunks, on the normalizers' device.

    Raises:
        ValueError: If policy and demonstrations differ in dimensions.
    """
    check_dimensions(policy, demonstrations)
    device = normalizers.actions.mean.device
    chunks = demonstrations.chunks(policy.prediction_horizon)
    observations = normalizers.observations.normalize(demonstrations.observations.to(device))
    return observations, normalizers.actions.normalize(chunks.to(device))


def check_dimensions(policy: Policy, demonstrations: Demonstrations) -> None:
    """Refuse demonstrations of other dimensions than the policy's.

    Raises:
        ValueError: If they differ.
    """
    given = (demonstrations.observation_dim, demonstrations.action_dim)
    expected = (policy.observation_dim, policy.action_dim)
    if given != expected:
        raise ValueError(
            f"the demonstrations' (observation_dim, action_dim) are {given}, the policy's {expected}."
        )
