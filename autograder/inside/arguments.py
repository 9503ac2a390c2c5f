"""The worker's end of the arguments: what the judge packed (see ``autograder.packing``), unpacked.

Unpickling is safe in this direction alone. The judge wrote the bytes, and this process holds nothing
that a pickle could steal.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


class Unpacker(pickle.Unpickler):
    """Unpickles a call's arguments and keeps the tensors among them.

    Attributes:
        tensors: The call's tensors, by the number that the judge gave them.
    """

    def __init__(
        self, data: bytes, find_answer: Callable[[str], Any], objects: Mapping[int, Any]
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._find_answer = find_answer
        self._objects = objects
        self.tensors: dict[int, torch.Tensor] = {}
        self._versions: dict[int, tuple[int, torch.Size]] = {}
        self._generators: dict[int, torch.Generator] = {}

    def persistent_load(self, pid: Any) -> Any:
        """Return the object that stands behind one of the judge's marks."""
        kind, *details = pid
        if kind == "tensor":
            return self._tensor(*details)
        if kind == "generator":
            return self._generator(*details)
        if kind == "answer":
            return self._find_answer(details[0])
        if kind == "object":
            return self._objects[details[0]]
        raise pickle.UnpicklingError(f"an unknown mark: {kind}")

    def _tensor(
        self, number: int, array: np.ndarray, dtype: str, needs_gradient: bool, parameter: bool
    ) -> torch.Tensor:
        if number not in self.tensors:
            tensor = torch.from_numpy(array.copy()).view(getattr(torch, dtype))
            if parameter:
                tensor = torch.nn.Parameter(tensor, requires_grad=needs_gradient)
            else:
                tensor.requires_grad_(needs_gradient)
            self.tensors[number] = tensor
            self._versions[number] = (tensor._version, tensor.shape)
        return self.tensors[number]

    def _generator(self, number: int, seed: int) -> torch.Generator:
        if number not in self._generators:
            self._generators[number] = torch.Generator().manual_seed(seed)
        return self._generators[number]

    def changed_tensors(self) -> dict[int, torch.Tensor]:
        """Return the tensors that were written to since they were unpacked.

        Raises:
            ValueError: If one has another shape now, which could not be written back.
        """
        changed = {}
        for number, tensor in self.tensors.items():
            version, shape = self._versions[number]
            if tensor.shape != shape:
                raise ValueError(
                    f"an argument of shape {tuple(shape)} was changed in place to "
                    f"{tuple(tensor.shape)}: leave arguments as they are, and work on a copy."
                )
            if tensor._version != version:
                changed[number] = tensor.detach()
        return changed
