"""The judge's handle on the zygotes, and through them on the workers."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any

from autograder.limits import Limits
from autograder.sandbox.backends import ROOT, Backend
from imitation_lab import __version__ as library_version

START_SECONDS = 180.0
REPLY_SECONDS = 60.0
MESSAGE_SIZE = 65536
# One thread each: a fork after a parallel region hangs, and many gradings share the machine.
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")


class SandboxError(Exception):
    """The sandbox cannot be had, or is gone."""


class Zygote:
    """A running zygote, whose workers all see the same part of the library.

    Args:
        control: The connection to it.
        last_words: Tells, once it is gone, what it said in the end.
    """

    def __init__(self, control: socket.socket, last_words: Callable[[], str]) -> None:
        # Requests and replies take turns and are small, so a stream keeps them apart.
        self._control = control
        self._last_words = last_words
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def wait_until_ready(self) -> dict[str, str]:
        """Wait until all is loaded; return the versions of what was."""
        versions: dict[str, str] = self._receive(START_SECONDS)["ready"]
        return versions

    def spawn(self, limits: Limits) -> tuple[socket.socket, int]:
        """Start a worker; return the connection to it, and its number."""
        ours, theirs = socket.socketpair()
        with self._lock:
            self._send({"do": "spawn", "limits": limits.as_dict()}, theirs)
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
            self._send({"do": "end", "worker": worker, "patience": patience})
            ended: str = self._receive(REPLY_SECONDS)["ended"]
            return ended
        return "died"

    def waited(self, worker: int) -> dict[str, float]:
        """Return how many seconds each process of a worker has waited for a processor by now."""
        with self._lock, contextlib.suppress(SandboxError):
            self._send({"do": "waited", "worker": worker})
            waited: dict[str, float] = self._receive(REPLY_SECONDS)["waited"]
            return waited
        return {}

    def open(self, withheld: Collection[str]) -> "Zygote":
        """Start another zygote, which has the library without some of its files."""
        ours, theirs = socket.socketpair()
        with self._lock:
            self._send({"do": "open", "withheld": sorted(withheld)}, theirs)
        return Zygote(ours, self._last_words)

    def hang_up(self) -> None:
        """End the zygote with all its workers, and whatever another thread is asking of them."""
        for connection in (self._control, *self._connections):
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection, once it has hung up."""
        self._control.close()

    def _send(self, request: dict[str, Any], *files: socket.socket) -> None:
        """Send a request with files, which are closed on this side."""
        try:
            numbers = [file.fileno() for file in files]
            socket.send_fds(self._control, [json.dumps(request).encode()], numbers)
        except OSError as error:
            raise SandboxError(f"the sandbox is gone: {error}") from error
        finally:
            for file in files:
                file.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(MESSAGE_SIZE)
        except OSError as error:
            self.hang_up()  # its answer may still come, and would be taken for that to another request
            raise SandboxError(f"it does not answer ({error})") from error
        if not message:
            raise SandboxError(f"it ended: {self._last_words()}")
        reply = json.loads(message)
        if "failed" in reply:
            raise SandboxError(reply["failed"])
        return reply


class Sandbox:
    """The zygotes of a grading: one that has torch loaded, and one for each part of the library.

    Attributes:
        backend: How the workers are locked in.
        bare: The zygote whose workers have none of the library.
        versions: What is installed in there.
    """

    def __init__(self, backend: Backend, secrets: Sequence[str] = ()) -> None:
        problem = backend.problem()
        if problem:
            raise SandboxError(problem)
        self.backend = backend
        self.versions: dict[str, str] = {}
        self._lock = threading.Lock()
        self._parts: dict[frozenset[str], Zygote] = {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed with the sandbox
        ours, theirs = socket.socketpair()
        self.bare = Zygote(ours, self._last_words)
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

    def wait_until_ready(self) -> None:
        """Wait until torch is loaded and a worker can be had."""
        if not self.versions:
            try:
                loaded = self.bare.wait_until_ready()
                _, worker = self.bare.spawn(Limits())
                self.bare.end(worker)
                self.versions = {**loaded, "imitation_lab": library_version}
            except BaseException:  # Ctrl-C too
                self.close()
                raise

    def without(self, withheld: Collection[str]) -> Zygote:
        """Return the zygote whose workers have the library, but for some of its files.

        It is opened when it is first asked for, which takes a moment, and stays: its workers share torch's
        memory with those of all others.

        Args:
            withheld: Paths in the library's folder, such as ``"policies/flow.py"``.

        Raises:
            SandboxError: If there can be none.
        """
        files = frozenset(withheld)
        with self._lock:
            if files not in self._parts:
                part = self._parts[files] = self.bare.open(files)
                try:
                    part.wait_until_ready()
                except SandboxError:
                    del self._parts[files]
                    raise
            return self._parts[files]

    def close(self) -> None:
        """End all zygotes with all their workers, and whatever another thread is asking of them."""
        zygotes = [*self._parts.values(), self.bare]
        for zygote in zygotes:
            zygote.hang_up()
        if not self.versions:  # it loads torch, and would listen to nobody for seconds
            self._process.kill()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for zygote in zygotes:
            zygote.close()
        self._errors.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return last[0] if last else f"its exit code is {self._process.poll()}"


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
