"""Where submissions run: the choice of a sandbox, and the judge's handle on it."""

import sys
from collections.abc import Sequence

from autograder.sandbox.backends import BACKENDS, Backend, Plain
from autograder.sandbox.process import Sandbox, SandboxError, Zygote

__all__ = ["BACKEND_NAMES", "Backend", "Sandbox", "SandboxError", "Zygote", "open_sandbox"]

BACKEND_NAMES = tuple(backend.name for backend in BACKENDS)


def open_sandbox(
    unsafe: bool = False, secrets: Sequence[str] = (), backend: str | None = None
) -> Sandbox:
    """Start a warm sandbox by the first backend that works here.

    Args:
        unsafe: Run submissions without walls, with no more than limits.
        secrets: Folders that must not exist in the sandbox, besides the project's own.
        backend: The name of the one backend to try. None: all of them, in their order.

    Raises:
        SandboxError: If no backend works. The message says why, and what to do.
    """
    if unsafe:
        return _start(Plain(), secrets)
    reasons = []
    for candidate in BACKENDS:
        if backend not in (None, candidate.name):
            continue
        try:
            return _start(candidate, secrets)
        except SandboxError as error:
            reasons.append(f"- {candidate.name}: {error}")
    raise SandboxError(
        "This machine gives no sandbox to run strangers' programs in:\n"
        + "\n".join(reasons)
        + "\nGrade on a Linux machine (5.14 or later) that allows user namespaces, or as root on one"
        " that has Landlock"
        + (
            ". For namespaces, `sysctl user.max_user_namespaces` must not be 0, and on Ubuntu"
            " `sysctl kernel.apparmor_restrict_unprivileged_userns` must be 0"
            if sys.platform == "linux"
            else ""
        )
        + ".\nIf you trust every submission as you trust your own programs, add --unsafe: they then"
        " run with your rights, and every result says so."
    )


def _start(backend: Backend, secrets: Sequence[str]) -> Sandbox:
    sandbox = Sandbox(backend, secrets)
    sandbox.wait_until_ready()
    return sandbox
