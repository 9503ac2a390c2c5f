"""The notebooks' folder: whether it can be written to, and whether what lies in it is as it should be."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imitation_lab.doctor.findings import Finding, State

MARKS = ("<<<<<<< ", ">>>>>>> ")  # of git, where two versions met


def find_course(start: Path) -> Path | None:
    """Return the course's folder, at or above a folder; None where there is none."""
    for folder in (start, *start.parents):
        if (folder / "notebooks").is_dir() and (folder / "course.py").is_file():
            return folder
    return None


def check_writing(notebooks: Path) -> Finding:
    """Tell whether notebooks can be saved."""
    try:
        with tempfile.TemporaryFile(dir=notebooks):
            pass
    except OSError as error:
        said = f"Nothing can be written into {notebooks} ({error.strerror})."
        remedy = "Your work would be lost: copy the course into a folder of your own."
        return Finding(State.BROKEN, "folder", f"{said} {remedy}")
    locked = [path.name for path in notebooks.glob("*.ipynb") if not os.access(path, os.W_OK)]
    if locked:
        said = f"{', '.join(sorted(locked))} may not be written to."
        return Finding(State.BROKEN, "folder", f"{said} Allow it, or copy the course elsewhere.")
    return Finding(State.OK, "folder", f"{notebooks} can be written to.")


def check_notebooks(notebooks: Path) -> Finding:
    """Tell whether every notebook can be read, has its own name, and finds its checks."""
    faults = [fault for path in sorted(notebooks.glob("*.ipynb")) if (fault := _fault(path))]
    if faults:
        return Finding(State.BROKEN, "notebooks", " ".join(faults))
    return Finding(State.OK, "notebooks", "They have their names and their checks.")


def _fault(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        name = json.loads(text)["metadata"].get("imitation_lab", {}).get("notebook")
    except OSError as error:
        return (
            f"{path.name} cannot be read ({error.strerror}): allow it, or put a copy in its place."
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        return _explain_damage(path)
    if name is None:
        return ""  # one of the student's own
    if name != path.stem:
        return f"{path.name} is {name}.ipynb under another name: give it back its own."
    if not any((path.parent / "tests" / name).glob("*.py")):
        return f"The checks of {name} are missing: copy notebooks/tests/{name} here again."
    return ""


def _explain_damage(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(line.startswith(MARKS) for line in lines):
        take = f"git checkout --ours notebooks/{path.name}"
        return f"{path.name} was merged with another version by git: say {take} to keep yours."
    return f"{path.name} cannot be read: see .ipynb_checkpoints for an earlier one."


def check_shadows(notebooks: Path) -> Finding:
    """Tell whether a file beside the notebooks hides a module that they import."""
    hiding = sorted(_hiding(notebooks))
    if hiding:
        said = f"{', '.join(hiding)} in {notebooks} would be imported instead of Python's own."
        return Finding(State.BROKEN, "imports", f"{said} Give it another name.")
    return Finding(State.OK, "imports", "No file of the folder hides a module.")


def _hiding(notebooks: Path) -> Iterator[str]:
    known = {*sys.stdlib_module_names, "imitation_lab", "torch", "numpy", "scipy", "matplotlib"}
    known |= {"gymnasium", "otter", "ipywidgets", "anywidget", "IPython", "tqdm"}
    for path in notebooks.iterdir():
        is_module = path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
        if is_module and path.stem in known:
            yield path.name
