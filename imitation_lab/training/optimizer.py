"""AdamW by torch's own kernel, without the bookkeeping of ``torch.optim`` around it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Variable
from torch.optim.adamw import adamw


class AdamW:
    """Adam with decoupled weight decay: what ``torch.optim.AdamW`` computes, to the bit.

    Training a small network waits for Python as long as for its matrix products. This waits less.

    Args:
        parameters: Leaf tensors; those that require gradients are changed in place.
        weight_decay: The share of each parameter that a step at learning rate 1 would take away.
        fused: Whether one kernel updates all; by default where the device has it.

    Source:
        Loshchilov and Hutter, arXiv:1711.05101.
    """

    def __init__(
        self, parameters: Sequence[Tensor], weight_decay: float, fused: bool | None = None
    ) -> None:
        self._parameters = [own for own in parameters if own.requires_grad]
        self._fused = parameters[0].device.type != "mps" if fused is None else fused
        self._weight_decay = weight_decay
        device = parameters[0].device if self._fused else torch.device("cpu")
        self._means = [torch.zeros_like(own) for own in self._parameters]
        self._squares = [torch.zeros_like(own) for own in self._parameters]
        self._steps = [torch.zeros((), device=device) for _ in self._parameters]
        if self._fused:  # one tensor counts for all, until a step leaves a parameter out
            self._steps = self._steps[:1] * len(self._steps)

    def step(self, losses: Float[Tensor, "*models"], learning_rate: float | Tensor) -> None:
        """Follow the gradient of the losses' sum. What the losses do not use stays as it is.

        Args:
            losses: One number, or one for each of the models that are trained together.
            learning_rate: Of this step. A tensor of shape () on the parameters' device is read when the
                kernel runs.
        """
        gradients = _gradients(losses, self._parameters)
        used = [index for index, gradient in enumerate(gradients) if gradient is not None]
        if 0 < len(used) < len(gradients) and len(_distinct(self._steps)) == 1:
            self._steps = [count.clone() for count in self._steps]
        if used:
            state = (gradients, self._parameters, self._means, self._squares, self._steps)
            columns: list[Any] = [[column[index] for index in used] for column in state]
            self._update(learning_rate, *columns)

    @torch.no_grad()
    def _update(
        self,
        learning_rate: float | Tensor,
        gradients: list[Tensor],
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        steps: list[Tensor],
    ) -> None:
        gradients = list(map(_laid_out_as, parameters, gradients))
        if self._fused:
            kernel = torch._fused_adamw_  # what torch.optim.AdamW(fused=True) comes to
            torch._foreach_add_(_distinct(steps), 1)
        else:
            kernel = partial(adamw, fused=False)
        kernel(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            lr=learning_rate,
            weight_decay=self._weight_decay,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


def _gradients(
    losses: Float[Tensor, "*models"], parameters: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """Return the gradients of the losses' sum, None for what they do not use.

    It is ``torch.autograd.grad`` without the questions that this asks before: in a small network they take
    as long as a layer.
    """
    engine = Variable._execution_engine
    return engine.run_backward(
        (losses,),
        (torch.ones_like(losses),),
        False,  # the graph is not needed again
        False,  # and gradients need none of their own
        tuple(parameters),
        True,  # a parameter may be left out
        accumulate_grad=False,
    )


def _distinct(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return each tensor once."""
    return list({id(tensor): tensor for tensor in tensors}.values())


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with its numbers in memory as the parameter's: the kernel goes by memory."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
