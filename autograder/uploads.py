"""Grades in the form that Canvas and Gradescope take, for the students of a roster.

A roster is what these services give: Canvas's exported gradebook, Gradescope's downloaded roster. A
submission belongs to the student whose number, login or email address its name is, or its folder's,
or, for a file that came from Canvas, whose number stands in its name.
"""

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.report import templates
from autograder.results import Result, harmless, write_text

CANVAS, GRADESCOPE = "canvas", "gradescope"
# lovelaceada_LATE_12345_67890_notebook: the student's number, then the file's.
_FROM_CANVAS = re.compile(r"[^_]*(?:_LATE)?_(\d+)_\d+_")
_CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_NAMES = ("Student", "Name", "Full Name", "First Name", "Last Name")
_KEYS = ("ID", "SIS User ID", "SIS Login ID", "SID", "Student ID", "Email", "Email Address")

Student = Mapping[str, str]


class UploadError(Exception):
    """A roster that cannot be used. The message says why, and what to do."""


@dataclass(frozen=True)
class Match:
    """Who handed what in.

    Attributes:
        found: By the student's place in the roster: the submissions.
        strangers: Submissions of nobody in the roster.
    """

    found: dict[int, list[Result]]
    strangers: list[Result]


def read_roster(path: Path) -> list[Student]:
    """Read a roster.

    Raises:
        UploadError: If no column tells students apart.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UploadError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UploadError(f"{path} is not UTF-8: download it anew.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not set(_KEYS).intersection(reader.fieldnames or ()):
        raise UploadError(
            f"{path} has none of the columns {', '.join(_KEYS)}: give Canvas's exported gradebook or "
            "Gradescope's downloaded roster."
        )
    lines = [
        {name: (line[name] or "").strip() for name in reader.fieldnames or ()} for line in reader
    ]
    # Canvas writes lines of its own: the points, and which columns it will not take back.
    return [line for line in lines if any(line.get(key) for key in _KEYS)]


def match(results: Sequence[Result], roster: Sequence[Student]) -> Match:
    """Return which submission is whose."""
    owners = _owners(roster)
    found: dict[int, list[Result]] = defaultdict(list)
    strangers = []
    for result in results:
        number = next((owners[key] for key in _keys(result) if key in owners), None)
        if number is None:
            strangers.append(result)
        else:
            found[number].append(result)
    return Match(dict(found), strangers)


def _keys(result: Result) -> list[str]:
    if from_canvas := _FROM_CANVAS.match(result.name):
        return [from_canvas[1]]
    return [result.name.casefold(), Path(result.file).parent.name.casefold()]


def _owners(roster: Sequence[Student]) -> dict[str, int]:
    """Return the student of every key that only one has."""
    owners: dict[str, set[int]] = defaultdict(set)
    for number, student in enumerate(roster):
        for key in _KEYS:
            value = student.get(key, "").casefold()
            owners[value].add(number)
            owners[value.partition("@")[0]].add(number)
    return {key: min(those) for key, those in owners.items() if key and len(those) == 1}


@dataclass(frozen=True)
class Line:
    """One student's line of a table.

    Attributes:
        student: From the roster.
        submissions: By the notebook: what the student handed in.
    """

    student: Student
    submissions: dict[str, list[Result]]

    def score(self, notebook: str) -> str:
        """Return the points; nothing where there is no submission, or more than one."""
        handed_in = self.submissions.get(notebook, [])
        return f"{handed_in[0].score:g}" if len(handed_in) == 1 else ""


def write_uploads(
    results: Sequence[Result], roster: Sequence[Student], service: str, out: Path
) -> Path:
    """Write the service's table, the students' feedback, and a page that tells what is in them.

    A student with two submissions to one notebook gets no points in the table: a person decides.

    Returns:
        The page's path.
    """
    matched = match(results, roster)
    notebooks = {r.assignment.notebook: r for r in results if r.assignment}
    lines = [
        Line(roster[number], _by_notebook(handed_in))
        for number, handed_in in sorted(matched.found.items())
    ]
    table = (_canvas_table if service == CANVAS else _gradescope_table)(lines, roster, notebooks)
    _write_table(out / f"{service}.csv", table)
    _write_feedback(
        out / f"{service}-feedback.zip", [r for r in results if r not in matched.strangers], out
    )
    page = out / f"{service}.html"
    write_text(page, _render(service, table, lines, matched, roster))
    return page


def _by_notebook(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.assignment:
            found[result.assignment.notebook].append(result)
    return found


def _canvas_table(
    lines: Sequence[Line], roster: Sequence[Student], notebooks: Mapping[str, Result]
) -> list[list[str]]:
    """Return Canvas's gradebook, with the columns that it needs and those that are filled."""
    known = list(roster[0]) if roster else []
    columns = [column for column in _CANVAS_COLUMNS if column in known]
    titles = {notebook: _canvas_title(result, known) for notebook, result in notebooks.items()}
    possible = ["    Points Possible" if column == "Student" else "" for column in columns]
    return [
        [*columns, *titles.values()],
        [*possible, *(f"{result.max_score:g}" for result in notebooks.values())],
        *([*_cells(line, columns), *map(line.score, notebooks)] for line in lines),
    ]


def _canvas_title(result: Result, columns: Sequence[str]) -> str:
    """Return the gradebook's name of an assignment, so that Canvas does not make another one."""
    title = _title(result)
    numbered = re.compile(re.escape(title) + r" \(\d+\)")
    return next((column for column in columns if numbered.fullmatch(column)), title)


def _gradescope_table(
    lines: Sequence[Line], roster: Sequence[Student], notebooks: Mapping[str, Result]
) -> list[list[str]]:
    """Return the roster's columns, then two per notebook, as in Gradescope's own exports."""
    known = list(roster[0]) if roster else []
    columns = [column for column in (*_NAMES, *_KEYS) if column in known]
    titles = [
        column
        for result in notebooks.values()
        for column in (_title(result), f"{_title(result)} - Max Points")
    ]
    scores = (
        [
            cell
            for notebook, result in notebooks.items()
            for cell in (line.score(notebook), f"{result.max_score:g}")
        ]
        for line in lines
    )
    return [
        [*columns, *titles],
        *([*_cells(line, columns), *those] for line, those in zip(lines, scores, strict=True)),
    ]


def _cells(line: Line, columns: Sequence[str]) -> list[str]:
    """Return what the roster says of a student. Names are the students' own words, keys are not."""
    values = {column: line.student[column] for column in columns}
    return [harmless(value) if column in _NAMES else value for column, value in values.items()]


def _title(result: Result) -> str:
    assignment = result.assignment
    return assignment.title or assignment.notebook if assignment else ""


def _write_table(path: Path, table: Sequence[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    write_text(path, text.getvalue())


def _write_feedback(path: Path, results: Sequence[Result], out: Path) -> None:
    """Pack the feedback under the submissions' own names, by which Canvas knows whose they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for result in results:
            page = (out / result.name / "feedback.html").read_bytes()
            # No date: the same grades give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{result.name}.html"), page)


def _render(
    service: str,
    table: Sequence[Sequence[str]],
    lines: Sequence[Line],
    matched: Match,
    roster: Sequence[Student],
) -> str:
    doubles = [
        (_name(line.student), [result.name for result in handed_in])
        for line in lines
        for handed_in in line.submissions.values()
        if len(handed_in) > 1
    ]
    absent = [student for number, student in enumerate(roster) if number not in matched.found]
    return (
        templates()
        .get_template("uploads.html")
        .render(
            service=service,
            header=table[0],
            rows=table[1:],
            doubles=doubles,
            strangers=[result.name for result in matched.strangers],
            absent=[_name(student) for student in absent],
        )
    )


def _name(student: Student) -> str:
    parts = [student[column] for column in (*_NAMES, *_KEYS) if student.get(column)]
    return " ".join(parts[:2])
