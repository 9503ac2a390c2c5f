"""Which cells of a submission are run, and in which order.

The frame is the pristine notebook: its ordinary cells come from the assignment, not from the
submission, so that a student who deleted, reordered or broke one loses nothing. Into its places go
the student's answers. Whatever else the student wrote runs too, where it stood, since an answer may
need a helper or an import from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autograder.assignment import Assignment, PristineCell, Question
from autograder.submissions import Cell, Notebook, Submission

ANSWERED, BLANK, MISSING = "answered", "blank", "missing"
PRISTINE, ANSWER, ADDED, EDITED = "pristine", "answer", "added", "edited"
MARKDOWN = "markdown"
PLACEHOLDER = "_Type your answer here, replacing this text._"
MOST_WRITTEN = 100_000  # characters of one answer in words: it stands in three pages

Names = list[str] | None


@dataclass(frozen=True)
class Step:
    """One cell to run.

    Attributes:
        label: How the cell is called in messages.
        source: Its text.
        origin: Where it comes from: the course's own cell, the answer to a question, a cell that the
            student added, or the student's changed form of a cell of the course's.
        keep: The questions whose function is taken from this cell.
    """

    label: str
    source: str
    origin: str
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What will be run for a submission.

    Attributes:
        steps: The cells, in order.
        states: Of each graded question: answered, blank (as it was handed out) or missing.
        written: The student's text for each written question.
        notes: What the student should know about the choice.
    """

    steps: tuple[Step, ...]
    states: dict[str, str]
    written: dict[str, str]
    notes: tuple[str, ...] = field(default=())

    @property
    def answers(self) -> dict[str, str]:
        """The text of the cell that answers a question, for those that were answered."""
        return {
            question: step.source
            for step in self.steps
            for question in step.keep
            if self.states[question] == ANSWERED
        }


def make_plan(assignment: Assignment, notebook: Notebook, names: Sequence[Names]) -> Plan:
    """Choose the cells to run.

    Args:
        assignment: The pristine notebook and its questions.
        notebook: The submission.
        names: What each code cell of the submission defines at its top level; None for a cell that
            is no Python.
    """
    planner = _Planner(assignment, notebook, names)
    answers = {question.name: planner.choose(question) for question in assignment.graded}
    return Plan(
        steps=tuple(planner.order(answers)),
        states={name: planner.state(name, index) for name, index in answers.items()},
        written=_written_answers(assignment, notebook),
        notes=tuple(planner.notes),
    )


def identify(
    notebook: Notebook, assignments: dict[str, Assignment], name: str, names: Sequence[Names]
) -> Assignment | None:
    """Return the assignment that a notebook answers, or None.

    The notebook's own claim counts first, then the ids of its cells, then the questions whose
    functions it defines, then the name of the file.
    """
    if notebook.claims in assignments:
        return assignments[notebook.claims]
    defined = {found for cell in names for found in cell or ()}

    def evidence(assignment: Assignment) -> tuple[int, int, bool]:
        return (
            sum(cell.id.startswith(f"{assignment.notebook}-") for cell in notebook.cells),
            sum(question.name in defined for question in assignment.graded),
            assignment.notebook in name,
        )

    best = max(assignments.values(), key=evidence)
    return best if any(evidence(best)) else None


def guess_assignment(
    submission: Submission, assignments: Mapping[str, Assignment], named: str
) -> Assignment | None:
    """Return the assignment of a submission that was not read, where it can be told.

    Args:
        submission: The submission.
        assignments: By the notebook's name.
        named: What all submissions are said to answer, or empty.
    """
    if named:
        return assignments[named]
    if len(assignments) == 1:
        return next(iter(assignments.values()))
    fitting = [key for key in assignments if key in submission.name]
    return assignments[fitting[0]] if fitting else None


class _Planner:
    def __init__(self, assignment: Assignment, notebook: Notebook, names: Sequence[Names]) -> None:
        self._assignment = assignment
        self._cells = notebook.code
        self._names = names
        self._graded = {question.name for question in assignment.graded}
        self._pristine = {cell.id: cell for cell in assignment.cells}
        by_text = {_normal(cell.source): cell for cell in reversed(assignment.cells)}
        # Some tools drop or renew the ids of cells: an unchanged cell is known by its text.
        self._known = [
            self._pristine.get(cell.id) or by_text.get(_normal(cell.source)) for cell in self._cells
        ]
        self._variant = assignment.variant.cell if assignment.variant else None
        self.notes: list[str] = []

    def choose(self, question: Question) -> int | None:
        """Return the position of the cell that answers ``question``, or None if there is none.

        A cell that is as it was handed out is taken only where nothing else defines the name, and
        of two that qualify the later one is taken, as it is in a notebook that is run.
        """
        own = [i for i, cell in enumerate(self._cells) if self._is_at(i, question.cell)]
        defining = [i for i, names in enumerate(self._names) if names and question.name in names]
        changed = [i for i in defining if not self._is_untouched(i)]
        at_home = [i for i in changed if i in own]
        for candidates in (at_home, changed, [i for i in own if i in defining], own):
            if candidates:
                chosen = candidates[-1]
                self._explain(question, chosen, changed, own)
                return chosen
        return None

    def _explain(self, question: Question, chosen: int, changed: list[int], own: list[int]) -> None:
        if len(changed) > 1:
            place = "question's own cell" if chosen in own else "last of them"
            self.notes.append(
                f"{question.name} is defined in {len(changed)} cells; the {place} was graded."
            )
        elif own and chosen not in own:
            self.notes.append(f"{question.name} was found in another cell than the question's own.")

    def state(self, question: str, index: int | None) -> str:
        """Tell whether a question was answered, left as it was handed out, or deleted."""
        if index is None:
            return MISSING
        return BLANK if self._is_untouched(index) else ANSWERED

    def order(self, answers: dict[str, int | None]) -> list[Step]:
        """Return the steps: pristine places in their order, and after each what followed it.

        A changed form of the variant cell comes before the variant cell: it may hold an import, but
        the constants are the grader's.
        """
        followers = self._followers(set(answers.values()))
        steps = followers.pop(None, [])
        for cell in self._assignment.cells:
            steps += followers.pop(_before(cell.id), [])
            if cell.question in answers:
                steps += self._answer_steps(cell, answers)
            elif cell.run:
                steps.append(Step(f"cell {cell.id}", cell.source, PRISTINE))
            steps += followers.pop(cell.id, [])
        return steps

    def _answer_steps(self, place: PristineCell, answers: dict[str, int | None]) -> list[Step]:
        index = answers[place.question or ""]
        if index is None:
            return []
        keep = tuple(name for name, chosen in answers.items() if chosen == index)
        return [Step(f"the answer to {place.question}", self._cells[index].source, ANSWER, keep)]

    def _followers(self, chosen: set[int | None]) -> dict[str | None, list[Step]]:
        """Return the student's other cells, by the pristine cell that they stand behind.

        A changed variant cell stands before the pristine one.
        """
        followers: dict[str | None, list[Step]] = {}
        anchor: str | None = None
        for index, (cell, known) in enumerate(zip(self._cells, self._known, strict=True)):
            if known:
                anchor = known.id
            step = None if index in chosen else self._other_step(index, cell, known)
            if step:
                is_variant = known is not None and known.id == self._variant
                place = _before(str(self._variant)) if is_variant else anchor
                followers.setdefault(place, []).append(step)
        return followers

    def _other_step(self, index: int, cell: Cell, known: PristineCell | None) -> Step | None:
        names = self._names[index]
        if names is None or "train" in cell.tags or not cell.source.strip():
            return None
        if known is None:
            return Step(f"added cell {index + 1}", cell.source, ADDED)
        # Training and Otter's cells stay out, whatever the student made of them. A changed cell of
        # the course's may hold an import or a helper; one that defines an answer is an old attempt.
        skipped = not known.run or self._is_untouched(index) or self._graded.intersection(names)
        return None if skipped else Step(f"changed cell {known.id}", cell.source, EDITED)

    def _is_at(self, index: int, cell_id: str) -> bool:
        known = self._known[index]
        return known is not None and known.id == cell_id

    def _is_untouched(self, index: int) -> bool:
        known = self._known[index]
        return known is not None and _normal(known.source) == _normal(self._cells[index].source)


def _before(cell_id: str) -> str:
    return f"before {cell_id}"


def _written_answers(assignment: Assignment, notebook: Notebook) -> dict[str, str]:
    written = [question for question in assignment.questions if question.written]
    headings = [_topic(question.title) for question in assignment.questions]
    texts = {_normal(text) for text in (*assignment.texts, PLACEHOLDER)}
    answers = {}
    for question in written:
        cell = _written_cell(question, notebook.cells)
        course_text = cell is None or _normal(cell.source) in texts or _has_heading(cell, headings)
        answers[question.name] = "" if course_text or cell is None else _capped(cell.source.strip())
    return answers


def _capped(text: str) -> str:
    return text if len(text) <= MOST_WRITTEN else f"{text[:MOST_WRITTEN]}\n[answer cut off here]"


def written_figures(question: Question, notebook: Notebook) -> tuple[str, ...]:
    """Return the pictures in the answer to a written question, as ``data:`` addresses."""
    cell = _written_cell(question, notebook.cells)
    return cell.figures if cell else ()


def _written_cell(question: Question, cells: Sequence[Cell]) -> Cell | None:
    """Return the markdown cell below the question's heading, or else the one with its id.

    Ids count from the notebook's start: they name other cells once a question was inserted.
    """
    exact = [i for i, c in enumerate(cells) if c.kind == MARKDOWN and question.title in c.source]
    headed = exact or [i for i, c in enumerate(cells) if _has_heading(c, [_topic(question.title)])]
    if headed:
        below = next(iter(cells[headed[0] + 1 :]), None)
        return below if below and below.kind == MARKDOWN else None
    return next((c for c in cells if c.id == question.cell and c.kind == MARKDOWN), None)


def _has_heading(cell: Cell, topics: Sequence[str]) -> bool:
    lines = cell.source.splitlines() if cell.kind == MARKDOWN else []
    return any(line.startswith("#") and _topic(line) in topics for line in lines)


def _topic(heading: str) -> str:
    """Return a heading without its number, which shifts when a question is inserted before it."""
    return heading.partition(" · ")[2].strip() or heading.lstrip("# ").strip()


def _normal(source: str) -> str:
    """Return a text without what editors change: white space at the ends of lines and the file."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
