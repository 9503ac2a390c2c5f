"""Whose notebook a submission is, and with which constants it is graded.

The constants of a student's notebook follow from the variant seed. What stands in a submission is not
believed: its variant cell gives way to the recomputed one. Other constants than the student's own are
pointed out, and cost no points: a mix-up of files does the same as a borrowed notebook.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from autograder.assignment import Assignment
from autograder.roster import Student, find_owner, owners, student_id
from autograder.submissions import Notebook, Submission
from autograder.variants import Value, Variant, read_values, with_values

ROSTER, NOTEBOOK, NOBODY = "roster", "notebook", "nobody"
_STRANGE = (
    "The constants of the experiments in this notebook are not those that were made for you{whom}. "
    "It was graded with yours."
)
_SAID = "Whose notebook this is was read from the notebook itself."
_UNKNOWN = "Whose notebook this is cannot be told: it was graded with the course's own constants."


@dataclass(frozen=True)
class Hand:
    """The constants that a submission was graded with.

    Attributes:
        student: Whose they are, or empty.
        known_by: What told: the roster and the file's name, the notebook's own word, or nobody.
        values: The constants, by name.
        found: What the submission gave to them, as text. Empty where it did not.
        own: Whether that is the same, as far as it is there.
        made_for: Other students of the roster for whom the notebook seems to be made.
    """

    student: str
    known_by: str
    values: Mapping[str, Value]
    found: Mapping[str, str]
    own: bool
    made_for: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """What the student should know. Nobody else is named: the class report does that."""
        if self.known_by == NOBODY:
            return [_UNKNOWN]
        whom = ", but for somebody else" if self.made_for else ""
        strange = [] if self.own and not self.made_for else [_STRANGE.format(whom=whom)]
        return [*([_SAID] if self.known_by == NOTEBOOK else []), *strange]

    def as_json(self) -> dict[str, Any]:
        """Return what stands in a result."""
        return {
            "student": self.student,
            "known_by": self.known_by,
            "values": dict(self.values),
            "found": dict(self.found),
            "own": self.own,
            "made_for": list(self.made_for),
        }


@dataclass(frozen=True)
class Dealer:
    """Knows every student's constants.

    Attributes:
        seed: The variant seed of the release.
        students: The ids of the roster's students.
    """

    seed: str = field(repr=False)
    students: tuple[str, ...]

    @cached_property
    def _by_id(self) -> dict[str, str]:
        return {student.casefold(): student for student in self.students}

    def deal(
        self, assignment: Assignment, notebook: Notebook, owner: str
    ) -> tuple[Assignment, Hand | None]:
        """Return the assignment as this student received it, and what was found out.

        Args:
            assignment: With the course's own constants.
            notebook: The submission.
            owner: The student whose submission it is, or empty: then its own word counts.
        """
        variant = assignment.variant
        if variant is None:
            return assignment, None
        claimed = self._by_id.get(notebook.student.casefold(), "")
        student = owner or claimed
        found = _find_values(variant, notebook) or {}
        if not student:
            return assignment, Hand("", NOBODY, {}, found, False, ())
        values = variant.draw(self.seed, assignment.notebook, student)
        own = found in ({}, _texts(values))
        others = () if own else self._fitting(assignment.notebook, variant, found)
        made_for = tuple(dict.fromkeys([*([claimed] if claimed else []), *others]))
        hand = Hand(
            student,
            ROSTER if owner else NOTEBOOK,
            values,
            found,
            own,
            tuple(name for name in made_for if name != student),
        )
        cells = tuple(
            replace(cell, source=with_values(cell.source, values))
            if cell.id == variant.cell
            else cell
            for cell in assignment.cells
        )
        return replace(assignment, cells=cells), hand

    def _fitting(self, notebook: str, variant: Variant, found: Mapping[str, str]) -> Sequence[str]:
        """Return the students whose constants these are."""
        return [
            student
            for student in self.students
            if _texts(variant.draw(self.seed, notebook, student)) == found
        ]


def most_are_strange(hands: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether most of a class's results found constants that are not their student's own."""
    found = [hand["own"] for hand in hands if hand["found"] and hand["known_by"] != NOBODY]
    return len(found) > 2 and found.count(False) > len(found) / 2


def with_owners(submissions: Sequence[Submission], roster: Sequence[Student]) -> list[Submission]:
    """Return the submissions with the ids of those students of the roster whose they are."""
    places = owners(roster)
    owned = []
    for submission in submissions:
        place = find_owner(places, submission.name, str(submission.path))
        student = "" if place is None else student_id(roster[place])
        owned.append(replace(submission, student=student))
    return owned


def _find_values(variant: Variant, notebook: Notebook) -> dict[str, str] | None:
    """Return the constants of a submission: of the cell with the variant's id, or else of any."""
    cells = sorted(notebook.code, key=lambda cell: cell.id != variant.cell)
    read = (read_values(cell.source, variant.names) for cell in cells)
    return next((values for values in read if values), None)


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}
