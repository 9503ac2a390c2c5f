"""The judge's handle on the zygote, and through it on the workers."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from autograder.limits import Limits
from autograder.sandbox.backends import ROOT, Backend

START_SECONDS = 180.0
REPLY_SECONDS = 60.0
MESSAGE_SIZE = 65536
# One thread each: a fork after a parallel region hangs, and many gradings share the machine.
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")


class SandboxError(Exception):
    """The sandbox cannot be had, or is gone."""


class Sandbox:
    """A running zygote.

    Attributes:
        backend: How its workers are locked in.
        versions: What is installed in there.
    """

    def __init__(self, backend: Backend, secrets: Sequence[str] = ()) -> None:
        problem = backend.problem()
        if problem:
            raise SandboxError(problem)
        self.backend = backend
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed with the sandbox
        # Requests and replies take turns and are small, so a stream keeps them apart.
        self._control, theirs = socket.socketpair()
        configuration = backend.configuration(secrets) | {"control": theirs.fileno()}
        launcher = ROOT / "autograder" / "inside" / "launch.py"
        self._process = subprocess.Popen(
            # Not -I, which would not hear PYTHONHASHSEED. There are no other variables of Python's.
            [sys.executable, "-P", "-s", str(launcher), json.dumps(configuration)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the judge, who then ends the zygote
        )
        theirs.close()
        self.versions: dict[str, str] = {}
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def wait_until_ready(self) -> None:
        """Wait until torch is loaded and a worker can be had."""
        if not self.versions:
            try:
                self.versions = self._receive(START_SECONDS)["ready"]
                _, worker = self.spawn(Limits())
                self.end(worker)
            except BaseException:  # Ctrl-C too
                self.close()
                raise

    def spawn(self, limits: Limits) -> tuple[socket.socket, int]:
        """Start a worker; return the connection to it, and its number."""
        ours, theirs = socket.socketpair()
        request = json.dumps({"do": "spawn", "limits": limits.as_dict()}).encode()
        with self._lock:
            try:
                socket.send_fds(self._control, [request], [theirs.fileno()])
            except OSError as error:
                raise SandboxError(f"the sandbox is gone: {error}") from error
            theirs.close()
            reply = self._receive(REPLY_SECONDS)
            self._connections.add(ours)
        return ours, reply["worker"]

    def end(self, worker: int, patience: float = 0.0) -> str:
        """Kill a worker and all that it started; tell how it had ended by itself, if it had.

        Args:
            worker: The number that ``spawn`` gave.
            patience: Seconds to wait for an end that is under way, to learn its reason.
        """
        with self._lock, contextlib.suppress(SandboxError):
            try:
                request = {"do": "end", "worker": worker, "patience": patience}
                self._control.send(json.dumps(request).encode())
            except OSError:
                return "died"
            return self._receive(REPLY_SECONDS)["ended"]
        return "died"

    def close(self) -> None:
        """End the zygote with all its workers, and whatever another thread is asking of them."""
        for connection in (self._control, *self._connections):
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        if not self.versions:  # it loads torch, and would listen to nobody for seconds
            self._process.kill()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()
        self._errors.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(MESSAGE_SIZE)
        except OSError as error:
            raise SandboxError(f"it does not answer ({error})") from error
        if not message:
            self._process.wait()
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise SandboxError(f"it ended: {' '.join(last) or self._process.returncode}")
        reply = json.loads(message)
        if "failed" in reply:
            raise SandboxError(reply["failed"])
        return reply


def _environment() -> dict[str, str]:
    """Return the zygote's whole environment: none of the judge's variables may reach a submission."""
    return {
        **{f"{library}_NUM_THREADS": "1" for library in _THREADS},
        "CUDA_VISIBLE_DEVICES": "",  # a GPU does not survive a fork
        "HOME": "/tmp",
        "USER": "nobody",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp",
        "PYTHONHASHSEED": "0",  # the order of a set is a part of what must be reproducible
        "PYTHONDONTWRITEBYTECODE": "1",
    }
