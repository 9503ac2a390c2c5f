"""The walls that a zygote can put around its workers, by the backend's name."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from autograder.inside import confine, linux, lodging, restrict
from autograder.inside.library import Library
from autograder.inside.lodging import Lodging
from autograder.limits import Limits


class Wall(Protocol):
    """What a zygote has to do to lock workers in, and to end them."""

    def furnish(self, withheld: Sequence[str]) -> Path:
        """Show this zygote, and its workers, the library without some files.

        Called once, in a zygote that was forked for these.

        Returns:
            The folder to import the library from.
        """
        ...

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


class InNamespaces:
    """The kernel shows each worker a world of its own.

    Args:
        library: The course's library, by an open file: it lies outside of the sandbox.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def furnish(self, withheld: Sequence[str]) -> Path:
        """Leave for a mount namespace in which the library, cut down, lies in memory."""
        confine.enter_namespace_of_mounts()
        flags = linux.MS_NOSUID | linux.MS_NODEV
        linux.mount("tmpfs", linux.LIBRARY, "tmpfs", flags, "size=64m,mode=755")
        self._library.copy(withheld, Path(linux.LIBRARY))
        os.close(int(self._library.package.name))
        linux.make_read_only(linux.LIBRARY)
        confine.give_up_capabilities()
        return Path(linux.LIBRARY)

    def prepare(self) -> None:
        """Prepare nothing."""

    def close(self) -> None:
        """Clean nothing up: all goes with the namespace."""

    def serve(
        self, limits: Limits, report: int, connection: socket.socket, lodging: Lodging | None
    ) -> None:
        """Serve in new namespaces."""
        confine.run_in_namespaces(limits, report, connection)

    def end(self, worker: int, ended: bool) -> None:
        """Kill the namespace's first process, and thereby all."""
        if not ended:  # else all of it is gone, and its number may be another worker's by now
            os.kill(worker, signal.SIGKILL)


class InTheOpen:
    """There are no walls: ``--unsafe``.

    Args:
        library: The course's library. Whoever looks for its files finds them: no more is kept from a
            submission than what it imports.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._copy: Path | None = None

    def furnish(self, withheld: Sequence[str]) -> Path:
        """Copy the library, cut down, into a folder that is looked through first."""
        self._copy = Path(tempfile.mkdtemp(prefix="unsafe-grading-"))
        self._library.copy(withheld, self._copy)
        return self._copy

    def prepare(self) -> None:
        """Prepare nothing."""

    def close(self) -> None:
        """Remove the copy."""
        if self._copy:
            shutil.rmtree(self._copy, ignore_errors=True)

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

    Args:
        config: What may be read, and listed.
        library: The course's library, which may not be.

    Raises:
        OSError: If the kernel cannot hold them, or they could not read Python.
    """

    def __init__(self, config: dict[str, Any], library: Library) -> None:
        self._library = library
        lodging.check_support()
        self._keeps_reading = lodging.must_keep_reading(config["binds"])
        self._sight = restrict.Sight(config["binds"], config["listable"])
        self._base = Path(tempfile.mkdtemp(prefix="grading-"))
        self._base.chmod(0o711)  # each lodging is its owner's alone
        own = self._base / "zygote"
        own.mkdir(mode=0o700)
        os.environ.update(HOME=str(own), MPLCONFIGDIR=str(own))

    def furnish(self, withheld: Sequence[str]) -> Path:
        """Copy the library, cut down, to where only this zygote's workers may read."""
        self._base = Path(tempfile.mkdtemp(dir=self._base))
        self._base.chmod(0o711)
        copy = self._base / "library"
        copy.mkdir()
        self._library.copy(withheld, copy)
        readable = [*self._sight.readable, str(copy)]
        self._sight = restrict.Sight(readable, self._sight.listable)
        return copy

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


def make_wall(config: dict[str, Any], library: Library) -> Wall:
    """Return the wall that the judge asks for."""
    if config["backend"] == "landlock":
        return Restricted(config, library)
    return InNamespaces(library) if config["backend"] == "namespaces" else InTheOpen(library)
