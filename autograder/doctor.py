"""Proving that the sandbox holds: the siege's short form, tried on this machine."""

import os
import socket
import time
from pathlib import Path

from autograder.limits import Limits
from autograder.sandbox import BACKEND_NAMES, Sandbox, SandboxError, Zygote, open_sandbox
from autograder.sandbox.backends import LIBRARY, ROOT
from autograder.session import RemoteError, Session, WorkerLostError

_SECONDS = 30.0
_ANSWER = "gating.py"  # of notebook 08
_SURVIVOR = "grading-siege"  # at most 15 letters: the kernel keeps no more of a process's name


def examine_machine(only: str | None = None) -> bool:
    """Print of every backend whether it works here, and why not, and besiege those that do.

    Args:
        only: The name of the one backend to look at. None: all of them.

    Returns:
        Whether one works, and all that work withstand everything.
    """
    held: dict[str, bool] = {}
    for name in [only] if only else BACKEND_NAMES:
        try:
            sandbox = open_sandbox(backend=name)
        except SandboxError as error:
            print(f"Sandbox: {name} does not work here.\n{_reason(error, name)}")
            continue
        with sandbox:
            use = "" if held else ", which gradings use here" * (only is None)
            print(f"Sandbox: {name}{use}")
            held[name] = examine(sandbox)
    if not held:
        print(
            "This machine gives no sandbox to run strangers' programs in: `python -m autograder grade`"
            " refuses to work, and says what would help."
        )
    return bool(held) and all(held.values())


def _reason(error: SandboxError, name: str) -> str:
    """Return the line of a refusal that is about one backend."""
    lines = str(error).splitlines()
    return next((line for line in lines if line.startswith(f"- {name}:")), str(error))


def examine(sandbox: Sandbox) -> bool:
    """Print what a sandbox withstands; tell whether it withstands everything."""
    print(
        "Inside:  " + ", ".join(f"{name} {version}" for name, version in sandbox.versions.items())
    )
    zygote = sandbox.without([_ANSWER])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attacks = short_siege(listener.getsockname())
        held = [_withstands(zygote, name, attack) for name, attack in attacks.items()]
    return all([*held, _leaves_nothing_alive(zygote)])


def short_siege(listener: tuple[str, int]) -> dict[str, str]:
    """Return programs, each of which runs through where the sandbox does not hold.

    Args:
        listener: The address of something on this machine that takes connections.
    """
    return {
        "reading the hidden tests": f"open({str(_some_test())!r})",
        "reading the project": f"open({str(ROOT / 'autograder' / 'judge.py')!r})",
        "reading what answers a notebook": f"open({str(ROOT / LIBRARY / _ANSWER)!r})",
        "importing what answers a notebook": f"import {LIBRARY}.{_ANSWER.removesuffix('.py')}",
        "reading the machine's files": "open('/etc/shadow')",
        "writing to the library": f"open({str(ROOT / 'imitation_lab' / 'x.py')!r}, 'w')",
        "writing to the machine's temporary folder": "open('/var/tmp/grading-siege', 'w')",
        "connecting to this machine": (
            f"import socket\nsocket.create_connection({tuple(listener)!r}, 1)"
        ),
        "sending a datagram": (
            f"import socket\nsocket.socket(2, 2).sendto(b'secret', {tuple(listener)!r})"
        ),
        "seeing other processes": (
            "import os\nassert sum(name.isdigit() for name in os.listdir('/proc')) > 2"
        ),
        "signalling the judge": (  # 1 may be the judge's number, and its own first process's
            f"import os\nassert {os.getpid()} not in (1, os.getpid())\nos.kill({os.getpid()}, 0)"
        ),
        "making namespaces of its own": (
            "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0"
        ),
        "looking into a process": (
            f"import ctypes\nassert ctypes.CDLL(None).ptrace(16, {os.getpid()}, 0, 0) == 0"
        ),
        "memory that belongs to no process": "import os\nos.memfd_create('x')",
        "taking 64 GB of memory": "bytearray(64 << 30)",
        "forking without end": "import os, time\nwhile os.fork(): pass\ntime.sleep(60)",
    }


def _some_test() -> Path:
    tests = ROOT / "autograder" / "tests"
    return next(tests.glob("*/*.py"), tests / "assignment.json")


def _withstands(zygote: Zygote, name: str, attack: str) -> bool:
    session = Session(zygote, Limits(), time.monotonic() + _SECONDS)
    try:
        held = session.run(attack, "attack")["error"] is not None
    except (RemoteError, WorkerLostError):
        held = True
    finally:
        session.close()
    print(f"  {'held' if held else 'FAILED'}: {name}")
    return held


def _leaves_nothing_alive(zygote: Zygote) -> bool:
    """Start a process that leaves its session and ignores every signal, and look for it afterwards."""
    session = Session(zygote, Limits(), time.monotonic() + _SECONDS)
    program = f"""
import ctypes, os, signal, time
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, {_SURVIVOR.encode()!r}, 0, 0, 0)
    for number in set(range(1, 32)) - {{9, 19}}:
        signal.signal(number, signal.SIG_IGN)
    while os.fork() == 0:
        time.sleep(60)
    while True:
        time.sleep(60)
time.sleep(0.3)
"""
    session.run(program, "attack")
    started = _SURVIVOR in names_of_processes()
    session.close()
    held = started and _SURVIVOR not in names_of_processes()
    print(f"  {'held' if held else 'FAILED'}: leaving a process behind")
    return held


def names_of_processes() -> list[str]:
    """Return what the processes of this machine call themselves."""
    names = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            names.append(path.read_text().strip())
        except OSError:  # it has just ended
            continue
    return names
