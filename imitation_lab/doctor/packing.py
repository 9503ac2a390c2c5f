"""A look into the zip that is handed in: whether the answers are in it."""

import ast
import json
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from imitation_lab.doctor.opening import other_name

IN_WORDS = "an answer in words"
_ZIP_NAME = "__zip_filename__"  # Otter's note of how the zip was called
BLANK_WORDS = "_Type your answer here, replacing this text._"


class Packed(NamedTuple):
    """The answers in a notebook: how many there are, and which are still blank; files beside it."""

    answers: int
    blank: tuple[str, ...]
    files: tuple[str, ...] = ()


def look_into_zip(name: str, folder: Path | None = None) -> None:
    """Print what the newest zip of a notebook holds, and what is missing from it.

    Args:
        name: The notebook's name.
        folder: Where the zips lie. None: here.
    """
    zips = sorted(
        (folder or Path.cwd()).glob(f"{name}_*.zip"), key=lambda path: path.stat().st_mtime
    )
    if not zips:
        return print("No zip was written. Hand in the notebook itself, as a file .ipynb.")
    packed = _read(zips[-1], name)
    if packed is None:
        return print(f"{zips[-1].name} does not hold {name}.ipynb. Hand in the notebook itself.")
    return print(_describe(zips[-1].name, packed, name))


def _read(path: Path, name: str) -> Packed | None:
    try:
        with zipfile.ZipFile(path) as archive:
            packed = count_answers(json.loads(archive.read(f"{name}.ipynb")))
            others = set(archive.namelist()) - {f"{name}.ipynb", _ZIP_NAME}
            return packed._replace(files=tuple(sorted(others)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def count_answers(notebook: dict[str, Any]) -> Packed:
    """Return how many answers a notebook asks for, and which of them nobody has written yet."""
    answers = [cell for cell in notebook["cells"] if _is_answer(cell)]
    blank = [_name_of(cell) for cell in answers if _is_blank(_source(cell))]
    return Packed(len(answers), tuple(blank))


def _is_answer(cell: dict[str, Any]) -> bool:
    return "otter_answer_cell" in cell.get("metadata", {}).get("tags", [])


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _name_of(cell: dict[str, Any]) -> str:
    """Return what a student knows an answer by: its function, or that it is one in words."""
    found = re.search(r"^def (\w+)", _source(cell), re.MULTILINE)
    return found[1] if found else IN_WORDS


def _is_blank(source: str) -> bool:
    """Tell whether a cell still holds the `...` that stands for an answer, or the words that do."""
    if source.strip() in ("", BLANK_WORDS):
        return True
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return False  # somebody has written something
    values = [getattr(node, "value", None) for node in nodes if isinstance(node, ast.stmt)]
    return any(isinstance(value, ast.Constant) and value.value is ... for value in values)


def _describe(zip_name: str, packed: Packed, name: str) -> str:
    lines = [f"{zip_name} holds {packed.answers} answers, as the notebook was last saved."]
    if packed.files:
        lines += [f"Beside the notebook it holds {', '.join(packed.files)}."]
    if packed.blank:
        lines += [f"Still blank: {_list_names(packed.blank)}."]
    if renamed := other_name(name):
        lines += [f"You work in {renamed}, but {name}.ipynb was packed. Give yours that name."]
    elif len(packed.blank) == packed.answers:
        lines += ["Have you written answers? Then save the notebook, and run this cell again."]
    return "\n".join(lines)


def _list_names(names: tuple[str, ...]) -> str:
    in_words = names.count(IN_WORDS)
    listed = [name for name in names if name != IN_WORDS]
    listed += [IN_WORDS if in_words == 1 else f"{in_words} answers in words"] if in_words else []
    return ", ".join(listed)
