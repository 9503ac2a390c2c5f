"""The walls that a zygote can put around its workers, by the backend's name."""

import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from autograder.inside import confine, lodging, restrict
from autograder.inside.lodging import Lodging
from autograder.limits import Limits


class Wall(Protocol):
    """What the zygote has to do to lock workers in, and to end them."""

    def prepare(self) -> Lodging | None:
        """Return what one worker has to itself, before there is a process for it."""
        ...

    def serve(
        self, limits: Limits, report: int, connection: socket.socket, lodging: Lodging | None
    ) -> None:
        """Serve a submission in this process's children, and exit.

        The number of the process by which to end it is told through ``report``.
        """
        ...

    def end(self, worker: int, ended: bool) -> None:
        """Kill a worker, which may have ended by itself, with all that it started."""
        ...

    def close(self) -> None:
        """Clean up, when no worker is left."""
        ...


class _Bare:
    """What the walls without lodgings share."""

    def prepare(self) -> None:
        """Prepare nothing."""

    def close(self) -> None:
        """Clean nothing up."""


class InNamespaces(_Bare):
    """The kernel shows each worker a world of its own."""

    def serve(
        self, limits: Limits, report: int, connection: socket.socket, lodging: Lodging | None
    ) -> None:
        """Serve in new namespaces."""
        confine.run_in_namespaces(limits, report, connection)

    def end(self, worker: int, ended: bool) -> None:
        """Kill the namespace's first process, and thereby all."""
        if not ended:  # else all of it is gone, and its number may be another worker's by now
            os.kill(worker, signal.SIGKILL)


class InTheOpen(_Bare):
    """There are no walls: ``--unsafe``."""

    def serve(
        self, limits: Limits, report: int, connection: socket.socket, lodging: Lodging | None
    ) -> None:
        """Serve with limits alone."""
        confine.run_in_the_open(limits, report, connection)

    def end(self, worker: int, ended: bool) -> None:
        """Kill the process group: what has left it stays."""
        os.killpg(worker, signal.SIGKILL)


class Restricted:
    """Each worker has given up what it does not need.

    Raises:
        OSError: If the kernel cannot hold them, or they could not read Python.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        lodging.check_support()
        self._keeps_reading = lodging.must_keep_reading(config["binds"])
        self._sight = restrict.Sight(config["binds"], config["listable"])
        self._base = Path(tempfile.mkdtemp(prefix="grading-"))
        self._base.chmod(0o711)  # each lodging is its owner's alone
        own = self._base / "zygote"
        own.mkdir(mode=0o700)
        os.environ.update(HOME=str(own), MPLCONFIGDIR=str(own))

    def prepare(self) -> Lodging:
        """Return a lodging in which nobody has lived."""
        return Lodging(self._base, self._keeps_reading)

    def serve(
        self, limits: Limits, report: int, connection: socket.socket, lodging: Lodging | None
    ) -> None:
        """Serve in a lodging."""
        if lodging is None:
            raise ValueError("a restricted worker needs a lodging")
        restrict.run_restricted(limits, report, connection, lodging, self._sight)

    def end(self, worker: int, ended: bool) -> None:
        """Tell the watcher to end all, itself last."""
        if not ended:
            os.kill(worker, signal.SIGTERM)

    def close(self) -> None:
        """Remove what is left."""
        subprocess.run(["rm", "-rf", "--", self._base], capture_output=True)


def make_wall(config: dict[str, Any]) -> Wall:
    """Return the wall that the judge asks for."""
    if config["backend"] == "landlock":
        return Restricted(config)
    return InNamespaces() if config["backend"] == "namespaces" else InTheOpen()
