"""A submission's life in the sandbox: its cells run, its tests served, its deaths survived."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.limits import Limits
from autograder.sandbox import Zygote
from autograder.selection import ADDED, PRISTINE, Names, Plan, Step
from autograder.session import (
    EXPLANATIONS,
    OK,
    OUT_OF_MEMORY,
    TIMEOUT,
    Session,
    WorkerLostError,
)

# Where a machine is busy, a submission may take this many times as long, and no longer.
MOST_PATIENCE = 5
# What all cells together may have to say, in characters. The worker caps each cell's words, but a
# submission can make it send more.
MOST_WORDS = 250_000
_MOST_NOTES = 20  # of one cell


@dataclass
class CellReport:
    """What happened in one cell.

    Attributes:
        step: The cell.
        error: What stopped it. Empty when it ran through.
        lost: The status, where the cell ended the whole worker; it is not run again.
        output: What it printed, capped.
        notes: What was disabled in it.
    """

    step: Step
    error: str = ""
    lost: str = ""
    output: str = ""
    notes: list[str] = field(default_factory=list)


class SubmissionRun:
    """One submission in the sandbox, brought back to life where it ends itself.

    Attributes:
        status: The first thing that went wrong with its process, ``ok`` while nothing has.
        cells: What happened in its cells, once they were run.
    """

    def __init__(self, zygote: Zygote, limits: Limits, seed: int) -> None:
        self._zygote = zygote
        self._limits = limits
        self._seed = seed
        now = time.monotonic()
        self._deadline = now + limits.total_seconds
        self._latest = now + MOST_PATIENCE * limits.total_seconds
        self._session: Session | None = None
        self._prepared = False
        self._room = MOST_WORDS
        self.status = OK
        self.cells: list[CellReport] = []

    def analyse(self, sources: Sequence[str]) -> list[Names]:
        """Return what each cell defines.

        A text can be made to crash Python's parser. Such a cell is found by trying one at a time,
        and counts as one that is no Python.
        """
        try:
            return self._fresh().analyse(sources)
        except WorkerLostError:
            return [self._analyse_one(source) for source in sources]

    def _analyse_one(self, source: str) -> Names:
        try:
            return self._fresh().analyse([source])[0]
        except WorkerLostError as lost:
            self.record(lost.status)
            return None

    def prepare(self, plan: Plan) -> None:
        """Run the plan's cells. A cell that ends the worker is left out when the rest runs again."""
        self.cells = self.cells or [CellReport(step) for step in plan.steps]
        while not (self._prepared and self._session and self._session.alive):
            session = self._fresh()
            session.seed(self._seed)
            self._room = MOST_WORDS
            try:
                self._run_cells(session, self.cells)
                if any(cell.error and cell.step.origin != PRISTINE for cell in self.cells):
                    # What failed may have stood before what it needs.
                    self._run_cells(session, [cell for cell in self.cells if cell.error])
                self._prepared = True
            except WorkerLostError:
                self.close()  # whatever it said of its own end

    def _run_cells(self, session: Session, cells: Sequence[CellReport]) -> None:
        for cell in cells:
            if not cell.lost:
                self._run_cell(session, cell)

    def _run_cell(self, session: Session, cell: CellReport) -> None:
        try:
            result = session.run(cell.step.source, cell.step.label, cell.step.keep)
        except WorkerLostError as lost:
            cell.lost, cell.error = lost.status, str(lost)
            self.record(lost.status)
            raise
        if session.out_of_memory:
            session.out_of_memory = False
            self.record(OUT_OF_MEMORY)
        cell.error = self._cap(": ".join(part for part in result["error"] or () if part))
        cell.output = self._cap(result["output"])
        cell.notes = [self._cap(note) for note in result["notes"][:_MOST_NOTES]]

    def _cap(self, text: str) -> str:
        """Return as much of a text as there is room for."""
        kept = text[: self._room]
        self._room -= len(kept)
        return kept if len(kept) == len(text) else f"{kept} […]"

    def start_test(self, plan: Plan, seed: int, fresh: bool = False) -> Session:
        """Return a session in which a test may run, in a copy of the worker.

        Tests share a copy until one ends it, or asks for a ``fresh`` one.

        Raises:
            WorkerLostError: If there can be none, because the submission's time is up.
        """
        session = self._session
        if session and session.in_copy:
            session.out_of_memory = False
            with contextlib.suppress(WorkerLostError):  # it ended behind the last test's back
                if not fresh:
                    session.go_on(seed)
                    return session
            session.finish()
        with contextlib.suppress(WorkerLostError):
            return self._begin(plan, seed)
        return self._begin(plan, seed)  # a copy that had ended may have left words in between

    def _begin(self, plan: Plan, seed: int) -> Session:
        self.prepare(plan)
        session = self._fresh()
        session.out_of_memory = False
        session.begin(seed)
        return session

    def close(self) -> None:
        """Kill what is left of the submission."""
        if self._session:
            self._session.close()

    def _fresh(self) -> Session:
        if self._session is None or not self._session.alive:
            if self._session:
                self._deadline = self._session.deadline
            if time.monotonic() >= self._deadline:
                self.record(TIMEOUT)
                raise WorkerLostError(TIMEOUT)
            self._session = Session(self._zygote, self._limits, self._deadline, self._latest)
            self._prepared = False
        return self._session

    def record(self, status: str) -> None:
        """Take note of how a process ended, if it is the first thing that went wrong."""
        if self.status == OK:
            self.status = status


def explain_lost_cell(cell: CellReport) -> str:
    """Tell a student about a cell that ended the worker."""
    what = "This added cell" if cell.step.origin == ADDED else "This cell"
    return f"{what} was left out: {EXPLANATIONS[cell.lost]}."
