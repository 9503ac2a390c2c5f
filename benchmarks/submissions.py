"""Submissions made of the course's own answers: solutions, blanks, wrong and right ones."""

import functools
import json
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.build import PROJECT
from tools.rules import read_course
from tools.source import Answer, Notebook, Question


@functools.cache
def course() -> dict[str, Notebook]:
    """Return the course's notebooks by name, as their authors wrote them."""
    return {notebook.name: notebook for notebook in read_course(PROJECT / "source")}


def graded(notebook: Notebook) -> list[Question]:
    """Return the questions that a machine grades."""
    return [question for question in notebook.questions if not question.written]


def as_handed_in(question: Question, answer: Answer) -> str:
    """Return the cell of a listed answer with the name that a student gives it."""
    return re.sub(rf"\b{answer.name}\b", question.name, answer.cell.source)


@functools.cache
def _built(folder: str, name: str) -> str:
    return (PROJECT / folder / f"{name}.ipynb").read_text(encoding="utf-8")


@functools.cache
def _answer_cells(name: str) -> dict[str, str]:
    """Return the id of each question's answer cell."""
    path = PROJECT / "autograder" / "tests" / name / "assignment.json"
    questions = json.loads(path.read_text(encoding="utf-8"))["questions"]
    return {question["name"]: question["cell"] for question in questions}


def blanks(name: str) -> dict[str, str]:
    """Return the answer cells of a notebook as students get them."""
    ids = {cell_id: question for question, cell_id in _answer_cells(name).items()}
    cells = json.loads(_built("notebooks", name))["cells"]
    return {ids[cell["id"]]: "".join(cell["source"]) for cell in cells if cell["id"] in ids}


def write_submission(name: str, answers: Mapping[str, str], added: str = "") -> str:
    """Return the solved notebook with other answers in it, as the text of its file.

    Args:
        name: The notebook's.
        answers: The text of an answer cell, by its question. The others stay solved.
        added: A cell that the student added at the end.
    """
    document: dict[str, Any] = json.loads(_built("solutions", name))
    by_id = {cell["id"]: cell for cell in document["cells"]}
    for question, source in answers.items():
        by_id[_answer_cells(name)[question]]["source"] = source
    if added:
        cell = {"cell_type": "code", "id": "added", "metadata": {}, "source": added}
        document["cells"].append({**cell, "execution_count": None, "outputs": []})
    return json.dumps(document)


def all_right_answers(notebook: Notebook, shift: int = 0) -> Iterator[dict[str, str]]:
    """Yield answers to all questions of a notebook, until each right answer stood in one of them.

    Args:
        notebook: The notebook.
        shift: Another one brings other answers together, as one answer calls another.
    """
    questions = [question for question in graded(notebook) if question.right]
    for number in range(max(len(question.right) for question in questions)):
        yield {
            question.name: as_handed_in(
                question, question.right[(number + shift * place) % len(question.right)]
            )
            for place, question in enumerate(questions)
        }


def write_class(name: str, students: int, seed: int = 0) -> list[str]:
    """Return what a class hands in: most answers right, some wrong, some blank.

    Args:
        name: The notebook's.
        students: How many.
        seed: The same one gives the same class.
    """
    draw = random.Random(seed)
    questions = graded(course()[name])
    return [
        write_submission(name, {q.name: _draw_answer(draw, name, q) for q in questions})
        for _ in range(students)
    ]


def _draw_answer(draw: random.Random, name: str, question: Question) -> str:
    """Return the text of an answer cell: solved, otherwise right, wrong or blank."""
    (kind,) = draw.choices(["solved", "right", "wrong", "blank"], [4, 2, 3, 1])
    answers = {"right": question.right, "wrong": question.wrong}.get(kind, ())
    if answers:
        return as_handed_in(question, draw.choice(answers))
    return blanks(name)[question.name] if kind == "blank" else question.solution.source
