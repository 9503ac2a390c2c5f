"""Gradient descent with a progress bar, and nothing lost when someone stops it."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from imitation_lab.training.capture import Recorder, Steps
from imitation_lab.training.memory import memory_explained
from imitation_lab.training.optimizer import AdamW
from imitation_lab.training.settings import TrainingSettings, one_thread
from imitation_lab.types import Generator


class Descent(NamedTuple):
    """The losses of every step that was made, on the CPU, and whether someone stopped it."""

    losses: Float[Tensor, "steps *models"]
    interrupted: bool


def minimize(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    steps: int = 500,
    learning_rate: float = 0.05,
    description: str = "fitting",
    progress: bool = False,
) -> Float[Tensor, "steps"]:
    """Change some tensors until a loss is small: for experiments without a network.

    Args:
        loss: Computes the loss, of shape (), from the parameters as they now are. It is called at every
            step, and may do what it likes beside.
        parameters: Leaf tensors that require gradients; changed in place.
        steps: Gradient steps. Fewer where ``IMITATION_LAB_FAST`` is set.
        learning_rate: Of Adam at its peak; warm-up and cosine as in ``TrainingSettings``.
        description: Stands before the progress bar.
        progress: Whether to show the bar.

    Returns:
        The loss at every step.

    Raises:
        FloatingPointError: If the loss is no longer finite.
    """
    settings = TrainingSettings(steps, 1, learning_rate, min(20, steps), weight_decay=0.0)
    return descend(parameters, lambda: checked_loss(loss()), settings, description, progress).losses


def descend(
    parameters: Iterable[Tensor],
    next_losses: Callable[[], Float[Tensor, "*models"]],
    settings: TrainingSettings,
    description: str,
    progress: bool,
    generators: Sequence[Generator] = (),
    recorder: Recorder | None = None,
) -> Descent:
    """Take gradient steps with AdamW, warm-up and a cosine.

    Args:
        parameters: Leaf tensors; changed in place.
        next_losses: Draws a batch and returns its loss, one for each of the models that are trained
            together. Models share no parameter, so the sum's gradient is each one's own.
        settings: How long and how fast.
        description: Stands before the progress bar.
        progress: Whether to show the bar.
        generators: All sources of random numbers in ``next_losses``.
        recorder: Remembers a step, to replay it. Without one, every step is computed anew.
    """
    parameters = list(parameters)
    optimizer = AdamW(parameters, settings.weight_decay)
    taken = Steps(next_losses, optimizer, generators, parameters[0].device, recorder)
    # Not on stderr, which notebooks paint as an error.
    steps = range(settings.steps_to_run)
    bar = tqdm(steps, description, disable=not progress, unit=" steps", file=sys.stdout)
    with bar, one_thread(), memory_explained():
        descent = _descend(taken, settings, bar)
    if descent.interrupted:
        print(f"stopped after {len(descent.losses)} of {len(steps)} steps; what was learnt is kept")
    return descent


def checked_loss(loss: Any) -> Float[Tensor, ""]:
    """Return what a policy's loss returned, if it is a loss.

    Raises:
        ValueError: If it is not one number that gradients flow through.
    """
    if not isinstance(loss, Tensor) or loss.shape != () or not loss.requires_grad:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
        raise ValueError(
            f"the policy's loss returned {given}: expected a tensor of shape () that gradients flow "
            "through. Is the question that asks for this loss answered?"
        )
    return loss


def _descend(taken: Steps, settings: TrainingSettings, bar: tqdm) -> Descent:
    steps = len(bar)
    history: list[Tensor] = []
    seen = 0
    try:
        for step in bar:
            rate = settings.learning_rate_factor(step, steps) * settings.learning_rate
            history.append(taken.take(rate))
            # Reading the loss makes a GPU wait: twenty times in all is often enough.
            if step % max(1, steps // 20) == 0 or step == steps - 1:
                shown = f"loss {_last_if_finite(history, seen):.4g}"
                bar.set_postfix_str(shown, refresh=False)
                seen = len(history)
    except KeyboardInterrupt:
        return Descent(_stacked(history), True)
    return Descent(_stacked(history), False)


def _stacked(history: list[Tensor]) -> Tensor:
    return torch.stack(history).cpu() if history else torch.zeros(0)


def _last_if_finite(history: list[Tensor], seen: int) -> float:
    """Return the last step's loss, the models' mean, if all losses after those ``seen`` are finite."""
    losses = torch.stack(history[seen:])
    losses = losses if losses.dim() > 1 else losses[:, None]
    if not losses.isfinite().all():
        later, model = torch.nonzero(~losses.isfinite())[0].tolist()
        whose = f"the loss of policy {model}" if history[0].dim() else "the loss"
        step = seen + later
        raise FloatingPointError(
            f"{whose} became {float(losses[later, model])} at step {step}: lower the learning rate, or look "
            "for a logarithm or a division in the loss that can meet zero."
        )
    return float(losses[-1].mean())
