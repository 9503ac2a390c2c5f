"""A process that has torch loaded, and becomes a worker by forking: milliseconds, not seconds.

The first zygote knows nothing of the course's library. For each part of the library that submissions may
see it forks another zygote, which loads that part. They share torch's memory.

None of them ever runs a line of a submission, and none starts CUDA or a second thread: neither survives
a fork, and a process with threads may not make a user namespace.
"""

import contextlib
import gc
import importlib
import json
import os
import platform
import socket
import time
from collections.abc import Sequence
from typing import Any

from autograder.inside.ending import DIED, EXIT_CODES, KILLED, how_ended
from autograder.inside.library import load_library
from autograder.inside.pages import use_huge_pages
from autograder.inside.waiting import seconds_waited
from autograder.inside.walls import Lodging, Wall
from autograder.limits import Limits

MESSAGE_SIZE = 65536
PRELOADED = (
    "torch.distributions",
    "torch._dynamo",  # with the first optimiser
    "torch.fx.experimental.symbolic_shapes",  # with the first gradient
    "matplotlib.pyplot",
    "gymnasium",
    *("safetensors.torch", "anywidget", "ipywidgets", "jaxtyping"),
    # Not SciPy: its 430 mappings make each copy a third slower, and few submissions import it.
)


def warm_up() -> dict[str, str]:
    """Load what submissions, and the library, will import, and return the versions."""
    import numpy
    import torch

    torch.set_num_threads(1)
    for name in PRELOADED:
        with contextlib.suppress(Exception):  # it fails again, with a message, where it is needed
            importlib.import_module(name)
    from autograder.inside import worker  # noqa: F401

    _freeze()
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
    }


def _freeze() -> None:
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it marks
    use_huge_pages()


# The process by which to end a worker -> the process to wait for, and what the worker has to itself.
Live = dict[int, tuple[int, Lodging | None]]


def serve(control: socket.socket, wall: Wall) -> None:
    """Fork and end workers as the judge asks, and open zygotes, until the judge is gone."""
    live: Live = {}
    opened: list[int] = []
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE_SIZE, 1)
        if not message:
            break
        request = json.loads(message)
        if request["do"] == "open":
            opened.append(_open(control, files[0], request["withheld"], wall))
            continue  # the other zygote answers, on its own connection
        if request["do"] == "spawn":
            reply = _spawn(control, files[0], Limits(**request["limits"]), wall, live)
        elif request["do"] == "waited":
            reply = {"waited": seconds_waited(request["worker"])}
        else:
            reply = {"ended": _end(request["worker"], live, wall, request["patience"])}
        control.send(json.dumps(reply).encode())
    for worker in list(live):
        _end(worker, live, wall, 0.0)
    for zygote in opened:  # their judge is gone too
        os.waitpid(zygote, 0)


def _open(control: socket.socket, file: int, withheld: Sequence[str], wall: Wall) -> int:
    """Fork a zygote that has the library without some files; return its process."""
    child = os.fork()
    if child:
        os.close(file)
        return child
    control.close()
    try:
        _serve_with_library(socket.socket(fileno=file), withheld, wall)
    finally:
        os._exit(0)


def _serve_with_library(control: socket.socket, withheld: Sequence[str], wall: Wall) -> None:
    try:
        load_library(wall.furnish(withheld))
        _freeze()
        control.send(json.dumps({"ready": {}}).encode())
        serve(control, wall)
    except Exception as error:
        control.send(json.dumps({"failed": f"{type(error).__name__}: {error}"[:2000]}).encode())
    finally:
        wall.close()


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
