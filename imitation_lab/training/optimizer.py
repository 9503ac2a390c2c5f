"""AdamW by torch's own kernel, without the bookkeeping of ``torch.optim`` around it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adamw import adamw


class AdamW:
    """Adam with decoupled weight decay: what ``torch.optim.AdamW`` computes, to the bit.

    Training a small network waits for Python as long as for its matrix products. This waits less.

    Args:
        parameters: Leaf tensors; those that require gradients are changed in place.
        weight_decay: The share of each parameter that a step at learning rate 1 would take away.

    Source:
        Loshchilov and Hutter, arXiv:1711.05101.
    """

    def __init__(self, parameters: Sequence[Tensor], weight_decay: float) -> None:
        self._parameters = [own for own in parameters if own.requires_grad]
        self._fused = parameters[0].device.type != "mps"
        self._weight_decay = weight_decay
        device = parameters[0].device if self._fused else torch.device("cpu")
        # Per parameter: the mean of its gradients, of their squares, and the number of steps.
        self._state = [
            (torch.zeros_like(own), torch.zeros_like(own), torch.zeros((), device=device))
            for own in self._parameters
        ]

    def step(self, losses: Float[Tensor, "*models"], learning_rate: float) -> None:
        """Follow the gradient of the losses' sum. What the losses do not use stays as it is.

        Args:
            losses: One number, or one for each of the models that are trained together.
            learning_rate: Of this step.
        """
        gradients = torch.autograd.grad(
            losses, self._parameters, torch.ones_like(losses), allow_unused=True
        )
        parts = zip(self._parameters, gradients, self._state, strict=True)
        used = [
            (own, _laid_out_as(own, gradient), *state)
            for own, gradient, state in parts
            if gradient is not None
        ]
        if used:
            self._update([list(column) for column in zip(*used, strict=True)], learning_rate)

    @torch.no_grad()
    def _update(self, columns: list[list[Tensor]], learning_rate: float) -> None:
        parameters, gradients, means, squares, steps = columns
        adamw(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=self._fused,
            lr=learning_rate,
            weight_decay=self._weight_decay,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with its numbers in memory as the parameter's: the kernel goes by memory."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
