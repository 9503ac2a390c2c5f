"""The zip that an instructor uploads to Gradescope."""

import csv
import io
import re
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.roster import KEYS, read_ids, read_roster
from autograder.variants import check_seed

ROOT = Path(__file__).resolve().parents[2]
GRADER = ROOT / "autograder"
_EXECUTABLE = 0o755 << 16  # where zip files keep a file's mode
_READABLE = 0o644 << 16
_LIBRARY = "files/"  # where Otter's zip has the library, without what answers the notebook
_NOT_NEEDED = ("jupyterlab", "otter-grader")
_NEEDED_TO_GRADE = ("cloudpickle", "jinja2")


SEED, ROSTER = "variant/seed.txt", "variant/roster.csv"  # in the zip, of a class with variants


class GradescopeError(Exception):
    """No zip can be made. The message says what to do."""


class Variants(NamedTuple):
    """What tells the constants of every student's notebook: the release's secret, and its roster."""

    seed: str
    roster: Path


def write_zip(notebook: str, tests: Path, out: Path, variants: Variants | None = None) -> None:
    """Write the zip of one notebook's grader.

    Args:
        notebook: The notebook's name.
        tests: The folder of assignments.
        out: The zip.
        variants: Of a release whose constants differ from student to student.

    Raises:
        GradescopeError: If the notebook was not built.
        RosterError: If the roster cannot be used.
        ValueError: If the variant seed is short.
    """
    otter = tests / notebook / "autograder.zip"
    if not otter.exists():
        known = ", ".join(path.parent.name for path in sorted(tests.glob("*/autograder.zip")))
        raise GradescopeError(f"There is no {notebook}; there are {known or 'none'}.")
    members = [*_members(tests / notebook, otter), *_variant_members(variants)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            executable = name in ("setup.sh", "run_autograder")
            member.external_attr = _EXECUTABLE if executable else _READABLE
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)


def _members(assignment: Path, otter: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of all that goes into the zip."""
    for name in ("setup.sh", "run_autograder"):
        yield name, (Path(__file__).parent / name).read_bytes()
    yield "requirements.txt", "\n".join(_requirements()).encode()
    for path in sorted(GRADER.rglob("*")):
        inside = path.relative_to(GRADER)
        if path.is_file() and inside.parts[0] != "tests" and "__pycache__" not in inside.parts:
            yield f"autograder/{inside.as_posix()}", path.read_bytes()
    for path in sorted([assignment / "assignment.json", *assignment.glob("*.py")]):
        yield f"autograder/tests/{assignment.name}/{path.name}", path.read_bytes()
    with zipfile.ZipFile(otter) as built:
        for name in built.namelist():
            if name.startswith(f"{_LIBRARY}imitation_lab/"):
                yield name.removeprefix(_LIBRARY), built.read(name)


def _variant_members(variants: Variants | None) -> Iterator[tuple[str, bytes]]:
    if variants is None:
        return
    check_seed(variants.seed)
    read_ids(variants.roster)  # complains of what the grader could not use
    students = read_roster(variants.roster)
    text = io.StringIO(newline="")
    # By what students are known, and nothing else of what a gradebook holds.
    writer = csv.DictWriter(
        text, [key for key in KEYS if key in students[0]], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(students)
    yield SEED, variants.seed.encode()
    yield ROSTER, text.getvalue().encode()


def _requirements() -> list[str]:
    """Return what notebooks and the grader need, without what shows notebooks and runs Otter."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    instructor = project["optional-dependencies"]["instructor"]
    return [
        *(item for item in project["dependencies"] if _name(item) not in _NOT_NEEDED),
        *(item for item in instructor if _name(item) in _NEEDED_TO_GRADE),
    ]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_-]", requirement, maxsplit=1)[0]
