"""Otter's marks: which lines of a solution students do not get, and what only looks like a mark.

Otter strips by regular expressions, and says nothing when one does not fit: ``# solution`` in lower case,
or ``# BEGIN SOLUTION`` behind code, hands the solution to the students. It also drops cells and lines
that look like marks in places where nobody meant one. So exactly one spelling of each mark is allowed.
"""

import ast
import re
from collections.abc import Iterator
from itertools import groupby

from tools.source import Cell

_LINE_MARK = re.compile(r"\s*[^\s#].* # SOLUTION( NO PROMPT)?")
_BLOCK_MARK = re.compile(r"\s*# (BEGIN SOLUTION( NO PROMPT)?|END SOLUTION)")
_SCAFFOLD_MARK = re.compile(r'\s*""";? # (BEGIN|END) PROMPT')

_LIKE_SOLUTION = re.compile(r"#[\s#]*((begin|end)\s+)?(solution|prompt)", re.IGNORECASE)
_MARK_WORDS = r"(solution|prompt|question|tests?|ignore|seed|plugin|hidden|assignment config)"
_ONLY_A_MARK = re.compile(
    rf"#[\s#]*((begin|end)\s+)?{_MARK_WORDS}(\s+(no prompt|export))?\s*", re.IGNORECASE
)
_SHOUTED = re.compile(r"#[^#a-z]*\b[A-Z]{5,}\b[^a-z]*")
_VANISHES = re.compile(r"#+\s*ignore", re.IGNORECASE)


def check_marks(cell: Cell) -> None:
    """Refuse what Otter would silently misread in a cell.

    Raises:
        BuildError: If a mark is misspelt, unbalanced, or stands where Otter does not read it.
    """
    for line in cell.source.split("\n"):
        if "```otter" in line:
            raise cell.refuse("```otter opens a configuration of Otter's.", "Reword the fence.")
        if cell.tag == "solution" and cell.kind == "code":
            _check_solution_line(cell, line)
        elif fault := _stray_mark(cell, line):
            remedy = "Otter reads it as its own; reword it."
            raise cell.refuse(f"a stray mark `{fault.strip()}`.", remedy)
    if _VANISHES.match(cell.source):
        raise cell.refuse("Otter drops cells that begin with `# Ignore`.", "Reword the first line.")
    if cell.tag == "solution" and cell.kind == "code":
        _check_solution_as_a_whole(cell)


def _stray_mark(cell: Cell, line: str) -> str:
    """Return the comment, or the heading, that Otter might take for a mark."""
    for start in (match.start() for match in re.finditer("#", line)):
        comment = line[start:].strip()
        if not _ONLY_A_MARK.fullmatch(comment):
            continue
        # "## Solution" is a fine heading; Otter's marks are capitals.
        if cell.kind == "code" or comment.isupper():
            return comment
    return ""


def _check_solution_line(cell: Cell, line: str) -> None:
    stripped = line.rstrip()
    if is_mark(stripped):
        return
    comment = stripped[stripped.find("#") :] if "#" in stripped else ""
    shouted = _SHOUTED.fullmatch(comment)
    if _LIKE_SOLUTION.search(stripped) or shouted or _stray_mark(cell, stripped):
        problem = f"`{stripped.strip()}` is not spelt as Otter's marks are."
        remedy = (
            "Write `code  # SOLUTION` (or `# SOLUTION NO PROMPT`) behind a line, `# BEGIN SOLUTION` and"
            " `# END SOLUTION` on lines of their own around several; else reword the comment."
        )
        raise cell.refuse(problem, remedy)


def _check_solution_as_a_whole(cell: Cell) -> None:
    marks = [line.strip() for line in cell.source.split("\n") if is_mark(line.rstrip())]
    if not marks:
        problem = "nothing is marked as solution, so students would get all of it."
        raise cell.refuse(problem, "Write `# SOLUTION` behind the lines to take out.")
    _check_pairs(cell, [mark for mark in marks if "SOLUTION" in mark and mark.startswith("#")])
    _check_pairs(cell, [mark for mark in marks if "PROMPT" in mark and mark.startswith('"')])


def _check_pairs(cell: Cell, marks: list[str]) -> None:
    ends = ["END" in mark.split() for mark in marks]
    if ends != [False, True] * (len(marks) // 2) or len(marks) % 2:
        problem = "BEGIN and END marks do not alternate."
        raise cell.refuse(problem, "Close every block with its END before the next BEGIN.")


def is_mark(line: str) -> bool:
    """Return whether a line carries one of Otter's marks in the one allowed spelling."""
    marks = (_LINE_MARK, _BLOCK_MARK, _SCAFFOLD_MARK)
    return any(mark.fullmatch(line.rstrip()) for mark in marks)


def blank(solution: Cell) -> str:
    """Return the answer cell as students get it, stripped by Otter's own function."""
    from otter.assign.solutions import replace_solutions  # seconds to import, and seldom needed

    return "\n".join(replace_solutions(solution.source.split("\n"), "python"))


def shown_lines(solution: Cell) -> set[str]:
    """Return the lines of a solution that students may see, read independently of Otter."""
    return {line for line, secret in split_solution(solution) if not secret}


def placeholders(solution: Cell) -> set[str]:
    """Return what may stand for a secret line: ``...``, or ``name = ...`` where it assigns to a name.

    Otter looks for the name by a regular expression, which can run into the secret behind it:
    ``a[0] = b[1] == c  # SOLUTION`` becomes ``a[0] = b[1] = ...``.
    """
    secret = (line.strip() for line, secret in split_solution(solution) if secret)
    return {"...", *(f"{target} = ..." for line in secret if (target := _target(line)))}


def _target(line: str) -> str:
    try:
        (statement,) = ast.parse(line).body
    except (SyntaxError, ValueError):  # part of a longer statement, or none
        return ""
    if not isinstance(statement, ast.Assign):
        return ""
    return ast.get_source_segment(line, statement.targets[0]) or ""


def secret_passages(solution: Cell) -> list[str]:
    """Return the runs of lines that students must not see, without their marks."""
    runs = groupby(split_solution(solution), key=lambda entry: entry[1])
    return ["\n".join(line for line, _ in run) for secret, run in runs if secret]


def split_solution(solution: Cell) -> Iterator[tuple[str, bool]]:
    """Yield each line of a solution without its mark, and whether it is secret."""
    inside = False
    for line in solution.source.split("\n"):
        if _BLOCK_MARK.fullmatch(line.rstrip()):
            inside = "BEGIN" in line
        elif _LINE_MARK.fullmatch(line.rstrip()):
            yield line.rpartition("# SOLUTION")[0].rstrip(), True
        elif not _SCAFFOLD_MARK.fullmatch(line.rstrip()):
            yield line, inside
