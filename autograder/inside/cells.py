"""Running a notebook's cells without a notebook: transformed, captured, with magics disabled."""

import ast
import builtins
import contextlib
import io
import linecache
import re
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

MAX_OUTPUT = 20_000
MAX_MESSAGE = 2_000
_HARMLESS_CELL_MAGIC = re.compile(r"\A\s*%%(time|capture)\b[^\n]*\n")
_PROMPT = re.compile(r"\s*(?:[^\n]*\n)?\s*In \[")  # IPython looks for one in two lines
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OTHER_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


class CappedText(io.TextIOBase):
    """Keeps the beginning of what is printed: a program may print without end."""

    def __init__(self, capacity: int = MAX_OUTPUT) -> None:
        self._left = capacity
        self._parts: list[str] = []

    def writable(self) -> bool:
        """Tell that this stream takes text."""
        return True

    def write(self, text: str) -> int:
        """Keep ``text`` as far as there is room."""
        if self._left > 0:
            self._parts.append(text[: self._left])
            self._left -= len(text)
        return len(text)

    def text(self) -> str:
        """Return what was kept."""
        return "".join(self._parts) + ("\n[output cut off here]" if self._left < 0 else "")


class DisabledShell:
    """Stands for IPython's shell. Code inside a magic runs where that is its whole purpose."""

    def __init__(self, namespace: dict[str, Any], note: Callable[[str], None]) -> None:
        self._namespace = namespace
        self._note = note

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> None:
        """Run the statement of ``%time``; note any other magic."""
        if name == "time":
            exec(compile(transform(line), "<%time>", "exec"), self._namespace)
        else:
            self._note(f"The magic %{name} is disabled while grading.")

    def run_cell_magic(self, name: str, *_: Any, **__: Any) -> None:
        """Note the magic. The cell below it is not run, since it need not be Python."""
        self._note(f"The magic %%{name} is disabled while grading, and its cell was not run.")

    def system(self, command: str) -> None:
        """Note the shell command."""
        self._note(f"The shell command !{command[:80]} is disabled while grading.")

    def getoutput(self, command: str, *_: Any, **__: Any) -> list[str]:
        """Note the shell command, and give an empty output."""
        self.system(command)
        return []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self._note(f"get_ipython().{name} is disabled while grading.")


def transform(source: str) -> str:
    """Turn a cell's text into Python: magics and shell escapes become calls of the shell.

    What is Python already stays as it is, unless a prompt was copied with it, since ``In [1]: x`` is
    Python too. To look for magics takes longer than to run most cells.
    """
    if not _PROMPT.match(source) and _is_python(source):
        return source
    return TransformerManager().transform_cell(_HARMLESS_CELL_MAGIC.sub("\n", source, count=1))


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def defined_names(source: str) -> list[str] | None:
    """Return the names that a cell's top level defines, or None if the cell is no Python."""
    try:
        return list(_bound_names(ast.parse(transform(source))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound_names(node: ast.AST) -> Iterator[str]:
    """Yield what a piece of code binds in its own scope, as soon as it runs."""
    if isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (name.asname or name.name.partition(".")[0] for name in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, _OTHER_SCOPES) and not _binds_nothing(node):
        for child in ast.iter_child_nodes(node):
            yield from _bound_names(child)


def _binds_nothing(node: ast.AST) -> bool:
    """Tell of ``x: int`` and ``x += 1`` that the one defines nothing, the other nothing new."""
    return isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and not node.value)


class Interpreter:
    """One student's ``__main__``, and what happened in it."""

    def __init__(self) -> None:
        # A module of its own: dataclasses and typing look their module up by name.
        module = types.ModuleType("__main__")
        module.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = module
        self.namespace = module.__dict__
        self._notes: list[str] = []
        shell = DisabledShell(self.namespace, self._notes.append)
        self.namespace["get_ipython"] = lambda: shell
        self.namespace["display"] = lambda *_, **__: None
        _disable_otter()

    def run(self, source: str, name: str) -> dict[str, Any]:
        """Run a cell and return ``error`` (None, or its type and text), ``output`` and ``notes``."""
        self._notes.clear()
        filename = f"<{name}>"
        with captured() as printed:
            error = None
            try:
                code = transform(source)
                # For inspect.getsource, which torch's compilers call.
                linecache.cache[filename] = (len(code), None, code.splitlines(True), filename)
                exec(compile(code, filename, "exec"), self.namespace)
            except BaseException as raised:  # SystemExit too: a cell must not end the worker
                error = describe(raised, filename)
        output = _ADDRESS.sub("0x…", printed.text())
        return {"error": error, "output": output, "notes": self._notes[:20]}


def _disable_otter() -> None:
    """Give notebooks an ``otter`` whose checks do nothing: the judge is the one who checks."""

    class Notebook:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

    stub = types.ModuleType("otter")
    stub.__dict__["Notebook"] = Notebook
    sys.modules["otter"] = stub


@contextlib.contextmanager
def captured() -> Any:
    """Collect what is printed in the block."""
    printed = CappedText()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


def describe(error: BaseException, filename: str = "") -> list[str]:
    """Return an exception's type and capped text; its ``__str__`` may do anything.

    Addresses are left out: they differ from run to run, and a grade should not.
    """
    place = ""
    try:
        line = _line_in(error, filename) if filename else None
        place = f" on line {line:d}"[:20] if line else ""
        said = error.msg if isinstance(error, SyntaxError) and line else str(error)
        text = _ADDRESS.sub("0x…", said[:MAX_MESSAGE])
    except BaseException:
        text = "(its message could not be read)"
    return [type(error).__name__[:80] + place, text]


def _line_in(error: BaseException, filename: str) -> int | None:
    """Return the last line of a cell that an exception came through."""
    if isinstance(error, SyntaxError) and error.filename == filename:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == filename), None)
