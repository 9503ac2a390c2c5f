"""The verb: ``python -m tools.build`` rewrites everything that is generated from ``source/``."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.assign import assign
from tools.doors import with_buttons
from tools.error import BuildError
from tools.leaks import check_student_folder
from tools.library import due_modules, withheld_names
from tools.rules import read_course
from tools.write import write_notebook

PROJECT = Path(__file__).resolve().parent.parent
GENERATED = ("notebooks", "solutions", "autograder/tests")


def build(source: Path, destination: Path, project: Path = PROJECT) -> None:
    """Build the course and put the result in the place of what is there.

    The generated folders are rewritten whole, and only when everything has been built and searched
    for leaks: a build that fails leaves the old ones alone.

    Args:
        source: The folder of scripts and ``otter.yml``.
        destination: The folder that holds the generated folders.
        project: The folder with ``pyproject.toml`` and the library, which go into the zips.

    Raises:
        BuildError: If the source breaks a rule, or something would leak.
    """
    notebooks = read_course(source)
    with _folder(destination) as staging:
        for notebook in notebooks:
            started = time.perf_counter()
            withheld = withheld_names(project / "imitation_lab", due_modules(notebooks, notebook))
            with _folder() as workshop:
                assigned = assign(notebook, withheld, source, project, workshop)
            write_notebook(notebook, assigned, withheld, staging)
            print(f"{notebook.name}: {time.perf_counter() - started:.1f} s", flush=True)
        check_student_folder(staging / "notebooks", notebooks)
        _swap(staging, destination)


@contextmanager
def _folder(parent: Path | None = None) -> Iterator[Path]:
    """Give a folder that vanishes in the end. Its path is resolved, since Otter compares paths."""
    with tempfile.TemporaryDirectory(prefix=".build-", dir=parent) as folder:
        yield Path(folder).resolve()


def _swap(staging: Path, destination: Path) -> None:
    """Move the new folders in, by renaming: no moment has half a folder."""
    for name in GENERATED:
        old, new = destination / name, staging / name
        old.parent.mkdir(parents=True, exist_ok=True)
        try:
            if old.exists():
                old.rename(staging / f"old-{old.name}")
            new.rename(old)
        except OSError as error:  # Windows does not move a folder that a program has open
            problem = f"the folder cannot be replaced ({error.strerror})."
            raise BuildError(name, problem, "Close what has it open, and build again.") from None


def main() -> int:
    """Build the project's own course. Return 1, and say why, when the source is refused."""
    try:
        build(PROJECT / "source", PROJECT)
        readme = PROJECT / "README.md"
        readme.write_text(with_buttons(readme.read_text(encoding="utf-8")), "utf-8", newline="\n")
    except BuildError as error:
        print(f"Not built. {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
