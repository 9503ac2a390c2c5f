"""What is installed: whether the library is the folder's own, and whether its packages fit."""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from imitation_lab.doctor.findings import AFRESH, SET_UP, Finding, State

NAME = "imitation-lab"


def check_install(course: Path | None) -> Finding:
    """Tell whether notebooks get the library that lies beside them.

    Args:
        course: The course's folder; None where none was found.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        said = f"The library is not installed in {sys.prefix}."
        return Finding(State.BROKEN, "library", f"{said} {SET_UP}")
    home = _editable_home(installed.read_text("direct_url.json"))
    return _judge_editable(home, course) if home else _judge_wheel(installed.version, course)


def _judge_editable(home: Path, course: Path | None) -> Finding:
    if not (home / "imitation_lab").is_dir():
        said = f"The library was installed from {home}, which is gone."
        return Finding(State.BROKEN, "library", f"{said} {AFRESH}")
    if course and home.resolve() != course.resolve():
        said = f"Notebooks in {course} would run the library of another folder, {home}."
        return Finding(State.BROKEN, "library", f"{said} {AFRESH}")
    return Finding(State.OK, "library", f"It is used from its folder, {home}.")


def _judge_wheel(installed: str, course: Path | None) -> Finding:
    beside = _version_in(course) if course else None
    if beside and beside != installed:
        said = f"Version {installed} is installed, and {beside} lies in {course}."
        return Finding(State.BROKEN, "library", f"{said} {AFRESH}")
    return Finding(State.OK, "library", f"Version {installed} is installed from a wheel.")


def _editable_home(origin: str | None) -> Path | None:
    """Return the folder that an installation points at; None where its files were copied."""
    record = json.loads(origin or "{}")
    if not record.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(unquote(urlparse(record["url"]).path)))


def _version_in(course: Path) -> str | None:
    library = course / "imitation_lab" / "__init__.py"
    text = library.read_text(encoding="utf-8") if library.is_file() else ""
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else None


def check_packages(wanted: list[str] | None = None) -> Finding:
    """Tell whether every package that the library asks for is there, in a version that fits.

    Args:
        wanted: Requirements as pyproject.toml writes them. None: those of the installed library.
    """
    try:
        wanted = wanted if wanted is not None else distribution(NAME).requires or []
    except PackageNotFoundError:
        wanted = []  # check_install tells of it
    faults = list(_misfits(wanted))
    if not faults:
        return Finding(State.OK, "packages", "All are there, in versions that fit.")
    return Finding(State.BROKEN, "packages", f"{'; '.join(faults)}. {AFRESH}")


def _misfits(wanted: list[str]) -> Iterator[str]:
    from packaging.requirements import Requirement  # Jupyter brings it along

    for requirement in map(Requirement, wanted):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} is {found}, not {requirement.specifier}"


def check_capstone(notebooks: Path, module: str = "gym_pusht") -> Finding:
    """Tell whether notebook 09 finds the simulator that it needs.

    Args:
        notebooks: The folder of the notebooks; without a notebook 09 nothing is missing.
        module: The simulator's name.
    """
    if find_spec(module):
        return Finding(State.OK, "Push-T", "Its packages are there.")
    if not any(notebooks.glob("09_*.ipynb")):
        return Finding(State.OK, "Push-T", "It comes with notebook 09.")
    remedy = "When you come to it, say: python3 course.py setup --capstone"
    return Finding(State.LOOK, "Push-T", f"Notebook 09 needs more packages. {remedy}")
