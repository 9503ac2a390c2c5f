"""``assignment.json``: what the grader must know about a notebook."""

from collections.abc import Sequence
from typing import Any

from nbformat import NotebookNode

from tools.master import NOTE
from tools.source import Notebook, Question

ANSWER_TAG = "otter_answer_cell"
_SCHEMA = 2


def describe(
    notebook: Notebook, cells: list[NotebookNode], withheld: Sequence[str]
) -> dict[str, Any]:
    """Return the description of one notebook.

    Args:
        notebook: The source.
        cells: The student's notebook, with the notes of ``tools.master`` still in the metadata.
        withheld: The library's files that no submission of it may see, as paths in the library's folder.
    """
    answers = _answer_cells(cells)
    return {
        "schema": _SCHEMA,
        "notebook": notebook.name,
        "title": notebook.title,
        "withheld": list(withheld),
        "cells": [_describe_cell(cell) for cell in cells if cell.cell_type == "code"],
        "variant": _describe_variant(notebook, cells),
        "questions": [
            _describe_question(question, answers[question.name]) for question in notebook.questions
        ],
    }


def _answer_cells(cells: list[NotebookNode]) -> dict[str, str]:
    """Return the id of each question's answer cell: the first one behind its prompt."""
    answers, question = {}, ""
    for cell in cells:
        question = cell.metadata.get(NOTE, {}).get("prompt", question)
        if ANSWER_TAG in cell.metadata.get("tags", []):
            answers[question] = cell.id
    return answers


def _describe_cell(cell: NotebookNode) -> dict[str, Any]:
    note = cell.metadata.get(NOTE, {})  # Otter's own cells have none
    return {
        "id": cell.id,
        "source": cell.source,
        "run": note.get("run", False),
        "question": note.get("question"),
    }


def _describe_variant(notebook: Notebook, cells: list[NotebookNode]) -> dict[str, Any] | None:
    """Return the constants that may differ between students, and the cell that holds them."""
    found = [cell.id for cell in cells if cell.metadata.get(NOTE, {}).get("variant")]
    if not found:
        return None
    constants = [constant.as_json() for cell in notebook.cells for constant in cell.constants]
    return {"cell": found[0], "constants": constants}


def _describe_question(question: Question, cell: str) -> dict[str, Any]:
    return {
        "name": question.name,
        "title": question.title,
        "written": question.written,
        "cell": cell,
        "tests": [
            {
                "name": test.name,
                "description": test.description,
                "hidden": test.hidden,
                "points": test.points,
            }
            for test in question.tests
        ],
        "wrong": [
            {"name": answer.name, "hint": answer.hint, "source": answer.cell.source}
            for answer in question.wrong
        ],
    }
