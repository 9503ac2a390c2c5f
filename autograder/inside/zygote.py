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
import signal
import socket
import time
from typing import Any

from autograder.inside import confine
from autograder.inside.ending import DIED, EXIT_CODES, KILLED, how_ended
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


def serve(control: socket.socket, backend: str) -> None:
    """Fork and end workers as the judge asks, until the judge is gone."""
    live: dict[int, int] = {}  # the process to kill -> the process to wait for
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE_SIZE, 1)
        if not message:
            break
        request = json.loads(message)
        if request["do"] == "spawn":
            reply = _spawn(control, files[0], Limits(**request["limits"]), backend, live)
        else:
            reply = {"ended": _end(request["worker"], live, backend, request["patience"])}
        control.send(json.dumps(reply).encode())
    for worker in list(live):
        _end(worker, live, backend, 0.0)


def _spawn(
    control: socket.socket, file: int, limits: Limits, backend: str, live: dict[int, int]
) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _become_worker(control, reader, writer, socket.socket(fileno=file), limits, backend)
    os.close(file)
    os.close(writer)
    with os.fdopen(reader) as report:  # ends when the child has told, or has died
        told = report.read()
    if not told.isdigit():
        os.waitpid(child, 0)
        return {"failed": told or "the worker died while it was locked in"}
    live[int(told)] = child
    return {"worker": int(told)}


def _become_worker(
    control: socket.socket,
    reader: int,
    writer: int,
    connection: socket.socket,
    limits: Limits,
    backend: str,
) -> None:
    """Serve a submission and exit; never return into the zygote's loop."""
    try:
        control.close()
        os.close(reader)
        if backend == "namespaces":
            confine.run_in_namespaces(limits, writer, connection)
        else:
            confine.run_in_the_open(limits, writer, connection)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(writer, f"{type(error).__name__}: {error}"[:1000].encode())
    finally:
        os._exit(1)


def _end(worker: int, live: dict[int, int], backend: str, patience: float) -> str:
    """Kill a worker with all that it started; tell how it had ended by itself, if it had.

    A connection breaks a moment before the process behind it is gone: ``patience``, in seconds, is
    how long to wait for the reason.
    """
    if worker not in live:
        return DIED
    waited_for = live.pop(worker)
    deadline = time.monotonic() + patience
    ended, status, usage = os.wait4(waited_for, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.005)
        ended, status, usage = os.wait4(waited_for, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        if backend != "namespaces":
            os.killpg(worker, signal.SIGKILL)
        elif not ended:  # else all of it is gone, and its number may be another worker's by now
            os.kill(worker, signal.SIGKILL)
    if not ended:
        os.waitpid(waited_for, 0)
        return KILLED
    code = os.waitstatus_to_exitcode(status)
    known = {code: ending for ending, code in EXIT_CODES.items()}
    return known.get(code) or how_ended(status, usage)
