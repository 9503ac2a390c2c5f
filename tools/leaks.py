"""The last look at what students get: nothing but what the source shows them, and nothing secret.

Two nets, since either alone has holes. Everything in the student's folder must be accounted for: each
cell and each test must be one that the source shows to students, read here without Otter's help. And no
file may name a hidden test or a listed answer, or hold what was taken out of a solution, even where the
author wrote it: no whole passage anywhere, and no single line in prose, comments, strings or tests. A
line may stand as code in a cell: there the course needs it, and the author chose to show it.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.error import BuildError
from tools.marks import placeholders, secret_passages, shown_lines
from tools.master import (
    WRITTEN_PROMPT,
    ascii_source,
    prompt_text,
    quoted,
    stretch_text,
    with_machinery,
)
from tools.source import Cell, Notebook, Question, Stretch

_MARK = re.compile(r"# ?(BEGIN |END )?SOLUTION")
_REMEDY = "Nothing was written. See what reaches the students there, and correct source or build."

# Characters besides white space. Code that is shorter may well stand elsewhere by chance.
TELLING_PASSAGE = 40
_TELLING_LINE = 19  # actions.mean(dim=0)

_LEAD = re.compile(r"^(return\b|yield\b|assert\b|[\w.,\[\] ]+(:[^=]+)?[-+*/@%&|]{0,2}=(?!=))")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def check_student_folder(folder: Path, notebooks: Iterable[Notebook]) -> None:
    """Refuse a student's folder with anything in it that students should not get.

    Args:
        folder: The generated ``notebooks``.
        notebooks: The source of everything in it.

    Raises:
        BuildError: At the first leak, naming the file and what leaks.
    """
    notebooks = tuple(notebooks)
    _check_files(folder, notebooks)
    for notebook in notebooks:
        _check_cells(folder / f"{notebook.name}.ipynb", notebook)
        for question in notebook.questions:
            if not question.written:
                _check_tests(folder / "tests" / notebook.name / f"{question.name}.py", question)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        _check_secrets(path, notebooks)
        _check_lines(path, notebooks)


def _check_files(folder: Path, notebooks: tuple[Notebook, ...]) -> None:
    expected = {f"{notebook.name}.ipynb" for notebook in notebooks} | {
        f"tests/{notebook.name}/{question.name}.py"
        for notebook in notebooks
        for question in notebook.questions
        if not question.written
    }
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in sorted(expected ^ found):
        problem = "students would get this file." if name in found else "this file is missing."
        raise BuildError(f"notebooks/{name}", problem, _REMEDY)


def _check_cells(path: Path, notebook: Notebook) -> None:
    document = nbformat.read(path, as_version=4)
    expected = list(_expected(notebook))
    if len(document.cells) != len(expected):
        problem = f"{len(document.cells)} cells, where the source makes {len(expected)}."
        raise BuildError(path.name, problem, _REMEDY)
    for cell, wanted in zip(document.cells, expected, strict=True):
        if cell.get("outputs") or cell.get("execution_count") or cell.get("attachments"):
            raise _leak(path, cell, "carries outputs")
        if set(cell.metadata) - {"tags", "editable", "deletable"}:
            raise _leak(path, cell, "carries metadata of an unknown kind")
        shown = _shows_no_more(cell, wanted) if isinstance(wanted, Cell) else cell.source == wanted
        if not shown:
            raise _leak(path, cell, "is not what the source shows to students")


def _expected(notebook: Notebook) -> Iterator[str | Cell]:
    """Yield the text of each cell that students should get, or the solution that it was made from."""
    for part in with_machinery(notebook):
        if isinstance(part, Question):
            yield prompt_text(part)
            yield _handed_out(part.solution)
            if not part.written:
                yield f'grader.check("{part.name}")'
        elif isinstance(part, Stretch):
            yield stretch_text(part)
            yield from map(_handed_out, part.solution)
        else:
            yield part.source


def _handed_out(solution: Cell) -> str | Cell:
    return WRITTEN_PROMPT if solution.kind == "markdown" else solution


def _shows_no_more(cell: NotebookNode, solution: Cell) -> bool:
    """Return whether each line is one that the solution shows, or a ``...`` for one that it hides."""
    shown, dots = shown_lines(solution), {squeeze(line) for line in placeholders(solution)}
    return all(line in shown or squeeze(line) in dots for line in cell.source.split("\n"))


def _check_tests(path: Path, question: Question) -> None:
    text, expected = path.read_text(encoding="utf-8"), _test_file(question)
    if squeeze(text) != squeeze(expected):
        raise BuildError(path.name, "it is more than the question's public tests.", _REMEDY)


def _test_file(question: Question) -> str:
    """Return what Otter's template makes of the public tests, up to white space."""
    points = [test.points for test in question.public]
    head = f'from otter.test_files import test_case OK_FORMAT = False name = "{question.name}"'
    tests = (
        f'@test_case(points=None, hidden=False, failure_message="{quoted(test.description)}")'
        + ascii_source(test)
        for test in question.public
    )
    return f"{head} points = {points} {' '.join(tests)}"


def _check_secrets(path: Path, notebooks: tuple[Notebook, ...]) -> None:
    text = _plain_text(path)
    if _MARK.search(text):
        raise BuildError(path.name, "a mark of a solution is left in it.", _REMEDY)
    squeezed = squeeze(text)
    for notebook in notebooks:
        for secret, what in _secrets(notebook):
            if squeeze(secret) in squeezed:
                raise BuildError(path.name, f"it gives away {what}: `{secret}`.", _REMEDY)


def _plain_text(path: Path) -> str:
    """Return a file's text as a reader sees it, not as JSON escapes it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _secrets(notebook: Notebook) -> Iterator[tuple[str, str]]:
    for question in notebook.questions:
        for test in question.hidden:
            yield test.name, f"a hidden test of question {question.name}"
        for answer in question.wrong + question.right:
            yield answer.name, f"a {answer.cell.tag} answer of question {question.name}"
    for solution, name in solutions(notebook):
        written = solution.kind == "markdown"
        for passage in [solution.source] if written else secret_passages(solution):
            if len(squeeze(passage)) >= TELLING_PASSAGE:
                yield passage, f"the solution of {name}"


def solutions(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    """Yield every cell that students do not get as it stands, with the name of what it solves."""
    for part in notebook.parts:
        if isinstance(part, Question):
            yield part.solution, f"question {part.name}"
        elif isinstance(part, Stretch):
            for cell in part.solution:
                yield cell, f"stretch goal {part.name}"


def _check_lines(path: Path, notebooks: tuple[Notebook, ...]) -> None:
    """Refuse a single line of a solution where a student would read it as a hint."""
    solved = [solution for notebook in notebooks for solution in solutions(notebook)]
    lines = [(line, name) for solution, name in solved for line in telling_lines(solution)]
    for place, text in _places(path):
        squeezed = squeeze(text)
        for line, name in lines:
            if squeeze(line) in squeezed:
                problem = f"{place} gives away a line of the solution of {name}"
                raise BuildError(path.name, f"{problem}: `{line}`.", _REMEDY)


def telling_lines(solution: Cell) -> Iterator[str]:
    """Yield each secret line, or sentence, that is long enough to be no accident."""
    if solution.kind == "markdown":
        lines = _SENTENCE_END.split(solution.source)
        yield from (line for line in lines if len(squeeze(line)) >= TELLING_PASSAGE)
        return
    for line in "\n".join(secret_passages(solution)).split("\n"):
        code = line.strip().partition("  #")[0].strip("#, ")
        # The head of a block says little: `with torch.no_grad():` stands everywhere.
        enough = TELLING_PASSAGE if code.endswith(":") else _TELLING_LINE
        value = _LEAD.sub("", code).strip()
        yield from (text for text in (value, code) if len(squeeze(text)) >= enough)


def _places(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what students read in a file, with its place: all but the code of a notebook's cells."""
    if path.suffix != ".ipynb":
        yield "it", path.read_text(encoding="utf-8")
        return
    for cell in nbformat.read(path, as_version=4).cells:
        text = comments_and_strings(cell.source) if cell.cell_type == "code" else cell.source
        yield _cell_name(cell), text


def comments_and_strings(source: str) -> str:
    """Return what a program says in words."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    constants = (
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)
    )
    return "\n".join(comments + [value for value in constants if isinstance(value, str)])


def squeeze(text: str) -> str:
    """Return a text without white space."""
    return re.sub(r"\s+", "", text)


def _leak(path: Path, cell: NotebookNode, fault: str) -> BuildError:
    return BuildError(path.name, f"{_cell_name(cell)} {fault}.", _REMEDY)


def _cell_name(cell: NotebookNode) -> str:
    first_line = cell.source.split("\n")[0]
    return f"cell {cell.id} `{first_line}`"
