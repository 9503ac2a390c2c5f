"""A process that has torch loaded, and becomes a worker by forking: milliseconds, not seconds.

It never runs a line of a submission, and never starts CUDA or a second thread: neither survives a
fork, and a process with threads may not make a user namespace.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import platform
import socket
import time
from typing import Any

from autograder.inside.ending import DIED, EXIT_CODES, KILLED, how_ended
from autograder.inside.walls import Lodging, Wall
from autograder.limits import Limits

MESSAGE_SIZE = 65536
PRELOADED = (
    "torch.distributions",
    "torch._dynamo",  # with the first optimiser
    "torch.fx.experimental.symbolic_shapes",  # with the first gradient
    "matplotlib.pyplot",
    "gymnasium",
)


def warm_up() -> dict[str, str]:
    """Load what submissions will import, and return the versions."""
    import numpy
    import torch

    import imitation_lab

    torch.set_num_threads(1)
    library = [
        name for _, name, _ in pkgutil.walk_packages(imitation_lab.__path__, "imitation_lab.")
    ]
    for name in (*PRELOADED, *library):
        with contextlib.suppress(Exception):  # it fails again, with a message, where it is needed
            importlib.import_module(name)
    from autograder.inside import worker  # noqa: F401

    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it marks
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "imitation_lab": imitation_lab.__version__,
    }


# The process by which to end a worker -> the process to wait for, and what the worker has to itself.
Live = dict[int, tuple[int, Lodging | None]]


def serve(control: socket.socket, wall: Wall) -> None:
    """Fork and end workers as the judge asks, until the judge is gone."""
    live: Live = {}
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE_SIZE, 1)
        if not message:
            break
        request = json.loads(message)
        if request["do"] == "spawn":
            reply = _spawn(control, files[0], Limits(**request["limits"]), wall, live)
        else:
            reply = {"ended": _end(request["worker"], live, wall, request["patience"])}
        control.send(json.dumps(reply).encode())
    for worker in list(live):
        _end(worker, live, wall, 0.0)


def _spawn(
    control: socket.socket, file: int, limits: Limits, wall: Wall, live: Live
) -> dict[str, Any]:
    lodging = wall.prepare()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        control.close()
        os.close(reader)
        _become_worker(writer, socket.socket(fileno=file), limits, wall, lodging)
    os.close(file)
    os.close(writer)
    with os.fdopen(reader) as report:  # ends when the child has told, or has died
        told = report.read()
    if not told.isdigit():
        os.waitpid(child, 0)
        if lodging:
            lodging.leave()
        return {"failed": told or "the worker died while it was locked in"}
    live[int(told)] = (child, lodging)
    return {"worker": int(told)}


def _become_worker(
    writer: int,
    connection: socket.socket,
    limits: Limits,
    wall: Wall,
    lodging: Lodging | None,
) -> None:
    """Serve a submission and exit; never return into the zygote's loop."""
    try:
        wall.serve(limits, writer, connection, lodging)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(writer, f"{type(error).__name__}: {error}"[:1000].encode())
    finally:
        os._exit(1)


def _end(worker: int, live: Live, wall: Wall, patience: float) -> str:
    """Kill a worker with all that it started; tell how it had ended by itself, if it had.

    A connection breaks a moment before the process behind it is gone: ``patience``, in seconds, is
    how long to wait for the reason.
    """
    if worker not in live:
        return DIED
    waited_for, lodging = live.pop(worker)
    deadline = time.monotonic() + patience
    ended, status, usage = os.wait4(waited_for, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.005)
        ended, status, usage = os.wait4(waited_for, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        wall.end(worker, bool(ended))
    if not ended:
        os.waitpid(waited_for, 0)
    if lodging:
        lodging.leave()
    if not ended:
        return KILLED
    code = os.waitstatus_to_exitcode(status)
    known = {code: ending for ending, code in EXIT_CODES.items()}
    return known.get(code) or how_ended(status, usage)
