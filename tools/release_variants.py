"""One release for each student, with constants of their own: ``release --variant-seed S --roster CSV``.

All releases share what does not differ, which is collected and searched once. Of a notebook, only the
variant cell and the note for whom it was made are the student's.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from tqdm import tqdm

from autograder.roster import RosterError, read_ids
from autograder.variants import Constant, Variant, check_seed, with_values
from tools.build import PROJECT
from tools.error import BuildError
from tools.master import NOTE
from tools.release import (
    MANIFEST,
    add_to_zip,
    check,
    collect,
    file_names,
    files_of_an_earlier_release,
    find_last,
    replace_release,
)
from tools.release_check import Secrets, find_leaks, secrets_of
from tools.rules import read_course
from tools.source import Notebook

_CELL, _STUDENT = "@cell of the variant@", "@student of the variant@"
_NOT_ON_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """A notebook with gaps for what differs between students.

    Attributes:
        notebook: Its name.
        text: The file's text. Marks stand where the gaps are.
        cell: The variant cell's text, with the course's own values.
        variant: The constants.
    """

    notebook: str
    text: str
    cell: str
    variant: Variant

    def cell_for(self, seed: str, student: str) -> str:
        """Return the text of a student's variant cell."""
        return with_values(self.cell, self.variant.draw(seed, self.notebook, student))

    def fill(self, seed: str, student: str) -> str:
        """Return a student's notebook."""
        lines = self.cell_for(seed, student).splitlines(keepends=True)
        text = self.text.replace(_quoted(_CELL), ",\n    ".join(map(_quoted, lines)))
        return text.replace(_quoted(_STUDENT), _quoted(student))


def release_variants(
    until: str, out: Path, seed: str, roster: Path, project: Path = PROJECT
) -> list[Path]:
    """Write a release for each student of a roster, and a zip of each.

    Args:
        until: The beginning of the last notebook's name, such as ``"05"``.
        out: The folder that gets a folder for each student, named by the student's id.
        seed: The variant seed, a secret of the instructor's.
        roster: Canvas's exported gradebook, or Gradescope's downloaded roster.
        project: The whole course, built.

    Returns:
        The zips, in the roster's order.

    Raises:
        BuildError: If the seed or the roster cannot be used, a folder holds something else, or students
            would get something that they must not have. Nothing is written then.
    """
    students = _read_students(seed, roster)
    notebooks = read_course(project / "source")
    last = find_last(notebooks, until)
    if (out / MANIFEST).exists():
        raise BuildError(str(out), "it holds the release for all.", "Name another folder.")
    folders = [out / folder_name(student) for student in students]
    old = [files_of_an_earlier_release(folder) for folder in folders]
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        staging, base = Path(scratch) / "staging", Path(scratch) / "base.zip"
        staging.mkdir()
        collect(staging, notebooks, last, project)
        check(staging, notebooks, last)
        templates = _make_templates(staging, notebooks)
        _check_cells(templates, seed, students, secrets_of(notebooks, last))
        _write_base(base, staging, templates)
        out.mkdir(parents=True, exist_ok=True)
        jobs = list(zip(students, folders, old, strict=True))
        for student, folder, files in tqdm(jobs, unit="student", disable=None):
            own = {name: one.fill(seed, student) for name, one in templates.items()}
            replace_release(folder, files, staging, own)
            archive = shutil.copy(base, folder.with_name(f"{folder.name}.zip"))
            with ZipFile(archive, "a") as opened:
                add_to_zip(opened, {name: text.encode() for name, text in own.items()})
    return [folder.with_name(f"{folder.name}.zip") for folder in folders]


def folder_name(student: str) -> str:
    """Return a folder's name that tells a student's id, safe on every system, and nobody else's."""
    name = re.sub(r"[^A-Za-z0-9@._+-]", "_", student).strip(".")[:80]
    if name == student and not _NOT_ON_WINDOWS.fullmatch(name):
        return name
    digest = hashlib.sha256(student.casefold().encode()).hexdigest()
    return f"{name.replace('.', '_') or 'student'}-{digest[:8]}"


def _read_students(seed: str, roster: Path) -> list[str]:
    try:
        check_seed(seed)
    except ValueError as error:
        raise BuildError("--variant-seed", str(error), "Keep it: grading needs it.") from None
    try:
        return read_ids(roster)
    except RosterError as error:
        raise BuildError("--roster", str(error), "Give each student one line.") from None


def _make_templates(staging: Path, notebooks: Sequence[Notebook]) -> dict[str, Template]:
    """Return the released notebooks that have constants, by their path in the release."""
    templates = {}
    for notebook in notebooks:
        name = f"notebooks/{notebook.name}.ipynb"
        variants = [cell for cell in notebook.cells if cell.constants]
        if variants and (staging / name).is_file():
            text = (staging / name).read_text(encoding="utf-8")
            templates[name] = _make_template(
                notebook.name, text, variants[0].source, variants[0].constants
            )
    if not templates:
        problem = "no released notebook has a variant cell."
        raise BuildError("--variant-seed", problem, "Release without it, or mark constants.")
    return templates


def _make_template(name: str, text: str, source: str, constants: tuple[Constant, ...]) -> Template:
    document = json.loads(text)
    document["metadata"][NOTE]["student"] = _STUDENT
    (cell,) = [cell for cell in document["cells"] if "".join(cell["source"]) == source]
    cell["source"] = [_CELL]
    written = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return Template(name, written, source, Variant(cell["id"], constants))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _check_cells(
    templates: Mapping[str, Template], seed: str, students: Sequence[str], secrets: Secrets
) -> None:
    """Search what differs between the students: all else was searched already."""
    texts = {one.cell_for(seed, student) for one in templates.values() for student in students}
    with tempfile.TemporaryDirectory() as folder:
        # As a program and as words, since a secret may be given away in both ways.
        (Path(folder) / "cells.py").write_text("\n".join(sorted(texts)), encoding="utf-8")
        (Path(folder) / "words.md").write_text(
            "\n".join([*sorted(texts), *students]), encoding="utf-8"
        )
        if leaks := find_leaks(Path(folder), secrets):
            problem = "students would find in the cells of their constants:"
            listed = "".join(f"\n  {leak}" for leak in leaks)
            raise BuildError("release", problem + listed, "\nNothing was written.")


def _write_base(path: Path, staging: Path, templates: Mapping[str, Template]) -> None:
    """Write the zip of what all students get alike, which is compressed once."""
    with ZipFile(path, "w") as archive:
        shared = [name for name in file_names(staging) if name not in templates]
        add_to_zip(archive, {name: (staging / name).read_bytes() for name in shared})
