"""Proving that the sandbox holds: a few attacks that must fail, tried on this machine."""

import socket
import time

from autograder.limits import Limits
from autograder.sandbox import Sandbox
from autograder.sandbox.backends import ROOT
from autograder.session import RemoteError, Session, WorkerLostError

_SECONDS = 30.0


def examine(sandbox: Sandbox) -> bool:
    """Print which backend runs and what it withstands; tell whether it withstands everything."""
    print(f"Sandbox: {sandbox.backend.name}")
    print(
        "Inside:  " + ", ".join(f"{name} {version}" for name, version in sandbox.versions.items())
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attacks = _attacks(listener.getsockname())
        held = [_withstands(sandbox, name, attack) for name, attack in attacks.items()]
    return all(held)


def _attacks(listener: tuple[str, int]) -> dict[str, str]:
    """Return programs, each of which runs through where the sandbox does not hold."""
    return {
        "reading the hidden tests": f"import os\nos.listdir({str(ROOT / 'autograder' / 'tests')!r})",
        "reading the project": f"import os\nos.listdir({str(ROOT / 'source')!r})",
        "reading the machine's files": "open('/etc/shadow')",
        "writing to the library": f"open({str(ROOT / 'imitation_lab' / 'x.py')!r}, 'w')",
        "connecting to this machine": (
            f"import socket\nsocket.create_connection({tuple(listener)!r}, 1)"
        ),
        "seeing other processes": (
            "import os\nassert sum(name.isdigit() for name in os.listdir('/proc')) > 2"
        ),
        "making namespaces of its own": (
            "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0"
        ),
        "taking 64 GB of memory": "bytearray(64 << 30)",
    }


def _withstands(sandbox: Sandbox, name: str, attack: str) -> bool:
    session = Session(sandbox, Limits(), time.monotonic() + _SECONDS)
    try:
        held = session.run(attack, "attack")["error"] is not None
    except (RemoteError, WorkerLostError):
        held = True
    finally:
        session.close()
    print(f"  {'held' if held else 'FAILED'}: {name}")
    return held
