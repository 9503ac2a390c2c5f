"""The judge's end of the arguments: pickled by value, with marks for what must stay the judge's.

Pickles cross the wall in this direction alone. Some objects become marks, which the worker replaces:
tensors (so that gradients and changes can be asked for later), generators, the submission's own
functions and classes, and the objects that its classes made.
"""

import io
from typing import Any

import cloudpickle
import numpy as np
import torch

_NO_NUMPY_DTYPE = {torch.bfloat16: torch.int16}


class AnswerReference:
    """Stands in the judge for a function or a class of the submission, which lives in the worker.

    Attributes:
        name: What the function is called in the submission.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class ObjectReference:
    """Stands in the judge for an object that a class of the submission made in the worker."""

    def __init__(self, number: int) -> None:
        # Around __setattr__, which a proxy may refuse.
        object.__setattr__(self, "_number", number)


class Packer(cloudpickle.Pickler):
    """Pickles the arguments of one call.

    Attributes:
        tensors: The tensors among them. Their positions are the numbers that the worker knows.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.tensors: list[torch.Tensor] = []
        self._numbers: dict[int, int] = {}
        self._generators: dict[int, tuple[int, int, torch.Generator]] = {}

    def persistent_id(self, obj: Any) -> Any:
        """Return a mark for what must not be pickled, and None for all else."""
        if isinstance(obj, AnswerReference):
            return ("answer", obj.name)
        if isinstance(obj, ObjectReference):
            return ("object", object.__getattribute__(obj, "_number"))
        if isinstance(obj, torch.Generator):
            return self._mark_generator(obj)
        if isinstance(obj, torch.Tensor) and obj.layout == torch.strided:
            return self._mark_tensor(obj)
        return None

    def _mark_generator(self, generator: torch.Generator) -> Any:
        """Give the worker a generator of its own, seeded from this one.

        The judge's generator advances by exactly one draw, whatever the submission does with its
        own: it cannot choose the numbers that a test draws afterwards. Equal seeds still give equal
        generators, so a test may call twice and compare.
        """
        if id(generator) not in self._generators:
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
            # Holding the generator keeps its id from being given to another one.
            self._generators[id(generator)] = (len(self._generators), seed, generator)
        number, seed, _ = self._generators[id(generator)]
        return ("generator", number, seed)

    def _mark_tensor(self, tensor: torch.Tensor) -> Any:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = len(self.tensors)
            self.tensors.append(tensor)
        parameter = isinstance(tensor, torch.nn.Parameter)
        dtype = str(tensor.dtype).removeprefix("torch.")
        number = self._numbers[id(tensor)]
        return ("tensor", number, _as_array(tensor), dtype, tensor.requires_grad, parameter)


def pack(value: Any) -> tuple[bytes, list[torch.Tensor]]:
    """Pickle ``value`` for the worker; return the bytes and the tensors that were in it."""
    file = io.BytesIO()
    packer = Packer(file)
    packer.dump(value)
    return file.getvalue(), packer.tensors


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    plain = tensor.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
    raw = plain.contiguous().view(_NO_NUMPY_DTYPE.get(plain.dtype, plain.dtype))
    return raw.numpy()
