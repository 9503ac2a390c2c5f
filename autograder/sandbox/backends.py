"""The ways to lock a submission in. A backend says what the zygote's launcher has to do."""

import importlib.util
import os
import platform
import re
import site
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from autograder.inside.library import NAME as LIBRARY

ROOT = Path(__file__).resolve().parents[2]
_MINIMUM_KERNEL = (5, 14)  # mount_setattr, and limits on processes that count per namespace
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/etc/ld.so.cache")
_SECRETS = ("autograder/tests", "source", "solutions", "tests", "tools", "benchmarks", ".git")


class Backend(Protocol):
    """One way to run the worker.

    Attributes:
        name: What the results record.
        safe: Whether it keeps the machine and the tests from a hostile program.
    """

    name: str
    safe: bool

    def problem(self) -> str | None:
        """Return why it cannot work here, as far as can be told without trying."""
        ...

    def configuration(self, secrets: Sequence[str]) -> dict[str, Any]:
        """Return what ``autograder.inside.launch`` has to know."""
        ...


class Namespaces:
    """Linux namespaces: a file system, processes, users and a network of the submission's own."""

    name = "namespaces"
    safe = True

    def problem(self) -> str | None:
        """Namespaces are Linux's, and the older ones lack two calls that are used."""
        if sys.platform != "linux":
            return f"needs Linux, and this is {platform.system()}."
        from autograder.inside import seccomp

        if unknown := seccomp.problem():
            return unknown
        version = re.match(r"(\d+)\.(\d+)", platform.release())
        if version and tuple(map(int, version.groups())) < _MINIMUM_KERNEL:
            return f"needs Linux 5.14 or later, and this is {platform.release()}."
        return None

    def configuration(self, secrets: Sequence[str]) -> dict[str, Any]:
        """Show what Python, torch and the course's library need, and nothing else."""
        project = [str(ROOT / name) for name in _SECRETS]
        return {
            **_common(self.name),
            "binds": [*_python_paths(), *_project_paths()],
            "masks": [*project, *map(str, _libraries()), *map(os.path.abspath, secrets)],
        }


class Plain:
    """No walls: a process with limits, the instructor's rights, and sight of the tests."""

    name = "none (--unsafe)"
    safe = False

    def problem(self) -> str | None:
        """Windows has no fork."""
        return None if hasattr(os, "fork") else "needs Linux or macOS: there is no fork on Windows."

    def configuration(self, secrets: Sequence[str]) -> dict[str, Any]:
        """There is nothing to show or to hide."""
        return _common("plain")


class Landlock:
    """No namespaces: Landlock, a filter on system calls, and for root a user for each submission."""

    name = "landlock"
    safe = True

    def problem(self) -> str | None:
        """The kernel must know Landlock, and its newer versions where nobody is root."""
        if sys.platform != "linux":
            return f"needs Linux, and this is {platform.system()}."
        from autograder.inside import lodging, seccomp

        try:
            lodging.check_support()
        except OSError as error:
            return f"{error}."
        return seccomp.problem()

    def configuration(self, secrets: Sequence[str]) -> dict[str, Any]:
        """Allow what Python, torch and the course's library need. All else is forbidden already."""
        hidden = [*(ROOT / name for name in _SECRETS), *_libraries(), *map(Path, secrets)]
        readable, listable = _around(
            [Path(os.path.realpath(path)) for path in (*_python_paths(), *_project_paths())],
            [Path(os.path.realpath(path)) for path in hidden],
        )
        return {
            **_common(self.name),
            "binds": [str(path) for path in readable],
            "listable": [str(path) for path in listable],
        }


BACKENDS: list[Backend] = [Namespaces(), Landlock()]


def _around(shown: Sequence[Path], hidden: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return what may be read so that ``hidden`` stays out, and folders that may be listed.

    Landlock's rules allow, and none of them takes back. So where something hidden lies in a folder
    that is shown, as the tests do where the grader is installed, its neighbours are allowed one by one.
    """
    readable: list[Path] = []
    listable: list[Path] = []
    waiting = list(shown)
    while waiting:
        path = waiting.pop()
        if any(path.is_relative_to(secret) for secret in hidden):
            continue
        if any(secret.is_relative_to(path) for secret in hidden if secret.exists()):
            listable.append(path)
            waiting += path.iterdir()
        else:
            readable.append(path)
    return sorted(readable), sorted(listable)


def _python_paths() -> list[str]:
    """Return the folders of the interpreter, its packages and the system's shared libraries."""
    prefixes = {sys.base_prefix, sys.prefix, sys.exec_prefix} - {"/usr"}
    libraries = [f"{prefix}/{name}" for prefix in sorted(prefixes) for name in ("lib", "lib64")]
    return [path for path in (*libraries, *_SYSTEM_LIBRARIES) if Path(path).exists()]


def _common(backend: str) -> dict[str, Any]:
    library = importlib.util.find_spec(LIBRARY)
    if library is None or library.origin is None:
        raise RuntimeError(f"{LIBRARY} is not installed: run `python3 course.py setup`.")
    return {
        "backend": backend,
        "root": str(ROOT),
        "library": str(Path(library.origin).parent),
        "assets": str(ROOT / "assets"),
    }


def _libraries() -> list[Path]:
    """Return every folder that the library could be imported from: submissions see none of them."""
    folders = [str(ROOT), *sys.path, *site.getsitepackages()]
    return [path for folder in dict.fromkeys(folders) if (path := Path(folder) / LIBRARY).is_dir()]


def _project_paths() -> list[str]:
    """Return the library's assets, and the part of the grader that runs behind the wall."""
    grader = ROOT / "autograder"
    shown = [
        ROOT / "assets",
        *(grader / name for name in ("__init__.py", "limits.py", "wire.py", "inside")),
    ]
    return [str(path) for path in shown if path.exists()]
