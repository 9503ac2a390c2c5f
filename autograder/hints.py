"""Recognising a misconception: an answer that gives what a named wrong answer gives.

The wrong answers run in a worker of their own, beside the course's ordinary cells and no student's
code. Each gets the very bytes that the student's function got, fresh inputs and generators included.
"""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from autograder.assignment import Assignment, WrongAnswer
from autograder.limits import Limits
from autograder.sandbox import Sandbox
from autograder.session import Call, RemoteError, Session, WorkerLostError

_TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


class Misconceptions:
    """The wrong answers of one assignment, ready to be compared with."""

    def __init__(self, sandbox: Sandbox, assignment: Assignment, limits: Limits) -> None:
        self._sandbox = sandbox
        self._assignment = assignment
        self._limits = limits
        self._session: Session | None = None
        self._lock = threading.Lock()

    def matching(self, answers: Sequence[WrongAnswer], calls: Sequence[Call]) -> list[WrongAnswer]:
        """Return those of some wrong answers that give, in every one of ``calls``, the same."""
        if not answers or not calls:
            return []
        with self._lock:
            return self._matching(answers, calls)

    def close(self) -> None:
        """End the worker."""
        if self._session:
            self._session.close()

    def _matching(self, answers: Sequence[WrongAnswer], calls: Sequence[Call]) -> list[WrongAnswer]:
        """Return the answers that give the same. One that does not come to an end does not."""
        found: list[WrongAnswer] = []
        waiting = list(answers)
        while waiting:
            done = 0
            # One copy of the worker serves them all: to copy takes longer than they do.
            with contextlib.suppress(WorkerLostError), self._copy() as session:
                for wrong in waiting:
                    if _matches(session, wrong, calls):
                        found.append(wrong)
                    done += 1
            # What ended a copy that others had used has all its time in the next one.
            waiting = waiting[max(done, 1) :]
        return found

    @contextmanager
    def _copy(self) -> Iterator[Session]:
        session = self._ready()
        try:
            session.begin(0)
            yield session
        finally:
            session.finish()

    def _ready(self) -> Session:
        if self._session is None or not self._session.alive:
            zygote = self._sandbox.without(self._assignment.withheld)
            # It serves every submission of a run, which may take days.
            self._session = Session(zygote, self._limits, math.inf)
            for cell in self._assignment.cells:
                if cell.run and not cell.question:
                    self._session.run(cell.source, cell.id)
        return self._session


def _matches(session: Session, wrong: WrongAnswer, calls: Sequence[Call]) -> bool:
    session.seed(0)
    session.run(wrong.source, wrong.name, [wrong.name])
    try:
        return all(same(session.repeat(call, wrong.name), call.result) for call in calls)
    except RemoteError:  # it raises where the answer returned
        return False


def same(first: Any, second: Any) -> bool:
    """Tell whether two results are equal in structure and shape, and close in value."""
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return first.shape == second.shape and _close(first, second)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if _is_numeric(first) and _is_numeric(second):
        arrays = torch.as_tensor(np.asarray(first)), torch.as_tensor(np.asarray(second))
        return same(*arrays)
    return bool(type(first) is type(second) and first == second)


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    kind = torch.complex128 if first.is_complex() or second.is_complex() else torch.float64
    return torch.allclose(first.to(kind), second.to(kind), equal_nan=True, **_TOLERANCE)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return False  # no array holds it: it is compared as it is
    return isinstance(value, bool | int | float | np.ndarray | np.generic)
