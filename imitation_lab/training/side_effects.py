"""What code may change beside tensors, looked at before and after: attributes, and names around it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

_GROWING = (list, dict, set)

Place = tuple[int, str]
Look = dict[Place, tuple[Any, int]]  # what is there, and its length if it can grow


class Surroundings:
    """What some modules' code can reach by name.

    Args:
        modules: Their attributes are looked at, their classes' and those of all modules inside them.
        functions: The names in their modules and closures are looked at.
    """

    def __init__(
        self, modules: Sequence[nn.Module] = (), functions: Sequence[Callable[..., Any]] = ()
    ) -> None:
        self._modules, self._functions = modules, functions

    def look(self) -> Look:
        """Return what is there. As long as the answer lives, nothing new can pass for something old."""
        return {place: (value, _length(value)) for place, value in self._values()}

    def changed_since(self, before: Look) -> str:
        """Return the name of something that is another object than before, or longer; else nothing."""
        for place, (value, length) in self.look().items():
            old, old_length = before.get(place, (None, 0))
            if value is not old or length != old_length:
                return place[1]
        return ""

    def _values(self) -> Iterator[tuple[Place, Any]]:
        for top in self._modules:
            for module in top.modules():
                for owner in (module, *_classes(module)):
                    for name, value in vars(owner).items():
                        yield (id(owner), name), value
                for name, buffer in module._buffers.items():
                    yield (id(module), name), buffer
        for function in self._functions:
            plain = getattr(function, "__func__", function)
            for name, value in getattr(plain, "__globals__", {}).items():
                yield (0, name), value
            names = plain.__code__.co_freevars if hasattr(plain, "__code__") else ()
            for name, cell in zip(names, getattr(plain, "__closure__", None) or (), strict=True):
                yield (id(cell), name), cell.cell_contents


def _classes(module: nn.Module) -> Iterator[type]:
    """Yield the classes that a module is of, but for torch's own."""
    return (kind for kind in type(module).__mro__ if not kind.__module__.startswith("torch."))


def _length(value: Any) -> int:
    return len(value) if type(value) in _GROWING else 0
