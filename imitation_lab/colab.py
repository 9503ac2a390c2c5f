"""Google Colab: a machine that has torch already, and nothing of the course."""

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

# Colab's own stay: its GPU fits its torch, numpy is loaded before the first cell, and it is Jupyter.
KEPT = ("torch", "numpy", "ipykernel", "jupyterlab")


def prepare(course: Path) -> None:
    """Install the course into Colab's Python, and make widgets and checks work.

    Args:
        course: The course's folder, as it was cloned.
    """
    if find_spec("otter") is None:
        print("Installing the course, which takes a minute or two.", flush=True)
        install(course)
    os.chdir(course / "notebooks")  # where the checks are
    from google.colab import output

    output.enable_custom_widget_manager()


def install(course: Path) -> None:
    """Install what Colab lacks, beside all that it brings.

    Raises:
        subprocess.CalledProcessError: If pip finds no versions that fit.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(_present_versions()))
        subprocess.run([*pip, "--constraint", str(constraints), *_missing(course)], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(course)], check=True)


def _missing(course: Path) -> list[str]:
    """Return the requirements of the course without those that Colab meets in its own way."""
    from packaging.requirements import Requirement

    project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [text for text in project["dependencies"] if Requirement(text).name not in KEPT]


def _present_versions() -> Iterator[str]:
    """Yield what pip must leave as it is: torch, numpy, and all that Colab's own package wants."""
    from packaging.requirements import Requirement

    own = (Requirement(text).name for text in requires("google-colab") or [])
    for name in sorted({"torch", "numpy", *own}):
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue
