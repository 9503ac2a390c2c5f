"""Answers in words: gathered to be read side by side, and the points that people gave for them.

``gather`` writes one page per question and one table. Points and comments are entered in the table, in
any spreadsheet. ``merge`` adds them to the results, the feedback and the grades. Both can be repeated:
what was entered is kept, and what was merged is replaced.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.assignment import Assignment, Question
from autograder.report import render_feedback, render_report, templates
from autograder.results import (
    ManualGrade,
    Result,
    harmless,
    unquoted,
    write_grades,
    write_json,
    write_text,
)
from autograder.selection import written_figures
from autograder.submissions import MalformedError, read_notebook
from autograder.whose import NOTEBOOK

FOLDER, TABLE = "manual", "points.csv"
COLUMNS = ("question", "name", "points", "max_points", "comment")
SOLUTIONS = Path(__file__).parents[1] / "solutions"
_NOT_ANSWERED = "No answer was found."

Key = tuple[str, str]


class ManualError(Exception):
    """A table of points that cannot be merged. The message says which line, and what to do."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        question: The question's name.
        name: The submission's.
        points: What was given. Empty until somebody has read the answer.
        max_points: The most that there are: the same for all answers to a question.
        comment: What the student should read.
    """

    question: str
    name: str
    points: str
    max_points: str
    comment: str

    @property
    def key(self) -> Key:
        """What the line is about."""
        return self.question, self.name


def gather(results: Sequence[Result], out: Path, max_points: float) -> list[Path]:
    """Write the pages and the table of a grading, and return the pages' paths.

    Args:
        results: Of the grading. The figures in answers are read from their files once more.
        out: Its folder.
        max_points: The most that an answer gives, where the table does not say so already.

    Raises:
        ManualError: If there is a table that cannot be read.
    """
    folder = out / FOLDER
    table = folder / TABLE
    known = {row.key: row for row in read_table(table)} if table.exists() else {}
    pages = []
    rows: list[Row] = []
    for assignment, question, answers in _written_questions(results):
        page = folder / f"{question.name}.html"
        write_text(page, _render_page(assignment, question, answers))
        pages.append(page)
        rows += [_new_row(question, result, max_points) for result in answers]
    kept = {row.key: known.pop(row.key, row) for row in rows}
    # A line of a submission that is not in this grading is somebody's work too.
    _write_table(table, [*kept.values(), *known.values()])
    return pages


def _written_questions(
    results: Sequence[Result],
) -> Iterator[tuple[Assignment, Question, list[Result]]]:
    """Yield every question that is answered in words, with the submissions that were asked it."""
    assignments = {r.assignment.notebook: r.assignment for r in results if r.assignment}
    for assignment in assignments.values():
        asked = [result for result in results if result.assignment is assignment]
        for question in assignment.questions:
            if question.written:
                yield assignment, question, asked


def _new_row(question: Question, result: Result, max_points: float) -> Row:
    answered = bool(result.written.get(question.name))
    points, comment = ("", "") if answered else ("0", _NOT_ANSWERED)
    return Row(question.name, result.name, points, f"{max_points:g}", comment)


def _render_page(assignment: Assignment, question: Question, results: Sequence[Result]) -> str:
    answered = [result for result in results if result.written.get(question.name)]
    return (
        templates()
        .get_template("manual.html")
        .render(
            title=question.title or question.name,
            prompt=_prompt(assignment, question),
            solution=_solution(assignment, question),
            answers=[
                (
                    result.name,
                    result.written[question.name],
                    _figures(question, result),
                    _constants(result),
                )
                for result in answered
            ],
            alike=_same_texts(question, answered),
            blank=[result.name for result in results if result not in answered],
            table=TABLE,
        )
    )


def _figures(question: Question, result: Result) -> tuple[str, ...]:
    """Return the pictures in an answer, where its file still lies where it was graded."""
    try:
        return written_figures(question, read_notebook(Path(result.file)))
    except MalformedError:
        return ()


def _constants(result: Result) -> str:
    """Return the student's constants, which the answer may speak of."""
    variant = result.variant or {"values": {}}
    constants = ", ".join(f"{name} = {value!r}" for name, value in variant["values"].items())
    doubt = " (whose notebook it is, it says itself)" if variant.get("known_by") == NOTEBOOK else ""
    return constants + doubt


def _same_texts(question: Question, results: Sequence[Result]) -> list[list[str]]:
    """Return the names of those who wrote the same words."""
    writers: dict[str, list[str]] = {}
    for result in results:
        words = " ".join(result.written[question.name].casefold().split())
        writers.setdefault(words, []).append(result.name)
    return [names for names in writers.values() if len(names) > 1]


def _prompt(assignment: Assignment, question: Question) -> str:
    """Return the text that asks the question, where the notebook is at hand."""
    found = [text for text in assignment.texts if question.title and question.title in text]
    return found[0].partition("\n")[2].strip() if found else ""


def _solution(assignment: Assignment, question: Question) -> str:
    """Return the course's own answer, where the solutions are at hand."""
    path = SOLUTIONS / f"{assignment.notebook}.ipynb"
    if not path.exists():
        return ""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return next(("".join(cell["source"]) for cell in cells if cell["id"] == question.cell), "")


def read_table(path: Path) -> list[Row]:
    """Read a table of points, whatever separates its columns.

    Raises:
        ManualError: If it has not the columns that ``gather`` gave it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        raise ManualError(f"There is no {path}: run `manual gather` first.") from None
    except UnicodeDecodeError:
        raise ManualError(f"{path} is not UTF-8: save it as “CSV UTF-8”.") from None
    # Spreadsheets of many countries write semicolons, since their numbers have commas.
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise ManualError(
            f"{path} has no column {missing[0]}: its columns are {', '.join(COLUMNS)}."
        )
    rows = [Row(*(unquoted((line[column] or "").strip()) for column in COLUMNS)) for line in reader]
    return [row for row in rows if any(row.key)]  # spreadsheets write lines of separators alone


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([harmless(getattr(row, column)) for column in COLUMNS] for row in rows)
    write_text(path, "\ufeff" + text.getvalue())  # the sign by which spreadsheets know UTF-8


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        graded: How many answers have points.
        unread: How many have none yet. They count as 0.
        unknown: Lines of the table that belong to no answer of the grading.
    """

    graded: int
    unread: int
    unknown: tuple[Key, ...]


def merge(results: Sequence[Result], out: Path) -> Merged:
    """Add the table's points to the results of a grading, and write all of them anew.

    Raises:
        ManualError: If a line of the table is wrong. Nothing is written then.
    """
    path = out / FOLDER / TABLE
    rows = _by_key(path, read_table(path))
    read = unread = 0
    for _, question, asked in _written_questions(results):
        for result in asked:
            row = rows.pop((question.name, result.name), None)
            if row is None:
                raise ManualError(
                    f"{path} has no line for {question.name} of {result.name}: run `manual gather`."
                )
            result.manual[question.name] = _grade(row, question, path)
            read, unread = read + bool(row.points), unread + (not row.points)
    _write_all(results, out)
    return Merged(read, unread, tuple(rows))


def _by_key(path: Path, rows: Sequence[Row]) -> dict[Key, Row]:
    twice = [key for key, count in Counter(row.key for row in rows).items() if count > 1]
    if twice:
        raise ManualError(f"{path} has two lines for {twice[0][0]} of {twice[0][1]}: leave one.")
    most: dict[str, str] = {}
    for row in rows:
        if most.setdefault(row.question, row.max_points) != row.max_points:
            raise ManualError(
                f"{path} has {most[row.question]} and {row.max_points} as max_points of "
                f"{row.question}: one question has the same for all."
            )
    return {row.key: row for row in rows}


def _write_all(results: Sequence[Result], out: Path) -> None:
    for result in results:
        write_json(out / result.name / "results.json", result.as_gradescope())
        write_text(out / result.name / "feedback.html", render_feedback(result))
    write_grades(out / "grades.csv", results)
    write_text(out / "report.html", render_report(results))


def _grade(row: Row, question: Question, path: Path) -> ManualGrade:
    most = _number(row, row.max_points, "max_points", path)
    points = _number(row, row.points, "points", path) if row.points else 0.0
    if not 0 <= points <= most:
        raise ManualError(
            f"{path} gives {points:g} of {most:g} points to {row.name} in {row.question}: "
            f"write a number from 0 to {most:g}."
        )
    title = question.title or question.name
    return ManualGrade(title, points, most, row.comment, read=bool(row.points))


def _number(row: Row, text: str, column: str, path: Path) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ManualError(
            f"{path} has {text!r} as {column} of {row.name} in {row.question}: write a number."
        )
    return number
