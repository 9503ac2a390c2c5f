"""The pages of the notebooks: what students get, with what the solved notebook showed below it.

A cell keeps its output where student and instructor have the same cell. What the cells of an answer
print, and what the checks say, stays with whoever works on it.
"""

import base64
import html
import re
import struct
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from tools.book.executed import WIDGET_PAGE

FIGURES = "figures"  # their folder, among what the site shows as it is

_PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')
_INLINE_STYLE = re.compile(r' style="(?:margin: 0|max-width: 100%)"')
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

_BEFORE = """\
:::{{admonition}} You are reading the book
:class: book-note

To answer the questions, open `{name}.ipynb` in JupyterLab: [how to begin](../index.md#begin).
Figures and numbers here are those of the solved notebook. Its answers are left out.{warning}
:::"""
_SHORT = " **This is a trial build with short trainings: its numbers mean nothing.**"


def student_page(
    student: NotebookNode, solved: NotebookNode, name: str, folder: Path, fast: bool
) -> NotebookNode:
    """Return a notebook for Sphinx, and write its figures.

    Args:
        student: The notebook that students get.
        solved: The solved notebook, with its outputs.
        name: The notebook's name.
        folder: The folder of what the site shows as it is.
        fast: Whether the trainings were short, which the page then says.
    """
    page = deepcopy(student)
    outputs = {cell.id: cell.outputs for cell in solved.cells if _is_shared(cell, student)}
    figures = _Figures(folder, name)
    for cell in page.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_shown(outputs.get(cell.id, []), figures))
            cell.execution_count = None
    note = _BEFORE.format(name=name, warning=_SHORT if fast else "")
    page.cells.insert(1, new_markdown_cell(note))
    return page


def _is_shared(cell: NotebookNode, student: NotebookNode) -> bool:
    if cell.cell_type != "code" or cell.source.startswith("grader."):
        return False
    return any(own.id == cell.id and own.source == cell.source for own in student.cells)


class _Figures:
    """Writes the figures of one page, counted, and gives the addresses by which the page finds them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.count = folder / FIGURES, name, 0

    def keep(self, match: re.Match[str]) -> str:
        """Write a picture that stands in an ``<img>``, and return the attributes in its place."""
        self.count += 1
        picture = base64.b64decode(match[1])
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{self.name}-{self.count:02d}.png").write_bytes(picture)
        return (
            f'src="../_static/{FIGURES}/{self.name}-{self.count:02d}.png" {_proportions(picture)}'
        )


def _proportions(picture: bytes) -> str:
    """Return how wide a PNG is for its height, so that a page does not jump while it loads."""
    width, height = struct.unpack(">II", picture[16:24])
    return f'style="aspect-ratio: {width} / {height}"'


def _shown(outputs: list[NotebookNode], figures: _Figures) -> Iterator[NotebookNode]:
    """Yield the outputs that a page shows, each in one form."""
    printed = ""
    for output in outputs:
        if output.output_type == "stream":
            printed += output.text if output.name == "stdout" else ""
            continue
        if printed:
            yield _stream(printed)
            printed = ""
        if shown := _display(output.get("data", {}), figures):
            yield shown
    if printed:
        yield _stream(printed)


def _stream(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=_final_state(text))


def _final_state(text: str) -> str:
    """Return what a terminal would show in the end: progress bars overwrite their line."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in _ESCAPES.sub("", text).split("\n"))
    return "\n".join(lines)


def _display(data: NotebookNode, figures: _Figures) -> NotebookNode | None:
    if WIDGET_PAGE in data:
        return _html(live_widget(data[WIDGET_PAGE]))
    if "text/html" in data:
        return _html(_PICTURE.sub(figures.keep, _INLINE_STYLE.sub("", data["text/html"])))
    if "text/plain" in data:
        return _html(
            f'<pre class="output">{html.escape(_ESCAPES.sub("", data["text/plain"]))}</pre>'
        )
    return None


def live_widget(page: str) -> str:
    """Return a widget's page as a part of one of the book's."""
    return f'<div class="live-widget">{page}</div>'


def _html(text: str) -> NotebookNode:
    return new_output("display_data", data={"text/html": text})
