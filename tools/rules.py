"""What every question of the course must hold: the refusals that need more than one cell to see."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.error import BuildError
from tools.marks import blank, check_marks
from tools.source import Answer, Cell, Notebook, Question, Stretch, Test, read_notebook

# Cell ids are "<notebook>-<nn>", and nbformat allows 64 characters of this alphabet.
_NOTEBOOK_NAME = re.compile(r"\d\d_[a-z0-9_]{1,50}")

_OTTERS_NAMES = {"grader", "otter"}


def read_course(source: Path) -> tuple[Notebook, ...]:
    """Read every ``NN_name.py`` of a folder and hold it to the rules.

    Raises:
        BuildError: At the first thing that cannot be built, naming file, question and cell.
    """
    paths = sorted(source.glob("*.py"))
    if not paths:
        raise BuildError(source.name, "there is no notebook.", "Write a script NN_name.py there.")
    notebooks = tuple(read_notebook(path) for path in paths)
    for notebook in notebooks:
        _check_notebook(notebook)
    _check_course(notebooks)
    return notebooks


def _check_notebook(notebook: Notebook) -> None:
    if not _NOTEBOOK_NAME.fullmatch(notebook.name):
        remedy = "Call it NN_name.py: two digits, lower-case letters, digits and underscores."
        raise BuildError(notebook.path.name, "this is no name for a notebook.", remedy)
    for part in notebook.parts:
        if isinstance(part, Question):
            _check_question(part)
        elif isinstance(part, Stretch):
            _check_stretch(part)
        else:
            check_marks(part)
            if part.kind == "code":
                _check_names(part)
    _check_variant(notebook)
    _check_parameters(notebook)


def _check_names(cell: Cell) -> None:
    for name in sorted(_top_level_names(cell.parse()) & _OTTERS_NAMES):
        problem = f"the cell takes the name `{name}`, which the check cells need."
        raise cell.refuse(problem, "Choose another name.")


def _check_question(question: Question) -> None:
    check_marks(question.prompt)
    check_marks(question.solution)
    if question.written:
        _check_written(question)
        return
    _check_solution(question)
    for needed, found in (
        ("public test", question.public),
        ("hidden test", question.hidden),
        ("wrong answer", question.wrong),
    ):
        if not found:
            problem = f"the question has no {needed}."
            raise question.prompt.refuse(
                problem, f"Write one in a cell tagged {needed.split()[0]}."
            )
    for test in question.tests:
        _check_test(question, test)
    if [test.hidden for test in question.tests] != sorted(test.hidden for test in question.tests):
        problem = "a hidden test stands before a public one."
        raise question.prompt.refuse(
            problem, "Write the public tests first: Otter mixes up points."
        )
    for answer in question.wrong + question.right:
        _check_answer(question, answer)


def _check_written(question: Question) -> None:
    if question.tests or question.wrong or question.right:
        problem = "a written question has tests or listed answers."
        raise question.prompt.refuse(problem, "Take them out, or make the solution a code cell.")


def _check_solution(question: Question) -> None:
    solution = question.solution
    _check_names(solution)
    if question.name not in _top_level_names(solution.parse()):
        problem = f"the solution does not define `{question.name}`."
        raise solution.refuse(problem, "A question is named after the function that it asks for.")
    if question.name not in _top_level_names(_parse_blank(solution)):
        problem = f"without its solution the cell no longer defines `{question.name}`."
        raise solution.refuse(problem, "Leave the `def` or `class` line to the students.")


def _parse_blank(solution: Cell) -> ast.Module:
    try:
        return ast.parse(blank(solution))
    except SyntaxError as error:
        problem = f"without its solution the cell is no Python (line {error.lineno})."
        remedy = "Mark whole statements; put # BEGIN SOLUTION and # END SOLUTION around long ones."
        raise solution.refuse(problem, remedy) from None


def _check_stretch(stretch: Stretch) -> None:
    check_marks(stretch.prompt)
    for cell in stretch.solution:
        check_marks(cell)
        if cell.kind == "code":
            _check_names(cell)
            if not _parse_blank(cell).body:
                problem = "without its solution the cell does nothing."
                raise cell.refuse(problem, "Leave students a `...`: take `NO PROMPT` out.")


def _check_test(question: Question, test: Test) -> None:
    check_marks(test.cell)
    prefix = f"test_{question.name}_"
    if not test.name.startswith(prefix) or test.name == prefix:
        remedy = f"Call it {prefix}<what it finds>."
        raise test.cell.refuse(f"`{test.name}` is no name for a test here.", remedy)
    if not test.description:
        remedy = "Write the one sentence that a student reads when it fails."
        raise test.cell.refuse(f"`{test.name}` has no docstring.", remedy)
    arguments = test.function.args
    plain = [argument.arg for argument in arguments.args]
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
        problem = f"`{test.name}` has parameters that are not plain names."
        raise test.cell.refuse(problem, "Take the graded function, and others, by their names.")
    if question.name not in plain:
        problem = f"`{test.name}` does not take `{question.name}`."
        raise test.cell.refuse(problem, "Take the graded function as a parameter.")


def _check_variant(notebook: Notebook) -> None:
    """Refuse a second variant cell, and a cell that gives a student's constant another value."""
    variants = [cell for cell in notebook.cells if cell.constants]
    for cell in variants[1:]:
        raise cell.refuse("a second variant cell.", "Put all of a notebook's constants into one.")
    names = {constant.name for cell in variants for constant in cell.constants}
    for cell in notebook.cells:
        if cell.kind == "code" and not cell.constants:
            for name in sorted(_top_level_names(cell.parse()) & names):
                problem = f"the cell takes the name `{name}`, which is a constant of the variant."
                raise cell.refuse(problem, "Choose another name.")


def _check_parameters(notebook: Notebook) -> None:
    """Refuse parameters that no cell defines: Otter would pass None for them."""
    known = {
        name
        for cell in notebook.cells
        if cell.kind == "code" and cell.tag != "train"
        for name in _top_level_names(cell.parse())
    }
    for question in notebook.questions:
        for test in question.tests:
            for parameter in (argument.arg for argument in test.function.args.args):
                if parameter == "env" or parameter not in known:
                    problem = f"`{test.name}` takes `{parameter}`, which no cell defines."
                    remedy = "Import it inside the test, or define it in a cell without `train`."
                    raise test.cell.refuse(problem, remedy)


def _check_answer(question: Question, answer: Answer) -> None:
    check_marks(answer.cell)
    prefix = f"{question.name}__"
    if not answer.name.startswith(prefix) or answer.name == prefix:
        problem = f"`{answer.name}` is no name for a {answer.cell.tag} answer."
        remedy = f"Call it {prefix}<what it does>; names of helpers begin with an underscore."
        raise answer.cell.refuse(problem, remedy)
    if answer.cell.tag == "wrong" and not answer.hint:
        problem = f"`{answer.name}` has no docstring."
        raise answer.cell.refuse(problem, "Write the hint that a student with this answer reads.")


def _check_course(notebooks: tuple[Notebook, ...]) -> None:
    questions = [question for notebook in notebooks for question in notebook.questions]
    _check_unique("questions", ((question.name, question.prompt) for question in questions))
    tests = ((test.name, test.cell) for question in questions for test in question.tests)
    _check_unique("tests", tests)
    answers = (
        (answer.name, answer.cell)
        for question in questions
        for answer in question.wrong + question.right
    )
    _check_unique("answers", answers)


def _check_unique(what: str, named_cells: Iterable[tuple[str, Cell]]) -> None:
    first: dict[str, Cell] = {}
    for name, cell in named_cells:
        key = name.casefold()  # names become files, and some file systems do not tell A from a
        if key in first:
            problem = f"two {what} are called `{name}`; the other is in {first[key].where}."
            raise cell.refuse(problem, "Rename one: names are unique in the whole course.")
        first[key] = cell


def _top_level_names(tree: ast.Module) -> set[str]:
    return {name for statement in tree.body for name in _bound_names(statement)}


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
