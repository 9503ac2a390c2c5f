"""What is built from one notebook, written so that two builds agree to the byte.

Otter draws cell ids and time stamps anew at every run, and prints tests from their syntax trees, which
differs between versions of Python and loses comments. All of that is replaced here.
"""

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import nbformat
from nbformat import NotebookNode

from tools.assign import Assigned
from tools.describe import ANSWER_TAG, describe
from tools.master import INSTRUCTOR_TESTS, KERNEL, NOTE, STUDENT_TESTS, ascii_source
from tools.source import Notebook, Question

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_PDF_COMMENTS = ("<!-- BEGIN QUESTION -->", "<!-- END QUESTION -->")


def write_notebook(
    notebook: Notebook, assigned: Assigned, withheld: Sequence[str], destination: Path
) -> None:
    """Write the student's, the instructor's and the grader's files of one notebook.

    Args:
        notebook: The source.
        assigned: What Otter made of it.
        withheld: The library's files that no submission of it may see.
        destination: The folder that gets ``notebooks``, ``solutions`` and ``autograder/tests``.
    """
    _blank_stretch_goals(assigned.student)
    student, solved = (_tidy(notebook, cells) for cells in (assigned.student, assigned.solved))
    description = json.dumps(describe(notebook, student, withheld), indent=1, ensure_ascii=False)
    _check_with_all_tests(solved)
    _write_text(destination / "notebooks" / f"{notebook.name}.ipynb", _as_text(student))
    _write_text(destination / "solutions" / f"{notebook.name}.ipynb", _as_text(solved))
    _write_tests(notebook, assigned.public, destination / "notebooks" / "tests" / notebook.name)
    grader = destination / "autograder" / "tests" / notebook.name
    _write_text(grader / "assignment.json", description)
    _write_tests(notebook, assigned.tests, grader)
    _write_zip(grader / "autograder.zip", assigned.archive, grader)


def _blank_stretch_goals(student: NotebookNode) -> None:
    """Take the solutions of the stretch goals out, which Otter took for ordinary cells."""
    for cell in student.cells:
        cell.source = _note(cell).get("student", cell.source)


def _check_with_all_tests(solved: list[NotebookNode]) -> None:
    """Let the instructor's checks run the hidden tests too, in the one place where these lie."""
    for cell in solved:
        cell.source = cell.source.replace(STUDENT_TESTS, INSTRUCTOR_TESTS)


def _write_tests(notebook: Notebook, tests: dict[str, str], folder: Path) -> None:
    for question in notebook.questions:
        if not question.written:
            _write_text(folder / f"{question.name}.py", _restore(question, tests[question.name]))


def _restore(question: Question, text: str) -> str:
    """Put the author's own text of each test in the place of what Otter printed."""
    for test in question.tests:
        source = ascii_source(test)
        text = text.replace(ast.unparse(ast.parse(source)), source)
    return text.replace(", \n    failure_message", ",\n    failure_message").rstrip()


def _tidy(notebook: Notebook, document: NotebookNode) -> list[NotebookNode]:
    """Return the cells with fixed ids, and without outputs and Otter's leavings."""
    cells = [cell for cell in _without_comments(document.cells) if cell.source.strip()]
    kept = [
        cell
        for cell, following in zip(cells, [*cells[1:], NotebookNode(metadata={})], strict=True)
        if not _is_prompt_beside_solution(cell, following)
    ]
    for number, cell in enumerate(kept):
        cell.id = f"{notebook.name}-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return kept


def _without_comments(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Take out the comments with which Otter would choose cells for a PDF."""
    for cell in cells:
        lines = cell.source.split("\n")
        if lines[0] in _PDF_COMMENTS:
            kept = [line for line in lines if line not in _PDF_COMMENTS]
            cell.source = "\n".join(kept).strip("\n")
    return cells


def _is_prompt_beside_solution(cell: NotebookNode, following: NotebookNode) -> bool:
    """Tell the empty answer cell that Otter leaves above a written solution.

    Without it both notebooks have the same cells, and an answer has the same id in both.
    """
    tags = cell.metadata.get("tags", [])
    return ANSWER_TAG in tags and NOTE not in cell.metadata and "question" in _note(following)


def _note(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get(NOTE, {})


def _as_text(cells: list[NotebookNode]) -> str:
    for cell in cells:
        cell.metadata.pop(NOTE, None)
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        NOTE: {"notebook": cells[0].id.rpartition("-")[0]},
    }
    notebook = NotebookNode(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=5)
    return nbformat.writes(notebook, version=4)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def _write_zip(path: Path, archive: dict[str, bytes], tests: Path) -> None:
    """Write a zip whose bytes depend on its contents alone.

    Nothing is compressed: the bytes that a compressor writes depend on its version.
    """
    with ZipFile(path, "w", ZIP_STORED) as target:
        for name, contents in sorted(archive.items()):
            if name.startswith("tests/"):
                contents = (tests / Path(name).name).read_bytes()
            target.writestr(zip_entry(name), contents, ZIP_STORED)


def zip_entry(name: str) -> ZipInfo:
    """Return the entry of a file in a zip, which tells neither when nor on which system it was written."""
    entry = ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix, whatever this one is
    entry.external_attr = 0o644 << 16
    return entry
