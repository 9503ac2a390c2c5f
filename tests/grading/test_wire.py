"""The wire: what goes through unchanged, and what is refused."""

import json
import math
import socket
import struct
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder import wire


def round_trip(value):
    return wire.decode(*wire.encode(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        ...,
        True,
        -(2**70),
        1.5,
        math.inf,
        "ü\x00",
        [],
        (1, [2.0, ()]),
        {"a": {1: None}, None: [], 2.5: "b", True: 1},
    ],
)
def test_plain_data_comes_back_equal_and_of_the_same_type(value):
    assert round_trip(value) == value
    assert type(round_trip(value)) is type(value)


def test_nan_comes_back_as_nan():
    assert math.isnan(round_trip(math.nan))


@pytest.mark.parametrize("dtype", list(wire._TENSOR_DTYPES.values()), ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (2, 3)])
def test_tensors_of_every_dtype_and_shape_come_back(dtype, shape):
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    back = round_trip(tensor)
    assert back.dtype == dtype and back.shape == tensor.shape and torch.equal(back, tensor)


def test_arrays_come_back_and_may_be_written_to():
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    back = round_trip({"a": array})["a"]
    np.testing.assert_array_equal(back, array)
    back[0, 0] = 7


def test_numpy_scalars_and_foreign_byte_orders_come_back_as_values():
    assert round_trip(np.float32(0.5)) == 0.5
    np.testing.assert_array_equal(round_trip(np.array([1, 2], dtype=">i4")), [1, 2])


def test_views_and_tensors_with_gradients_are_sent_as_values():
    tensor = torch.arange(6.0, requires_grad=True).reshape(2, 3).T[::2]
    assert torch.equal(round_trip(tensor), tensor.detach())


def test_subclasses_are_sent_as_their_plain_base():
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return True

    liar = torch.zeros(2).as_subclass(Liar)
    back = wire.decode(*wire.encode(torch.nn.Parameter(torch.ones(2))))
    assert type(back) is torch.Tensor and torch.equal(back, torch.ones(2))
    with pytest.raises(Exception):  # noqa: B017, a liar may fail to be sent in any way
        assert type(round_trip(liar)) is not torch.Tensor


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, lambda: 0, b"bytes", 1 << 200, torch.zeros(5 << 20), {(1, 2): 3}, 1j],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_or_too_large_is_not_sent(value):
    with pytest.raises(wire.UnsendableError):
        wire.encode(value)


def test_deep_and_long_lists_are_not_sent():
    deep: list = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(wire.UnsendableError, match="deep"):
        wire.encode(deep)
    with pytest.raises(wire.UnsendableError, match="tensors"):
        wire.encode(list(range(200_000)))


@pytest.mark.parametrize(
    ("encoded", "buffers", "body"),
    [
        (["tensor", 0], [["float32", [2]]], b"1234"),  # fewer bytes than the shape
        (["tensor", 0], [["float32", [1]]], b"12345678"),  # more bytes than the shape
        (["tensor", 0], [["float32", [2**40, 2**40]]], b""),
        (["tensor", 0], [["float32", [0, 2**40]]], b""),  # no bytes, but a bomb to broadcast with
        (["tensor", 0], [["float32", [-1]]], b""),
        (["tensor", 0], [["float32", [1.0]]], b"1234"),
        (["tensor", 0], [["float32", [True]]], b"1234"),
        (["tensor", 0], [["float32", [1] * 40]], b"1234"),
        (["tensor", 0], [["float32", "1"]], b"1234"),
        (["tensor", 0], [["object", [1]]], b"12345678"),
        (["tensor", 0], [["O", [1]]], b"12345678"),
        (["tensor", 0], [["V8", [1]]], b"12345678"),
        (["tensor", 0], [[["f4"], [1]]], b"1234"),
        (["tensor", 0], [[None, [1]]], b"12345678"),
        (["tensor", 0], [["uint16", [1]]], b"12"),
        (["tensor", 1], [["float32", [1]]], b"1234"),
        (["tensor", -1], [["float32", [1]]], b"1234"),
        (["tensor", True], [["float32", [1]]], b"1234"),
        (
            ["list", [["tensor", 0], ["tensor", 0]]],
            [["float32", [1]]],
            b"1234",
        ),  # grows when joined
        (["none"], [["float32", [1]]], b"1234"),
        (["scalar", 0], [["float32", [1]]], b"1234"),
        (["array", 0], [["bfloat16", [1]]], b"12"),
        (["int", "1"], [], b""),
        (["int", True], [], b""),
        (["bool", 1], [], b""),
        (["float", 1], [], b""),
        (["str", None], [], b""),
        (["none", 0], [], b""),
        (["list", {}], [], b""),
        (["dict", [["a"]]], [], b""),
        (["dict", [[["list", []], ["none"]]]], [], b""),
        (["pickle", "gASVAAAA"], [], b""),
        (["object"], [], b""),
        ([], [], b""),
        ({}, [], b""),
        (None, None, b""),
        (["none"], 3, b""),
        (["none"], [["float32"]], b""),
    ],
)
def test_an_odd_value_is_refused(encoded, buffers, body):
    with pytest.raises(wire.ProtocolError):
        wire.decode(encoded, buffers, body)


def test_nesting_without_end_is_refused():
    encoded = ["none"]
    for _ in range(wire.MAX_DEPTH + 5):
        encoded = ["list", [encoded]]
    with pytest.raises(wire.ProtocolError):
        wire.decode(encoded, [], b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
tags = st.sampled_from(["tensor", "array", "scalar", "list", "tuple", "dict", "int", "none", "str"])
tagged = st.recursive(
    json_values | st.tuples(tags, json_values).map(list),
    lambda inner: st.tuples(tags, st.lists(inner, max_size=3)).map(list),
    max_leaves=8,
)
buffer_lists = st.lists(
    st.tuples(
        st.sampled_from(["float32", "bool", "bfloat16", "O", "int64"]) | st.text(max_size=3),
        st.lists(st.integers(-2, 2**50), max_size=3) | json_values,
    ).map(list),
    max_size=3,
)


@given(tagged, buffer_lists | json_values, st.binary(max_size=32))
def test_whatever_comes_is_plain_data_or_a_protocol_error(encoded, buffers, body):
    try:
        value = wire.decode(encoded, buffers, body)
    except wire.ProtocolError:
        return
    wire.encode(value)  # plain data, and nothing else, can be sent


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_frame_comes_back(ends):
    ours, theirs = ends
    wire.send_frame(theirs, wire.Frame({"id": "1"}, b"body"))
    assert wire.receive_frame(ours) == wire.Frame({"id": "1"}, b"body")


@given(st.binary(max_size=64))
def test_random_bytes_are_a_frame_or_an_error(data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        with pytest.raises((wire.ProtocolError, wire.DisconnectedError)):
            while True:
                wire.receive_frame(ours, time.monotonic() + 5)


@pytest.mark.parametrize(
    "header", [b"[]", b"{", b"\xff", b"3", b"[" * 100_000, b'{"a":' * 20_000, b"1" * 10_000]
)
def test_a_header_that_is_no_object_is_refused(ends, header):
    ours, theirs = ends
    theirs.sendall(struct.pack(">IQ", len(header), 0) + header)
    with pytest.raises(wire.ProtocolError):
        wire.receive_frame(ours, time.monotonic() + 5)


@pytest.mark.parametrize("sizes", [(wire.MAX_HEADER + 1, 0), (2, wire.MAX_BODY + 1), (2, 2**63)])
def test_a_frame_that_is_too_large_is_refused_before_it_is_read(ends, sizes):
    ours, theirs = ends
    theirs.sendall(struct.pack(">IQ", *sizes))
    with pytest.raises(wire.ProtocolError, match="too large"):
        wire.receive_frame(ours, time.monotonic() + 5)


def test_a_worker_that_drips_bytes_does_not_extend_the_deadline(ends):
    ours, theirs = ends
    data = struct.pack(">IQ", 1000, 0) + b" " * 1000
    stop = threading.Event()

    def drip():
        for byte in data:
            if stop.wait(0.05):
                return
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        wire.receive_frame(ours, start + 0.5)
    assert time.monotonic() - start < 5  # the drip would last 50 s
    stop.set()
    thread.join()


def test_a_reader_that_does_not_read_does_not_hold_the_writer(ends):
    ours, _ = ends
    with pytest.raises(TimeoutError):
        wire.send_frame(ours, wire.Frame({}, bytes(8 << 20)), time.monotonic() + 0.3)


def test_a_closed_connection_is_told_apart_from_a_late_one(ends):
    ours, theirs = ends
    theirs.sendall(struct.pack(">IQ", 10, 0) + json.dumps({}).encode())
    theirs.close()
    with pytest.raises(wire.DisconnectedError):
        wire.receive_frame(ours, time.monotonic() + 5)
