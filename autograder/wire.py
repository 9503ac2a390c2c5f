"""The wire between judge and worker: frames with a JSON header and raw buffers, never a pickle.

A worker runs a stranger's program, so every byte that comes from it may be forged. The reader
therefore decides everything: sizes are capped before memory is taken, dtypes come from a list,
shapes are multiplied out and compared with the bytes, and whatever is odd is a ``ProtocolError``.
What is decoded is built anew from bytes: no class, method or lie of the worker's survives.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

MAX_HEADER = 1 << 20
MAX_BODY = 16 << 20
MAX_ARGUMENTS = 256 << 20  # from the judge, who is trusted
MAX_DEPTH = 32
MAX_DIMENSIONS = 16
MAX_ELEMENTS = MAX_BODY  # also counts a zero-sized axis as one: no (0, 2**40) to broadcast against

_PREFIX = struct.Struct(">IQ")
_NUMPY_DTYPES = frozenset(
    (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
)
_TENSOR_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.complex64, torch.complex128),
    )
}
_RAW = {"bfloat16": "int16"}  # numpy has no bfloat16: its bytes travel as integers


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


class DisconnectedError(Exception):
    """The other side is gone."""


class UnsendableError(Exception):
    """A value that is not plain data, or too much of it."""


@dataclass(frozen=True)
class Frame:
    """One message: a small JSON object, and bytes."""

    header: dict[str, Any]
    body: bytes = b""


def send_frame(connection: socket.socket, frame: Frame, deadline: float | None = None) -> None:
    """Write a frame, all of it before ``deadline`` (of ``time.monotonic``)."""
    header = json.dumps(frame.header, separators=(",", ":")).encode()
    data = memoryview(_PREFIX.pack(len(header), len(frame.body)) + header + frame.body)
    try:
        while data:
            connection.settimeout(_remaining(deadline))
            data = data[connection.send(data) :]
    except (BrokenPipeError, ConnectionError) as error:
        raise DisconnectedError(str(error)) from error


def receive_frame(
    connection: socket.socket, deadline: float | None = None, max_body: int = MAX_BODY
) -> Frame:
    """Read one frame.

    The deadline is absolute. A timeout per read would be extended without end by a worker that
    sends one byte at a time.

    Raises:
        ProtocolError: If the frame is too large, or its header is no JSON object.
        TimeoutError: If the frame is not complete by ``deadline``.
        DisconnectedError: If the other side closes before the frame is complete.
    """
    header_size, body_size = _PREFIX.unpack(_receive_exactly(connection, _PREFIX.size, deadline))
    if header_size > MAX_HEADER or body_size > max_body:
        raise ProtocolError(f"a frame of {header_size} + {body_size} bytes is too large")
    header = _parse_header(_receive_exactly(connection, header_size, deadline))
    return Frame(header, _receive_exactly(connection, body_size, deadline))


def _parse_header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is no JSON: {type(error).__name__}") from None
    if not isinstance(header, dict):
        raise ProtocolError("the header is no JSON object")
    return header


def _receive_exactly(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    received = bytearray()
    while len(received) < size:
        connection.settimeout(_remaining(deadline))
        try:
            chunk = connection.recv(min(1 << 20, size - len(received)))
        except ConnectionError as error:
            raise DisconnectedError(str(error)) from error
        if not chunk:
            raise DisconnectedError("the connection was closed")
        received += chunk
    return bytes(received)


def _remaining(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    return seconds


def encode(value: Any) -> tuple[Any, list[list[Any]], bytes]:
    """Turn plain data into JSON, a list of ``[dtype, shape]`` and the buffers' bytes.

    Subclasses are sent as their plain base: a ``Parameter`` as a tensor, a named tuple as a tuple.

    Raises:
        UnsendableError: If ``value`` holds anything else, is nested too deeply, or is too large.
    """
    encoder = _Encoder()
    encoded = encoder.encode(value, 0)
    if len(json.dumps(encoded)) > MAX_HEADER // 2:
        raise UnsendableError("is too large to be read: return tensors instead of long lists")
    return encoded, encoder.buffers, b"".join(encoder.chunks)


class _Encoder:
    def __init__(self) -> None:
        self.buffers: list[list[Any]] = []
        self.chunks: list[bytes] = []
        self.size = 0

    def encode(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise UnsendableError(f"is nested more than {MAX_DEPTH} levels deep")
        if value is None or value is Ellipsis:
            return ["none" if value is None else "ellipsis"]
        if isinstance(value, torch.Tensor):
            return ["tensor", self._add_tensor(value)]
        if isinstance(value, np.ndarray | np.generic):
            kind = "array" if isinstance(value, np.ndarray) else "scalar"
            return [kind, self._add_array(np.asarray(value))]
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return [kind, [self.encode(item, depth + 1) for item in value]]
        if isinstance(value, dict):
            items = [[_encode_atom(key), self.encode(v, depth + 1)] for key, v in value.items()]
            return ["dict", items]
        return _encode_atom(value)

    def _add_tensor(self, tensor: torch.Tensor) -> int:
        plain = tensor.detach().as_subclass(torch.Tensor).cpu().to_dense().resolve_conj()
        dtype = str(plain.dtype).removeprefix("torch.")
        if dtype not in _TENSOR_DTYPES:
            raise UnsendableError(f"holds a tensor of {plain.dtype}, which cannot be read")
        plain = plain.resolve_neg().contiguous()
        raw = plain.view(torch.int16) if dtype in _RAW else plain
        return self._add(dtype, raw.numpy())

    def _add_array(self, array: np.ndarray) -> int:
        if array.dtype.name not in _NUMPY_DTYPES:
            raise UnsendableError(f"holds an array of {array.dtype}, which cannot be read")
        return self._add(array.dtype.name, array.astype(array.dtype.newbyteorder("="), copy=False))

    def _add(self, dtype: str, array: np.ndarray) -> int:
        self.size += array.nbytes
        if self.size > MAX_BODY:
            raise UnsendableError(f"holds more than {MAX_BODY >> 20} MB")
        self.buffers.append([dtype, list(array.shape)])
        self.chunks.append(array.tobytes())
        return len(self.buffers) - 1


def _encode_atom(value: Any) -> Any:
    if isinstance(value, bool):
        return ["bool", bool(value)]
    if isinstance(value, int):
        if abs(value) >= 1 << 128:
            raise UnsendableError("holds an integer of more than 128 bits")
        return ["int", int(value)]
    if isinstance(value, float):
        return ["float", float(value)]
    if isinstance(value, str):
        return ["str", str(value)]
    if value is None:
        return ["none"]
    raise UnsendableError(
        f"is, or holds, something of type {type(value).__name__}: "
        "return numbers, strings, tensors, arrays, or lists, tuples and dictionaries of them"
    )


def decode(encoded: Any, buffers: Any, body: bytes) -> Any:
    """Rebuild plain data from what ``encode`` gave.

    Raises:
        ProtocolError: If anything about it is odd, down to one byte too many.
    """
    try:
        unused = dict(enumerate(_read_buffers(buffers, body)))
        value = _decode(encoded, unused, 0)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RuntimeError) as error:
        raise ProtocolError(f"not a value: {type(error).__name__}: {str(error)[:200]}") from None
    if unused:
        raise ProtocolError("buffers that belong to no value")
    return value


def _read_buffers(buffers: Any, body: bytes) -> list[tuple[str, np.ndarray]]:
    arrays, position = [], 0
    for dtype, shape in buffers:
        raw = np.dtype(_RAW.get(dtype, dtype if dtype in _NUMPY_DTYPES else None))
        if dtype not in _NUMPY_DTYPES and dtype not in _RAW:
            raise ProtocolError("an unknown dtype")
        size = _count_elements(shape) * raw.itemsize
        if size > len(body) - position:  # before anything is allocated
            raise ProtocolError("a shape larger than its bytes")
        flat = np.frombuffer(body, dtype=raw, offset=position, count=size // raw.itemsize)
        arrays.append((dtype, flat.reshape(shape).copy()))
        position += size
    if position != len(body):
        raise ProtocolError("bytes that belong to no buffer")
    return arrays


def _count_elements(shape: Any) -> int:
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError("a shape that is none")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ProtocolError("a shape that is none")
    if math.prod(max(length, 1) for length in shape) > MAX_ELEMENTS:
        raise ProtocolError("a shape that is too large")
    return math.prod(shape)


def _decode(encoded: Any, buffers: dict[int, tuple[str, np.ndarray]], depth: int) -> Any:
    if depth > MAX_DEPTH + 1:
        raise ProtocolError("nested too deeply")
    if type(encoded) is not list or not encoded:
        raise ProtocolError("not a tagged value")
    kind, *content = encoded
    if kind in ("none", "ellipsis") and not content:
        return None if kind == "none" else Ellipsis
    (item,) = content
    if kind in ("bool", "int", "float", "str"):
        return _decode_atom(kind, item)
    if kind in ("tensor", "array", "scalar"):
        return _decode_buffer(kind, item, buffers)
    if type(item) is not list:
        raise ProtocolError("a container without items")
    if kind in ("list", "tuple"):
        items = [_decode(entry, buffers, depth + 1) for entry in item]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {
            _decode(key, {}, MAX_DEPTH + 1): _decode(entry, buffers, depth + 1)
            for key, entry in item
        }
    raise ProtocolError("an unknown kind of value")


def _decode_atom(kind: str, item: Any) -> Any:
    expected = {"bool": bool, "int": int, "float": float, "str": str}[kind]
    if type(item) is not expected:
        raise ProtocolError(f"a {kind} that is none")
    return item


def _decode_buffer(kind: str, index: Any, buffers: dict[int, tuple[str, np.ndarray]]) -> Any:
    if type(index) is not int or index not in buffers:
        raise ProtocolError("a buffer that does not exist, or was used before")
    # Each once: a list that named one buffer without end would grow when a test joins its items.
    dtype, array = buffers.pop(index)
    if kind == "tensor":
        return torch.from_numpy(array).view(_TENSOR_DTYPES[dtype])
    if dtype in _RAW or (kind == "scalar" and array.ndim):
        raise ProtocolError(f"no {kind} has this dtype and shape")
    return array if kind == "array" else array[()]


def map_tensors(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Return plain data with every tensor replaced by ``change(tensor)``, in a fixed order."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        items = [map_tensors(item, change) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: map_tensors(item, change) for key, item in value.items()}
    return value
