"""The worker: runs a submission's cells, then serves calls of its functions.

Everything in this process belongs to the submission as soon as the first cell has run. The judge
believes nothing that it says: its replies are data that the submission's functions might as well
have returned.
"""

import contextlib
import gc
import json
import os
import random
import signal
import socket
from typing import Any

import numpy as np
import torch

from autograder import wire
from autograder.inside.arguments import Unpacker
from autograder.inside.cells import Interpreter, captured, defined_names, describe
from autograder.inside.ending import how_ended
from autograder.inside.library import is_of_library


def serve(connection: socket.socket, kill_survivors: bool) -> None:
    """Answer the judge's requests until it hangs up.

    Args:
        connection: Where the requests come from.
        kill_survivors: End, after every test, all other processes that this one may signal. Only in
            a process namespace, where these are the submission's own.
    """
    Server(connection, kill_survivors).run()


class Server:
    """One submission's worker."""

    def __init__(self, connection: socket.socket, kill_survivors: bool) -> None:
        self._connection = connection
        self._kill_survivors = kill_survivors
        self._interpreter = Interpreter()
        self._answers: dict[str, Any] = {}
        self._objects: dict[int, Any] = {}
        self._graphs: list[tuple[list[torch.Tensor], dict[int, torch.Tensor]]] = []

    def run(self) -> None:
        """Answer requests until the judge is gone."""
        with contextlib.suppress(wire.DisconnectedError):
            while True:
                request = wire.receive_frame(self._connection, max_body=wire.MAX_ARGUMENTS)
                self._answer(request)

    def _answer(self, request: wire.Frame) -> None:
        if request.header["do"] == "begin":
            return self._begin(request)
        if request.header["do"] == "finish":
            os._exit(0)
        handler = getattr(self, f"_do_{request.header['do']}")
        try:
            kind, value = "value", handler(request.header, request.body)
        except BaseException as error:
            kind, value = "error", describe(error)
        return self._reply(request, kind, value)

    def _reply(self, request: wire.Frame, kind: str, value: Any) -> None:
        try:
            encoded, buffers, body = wire.encode(value)
        except BaseException as error:  # a hostile value may do anything while it is read
            kind, (encoded, buffers, body) = "error", wire.encode(describe(error))
        header = {"id": request.header["id"], "kind": kind, "value": encoded, "buffers": buffers}
        wire.send_frame(self._connection, wire.Frame(header, body))

    def _do_analyse(self, header: dict[str, Any], body: bytes) -> list[list[str] | None]:
        """Tell what each cell defines. Parsing hostile text can end a process: here it may."""
        return [defined_names(source) for source in json.loads(body)]

    def _do_run(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Run a cell, and keep the functions in it that are graded."""
        result = self._interpreter.run(body.decode(), header["name"])
        for name in header["keep"]:
            if name in self._interpreter.namespace:
                self._answers[name] = self._interpreter.namespace[name]
        return result

    def _do_look(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Tell of each name whether it is missing, a class, a function, or a value, and which.

        Of a class and of a function, tell as well whether the library made it.
        """
        return {name: self._look(name) for name in header["names"]}

    def _look(self, name: str) -> list[Any]:
        try:
            value = self._find(name)
            if isinstance(value, type):
                return ["class", is_of_library(value)]
            if callable(value):
                return ["function", is_of_library(value)]
            wire.encode(value)
        except (LookupError, wire.UnsendableError):
            return ["missing"]
        return ["value", value]

    def _find(self, name: str) -> Any:
        if name in self._answers:
            return self._answers[name]
        if name in self._interpreter.namespace:
            return self._interpreter.namespace[name]
        raise LookupError(f"{name} is not defined")

    def _do_seed(self, header: dict[str, Any], body: bytes) -> None:
        """Seed what draws without a generator, so that a grade can be reproduced."""
        random.seed(header["seed"])
        np.random.seed(header["seed"] % 2**32)
        # torch.manual_seed would note for every absent GPU where it was called from: a millisecond.
        torch.default_generator.manual_seed(header["seed"])

    def _do_go_on(self, header: dict[str, Any], body: bytes) -> None:
        """Start another test: let go of what the last one made."""
        self._objects.clear()
        self._graphs.clear()
        self._do_seed(header, body)

    def _do_call(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Call a function, a class or a method, and keep the graph behind its result.

        What a class makes stays here, under the number that the judge chose for it.
        """
        unpacker = Unpacker(body, self._find, self._objects)
        args, kwargs = unpacker.load()
        with captured(), torch.set_grad_enabled(header["gradients"]):
            result = self._callee(header)(*args, **kwargs)
        if header["makes"] is not None:
            self._objects[header["makes"]] = result
            result = None
        tensors: list[torch.Tensor] = []
        wire.map_tensors(result, tensors.append)
        needs_gradient = [index for index, tensor in enumerate(tensors) if tensor.requires_grad]
        self._graphs.append(([tensors[index] for index in needs_gradient], unpacker.tensors))
        return {
            "result": result,
            "needs_gradient": needs_gradient,
            "graph": len(self._graphs) - 1,
            "changed": [list(item) for item in unpacker.changed_tensors().items()],
        }

    def _callee(self, header: dict[str, Any]) -> Any:
        if header["of"] is None:
            return self._find(header["name"])
        return getattr(self._objects[header["of"]], header["name"])

    def _do_attribute(self, header: dict[str, Any], body: bytes) -> list[Any]:
        """Tell whether an attribute of an object is a method, or a value, and which."""
        with captured():
            value = self._callee(header)
        return ["method"] if callable(value) else ["value", value]

    def _do_backward(self, header: dict[str, Any], body: bytes) -> list[torch.Tensor | None]:
        """Return the vector-Jacobian products of a call's results with respect to its tensors."""
        outputs, tensors = self._graphs[header["graph"]]
        gradients = Unpacker(body, self._find, self._objects).load()
        used = [
            (out, grad) for out, grad in zip(outputs, gradients, strict=True) if grad is not None
        ]
        inputs = [tensors[number] for number in header["inputs"]]
        if not used or not inputs:
            return [None] * len(inputs)
        return list(
            torch.autograd.grad(
                *([out for out, _ in used], inputs, [grad for _, grad in used]),
                retain_graph=True,
                allow_unused=True,
            )
        )

    def _begin(self, request: wire.Frame) -> None:
        """Continue in a copy of this process, so that tests leave no trace here.

        The copy answers the request, and all that follow. This process waits for the copy's end and
        then tells it, under the id of the same request.
        """
        gc.freeze()
        copy = os.fork()
        if copy == 0:
            if not self._kill_survivors:
                os.setpgid(0, 0)
            self._do_seed(request.header, b"")
            self._reply(request, "value", None)
            return
        _, status, usage = os.wait4(copy, 0)
        self._end_survivors(copy)
        self._reply(request, "ended", how_ended(status, usage))

    def _end_survivors(self, copy: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._kill_survivors:
                os.kill(-1, signal.SIGKILL)
            else:
                os.killpg(copy, signal.SIGKILL)
