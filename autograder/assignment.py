"""What the build wrote for the grader: the pristine cells, the questions and their tests."""

import ast
import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.variants import Constant, Variant

TESTS = Path(__file__).parent / "tests"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCHEMA = 2


class AssignmentError(Exception):
    """The assignment's files are missing or contradict each other."""


@dataclass(frozen=True)
class PristineCell:
    """A code cell as the student received it.

    Attributes:
        id: Its id in the notebook.
        source: Its text.
        run: Whether the grader runs it. Training and Otter's own cells are skipped.
        question: The question that it answers, if it does.
    """

    id: str
    source: str
    run: bool
    question: str | None


@dataclass(frozen=True)
class Test:
    """One test of a question.

    Attributes:
        name: The name of its function.
        description: The sentence that students read.
        hidden: Whether students have it not.
        points: What it is worth.
        function: The test itself, which fails by raising.
        parameters: The names that it asks of the submission.
    """

    __test__ = False  # no test of pytest's

    name: str
    description: str
    hidden: bool
    points: float
    function: Callable[..., None]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class WrongAnswer:
    """A misconception: a function that is wrong in a way that has a name."""

    name: str
    hint: str
    source: str


@dataclass(frozen=True)
class Question:
    """One question. A written one has no tests, and is graded by a person."""

    name: str
    title: str
    written: bool
    cell: str
    tests: tuple[Test, ...]
    wrong: tuple[WrongAnswer, ...]

    @property
    def points(self) -> float:
        """The most that its tests give."""
        return sum(test.points for test in self.tests)


@dataclass(frozen=True)
class Assignment:
    """One notebook's questions and pristine cells.

    Attributes:
        notebook: Its name.
        title: Its title.
        cells: Its code cells.
        questions: Its questions, in order.
        withheld: The library's files that answer this notebook or a later one, and those that cannot be
            imported without these: no submission sees them.
        texts: Its markdown cells, as far as the student's notebook lies beside the assignment.
        variant: The constants that may differ between students, if there are any.
    """

    notebook: str
    title: str
    cells: tuple[PristineCell, ...]
    questions: tuple[Question, ...]
    withheld: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    variant: Variant | None = None

    @cached_property
    def points(self) -> float:
        """The most that a submission can have."""
        return sum(question.points for question in self.questions)

    @cached_property
    def graded(self) -> tuple[Question, ...]:
        """The questions that have tests."""
        return tuple(question for question in self.questions if not question.written)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Every name that some test asks for."""
        tests = [test for question in self.questions for test in question.tests]
        return tuple(sorted({name for test in tests for name in test.parameters}))


def derive_seed(*parts: object) -> int:
    """Return 62 bits that depend on all parts and tell nothing about them."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def load_assignments(folder: Path = TESTS) -> dict[str, Assignment]:
    """Load every assignment in ``folder``, by the notebook's name."""
    assignments = [
        load_assignment(path.parent) for path in sorted(folder.glob("*/assignment.json"))
    ]
    if not assignments:
        raise AssignmentError(f"{folder} holds no assignment: run `python3 course.py build` first.")
    return {assignment.notebook: assignment for assignment in assignments}


def read_tests(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder of assignments that a judge reads, by their paths in it."""
    paths = sorted([*folder.glob("*/assignment.json"), *folder.glob("*/*.py")])
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def load_assignment(folder: Path) -> Assignment:
    """Load one assignment, its tests included.

    Raises:
        AssignmentError: If the files contradict each other, or have another schema.
    """
    data = json.loads((folder / "assignment.json").read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise AssignmentError(
            f"{folder / 'assignment.json'} has schema {data.get('schema')}, expected {SCHEMA}: "
            "run `python3 course.py build`."
        )
    return Assignment(
        notebook=data["notebook"],
        title=data["title"],
        cells=tuple(
            PristineCell(cell["id"], cell["source"], cell["run"], cell["question"])
            for cell in data["cells"]
        ),
        questions=tuple(_load_question(folder, question) for question in data["questions"]),
        withheld=frozenset(data["withheld"]),
        texts=_load_texts(NOTEBOOKS / f"{data['notebook']}.ipynb"),
        variant=_load_variant(data.get("variant")),
    )


def _load_variant(data: dict[str, Any] | None) -> Variant | None:
    if data is None:
        return None
    return Variant(data["cell"], tuple(map(Constant.from_json, data["constants"])))


def _load_texts(path: Path) -> tuple[str, ...]:
    """Return what the course wrote in a notebook, so that no student is taken for its author."""
    if not path.exists():
        return ()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return tuple("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _load_question(folder: Path, data: dict[str, Any]) -> Question:
    path = folder / f"{data['name']}.py"
    functions = {} if data["written"] else load_test_functions(path)
    named = [test["name"] for test in data["tests"]]
    if sorted(functions) != sorted(named):
        raise AssignmentError(
            f"{path} defines {sorted(functions)}, but assignment.json names {sorted(named)}: "
            "run `python3 course.py build`."
        )
    return Question(
        name=data["name"],
        title=data["title"],
        written=data["written"],
        cell=data["cell"],
        tests=tuple(_make_test(test, functions[test["name"]]) for test in data["tests"]),
        wrong=tuple(
            WrongAnswer(wrong["name"], inspect.cleandoc(wrong["hint"]), wrong["source"])
            for wrong in data["wrong"]
        ),
    )


def _make_test(data: dict[str, Any], function: Callable[..., None]) -> Test:
    return Test(
        name=data["name"],
        description=" ".join(data["description"].split()),
        hidden=data["hidden"],
        points=data["points"],
        function=function,
        parameters=tuple(inspect.signature(function).parameters),
    )


def load_test_functions(path: Path) -> dict[str, Callable[..., None]]:
    """Run a test file of Otter's exception format and return its test cases by name.

    Otter itself is not loaded, which takes a second: its decorator is all that the file uses.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and node.module == "otter.test_files")
    ]
    found: dict[str, Callable[..., None]] = {}

    def test_case(**_: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
        def keep(function: Callable[..., None]) -> Callable[..., None]:
            found[function.__name__] = function
            return function

        return keep

    # A module's name that cannot be imported: functions then cross the wall by value.
    namespace = {"__name__": "<tests>", "test_case": test_case}
    exec(compile(tree, f"<tests of {path.stem}>", "exec"), namespace)
    return found
