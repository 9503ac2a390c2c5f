"""The verb: ``python3 course.py book`` renders the course as a web site, from the same source, offline."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from sphinx.cmd.build import build_main

from imitation_lab.widgets import DragTheModes
from tools.book.executed import executed_notebooks
from tools.book.formulas import write_font
from tools.book.leaks import find_leaks_in_site
from tools.book.pages import live_widget, student_page
from tools.book.tables import derived_parts
from tools.build import PROJECT
from tools.rules import read_course
from tools.source import Notebook

BOOK = PROJECT / "book"
WORKSHOP = PROJECT / ".book"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the book, search it for leaks, and return 1, with a reason, where something is wrong."""
    options = _parser().parse_args(arguments)
    out = options.out.resolve()
    if out.is_file() or (
        out.exists() and any(out.iterdir()) and not (out / ".buildinfo").is_file()
    ):
        print(f"book: {options.out} holds something else. Name a new folder.", file=sys.stderr)
        return 2
    try:
        return build(out, read_course(PROJECT / "source"), options.fast)
    except CellExecutionError as error:
        print(f"book: a notebook failed, and the book was not built.\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("book: interrupted. Notebooks that were run are kept.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="course.py book", description=__doc__)
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "book", metavar="FOLDER")
    parser.add_argument("--fast", action="store_true", help="train shortly, to try the pages out")
    return parser


def build(out: Path, notebooks: tuple[Notebook, ...], fast: bool, workshop: Path = WORKSHOP) -> int:
    """Build the book of some notebooks. Return 1 where Sphinx warns, or where something leaks.

    Args:
        out: The folder that gets the site.
        notebooks: What to build it of.
        fast: Whether to train shortly.
        workshop: The folder for what the pages are made of.
    """
    pages, shown = workshop / "pages", workshop / "static"
    for folder in (pages, shown):
        shutil.rmtree(folder, ignore_errors=True)
    write_pages(pages, notebooks)
    write_notebooks(pages, shown, notebooks, fast)
    write_font(shown / "stix-two-math.woff")
    options = ["-b", "html", "-c", str(BOOK), "-d", str(workshop / "doctrees"), "-q", "-W"]
    static = f"html_static_path={BOOK / '_static'},{shown}"
    status = build_main([*options, "--keep-going", "-D", static, str(pages), str(out)])
    # Sphinx writes the pages that it warns of, too.
    if leaks := find_leaks_in_site(pages, out, notebooks):
        shutil.rmtree(out)
        told = ["book: nothing was written, since it gives away:", *leaks]
        print("\n".join(told), file=sys.stderr)
        return 1
    if status:
        return status
    print(f"book: {out / 'index.html'}")
    return 0


def write_pages(pages: Path, notebooks: tuple[Notebook, ...]) -> None:
    """Write what is written by hand, and what is derived for it."""
    shutil.copytree(BOOK, pages, ignore=shutil.ignore_patterns("_static", "conf.py", "__pycache__"))
    parts = {**derived_parts(notebooks), "modes.html": live_widget(DragTheModes().to_html())}
    for name, text in parts.items():
        _write(pages / "generated" / name, text)


def write_notebooks(pages: Path, shown: Path, notebooks: tuple[Notebook, ...], fast: bool) -> None:
    """Write the notebooks' pages, and their figures into the folder of what is shown as it is."""
    shown.mkdir(parents=True)
    solved = executed_notebooks([notebook.name for notebook in notebooks], fast)
    for name, notebook in solved.items():
        student = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
        page = student_page(student, notebook, name, shown, fast)
        _write(pages / "notebooks" / f"{name}.ipynb", nbformat.writes(page))
        shutil.copy(PROJECT / "assets" / f"{name}.png", shown)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
