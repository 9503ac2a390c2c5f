"""A class's roster, as Canvas and Gradescope give it, and whose a submission is.

A roster is Canvas's exported gradebook or Gradescope's downloaded roster. A submission belongs to the
student whose number, login or email address its name is, or its folder's, or, for a file that came from
Canvas, whose number stands in its name. Where its name and its folder tell of two students, it belongs to
nobody: whoever hands in may call a file as he likes.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

# lovelaceada_LATE_12345_67890_notebook: the student's number, then the file's.
_FROM_CANVAS = re.compile(r"[^_]*(?:_LATE)?_(\d+)_\d+_")
KEYS = ("ID", "SIS User ID", "SIS Login ID", "SID", "Student ID", "Email", "Email Address")
_MOST_READABLE = ("SIS Login ID", "SID", "Student ID", "SIS User ID", "Email", "Email Address")

Student = Mapping[str, str]


class RosterError(Exception):
    """A roster that cannot be used. The message says why, and what to do."""


def read_roster(path: Path) -> list[Student]:
    """Read a roster.

    Raises:
        RosterError: If no column tells students apart.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RosterError(f"{path} is not UTF-8: download it anew.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not set(KEYS).intersection(reader.fieldnames or ()):
        raise RosterError(
            f"{path} has none of the columns {', '.join(KEYS)}: give Canvas's exported gradebook or "
            "Gradescope's downloaded roster."
        )
    lines = [
        {name: (line[name] or "").strip() for name in reader.fieldnames or ()} for line in reader
    ]
    # Canvas writes lines of its own: the points, and which columns it will not take back.
    return [line for line in lines if any(line.get(key) for key in KEYS)]


def read_ids(path: Path) -> list[str]:
    """Return one id for each student of a roster, such as the login.

    Raises:
        RosterError: If it cannot be read, is empty, or names somebody twice.
    """
    ids = [student_id(student) for student in read_roster(path)]
    if not ids:
        raise RosterError(f"{path} names no student.")
    known: set[str] = set()
    for name in ids:
        if name.casefold() in known:
            raise RosterError(f"{path} has {name} twice: leave one.")
        known.add(name.casefold())
    return ids


def student_id(student: Student) -> str:
    """Return the id of a student that people read best."""
    return next(student[key] for key in (*_MOST_READABLE, "ID") if student.get(key))


def owners(roster: Sequence[Student]) -> dict[str, int]:
    """Return the student's place in the roster, by every key that only one has."""
    found: dict[str, set[int]] = defaultdict(set)
    for number, student in enumerate(roster):
        for key in KEYS:
            value = student.get(key, "").casefold()
            found[value].add(number)
            found[value.partition("@")[0]].add(number)
    return {key: min(those) for key, those in found.items() if key and len(those) == 1}


def find_owner(places: Mapping[str, int], name: str, file: str) -> int | None:
    """Return the place in the roster of the student whose submission this is, or None.

    Args:
        places: As ``owners`` gives them.
        name: The submission's.
        file: Where it lies.
    """
    from_canvas = _FROM_CANVAS.match(name)
    own = from_canvas[1] if from_canvas else name.casefold()
    found = {places[key] for key in (own, Path(file).parent.name.casefold()) if key in places}
    return found.pop() if len(found) == 1 else None
