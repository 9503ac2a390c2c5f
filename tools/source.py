"""The dialect that notebooks are written in, read from a percent script into questions.

A question is a contiguous run of cells::

    # %% [markdown] question="best_constant" points=[1, 2]     the prompt; one number per test
    # %% tags=["solution"]     code, or markdown for a written question
    # %% tags=["public"]       tests that students see
    # %% tags=["hidden"]       tests that they do not see
    # %% tags=["wrong"]        misconceptions, as functions named best_constant__what_it_does
    # %% tags=["right"]        other correct answers, named in the same way

A stretch goal is an exercise that nobody grades, with the cells that work it out. Graders skip them::

    # %% [markdown] stretch="likelihood"     the prompt
    # %% tags=["solution"]     code, or markdown for words; one or more of them

Every other cell is shown as it stands. ``train`` marks those that spend compute: graders skip them.
``variant`` marks the one with constants that may differ between students (``tools.variant``).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import jupytext
import yaml
from nbformat import ValidationError

from autograder.variants import Constant
from tools.error import BuildError
from tools.variant import read_variant

QUESTION_TAGS = ("solution", "public", "hidden", "wrong", "right")
TAGS = (*QUESTION_TAGS, "train", "variant")
ATTRIBUTES = ("question", "stretch", "points", "tags")

# comment_magics would turn the comment "# copy the weights" into the shell command "copy".
_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
_CELL_MARKER = re.compile(r"#\s*%%+(\s|$)")
_JUPYTEXT_ONLY = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker", "region_name")

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Cell:
    """One cell of a script.

    Attributes:
        file: The script's name.
        line: The number of the cell's ``# %%`` line.
        kind: ``"code"`` or ``"markdown"``.
        source: The cell's text.
        tag: One of ``TAGS``, or empty.
        question: The question that the cell opens or belongs to, or empty.
        stretch: The stretch goal that it opens or belongs to, or empty.
        points: The ``points`` attribute as written, or None.
        constants: Of a variant cell, the constants that it marks. The marks are not in its text.
    """

    file: str
    line: int
    kind: str
    source: str
    tag: str = ""
    question: str = ""
    stretch: str = ""
    points: Any = None
    constants: tuple[Constant, ...] = ()

    @property
    def where(self) -> str:
        """The file, line and question, and the cell's first line, for messages."""
        question = f", question {self.question}" if self.question else ""
        stretch = f", stretch goal {self.stretch}" if self.stretch else ""
        first_line = self.source.strip().split("\n")[0]
        return f"{self.file}, line {self.line}{question}{stretch}, cell `{first_line}`"

    def refuse(self, problem: str, remedy: str) -> BuildError:
        """Return the exception that names this cell."""
        return BuildError(self.where, problem, remedy)

    def parse(self) -> ast.Module:
        """Return the syntax tree of a code cell."""
        try:
            return ast.parse(self.source)
        except SyntaxError as error:
            remedy = "Correct it. Cells are plain Python, without `%` or `!` commands."
            line = f"line {error.lineno} of the cell"
            raise self.refuse(f"syntax error on {line}: {error.msg}.", remedy) from None


@dataclass(frozen=True)
class Test:
    """A test of one question.

    Attributes:
        name: The function's name.
        description: Its docstring, the sentence that a student reads.
        source: Its text.
        hidden: Whether students see it only as a mark.
        points: What it is worth.
        cell: Where it stands.
    """

    name: str
    description: str
    source: str
    hidden: bool
    points: float
    cell: Cell

    __test__ = False  # not a test class, pytest

    @property
    def function(self) -> ast.FunctionDef:
        """The syntax tree of the test."""
        function = ast.parse(self.source).body[0]
        assert isinstance(function, ast.FunctionDef)  # the reader took nothing else
        return function


@dataclass(frozen=True)
class Answer:
    """A wrong or a right answer that the author wrote beside the solution.

    Attributes:
        name: ``<question>__<what it does>``.
        hint: The docstring: for a wrong answer, the misconception in one sentence.
        cell: Where it stands; the whole cell is needed to define it.
    """

    name: str
    hint: str
    cell: Cell


@dataclass(frozen=True)
class Question:
    """One question with everything that proves it.

    Attributes:
        name: The slug: the function or class that the question asks for.
        prompt: The cell that students read.
        solution: The answer, code or (for a written question) markdown.
        tests: Public tests, then hidden ones. Empty for a written question.
        wrong: Misconceptions; each must lose a hidden test.
        right: Other correct answers; each must pass every test.
    """

    name: str
    prompt: Cell
    solution: Cell
    tests: tuple[Test, ...]
    wrong: tuple[Answer, ...]
    right: tuple[Answer, ...]

    @property
    def title(self) -> str:
        """The prompt's first line, without the heading's marks."""
        return self.prompt.source.strip().split("\n")[0].lstrip("# ")

    @property
    def written(self) -> bool:
        """Whether the answer is prose, which no machine grades."""
        return self.solution.kind == "markdown"

    @property
    def public(self) -> tuple[Test, ...]:
        """The tests that students see."""
        return tuple(test for test in self.tests if not test.hidden)

    @property
    def hidden(self) -> tuple[Test, ...]:
        """The tests that students do not see."""
        return tuple(test for test in self.tests if test.hidden)


@dataclass(frozen=True)
class Stretch:
    """One exercise that nobody grades, and how it is worked out.

    Attributes:
        name: The slug, for messages.
        prompt: The cell that students read.
        solution: The cells that work it out, code or markdown. Students get each without its solution.
    """

    name: str
    prompt: Cell
    solution: tuple[Cell, ...]


@dataclass(frozen=True)
class Notebook:
    """One script of the course.

    Attributes:
        path: The script.
        title: From the script's header.
        answers: Modules of the library that answer this notebook, dotted, without the package's name.
        packs: Files that a student may have made beside the notebook, and that are handed in with it.
        parts: Cells that students get as they stand, questions, and stretch goals, in order.
    """

    path: Path
    title: str
    answers: tuple[str, ...]
    packs: tuple[str, ...]
    parts: tuple[Cell | Question | Stretch, ...]

    @property
    def name(self) -> str:
        """The script's stem, which names everything that is built from it."""
        return self.path.stem

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions, in order."""
        return tuple(part for part in self.parts if isinstance(part, Question))

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The stretch goals, in order."""
        return tuple(part for part in self.parts if isinstance(part, Stretch))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The ordinary cells and the questions' solutions, in order: a solved notebook as graded."""
        return tuple(
            part.solution if isinstance(part, Question) else part
            for part in self.parts
            if not isinstance(part, Stretch)
        )


def read_notebook(path: Path) -> Notebook:
    """Read one script.

    Args:
        path: A percent script named ``NN_name.py``.

    Raises:
        BuildError: If its cells do not form questions. What a question must hold is the business of
            ``tools.rules``.
    """
    try:
        document = jupytext.reads(path.read_text(encoding="utf-8"), fmt=_FORMAT)
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        fault = (
            error.message if isinstance(error, ValidationError) else " ".join(str(error).split())
        )
        problem = f"the script cannot be read: {fault}."
        remedy = 'Correct the header, write tags as ["public"], and save as UTF-8.'
        raise BuildError(path.name, problem, remedy) from None
    header = _read_header(path, document.metadata.get("imitation_lab"))
    return Notebook(path, *header, tuple(_group(_read_cells(path, document.cells))))


def _read_header(path: Path, header: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if not isinstance(header, dict) or set(header) - {"packs"} != {"title", "answers"}:
        problem = "the header must carry `imitation_lab: {title: ..., answers: [...]}`."
        raise BuildError(path.name, problem, "Write it under `jupyter:`, as the other scripts do.")
    title, answers, packs = header["title"], header["answers"], header.get("packs", [])
    lists = [
        isinstance(own, list) and all(isinstance(item, str) for item in own)
        for own in (answers, packs)
    ]
    if not isinstance(title, str) or not all(lists):
        problem = f"expected a text as title, a list of modules, and one of files, got {header!r}."
        raise BuildError(path.name, problem, "Correct the header.")
    return title, tuple(module.removeprefix("imitation_lab.") for module in answers), tuple(packs)


def _read_cells(path: Path, documents: list[Any]) -> Iterator[Cell]:
    text = path.read_text(encoding="utf-8").split("\n")
    lines = [number for number, line in enumerate(text, 1) if _CELL_MARKER.match(line)]
    if len(lines) != len(documents):
        problem = "there is text before the first `# %%` line, or no cell at all."
        raise BuildError(path.name, problem, "Begin the first cell with `# %%`.")
    for line, document in zip(lines, documents, strict=True):
        yield _read_cell(Cell(path.name, line, document.cell_type, document.source), document)


def _read_cell(cell: Cell, document: Any) -> Cell:
    attributes = {k: v for k, v in document.metadata.items() if k not in _JUPYTEXT_ONLY}
    if cell.kind not in ("code", "markdown"):
        raise cell.refuse("this is a raw cell.", "Use code or [markdown].")
    if not cell.source.strip():
        raise cell.refuse("the cell is empty.", "Fill it or delete it.")
    if "incorrectly_encoded_metadata" in attributes:
        text = attributes["incorrectly_encoded_metadata"]
        raise cell.refuse(f"cannot read the attributes `{text}`.", "Write each as key=JSON.")
    for name in attributes:
        if name not in ATTRIBUTES:
            known = 'Known are question="...", stretch="...", points=[...] and tags=["..."].'
            value = f"{name}={attributes[name]!r}"
            raise cell.refuse(f"unknown attribute {value}.", known)
    tag = _read_tag(cell, attributes.pop("tags", []))
    for opening in ("question", "stretch"):
        if opening in attributes:
            _check_name(cell, opening, attributes[opening])
    cell = replace(cell, tag=tag, **attributes)
    return read_variant(cell) if tag == "variant" else cell


def _read_tag(cell: Cell, tags: Any) -> str:
    remedy = f"A cell has one tag of {', '.join(TAGS)}, or none."
    if not isinstance(tags, list) or len(tags) > 1:
        raise cell.refuse(f"expected one tag, got tags={tags!r}.", remedy)
    if tags and tags[0] not in TAGS:
        raise cell.refuse(f"unknown tag {tags[0]!r}.", remedy)
    if tags == ["train"] and cell.kind != "code":
        raise cell.refuse("a train cell of markdown.", "Only code can be skipped: drop the tag.")
    return tags[0] if tags else ""


def _group(cells: Iterator[Cell]) -> Iterator[Cell | Question | Stretch]:
    placed = list(_with_questions(cells))  # a misplaced cell is refused before what it breaks
    for (question, stretch), run in groupby(placed, lambda cell: (cell.question, cell.stretch)):
        if question:
            yield _read_question(*run)
        elif stretch:
            yield _read_stretch(*run)
        else:
            yield from run


def _with_questions(cells: Iterator[Cell]) -> Iterator[Cell]:
    """Write into each tagged cell which question, or stretch goal, it belongs to."""
    prompt, seen = None, set()
    for cell in cells:
        if cell.question or cell.stretch or cell.points is not None:
            _check_prompt(cell)
            name = cell.question or cell.stretch
            if name in seen:
                raise cell.refuse("two questions of this notebook have one name.", "Rename one.")
            prompt = cell
            seen.add(name)
            yield cell
        elif cell.tag not in QUESTION_TAGS:
            prompt = None
            yield cell
        elif prompt:
            yield replace(cell, question=prompt.question, stretch=prompt.stretch)
        else:
            problem = f"a {cell.tag} cell outside a question."
            remedy = "Move it directly behind the cells of its question."
            raise cell.refuse(problem, remedy)


def _check_prompt(cell: Cell) -> None:
    if cell.stretch and (cell.question or cell.points is not None):
        problem = "a stretch goal is not graded: it is no question and has no points."
        raise cell.refuse(problem, "Take `question` and `points` out, or take `stretch` out.")
    if cell.kind != "markdown" or cell.tag or not (cell.question or cell.stretch):
        found = "`stretch`" if cell.stretch else "`question` or `points`"
        problem = f"{found} on a cell that is no prompt."
        raise cell.refuse(problem, "Write it on the [markdown] cell that asks, without tags.")


def _check_name(cell: Cell, opening: str, name: Any) -> None:
    identifier = isinstance(name, str) and name.isidentifier() and name.isascii()
    if not identifier or "__" in name:
        problem = f"a {opening} cannot be called {name!r}."
        raise cell.refuse(problem, "Name it after the function it asks for, without `__`.")


def _read_question(prompt: Cell, *cells: Cell) -> Question:
    solutions = [cell for cell in cells if cell.tag == "solution"]
    if len(solutions) != 1 or cells[0].tag != "solution":
        found = f"{len(solutions)} solution cells" if len(solutions) != 1 else "a cell before it"
        problem = f"expected one solution cell behind the prompt, found {found}."
        raise prompt.refuse(problem, "Write one cell tagged solution there, and tests after it.")
    return Question(
        prompt.question,
        prompt,
        cells[0],
        tuple(_read_tests(prompt, cells)),
        tuple(_read_answers(cells, "wrong")),
        tuple(_read_answers(cells, "right")),
    )


def _read_stretch(prompt: Cell, *cells: Cell) -> Stretch:
    if not cells:
        problem = "a stretch goal without a solution."
        raise prompt.refuse(problem, "Work it out in cells tagged solution behind the prompt.")
    for cell in cells:
        if cell.tag != "solution":
            problem = f"a {cell.tag} cell in a stretch goal, which nobody grades."
            raise cell.refuse(problem, "Take it out, or make the goal a question with points.")
    return Stretch(prompt.stretch, prompt, cells)


def _read_tests(prompt: Cell, cells: tuple[Cell, ...]) -> Iterator[Test]:
    found = [
        (cell, definition)
        for cell in cells
        if cell.tag in ("public", "hidden")
        for definition in _definitions(cell, "test functions")
    ]
    for (cell, definition), points in zip(found, _read_points(prompt, len(found)), strict=True):
        if isinstance(definition, ast.ClassDef) or definition.decorator_list:
            problem = f"`{definition.name}` is a class or carries a decorator."
            raise cell.refuse(problem, "Make each test a plain function.")
        lines = cell.source.split("\n")[definition.lineno - 1 : definition.end_lineno]
        description = ast.get_docstring(definition) or ""
        source, hidden = "\n".join(lines), cell.tag == "hidden"
        yield Test(definition.name, description, source, hidden, points, cell)


def _read_points(prompt: Cell, tests: int) -> list[float]:
    points = [] if prompt.points is None and tests == 0 else prompt.points
    numbers = isinstance(points, list) and all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < 1000
        for number in points
    )
    if not numbers or len(points) != tests:
        problem = f"points={points!r} does not give one positive number to each of {tests} tests."
        raise prompt.refuse(problem, "List them in the tests' order, public tests first.")
    return list(points)


def _read_answers(cells: tuple[Cell, ...], tag: str) -> Iterator[Answer]:
    for cell in cells:
        if cell.tag == tag:
            for definition in _definitions(cell, f"{tag} answers", helpers=True):
                yield Answer(definition.name, ast.get_docstring(definition) or "", cell)


def _definitions(cell: Cell, what: str, helpers: bool = False) -> Iterator[Definition]:
    """Yield the functions of a cell that may hold nothing else, helpers such as ``_mean`` apart."""
    if cell.kind != "code":
        raise cell.refuse(f"a {cell.tag} cell of markdown.", "Make it a code cell.")
    for statement in cell.parse().body:
        if not isinstance(statement, Definition):
            line = cell.source.split("\n")[statement.lineno - 1].strip()
            remedy = "Move it inside the functions, which import and define what they need."
            raise cell.refuse(f"`{line}` among the {what}.", remedy)
        if not (helpers and statement.name.startswith("_")):
            yield statement
