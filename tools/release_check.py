"""The last look at a release: whatever students must not have yet is searched for in every file.

``tools.leaks`` holds the folder ``notebooks`` against the source. Here the rest of a release is searched
too, above all the library, and for the secrets of the whole course, later notebooks included. A secret
is looked for in three ways, since each of them can be got around:

- as text, without white space and comments: names of hidden tests and of listed answers, whole passages
  of solutions, sentences of written answers and of hints;
- as a syntax tree in which every variable has another name: the same statements in the same order;
- as a name: a function of the library that is called as a question that is still due.
"""

import ast
import io
import json
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tools.leaks import (
    TELLING_PASSAGE,
    comments_and_strings,
    solutions,
    squeeze,
    telling_lines,
)
from tools.marks import secret_passages, split_solution
from tools.source import Answer, Notebook, Question

# Nodes of a syntax tree. What is smaller stands elsewhere by chance: `return a.mean(dim=0)` has 8.
TELLING_STATEMENTS = 12
TELLING_EXPRESSION = 18

# What the library cannot do without, and why that is no reason to hold a notebook back.
KNOWN = {
    ("imitation_lab/controller.py", "RecedingHorizon"): (
        "Policies with chunks play them from notebook 01 on, and notebook 06 itself shows where it is."
    ),
    ("imitation_lab/corrections.py", "aggregate"): (
        "Whoever trains on corrections joins two tables, and there are no two ways to do so."
    ),
    ("imitation_lab/widgets/timeline_scripted.py", "rtc_sample"): (
        "One line: the widget's scripted chunks keep what is already being played, as its picture shows."
    ),
}

_UNNAMED = {ast.Name: "id", ast.arg: "arg", ast.FunctionDef: "name", ast.ClassDef: "name"}
_IGNORED = {"annotation", "returns", "type_comment", "kind", "ctx", "decorator_list", "type_params"}
_BODIES = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Secret:
    """Something that students must not find.

    Attributes:
        notebook: The notebook whose secret it is.
        what: What it is, for messages.
        places: Files of a release that may hold it.
    """

    notebook: str
    what: str
    places: frozenset[str]


@dataclass(frozen=True)
class Secrets:
    """The secrets of a course, by what is searched for.

    Attributes:
        texts: By text without white space and comments.
        hints: By single lines, which matter where they are read as words.
        trees: By the kinds of some statements, then by their tree without names.
        names: By the name of a function that a question which is due asks for.
    """

    texts: dict[str, Secret] = field(default_factory=dict)
    hints: dict[str, Secret] = field(default_factory=dict)
    trees: dict[tuple[str, ...], dict[str, Secret]] = field(default_factory=dict)
    names: dict[str, Secret] = field(default_factory=dict)


def find_leaks(folder: Path, secrets: Secrets) -> list[str]:
    """Return what a release gives away, each with its place; an empty list if nothing.

    Args:
        folder: The release. What begins with a dot is left out.
        secrets: What must not be in it.
    """
    found: dict[str, None] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if not name.parts[0].startswith("."):
            found |= dict.fromkeys(_leaks_of(path, name.as_posix(), secrets))
    return list(found)


def secrets_of(notebooks: Iterable[Notebook], last: Notebook) -> Secrets:
    """Return what a release must not hold.

    Args:
        notebooks: The whole course.
        last: The last notebook that is released. It is still due, and so are those that follow.
    """
    secrets = Secrets()
    for notebook in notebooks:
        for question in notebook.questions:
            _collect_names(secrets, notebook, question, last)
            if not question.written:
                _collect_trees(secrets, notebook, question, last)
        for solution, name in solutions(notebook):
            question_name = name.split()[-1]
            secret = _secret(notebook, question_name, f"the solution of {name}", last)
            if solution.kind == "code":
                _add_texts(secrets, map(_code_text, secret_passages(solution)), secret)
            lines = (squeeze(line) for line in telling_lines(solution))
            secrets.hints.update(dict.fromkeys(lines, secret))
    return secrets


def _secret(notebook: Notebook, question: str, what: str, last: Notebook) -> Secret:
    places = {path for path, name in KNOWN if name == question}
    if (
        notebook.name < last.name
    ):  # over: the library may answer it where the notebook's header says
        places |= {f"imitation_lab/{name.replace('.', '/')}.py" for name in notebook.answers}
    return Secret(notebook.name, what, frozenset(places))


def _collect_names(
    secrets: Secrets, notebook: Notebook, question: Question, last: Notebook
) -> None:
    name = question.name
    for test in question.tests if notebook.name > last.name else question.hidden:
        what = f"a test of question {name} that students do not have"
        secrets.texts[test.name] = _secret(notebook, name, what, last)
    for answer in question.wrong + question.right:
        secret = _secret(notebook, name, f"a {answer.cell.tag} answer of question {name}", last)
        secrets.texts[answer.name] = secret
        if answer.cell.tag == "wrong":
            _add_texts(secrets, [squeeze(answer.hint)], secret)
    if notebook.name >= last.name and not question.written:
        what = f"an answer to question {name}, which is still due"
        secrets.names[name] = _secret(notebook, name, what, last)


def _add_texts(secrets: Secrets, texts: Iterable[str], secret: Secret) -> None:
    secrets.texts.update({text: secret for text in texts if len(text) >= TELLING_PASSAGE})


def _collect_trees(
    secrets: Secrets, notebook: Notebook, question: Question, last: Notebook
) -> None:
    name = question.name
    solution = _secret(notebook, name, f"the solution of question {name}", last)
    for run in _secret_statements(question):
        _add_tree(secrets, run, solution)
        for expression in (node for statement in run for node in _expressions(statement)):
            _add_tree(secrets, [expression], solution, TELLING_EXPRESSION)
    for answer in question.wrong + question.right:
        secret = _secret(notebook, name, f"a {answer.cell.tag} answer of question {name}", last)
        for body in _functions_of(answer):
            _add_tree(secrets, body, secret)
    for test in question.hidden:
        secret = _secret(notebook, name, f"a hidden test of question {name}", last)
        _add_tree(secrets, _without_docstring(test.function.body), secret)


def _add_tree(
    secrets: Secrets, nodes: Sequence[ast.AST], secret: Secret, enough: int = TELLING_STATEMENTS
) -> None:
    tree, size = without_names(nodes)
    if size >= enough:
        secrets.trees.setdefault(_kinds(nodes), {})[tree] = secret


def _secret_statements(question: Question) -> Iterator[list[ast.stmt]]:
    """Yield the runs of statements that the solution takes out."""
    lines = list(split_solution(question.solution))
    tree = ast.parse("\n".join(line for line, _ in lines))

    def is_secret(statement: ast.stmt) -> bool:
        return all(taken for _, taken in lines[statement.lineno - 1 : statement.end_lineno])

    for body in _bodies(tree):
        for taken, run in groupby(body, is_secret):
            if taken:
                yield list(run)


def _functions_of(answer: Answer) -> Iterator[list[ast.stmt]]:
    """Yield the bodies of an answer, or of the methods of one that is a class."""
    for definition in _parse(answer.cell.source).body:
        if getattr(definition, "name", "") == answer.name:
            for node in ast.walk(definition):
                if isinstance(node, ast.FunctionDef):
                    yield _without_docstring(node.body)


# Searching ---------------------------------------------------------------------------------------


def _leaks_of(path: Path, name: str, secrets: Secrets) -> Iterator[str]:
    for secret, place in _found(path, name, secrets):
        if name not in secret.places:
            yield f"{name}{place}: {secret.what} (notebook {secret.notebook})"


def _found(path: Path, name: str, secrets: Secrets) -> Iterator[tuple[Secret, str]]:
    """Yield the secrets in a file, and at which line as far as that is known."""
    programs, words = _read(path)
    text = "".join([*map(_code_text, programs), *map(squeeze, words)])
    yield from ((secret, "") for needle, secret in secrets.texts.items() if needle in text)
    said = "".join(map(squeeze, [*map(comments_and_strings, programs), *words]))
    yield from ((secret, "") for needle, secret in secrets.hints.items() if needle in said)
    for program in programs:
        for line, secret in _trees_in(program, secrets):
            # A line of a notebook's own may stand as code in its cells: the author chose to show it.
            if Path(name).stem != secret.notebook:
                yield secret, f", line {line}"
        if name.startswith("imitation_lab/"):
            yield from _answers_by_name(program, secrets)


def _answers_by_name(program: str, secrets: Secrets) -> Iterator[tuple[Secret, str]]:
    for node in ast.walk(_parse(program)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in secrets.names:
            yield secrets.names[node.name], f", line {node.lineno}"


def _trees_in(code: str, secrets: Secrets) -> Iterator[tuple[int, Secret]]:
    """Yield the lines of a program at which a secret stands, whatever its names."""
    lengths = {len(kinds) for kinds in secrets.trees}
    tree = _parse(code)
    windows: list[Sequence[ast.stmt | ast.expr]] = [
        body[start : start + length]
        for body in _bodies(tree)
        for length in lengths
        for start in range(len(body) - length + 1)
    ]
    windows += [[node] for node in ast.walk(tree) if isinstance(node, ast.expr)]
    for window in windows:
        trees = secrets.trees.get(_kinds(window), {})
        if trees and (secret := trees.get(without_names(window)[0])):
            yield window[0].lineno, secret


def _read(path: Path) -> tuple[list[str], list[str]]:
    """Return a file's programs, and its other text."""
    if path.suffix == ".py":
        return [path.read_text(encoding="utf-8")], []
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts: dict[str, list[str]] = {"code": [], "markdown": [], "raw": []}
        for cell in cells:
            texts[cell["cell_type"]].append("".join(cell["source"]))
        return texts["code"], texts["markdown"] + texts["raw"]
    if path.suffix == ".npz":
        with ZipFile(path) as archive:
            return [], [archive.read(name).decode("latin-1") for name in archive.namelist()]
    return [], [path.read_bytes().decode("utf-8", errors="replace")]


def _code_text(code: str) -> str:
    """Return a program, or a part of one, without white space and comments."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):  # a part that begins deep inside
        return squeeze("\n".join(line.partition("  #")[0] for line in code.split("\n")))
    return squeeze("".join(token.string for token in tokens if token.type != tokenize.COMMENT))


# Syntax trees ------------------------------------------------------------------------------------


def without_names(nodes: Sequence[ast.AST]) -> tuple[str, int]:
    """Return syntax trees as text, with numbers for names, and how many nodes they have.

    Two programs that differ in the names of variables, annotations and docstrings give the same.
    """
    parts: list[str] = []
    numbers: dict[str, int] = {}

    def write(value: object) -> int:
        if isinstance(value, list):
            parts.append("[")
            size = sum(write(item) for item in _without_docstring(value))
            parts.append("]")
            return size
        if not isinstance(value, ast.AST):
            parts.append(repr(value))
            return 0
        parts.append(type(value).__name__)
        size = 1
        for name, child in ast.iter_fields(value):
            if name == _UNNAMED.get(type(value)):
                parts.append(f"#{numbers.setdefault(child, len(numbers))}")
            elif name not in _IGNORED:
                size += write(child)
        return size

    size = sum(write(node) for node in nodes)
    return " ".join(parts), size


@lru_cache(maxsize=64)  # a cell holds many answers
def _parse(program: str) -> ast.Module:
    return ast.parse(program)


def _kinds(nodes: Sequence[ast.AST]) -> tuple[str, ...]:
    return tuple(type(node).__name__ for node in nodes)


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in _BODIES:
            body = getattr(node, name, None)
            if isinstance(body, list) and body:  # a lambda's is an expression
                yield _without_docstring(body)


def _without_docstring(body: list[Any]) -> list[Any]:
    match body:
        case [ast.Expr(ast.Constant(str())), *others]:
            return others
    return body


def _expressions(statement: ast.AST) -> Iterator[ast.expr]:
    """Yield what a statement, and those inside of it, compute."""
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt):
            for _, value in ast.iter_fields(node):
                if isinstance(value, ast.expr):
                    yield value
