"""Random harm with a fixed seed: notebooks that were mutated, and replies of a worker that were."""

import copy
import json
import random
import socket
import struct
import threading
import time

import pytest
import torch

from autograder import wire
from autograder.limits import Limits
from autograder.session import RemoteError, Session, WorkerLostError
from autograder.submissions import MalformedError, parse_notebook
from tests.grading.conftest import RIGHT

ODD = (
    *(None, True, -1, 1 << 70, 1e308, float("nan"), "", "x" * 5000, "\ud800", "\x00", [], {}, [[]]),
    *({"tensor": 0}, ["tensor", 0], ["int", "3"], ["dict", [[1]]], "value", "ended", "code"),
)


def paths_of(value, path=()):
    """Yield the way to every part of a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_of(item, (*path, key))


def mutate(value, generator):
    """Return a copy in which one part is odd, gone, doubled, or in another's place."""
    value = copy.deepcopy(value)
    ways = [path for path in paths_of(value) if path]
    if not ways:
        return value
    path, other = generator.choice(ways), generator.choice(ways)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    stand_in = value
    for key in other:
        stand_in = stand_in[key]
    kind = generator.randrange(4)
    if kind == 0:
        holder[path[-1]] = copy.deepcopy(generator.choice(ODD))
    elif kind == 1:
        del holder[path[-1]]
    elif kind == 2:
        holder[path[-1]] = [holder[path[-1]]] * 2
    else:
        holder[path[-1]] = copy.deepcopy(stand_in)
    return value


def mutate_text(text, generator):
    """Return a text with a few characters changed, or its end missing."""
    if generator.random() < 0.2:
        return text[: generator.randrange(len(text))]
    letters = list(text)
    for _ in range(generator.randrange(1, 6)):
        letters[generator.randrange(len(letters))] = generator.choice('{}[]",:0\\\x00é')
    return "".join(letters)


def fuzzed_notebook(honest, generator):
    if generator.random() < 0.3:
        return mutate_text(honest, generator)
    notebook = json.loads(honest)
    for _ in range(generator.randrange(1, 8)):
        notebook = mutate(notebook, generator)
    return json.dumps(notebook)


def besiege_with_notebooks(field, seed, count):
    generator = random.Random(seed)
    honest = field.notebook(**RIGHT).text()
    for _ in range(count):
        text = fuzzed_notebook(honest, generator)
        result = field.grade_text(text.encode(errors="replace").decode())
        field.check(result, most=8)
    field.check_next()


def test_a_few_mutated_notebooks_are_graded(field):
    besiege_with_notebooks(field, seed=1, count=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 4))
def test_mutated_notebooks_are_graded(field, seed):
    besiege_with_notebooks(field, seed, count=30)


def test_mutated_notebooks_are_read_or_refused():
    generator = random.Random(7)
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["x"]}, "source": ["x = 1\n", "y"]}
    metadata = {"kernelspec": {"language": "python"}, "imitation_lab": {"notebook": "01"}}
    honest = json.dumps({"nbformat": 4, "metadata": metadata, "cells": [cell] * 4})
    refused = 0
    for _ in range(1000):
        try:
            notebook = parse_notebook(fuzzed_notebook(honest, generator).encode(errors="replace"))
            assert all(type(c.source) is type(c.id) is str for c in notebook.cells)
        except MalformedError as error:
            refused += 1
            assert str(error)
    assert 0 < refused < 1000


class Impostor:
    """A sandbox whose worker gives, to every request, the bytes that it is told to."""

    def __init__(self, reply):
        self._reply = reply

    def spawn(self, limits):
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours, 1

    def end(self, worker, patience=0.0):
        return "killed"

    def _serve(self, connection):
        with connection:
            request = wire.receive_frame(connection, time.monotonic() + 5, wire.MAX_ARGUMENTS)
            connection.sendall(self._reply(request.header["id"]))


def fuzzed_reply(request_id, generator):
    """Return a worker's reply to a call, damaged in its header, its bytes or its lengths."""
    value = {"result": torch.arange(6.0).reshape(2, 3), "needs_gradient": [0], "graph": 0}
    encoded, buffers, body = wire.encode({**value, "changed": [[0, torch.zeros(2)]]})
    header = {"id": request_id, "kind": "value", "value": encoded, "buffers": buffers}
    for _ in range(generator.randrange(1, 4)):
        header = mutate(header, generator)
    data = json.dumps(header).encode(errors="replace")
    if generator.random() < 0.2:
        body = body[: generator.randrange(len(body))] + generator.randbytes(generator.randrange(40))
    reply = struct.pack(">IQ", len(data), len(body)) + data + body
    if generator.random() < 0.2:
        reply = bytearray(reply)
        for _ in range(3):
            reply[generator.randrange(len(reply))] = generator.randrange(256)
    return bytes(reply)


def test_damaged_replies_are_plain_data_or_the_workers_end():
    """Whatever a worker says, the judge has a value, the submission's error, or a lost worker."""
    generator = random.Random(3)
    outcomes = {"value": 0, "error": 0, "lost": 0}
    for _ in range(600):
        impostor = Impostor(lambda request_id: fuzzed_reply(request_id, generator))
        session = Session(impostor, Limits(wall_seconds=5), time.monotonic() + 10)
        try:
            call = session.call("f", (torch.zeros(2),), {})
            outcomes["value"] += 1
            assert all(0 <= number < 1 for number, _ in call.changed)
        except WorkerLostError as lost:
            outcomes["lost"] += 1
            assert lost.status == "died"
        except RemoteError:
            outcomes["error"] += 1
        finally:
            session.close()
    assert outcomes["value"] and outcomes["lost"] > 300
