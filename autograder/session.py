"""A conversation with one worker, in which the judge believes nothing."""

import json
import math
import secrets
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

import torch

from autograder import wire
from autograder.limits import Limits
from autograder.packing import pack
from autograder.sandbox import Zygote

OK, TIMEOUT, DIED, OUT_OF_MEMORY, MALFORMED = "ok", "timeout", "died", "out_of_memory", "malformed"
FINISH_SECONDS = 10.0
ENDING_SECONDS = 2.0
FRAME_SECONDS = 10.0  # for the rest of a frame that has begun
LOOK_SECONDS = 5.0  # between two looks at how long the worker waited for a processor
_ENDINGS = {"timeout": TIMEOUT, "exited": DIED, "died": DIED, "killed": DIED}
_NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "Cannot allocate memory")

EXPLANATIONS = {
    TIMEOUT: "it used up its time: look for a loop that does not end, or for work that can be spared",
    DIED: "the program ended in the middle of it",
    OUT_OF_MEMORY: "it used up its memory",
}


class WorkerLostError(Exception):
    """The worker, or the copy of it that ran a test, gave no answer and will not.

    Attributes:
        status: How the results record it.
    """

    def __init__(self, status: str) -> None:
        super().__init__(EXPLANATIONS[status])
        self.status = status


class RemoteError(Exception):
    """Code of the submission raised an exception.

    Attributes:
        type_name: The name of the exception's class: the submission chose it.
        text: Its message: the submission wrote it.
    """

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(f"{type_name}: {text}" if text else type_name)
        self.type_name = type_name
        self.text = text


class Session:
    """A worker, and requests to it.

    Args:
        zygote: Whose copy the worker is.
        limits: What it may use. What it waits for a processor is not counted.
        deadline: When it has had all its time, of ``time.monotonic``.
        latest: The same, however long it has waited for a processor.

    Attributes:
        deadline: Later than the one given, by what it has waited for a processor.
        failure: How the current test's process ended too early. None while it has not.
        called: The function that the current test called last.
        tests: How many tests the current copy has served, the current one included.
        out_of_memory: Whether an allocation was refused since this was last set to False.
    """

    def __init__(
        self, zygote: Zygote, limits: Limits, deadline: float, latest: float = math.inf
    ) -> None:
        self._zygote = zygote
        self._limits = limits
        self._latest = latest
        self._waited: dict[str, float] = {}
        self.deadline = deadline
        self._connection, self._worker = zygote.spawn(limits)
        self._alive = True
        self._test_id: str | None = None
        self.failure: str | None = None
        self.called = ""
        self.tests = 0
        self.out_of_memory = False

    @property
    def alive(self) -> bool:
        """Whether the worker still answers."""
        return self._alive

    @property
    def in_copy(self) -> bool:
        """Whether a copy of the worker answers, and has not ended."""
        return self._alive and self._test_id is not None

    def close(self, patience: float = 0.0) -> str:
        """Kill the worker and everything that it started; tell how it had ended."""
        if not self._alive:
            return "killed"
        self._alive = False
        self._connection.close()
        return self._zygote.end(self._worker, patience)

    def analyse(self, sources: Sequence[str]) -> list[list[str] | None]:
        """Return the names that each cell defines at its top level, None for what is no Python."""
        names = self._request_of_ours("analyse", json.dumps(list(sources)).encode())
        plain = type(names) is list and len(names) == len(sources)
        if not plain or not all(_is_names(item) for item in names):
            raise self._lost(DIED)
        return names

    def run(self, source: str, name: str, keep: Sequence[str] = ()) -> dict[str, Any]:
        """Run a cell; return its ``error`` (None, or type and text), ``output`` and ``notes``."""
        result = self._request_of_ours(
            "run", source.encode(errors="replace"), name=name, keep=list(keep)
        )
        if not _is_cell_result(result):
            raise self._lost(DIED)
        if result["error"]:
            self._note_memory(*result["error"])
        return result

    def look(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """Tell of each name what it is.

        Returns:
            ``["missing"]``, ``["value", value]``, or ``["class", ours]`` or ``["function", ours]``, where
            ``ours`` tells whether the course's library defines it.
        """
        found = self._request_of_ours("look", names=list(names))
        if type(found) is not dict or set(found) != set(names):
            raise self._lost(DIED)
        if not all(_is_finding(item) for item in found.values()):
            raise self._lost(DIED)
        return found

    def seed(self, seed: int) -> None:
        """Seed the worker's global generators."""
        self._request_of_ours("seed", seed=seed)

    def begin(self, seed: int) -> None:
        """Start a test: from here to ``finish``, a copy of the worker answers."""
        self.failure, self.called, self.tests = None, "", 1
        self._test_id = secrets.token_hex(8)
        self._request_of_ours("begin", seed=seed, request_id=self._test_id)

    def go_on(self, seed: int) -> None:
        """Start another test in the same copy of the worker."""
        self.called, self.tests = "", self.tests + 1
        self._request_of_ours("go_on", seed=seed)

    def finish(self) -> None:
        """End the copy of the worker, and whatever its tests left running."""
        test_id, self._test_id = self._test_id, None
        if test_id is None or not self._alive:
            return
        deadline = time.monotonic() + FINISH_SECONDS
        try:
            request = {"id": secrets.token_hex(8), "do": "finish"}
            wire.send_frame(self._connection, wire.Frame(request), deadline)
            self._receive(test_id, "ended", deadline)
        except (wire.ProtocolError, wire.DisconnectedError, OSError):
            self.close()  # the next test gets a new worker

    def request(
        self, do: str, body: bytes = b"", request_id: str | None = None, **fields: Any
    ) -> Any:
        """Send a request and return the value that came back.

        Raises:
            RemoteError: If the submission's code raised an exception.
            WorkerLostError: If no answer came, or one that is none.
        """
        if not self._alive or self.failure:
            raise WorkerLostError(self.failure or DIED)
        request_id = request_id or secrets.token_hex(8)
        deadline = min(time.monotonic() + self._limits.wall_seconds, self.deadline)
        try:
            frame = wire.Frame({"id": request_id, "do": do, **fields}, body)
            wire.send_frame(self._connection, frame, deadline)
            kind, value = self._receive(request_id, "value", deadline)
        except TimeoutError:
            raise self._lost(TIMEOUT) from None
        except (wire.ProtocolError, wire.DisconnectedError, OSError):
            raise self._lost(None) from None
        if kind == "error":
            self._note_memory(*value)
            raise RemoteError(*value)
        return value

    def _request_of_ours(self, do: str, body: bytes = b"", **fields: Any) -> Any:
        """Send a request in which no code of the submission's can raise, as long as all is well."""
        try:
            return self.request(do, body, **fields)
        except RemoteError:
            raise self._lost(DIED) from None

    def _receive(self, request_id: str, expected: str, deadline: float) -> tuple[str, Any]:
        """Return the kind and the value of the one frame that may come next."""
        deadline = self._wait(deadline)
        frame = wire.receive_frame(self._connection, deadline + FRAME_SECONDS)
        if set(frame.header) != {"id", "kind", "value", "buffers"}:
            raise wire.ProtocolError("a reply has an id, a kind, a value and buffers")
        header = frame.header
        value = wire.decode(header["value"], header["buffers"], frame.body)
        if header["kind"] == "ended" and header["id"] in (self._test_id, request_id):
            if expected == "ended":
                return "ended", value
            # The copy is gone and the worker itself has said so: it is ready for the next test.
            self._test_id = None
            raise self._fail(_ENDINGS.get(value, DIED) if isinstance(value, str) else DIED)
        if header["id"] != request_id or header["kind"] not in (expected, "error"):
            raise wire.ProtocolError("a reply to something else")
        if header["kind"] == "error" and not _is_error(value):
            raise wire.ProtocolError("an error that is none")
        return header["kind"], value

    def _wait(self, deadline: float) -> float:
        """Wait until a frame begins; return the deadline, as late as the machine has made it.

        Raises:
            TimeoutError: If none has begun by then.
        """
        while not _is_readable(self._connection, min(deadline - time.monotonic(), LOOK_SECONDS)):
            deadline = min(deadline + self._look_how_long_it_waited(), self._latest)
            if time.monotonic() >= deadline:
                raise TimeoutError("the deadline has passed")
        return deadline

    def _look_how_long_it_waited(self) -> float:
        """Return for how long, since the last look, the worker was ready and got no processor."""
        waited = self._zygote.waited(self._worker)
        more = [seconds - self._waited.get(process, 0.0) for process, seconds in waited.items()]
        self._waited = waited
        longest = max(more, default=0.0)
        self.deadline = min(self.deadline + longest, self._latest)
        return longest

    def _lost(self, status: str | None) -> WorkerLostError:
        """Give the worker up."""
        ended = self.close(0.0 if status else ENDING_SECONDS)
        return self._fail(status or _ENDINGS.get(ended, DIED))

    def _fail(self, status: str) -> WorkerLostError:
        self.failure = status
        return WorkerLostError(status)

    def _note_memory(self, type_name: str, text: str) -> None:
        if type_name.startswith("MemoryError") or any(sign in text for sign in _NO_MEMORY):
            self.out_of_memory = True

    def call(
        self,
        name: str,
        args: tuple,
        kwargs: dict[str, Any],
        of: int | None = None,
        makes: int | None = None,
    ) -> "Call":
        """Call something of the submission's with arguments that are sent by value.

        Args:
            name: Of a function, a class, or a method.
            args: By position.
            kwargs: By name.
            of: The number of the object whose method it is.
            makes: The number that the object gets which a class makes.
        """
        body, tensors = pack((args, kwargs))
        target: dict[str, Any] = {"name": name, "of": of, "makes": makes}
        reply = self.request("call", body, gradients=torch.is_grad_enabled(), **target)
        return Call.from_reply(self, reply, body, tensors, target)

    def repeat(self, call: "Call", name: str) -> Any:
        """Repeat a call for another answer than the one that it was made for; return the result."""
        target = call.target if call.target["of"] is not None else {**call.target, "name": name}
        reply = self.request("call", call.body, gradients=True, **target)
        return reply["result"]

    def attribute(self, of: int, name: str) -> list[Any]:
        """Tell of an object's attribute: ``["method"]`` or ``["value", value]``."""
        found = self.request("attribute", name=name, of=of)
        if not _is_tagged(found) or len(found) != {"method": 1, "value": 2}.get(found[0]):
            raise self.reject()
        return found

    def reject(self) -> WorkerLostError:
        """Give up a worker that answered what no worker of ours answers."""
        return self._lost(DIED)


class Call:
    """What one call gave.

    Attributes:
        body: The arguments as they were sent.
        tensors: The tensors among them.
        target: What was called: its ``name``, the object ``of`` which it is a method, and the number
            of the object that it ``makes``.
        result: Plain data.
        differentiable: Positions, among the result's tensors, of those that need gradients.
        graph: The worker's number for what ``backward`` needs.
        changed: The arguments that the function has written to, by their number.
    """

    def __init__(
        self,
        body: bytes,
        tensors: list[torch.Tensor],
        target: dict[str, Any],
        reply: dict[str, Any],
    ) -> None:
        self.body = body
        self.tensors = tensors
        self.target = target
        self.result = reply["result"]
        self.differentiable: list[int] = reply["needs_gradient"]
        self.graph: int = reply["graph"]
        self.changed: list[tuple[int, torch.Tensor]] = [tuple(item) for item in reply["changed"]]

    @classmethod
    def from_reply(
        cls,
        session: Session,
        reply: Any,
        body: bytes,
        tensors: list[torch.Tensor],
        target: dict[str, Any],
    ) -> "Call":
        """Check a reply for what the rest of the judge relies on."""
        expected = {"result", "needs_gradient", "graph", "changed"}
        if type(reply) is not dict or set(reply) != expected or type(reply["graph"]) is not int:
            raise session.reject()
        results: list[torch.Tensor] = []
        wire.map_tensors(reply["result"], results.append)
        if not _are_differentiable(reply["needs_gradient"], results):
            raise session.reject()
        if not _fit(reply["changed"], tensors):
            raise session.reject()
        return cls(body, tensors, target, reply)


def _is_readable(connection: socket.socket, seconds: float) -> bool:
    """Wait until there is something to read, or the other side is gone."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(1000 * max(0.0, seconds)))


def _is_names(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(name) is str for name in value))


def _is_tagged(value: Any) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is str


def _is_finding(value: Any) -> bool:
    if not _is_tagged(value):
        return False
    if value[0] in ("class", "function"):
        return len(value) == 2 and type(value[1]) is bool
    return len(value) == {"missing": 1, "value": 2}.get(value[0])


def _is_error(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and all(type(item) is str for item in value)


def _is_cell_result(value: Any) -> bool:
    return (
        type(value) is dict
        and set(value) == {"error", "output", "notes"}
        and (value["error"] is None or _is_error(value["error"]))
        and type(value["output"]) is str
        and type(value["notes"]) is list
        and all(type(note) is str for note in value["notes"])
    )


def _are_differentiable(positions: Any, results: list[torch.Tensor]) -> bool:
    return type(positions) is list and all(
        type(position) is int
        and 0 <= position < len(results)
        and results[position].is_floating_point()
        for position in positions
    )


def _fit(changed: Any, tensors: list[torch.Tensor]) -> bool:
    return type(changed) is list and all(
        type(item) is list
        and len(item) == 2
        and type(item[0]) is int
        and 0 <= item[0] < len(tensors)
        and isinstance(item[1], torch.Tensor)
        and item[1].shape == tensors[item[0]].shape
        for item in changed
    )
