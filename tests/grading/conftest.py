"""One warm sandbox for all tests, a sample assignment, and submissions made by hand."""

import copy
import json
import time
from pathlib import Path

import pytest

from autograder.assignment import load_assignments
from autograder.judge import Judge, Settings
from autograder.limits import Limits
from autograder.sandbox import SandboxError, open_sandbox
from autograder.session import Session
from autograder.submissions import Submission

ASSIGNMENTS = Path(__file__).parent / "fixtures" / "assignments"
# Short enough for a test that waits for one, long enough for a machine that is busy.
LIMITS = Limits(cpu_seconds=4, wall_seconds=20.0, total_seconds=90.0, memory_mb=512)

RIGHT = {
    "best_constant": "def best_constant(actions):\n    return actions.mean(dim=0)",
    "squared_loss": (
        "def squared_loss(policy, observations, actions):\n"
        "    return (policy(observations) - actions).square().sum(dim=-1).mean()"
    ),
    "draw": (
        "def draw(count, generator):\n    return offset + torch.rand(count, generator=generator)"
    ),
}


@pytest.fixture(scope="session")
def sandbox():
    try:
        sandbox = open_sandbox(secrets=[str(ASSIGNMENTS)])
    except SandboxError as error:
        reason = str(error).splitlines()[1] if "\n" in str(error) else str(error)
        pytest.skip(f"no sandbox on this machine: {reason}")
    with sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def zygote(sandbox):
    """The zygote that has the whole library."""
    return sandbox.without([])


@pytest.fixture(scope="session")
def assignments():
    return load_assignments(ASSIGNMENTS)


@pytest.fixture(scope="session")
def assignment(assignments):
    return assignments["00_sample"]


@pytest.fixture
def limits():
    return LIMITS


@pytest.fixture
def session(zygote):
    session = Session(zygote, LIMITS, time.monotonic() + 60)
    yield session
    session.close()


class StudentNotebook:
    """The sample notebook, as a student hands it in."""

    def __init__(self, assignment):
        self.metadata = {
            "kernelspec": {"name": "python3", "language": "python"},
            "imitation_lab": {"notebook": assignment.notebook},
        }
        self.cells = [self.code(cell.source, cell.id) for cell in assignment.cells]
        self.cells.append(
            {"id": "00_sample-12", "cell_type": "markdown", "metadata": {}, "source": "It is luck."}
        )

    @staticmethod
    def code(source, cell_id="", **metadata):
        return {"id": cell_id, "cell_type": "code", "metadata": metadata, "source": source}

    def at(self, question):
        """Return the position of a question's answer cell."""
        number = {"best_constant": "04", "squared_loss": "07", "draw": "10"}[question]
        ids = [cell["id"] for cell in self.cells]
        return ids.index(f"00_sample-{number}")

    def answer(self, question, source):
        self.cells[self.at(question)]["source"] = source
        return self

    def insert(self, position, source, cell_id="added", **metadata):
        self.cells.insert(position, self.code(source, cell_id, **metadata))
        return self

    def text(self):
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": self.metadata}
        return json.dumps({**notebook, "cells": self.cells})


@pytest.fixture
def blank(assignment):
    return StudentNotebook(assignment)


@pytest.fixture
def right(assignment):
    """The sample notebook with every question answered."""
    notebook = StudentNotebook(assignment)
    for question, source in RIGHT.items():
        notebook.answer(question, source)
    return notebook


@pytest.fixture
def another(right):
    """Return fresh copies of the right notebook."""
    return lambda: copy.deepcopy(right)


@pytest.fixture(scope="session")
def judge(sandbox, assignments):
    judge = Judge(sandbox, assignments, Settings(seed=11, limits=LIMITS))
    yield judge
    judge.close()


@pytest.fixture
def grade(judge, tmp_path):
    """Return a function that grades a notebook, and gives the result."""

    def grade(notebook, name="student", judge=judge):
        path = tmp_path / f"{name}.ipynb"
        path.write_text(notebook.text() if isinstance(notebook, StudentNotebook) else notebook)
        return judge.grade(Submission(name, path))

    return grade


@pytest.fixture
def scores(assignment):
    """Return a function that gives a result's points by question."""
    return lambda result: {q.name: result.question_score(q) for q in assignment.graded}


FULL = {"best_constant": 3, "squared_loss": 3, "draw": 2}


@pytest.fixture
def full():
    """The most points by question."""
    return dict(FULL)
