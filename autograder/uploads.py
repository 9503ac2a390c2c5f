"""Grades in the form that Canvas and Gradescope take, for the students of a roster.

Which submission is whose is told by ``autograder.roster``.
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
from autograder.roster import KEYS, Student, find_owner, owners

CANVAS, GRADESCOPE = "canvas", "gradescope"
_CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_NAMES = ("Student", "Name", "Full Name", "First Name", "Last Name")


@dataclass(frozen=True)
class Match:
    """Who handed what in.

    Attributes:
        found: By the student's place in the roster: the submissions.
        strangers: Submissions of nobody in the roster.
    """

    found: dict[int, list[Result]]
    strangers: list[Result]


def match(results: Sequence[Result], roster: Sequence[Student]) -> Match:
    """Return which submission is whose."""
    places = owners(roster)
    found: dict[int, list[Result]] = defaultdict(list)
    strangers = []
    for result in results:
        number = find_owner(places, result.name, result.file)
        if number is None:
            strangers.append(result)
        else:
            found[number].append(result)
    return Match(dict(found), strangers)


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
    columns = [column for column in (*_NAMES, *KEYS) if column in known]
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
    parts = [student[column] for column in (*_NAMES, *KEYS) if student.get(column)]
    return " ".join(parts[:2])
