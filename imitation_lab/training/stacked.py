"""Networks of one shape as one network: their tensors stacked, and vmap running the first one's code for all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch._C import _functorch
from torch.func import stack_module_state, vmap
from torch.nn import functional as F

# Where a module keeps a tensor: its parameters or its buffers, and the name there.
Place = tuple[dict[str, Any], str]


class Stack:
    """Modules of one shape, computed together.

    It does what ``torch.func.functional_call`` under ``vmap`` does, with less bookkeeping: tensors are put
    into their places directly, and a linear layer is one batched product where vmap's own rule makes
    several operations of it.

    Args:
        modules: Of one class and shape.

    Attributes:
        parameters: By name, each (modules, ...): a leaf tensor, the modules' own stacked.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = modules
        vmap(torch.neg)(torch.zeros(1))  # its first use loads rules, such as that for cross entropy
        self.parameters, self._buffers = stack_module_state(list(modules))
        self._tensors = [*self.parameters.values(), *self._buffers.values()]
        places = _places(modules[0])
        self._slots = [places[name] for name in (*self.parameters, *self._buffers)]
        self._linear = [
            layer
            for layer in modules[0].modules()
            if type(layer) is nn.Linear and "forward" not in vars(layer)
        ]

    def map(
        self, function: Callable[..., Tensor], *inputs: Tensor
    ) -> Float[Tensor, "modules *rest"]:
        """Call a function for every module and stack the results.

        Args:
            function: Uses the first module, which stands for all.
            inputs: Its arguments, each (modules, ...).
        """
        # What torch.func.vmap comes to. Its search for tensors in all that it is given, and its other
        # questions, take longer than a layer.
        size = len(self._modules)
        level = _functorch._vmap_increment_nesting(size, "different")
        try:
            own = [_functorch._add_batch_dim(tensor, 0, level) for tensor in self._tensors]
            rows = [_functorch._add_batch_dim(tensor, 0, level) for tensor in inputs]
            with _put(self._slots, own), _short_cuts(self._linear):
                outputs = function(*rows)
            return _functorch._remove_batch_dim(outputs, level, size, 0)
        finally:
            _functorch._vmap_decrement_nesting()

    @torch.no_grad()
    def hand_back(self) -> None:
        """Have every module hold its part of the stacked tensors."""
        stacked = self.parameters | self._buffers
        for index, module in enumerate(self._modules):
            for name, own in chain(module.named_parameters(), module.named_buffers()):
                own.copy_(stacked[name][index])


def _places(module: nn.Module) -> dict[str, list[Place]]:
    """Return for each tensor's name all its places: layers may share it."""
    found: dict[int, list[Place]] = {}
    for part in module.modules():
        for kept in (part._parameters, part._buffers):
            for name, tensor in kept.items():
                found.setdefault(id(tensor), []).append((kept, name))
    named = chain(module.named_parameters(), module.named_buffers())
    return {name: found[id(tensor)] for name, tensor in named}


@contextmanager
def _put(places: Sequence[Sequence[Place]], tensors: Sequence[Tensor]) -> Iterator[None]:
    """Keep other tensors in some places for a moment."""
    before: list[list[Any]] = [[kept[name] for kept, name in own] for own in places]
    try:
        for own, tensor in zip(places, tensors, strict=True):
            for kept, name in own:
                kept[name] = tensor
        yield
    finally:
        for own, old in zip(places, before, strict=True):
            for (kept, name), tensor in zip(own, old, strict=True):
                kept[name] = tensor


@contextmanager
def _short_cuts(layers: Sequence[nn.Linear]) -> Iterator[None]:
    """Have linear layers compute by ``linear`` for a moment."""
    for layer in layers:
        vars(layer)["forward"] = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward")


def _forward(layer: nn.Linear, inputs: Tensor) -> Tensor:
    return linear(inputs, layer.weight, layer.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return what ``F.linear`` does; where vmap has batched all three, by one product."""
    level = _functorch.maybe_get_level(weight)
    if bias is None or not all(_is_batched(tensor, level) for tensor in (inputs, weight, bias)):
        return F.linear(inputs, weight, bias)
    rows, weights, biases = (_unwrapped(tensor) for tensor in (inputs, weight, bias))
    flat = rows.unsqueeze(1) if rows.dim() == 2 else rows.flatten(1, -2)
    outputs = torch.baddbmm(biases.unsqueeze(1), flat, weights.mT)
    outputs = outputs.view(*rows.shape[:-1], outputs.shape[-1])
    return _functorch._add_batch_dim(outputs, 0, level)


def _is_batched(tensor: Any, level: int) -> bool:
    """Tell whether vmap has batched a tensor, at this level and no other."""
    return (
        _functorch.is_batchedtensor(tensor)
        and _functorch.maybe_get_level(tensor) == level
        and not _functorch.is_functorch_wrapped_tensor(_functorch.get_unwrapped(tensor))
    )


def _unwrapped(tensor: Tensor) -> Tensor:
    """Return the tensor with the dimension that vmap hides in front."""
    place = _functorch.maybe_get_bdim(tensor)
    inside = _functorch.get_unwrapped(tensor)
    return inside.movedim(place, 0) if place else inside
