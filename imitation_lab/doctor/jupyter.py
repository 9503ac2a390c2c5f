"""Jupyter: the kernel that notebooks run in, and what shows widgets."""

import json
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imitation_lab.doctor.findings import AFRESH, OPEN_LAB, Finding, State

KERNEL = "python3"  # the name that every notebook of the course asks for
# What shows widgets in JupyterLab: the extension's folder, and the package that brings it.
EXTENSIONS = {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "anywidget": "anywidget"}


def check_kernel(folders: Iterable[str] | None = None) -> Finding:
    """Tell whether notebooks run in this environment.

    Args:
        folders: Where Jupyter looks for kernels, in its order. None: as it is set up here.
    """
    file = _first_file(folders, "kernels", f"{KERNEL}/kernel.json")
    program = str((_read(file).get("argv") or ["python"])[0]) if file else "python"
    if program in _own_names() or _stands_here(program):
        return Finding(State.OK, "kernel", f"Notebooks run in this environment, {sys.prefix}.")
    said = f"Notebooks run in {program}, which is another Python: {file} says so."
    return Finding(State.BROKEN, "kernel", f"{said} Remove that file's folder, or: {OPEN_LAB}")


def _own_names() -> tuple[str, ...]:
    """Return the names for which Jupyter takes the Python that it runs in itself."""
    major, minor = sys.version_info[:2]
    return "python", f"python{major}", f"python{major}.{minor}"


def _stands_here(program: str) -> bool:
    # The folders are compared: a virtual environment's Python is a link to the one it was made from.
    return Path(program).parent.resolve() == Path(sys.executable).parent.resolve()


def check_widgets(folders: Iterable[str] | None = None) -> Finding:
    """Tell whether JupyterLab, started from this environment, can show widgets.

    Args:
        folders: Where Jupyter keeps its data, in its order. None: as it is set up here.
    """
    for name, package in EXTENSIONS.items():
        file = _first_file(folders, "labextensions", f"{name}/package.json")
        try:
            fault = _fault(file, name, version(package))
        except PackageNotFoundError:
            fault = f"The package {package} is missing."
        if fault:
            return Finding(State.BROKEN, "widgets", f"Widgets would not show: {fault} {AFRESH}")
    return Finding(State.OK, "widgets", "JupyterLab has what shows them.")


def _fault(file: Path | None, name: str, installed: str) -> str:
    if file is None:
        return f"JupyterLab's extension {name} is missing."
    shown = str(_read(file).get("version"))
    # The manager's extension counts its versions otherwise than its package.
    if name == "anywidget" and shown != installed:
        return f"{file.parent} is version {shown}, and the package is {installed}."
    if _is_disabled(name):
        return f"JupyterLab's extension {name} is disabled."
    return ""


def _is_disabled(name: str) -> bool:
    from jupyter_core.paths import jupyter_config_path

    files = [Path(folder, "labconfig", "page_config.json") for folder in jupyter_config_path()]
    disabled = [_read(file).get("disabledExtensions") for file in files if file.is_file()]
    return any(isinstance(names, dict) and names.get(name) is True for names in disabled)


def check_lab(program: str | None = None) -> Finding:
    """Tell which JupyterLab the bare command would start.

    Args:
        program: What ``jupyter-lab`` means in a terminal. None: look it up.
    """
    program = program or shutil.which("jupyter-lab")
    if program is None or _stands_here(program):
        return Finding(State.OK, "JupyterLab", "python3 course.py lab starts it.")
    said = f"The bare command `jupyter lab` starts another one, {program}."
    return Finding(State.LOOK, "JupyterLab", f"{said} {OPEN_LAB}")


def _first_file(folders: Iterable[str] | None, kind: str, name: str) -> Path | None:
    if folders is None:
        from jupyter_core.paths import jupyter_path

        folders = jupyter_path()
    files = (Path(folder, kind, name) for folder in folders)
    return next((file for file in files if file.is_file()), None)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
