"""Constants that differ from student to student, as a cell of a notebook declares them.

The cell carries the tag ``variant``. Each of its lines is an assignment, whose mark lists the values::

    SEED = 0  # of the demonstrations  # VARIANT 0..9999
    HAND_NOISE = 0.03  # m/s  # VARIANT 0.02, 0.03, 0.04

The first value is the course's own. Nobody but the author sees a mark: the cell's text is what is left.
"""

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from autograder.variants import Constant, Value

if TYPE_CHECKING:
    from tools.source import Cell

_MARK = re.compile(r"\s*# ?VARIANT\b(?P<values>.*)")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_LINE = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*) = (?P<value>[^#]*?)(?P<comment>\s*#.*)?")
_FORM = "Write `NAME = value  # what it is  # VARIANT 0..9999`, or values with commas between."


def read_variant(cell: "Cell") -> "Cell":
    """Return a cell with its constants, and without their marks.

    Raises:
        BuildError: If a line is not of the form above, if a name stands twice, or if the default is
            not one of the values.
    """
    if cell.kind != "code":
        raise cell.refuse("a variant cell of markdown.", "Constants are code: make it a code cell.")
    lines: list[str] = []
    constants: list[Constant] = []
    for line in cell.source.split("\n"):
        if line.strip() and not line.startswith("#"):
            shown, constant = _read_line(cell, line)
            if constant.name in {known.name for known in constants}:
                raise cell.refuse(f"`{constant.name}` stands there twice.", "Leave one.")
            constants.append(constant)
            line = shown
        lines.append(line)
    if not constants:
        raise cell.refuse("a variant cell without constants.", _FORM)
    return replace(cell, source="\n".join(lines), constants=tuple(constants))


def _read_line(cell: "Cell", line: str) -> tuple[str, Constant]:
    mark = _MARK.search(line)
    shown = line[: mark.start()] if mark else line
    parts = _LINE.fullmatch(shown)
    if not mark or not parts:
        raise cell.refuse(f"`{line}` is no constant with its values.", _FORM)
    default, choices = _literal(cell, parts["value"]), _choices(cell, mark["values"])
    constant = Constant(parts["name"], choices)
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise cell.refuse(f"the values of `{constant.name}` are fewer than two, or repeat.", _FORM)
    if {type(choice) for choice in choices} != {type(default)} or default not in choices:
        problem = f"`{constant.name}` is {parts['value']}, which is none of its values."
        raise cell.refuse(problem, "List it too, written in the same way.")
    return shown, constant


def _choices(cell: "Cell", text: str) -> range | tuple[Value, ...]:
    if bounds := _RANGE.fullmatch(text.strip()):
        return range(int(bounds[1]), int(bounds[2]) + 1)
    return tuple(_literal(cell, value.strip()) for value in text.split(","))


def _literal(cell: "Cell", text: str) -> Value:
    """Return a number or a text, written as Python itself writes it: graders look for these letters."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if type(value) not in (int, float, str) or repr(value) != text:
        problem = f"`{text}` is no number or text as Python writes it."
        raise cell.refuse(problem, "Write 0.5 and not 1/2 or .5, and 'left' in single quotes.")
    return value
