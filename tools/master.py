"""From a notebook of the dialect to the notebook that ``otter assign`` takes.

Cells carry a note in their metadata, ``imitation_lab``, that survives Otter and tells ``tools.write``
which cell is which. The cells around the questions are written here rather than by Otter: all notebooks
share a folder, so each needs its own folder of tests, and Otter's words assume a PDF.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from tools import doors
from tools.marks import blank
from tools.source import Cell, Notebook, Question, Stretch, Test

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NOTE = "imitation_lab"
TRAIN_TAGS = ["train", "otter_ignore"]  # Otter's graders leave out cells with its tag
WRITTEN_PROMPT = "_Type your answer here, replacing this text._"  # Otter's own words
_LOCKED = {"editable": False, "deletable": False}

# Where the check cells find their tests, from the folder of the notebook.
STUDENT_TESTS = 'checks = Path("tests/'
INSTRUCTOR_TESTS = 'checks = Path("../autograder/tests/'

_OPENING = """\
# Run this cell first: the check cells below need it.
{system}from pathlib import Path

{set_up}try:
    import otter

    from imitation_lab.doctor import look_around, look_into_zip
except ImportError as missing:
    raise ImportError(
        f"{{missing}}. This kernel does not have the course, or an older one. Close Jupyter. In the "
        "course's folder, say: python3 course.py lab."{no_set_up}
    ) from None

checks = Path("tests/{name}")
look_around("{name}", checks)
grader = otter.Notebook("{name}.ipynb", tests_dir=str(checks))"""

_CLOSING = """\
## Check everything, and hand in

The next cell repeats all checks of this notebook. The one after it saves the notebook and packs it into
a zip file, `{name}_<date>.zip`, in the folder of this notebook. Hand in that file.

- Keep the name of this notebook. The cell packs the file called `{name}.ipynb`, and then tells which
  answers it found in the zip.
- What is packed is what was saved. If a warning says that the notebook could not be saved, save it
  yourself (Ctrl+S, on a Mac Cmd+S) and run the cell again. If the warning stays, the open notebook has
  another name: give it back its old one.
- Cells that train or draw are not run when your work is graded. Put imports and helpers that your
  answers need into the cells of the answers.
- Hidden tests are run after you hand in. They look more closely than the checks here."""

_CHECK_ALL = "grader.check_all()"
_EXPORT = """\
grader.export(pdf=False, force_save=True, ignore_log=True{files})
look_into_zip("{name}")"""
_EXPORT_OR_COLAB = """\
if "google.colab" in sys.modules:
    print("On Colab, hand in the notebook itself: File > Download > Download .ipynb.")
else:
    grader.export(pdf=False, force_save=True, ignore_log=True{files})
    look_into_zip("{name}")"""
_MADE = """\
made = [name for name in {packs} if Path(name).exists()]
"""


def make_master(notebook: Notebook) -> NotebookNode:
    """Return the master notebook, in the cells that Otter documents."""
    cells = [new_raw_cell("# ASSIGNMENT CONFIG\nconfig_file: otter.yml")]
    for part in with_machinery(notebook):
        if isinstance(part, Question):
            cells.extend(_question(part))
        elif isinstance(part, Stretch):
            cells.extend(_stretch(part))
        elif isinstance(part, Cell):
            cells.append(_ordinary(part))
        else:
            cells.append(part)
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def with_machinery(notebook: Notebook) -> Iterator[Cell | Question | Stretch | NotebookNode]:
    """Yield the notebook's parts between the cells that start Otter and hand the work in."""
    opening = new_code_cell(_opening(notebook), metadata=dict(_LOCKED))
    first, *others = notebook.parts
    if isinstance(first, Cell) and first.kind == "markdown":
        yield from (_with_buttons(first, notebook), opening)
    else:
        yield from (opening, first)
    yield from others
    yield new_markdown_cell(_CLOSING.format(name=notebook.name), metadata=dict(_LOCKED))
    yield new_code_cell(_CHECK_ALL, metadata=dict(_LOCKED))
    yield new_code_cell(_export(notebook), metadata=dict(_LOCKED))


def _export(notebook: Notebook) -> str:
    export = _EXPORT_OR_COLAB if doors.address() else _EXPORT
    made = _MADE.format(packs=json.dumps(notebook.packs)) if notebook.packs else ""
    return made + export.format(name=notebook.name, files=", files=made" if made else "")


def _opening(notebook: Notebook) -> str:
    address = doors.address()
    return _OPENING.format(
        name=notebook.name,
        system="import sys\n" if address else "",
        set_up=doors.SET_UP.format(address=address) + "\n" if address else "",
        no_set_up="" if address else doors.NO_SET_UP,
    )


def _with_buttons(title: Cell, notebook: Notebook) -> Cell:
    buttons = doors.buttons(notebook.name)
    return replace(title, source=f"{title.source}\n\n{buttons}") if buttons else title


def prompt_text(question: Question) -> str:
    """Return the prompt as students read it, with a last line that says how it is graded."""
    points = f"{sum(test.points for test in question.tests):g}"
    hidden = f"{sum(test.points for test in question.hidden):g}"
    if question.written:
        line = "*No machine grades this answer. Your instructor reads it.*"
    else:
        unit = "point" if points == "1" else "points"
        line = f"*{points} {unit}, {hidden} of them for hidden tests.*"
    return f"{question.prompt.source}\n\n{line}"


def stretch_text(stretch: Stretch) -> str:
    """Return the prompt of a stretch goal as students read it, with a last line that leaves it open."""
    return f"{stretch.prompt.source}\n\n*Not graded, and nothing further on needs it.*"


def _ordinary(cell: Cell) -> NotebookNode:
    variant = {"variant": True} if cell.constants else {}
    return _new_cell(cell, {"run": cell.tag != "train", **variant})


def _stretch(stretch: Stretch) -> Iterator[NotebookNode]:
    """Yield the cells of a stretch goal, solved, with a note of what students get in their place.

    Otter strips solutions inside of questions only, and a question of Otter's is graded. To it these
    are ordinary cells that are not run, and ``tools.write`` puts the students' text into their notebook.
    """
    yield new_markdown_cell(stretch_text(stretch))
    for cell in stretch.solution:
        text = blank(cell) if cell.kind == "code" else WRITTEN_PROMPT
        yield _new_cell(cell, {"run": False, "student": text})


def _new_cell(cell: Cell, note: dict[str, Any]) -> NotebookNode:
    metadata: dict[str, Any] = {NOTE: note}
    if cell.kind == "markdown":
        return new_markdown_cell(cell.source, metadata=metadata)
    if not note["run"]:
        metadata["tags"] = list(TRAIN_TAGS)
    return new_code_cell(cell.source, metadata=metadata)


def _question(question: Question) -> Iterator[NotebookNode]:
    note = {NOTE: {"run": True, "question": question.name}}
    new_answer = new_markdown_cell if question.written else new_code_cell
    yield _boundary("BEGIN QUESTION", **_configuration(question))
    yield new_markdown_cell(prompt_text(question), metadata={NOTE: {"prompt": question.name}})
    yield _boundary("BEGIN SOLUTION")
    yield new_answer(question.solution.source, metadata=note)
    yield _boundary("END SOLUTION")
    if question.tests:
        yield _boundary("BEGIN TESTS")
        yield from map(_test, question.tests)
        yield _boundary("END TESTS")
    yield _boundary("END QUESTION")


def _configuration(question: Question) -> dict[str, Any]:
    if question.written:
        return {"name": question.name, "manual": True, "points": 0}
    return {"name": question.name, "points": [test.points for test in question.tests]}


def _boundary(mark: str, **configuration: Any) -> NotebookNode:
    # JSON is YAML that needs no thought about quotes, or about names such as `on` and `null`
    lines = [f"{key}: {json.dumps(value)}" for key, value in configuration.items()]
    return new_raw_cell("\n".join([f"# {mark}", *lines]))


def _test(test: Test) -> NotebookNode:
    lines = [
        '""" # BEGIN TEST CONFIG',
        f"hidden: {json.dumps(test.hidden)}",
        f"failure_message: {json.dumps(quoted(test.description))}",
        '""" # END TEST CONFIG',
        ascii_source(test),
    ]
    return new_code_cell("\n".join(lines))


def quoted(text: str) -> str:
    """Escape a text for Otter, which pastes it unescaped between two double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return escaped.encode("ascii", "backslashreplace").decode()


def guard(test: Test) -> str:
    """Return the test with a first line that notices an answer whose cell was not run.

    Graders pass None for a name that is not defined.
    """
    lines = test.source.split("\n")
    function = test.function
    docstring = function.body[0]
    checks = [
        f'    assert {name} is not None, "{name} is not defined yet: run the cell with your answer."'
        for name in (argument.arg for argument in function.args.args)
    ]
    return "\n".join([*lines[: docstring.end_lineno], *checks, *lines[docstring.end_lineno :]])


def ascii_source(test: Test) -> str:
    """Return the test with escapes for letters beyond ASCII.

    Otter reads and writes test files in the machine's own encoding, which on Windows is not UTF-8.

    Raises:
        BuildError: If a letter beyond ASCII stands outside an ordinary string.
    """
    guarded = guard(test)
    source = guarded.encode("ascii", "backslashreplace").decode()
    try:
        same = ast.dump(ast.parse(source)) == ast.dump(ast.parse(guarded))
    except SyntaxError:
        same = False
    if not same:
        problem = f"`{test.name}` has letters beyond ASCII in a name or a raw string."
        raise test.cell.refuse(problem, "Keep them to ordinary strings and comments.")
    return source
