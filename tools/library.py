"""Which files of the library a release, and the grader's sandbox, leave out."""

import ast
from collections.abc import Iterable
from pathlib import Path

from tools.error import BuildError
from tools.source import Notebook


def due_modules(notebooks: Iterable[Notebook], last: Notebook) -> list[str]:
    """Return the modules that answer a notebook that is still due: the last one that is out, or a later one."""
    return [name for own in notebooks if own.name >= last.name for name in own.answers]


def withheld(library: Path, due: Iterable[str]) -> set[Path]:
    """Return the files that answer notebooks, and those that cannot be imported without these.

    Imports inside of functions do not count: there, the library asks for an answer only when it is
    called, and works without it otherwise.

    Args:
        library: The folder of the package.
        due: The modules that answer, dotted, without the package's name.

    Raises:
        BuildError: If there is no such module.
    """
    names = {_dotted(path, library): path for path in sorted(library.rglob("*.py"))}
    lost = {f"{library.name}.{module}" for module in due}
    for module in sorted(lost - set(names)):
        problem = f"the library has no {module}, which a notebook's `answers` names."
        raise BuildError(library.name, problem, "Correct the header, or add the module.")
    needs = {name: _needs(name, path) for name, path in names.items()}
    while more := {name for name, needed in needs.items() if needed & lost} - lost:
        lost |= more
    return {names[name] for name in lost}


def withheld_names(library: Path, due: Iterable[str]) -> list[str]:
    """Return what ``withheld`` does, as paths in the library's folder: ``"policies/flow.py"``."""
    return sorted(path.relative_to(library).as_posix() for path in withheld(library, due))


def _dotted(path: Path, library: Path) -> str:
    parts = path.relative_to(library.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _needs(name: str, path: Path) -> set[str]:
    """Return what importing a module imports at once: its packages, and what stands at its top."""
    needed = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            needed |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    needed |= {name.rsplit(".", up)[0] for up in range(1, name.count(".") + 1)}
    return needed
