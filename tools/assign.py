"""One run of ``otter assign``, in a workshop folder that holds what Otter's configuration names."""

import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import nbformat
from nbformat import NotebookNode

from tools.error import BuildError
from tools.master import make_master
from tools.source import Notebook

_CONFIGURATION = "otter.yml"


@dataclass(frozen=True)
class Assigned:
    """What Otter made of one notebook.

    Attributes:
        student: The notebook without solutions.
        solved: The notebook with them.
        public: By question, the test file with the public tests.
        tests: By question, the test file with all tests.
        archive: By path, the contents of the autograder zip.
    """

    student: NotebookNode
    solved: NotebookNode
    public: dict[str, str]
    tests: dict[str, str]
    archive: dict[str, bytes]


def assign(
    notebook: Notebook, withheld: Iterable[str], source: Path, project: Path, workshop: Path
) -> Assigned:
    """Run ``otter assign`` on one notebook.

    Args:
        notebook: What to compile.
        withheld: The library's files that no submission of it may see. They stay out of the zip.
        source: The folder with ``otter.yml``.
        project: The folder with ``pyproject.toml`` and the library.
        workshop: An empty folder. It must be a resolved path: Otter compares paths as text.

    Raises:
        BuildError: If Otter fails.
    """
    shutil.copy(source / _CONFIGURATION, workshop)
    (workshop / "requirements.txt").write_text("\n".join(_requirements(project)) + "\n")
    _copy_library(withheld, project / "imitation_lab", workshop / "imitation_lab")
    _copy_recorded(project / "assets" / "recorded", workshop / "imitation_lab" / "recorded")
    master, results = workshop / f"{notebook.name}.ipynb", workshop / "results"
    nbformat.write(make_master(notebook), master)
    _run_otter(notebook, master, results)
    student, grader = results / "student", results / "autograder"
    return Assigned(
        nbformat.read(student / master.name, as_version=4),
        nbformat.read(grader / master.name, as_version=4),
        _read_tests(student),
        _read_tests(grader),
        _read_zip(next(grader.glob("*.zip"))),
    )


def _run_otter(notebook: Notebook, master: Path, results: Path) -> None:
    from otter.assign import main as otter_assign  # seconds to import: after all refusals

    try:
        otter_assign(str(master), str(results), no_pdfs=True)
    except Exception as error:  # Otter raises bare exceptions of many types
        problem = f"Otter cannot compile it ({type(error).__name__}: {error})."
        remedy = "This is a gap in tools/rules.py, which should have refused it first."
        raise BuildError(notebook.path.name, problem, remedy) from error


def _requirements(project: Path) -> list[str]:
    """Return what Gradescope must install: all that an instructor's machine has, from one place."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*metadata["dependencies"], *metadata["optional-dependencies"]["instructor"]]


def _copy_library(withheld: Iterable[str], library: Path, copy: Path) -> None:
    """Copy the library without the files that are withheld.

    A submission on Gradescope shares its process with the library, and could read the answers there.
    """
    shutil.copytree(library, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in withheld:
        (copy / name).unlink()


def _copy_recorded(recorded: Path, copy: Path) -> None:
    """Put what was recorded in a browser where an installed library has it."""
    copy.mkdir()
    for path in sorted(recorded.glob("*.npz")):
        shutil.copy(path, copy)


def _read_tests(folder: Path) -> dict[str, str]:
    # in the machine's own encoding, as Otter wrote them
    return {path.stem: path.read_text() for path in (folder / "tests").glob("*.py")}


def _read_zip(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
