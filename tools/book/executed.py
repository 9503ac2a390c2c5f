"""The solved notebooks with their outputs, run once for each state of notebook and library.

What was run is kept in ``.book/executed``, which git ignores, under a hash of all that it was made of.
A build that is interrupted loses the notebook that it was running and no other.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from tools.notebooks import PROJECT, SOLUTIONS, num_steps, run_solved

KEPT = PROJECT / ".book" / "executed"
KERNEL_START = Path(__file__).with_name("kernel_start.py")
FAST = "IMITATION_LAB_FAST"  # the library's own switch to short trainings
WIDGET_PAGE = "application/x-imitation-lab-page"

_MADE_OF = ("imitation_lab", "assets/recorded", "assets/pusht")


def executed_notebooks(
    names: Sequence[str], fast: bool = False, kept: Path = KEPT
) -> dict[str, NotebookNode]:
    """Return solved notebooks with their outputs, by name; run those that have not been run yet.

    Args:
        names: Which notebooks, without their ending.
        fast: Whether to train shortly. The figures then show how a page looks, and nothing else.
        kept: The folder of notebooks that were run.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    paths = {name: kept / f"{_key(SOLUTIONS / f'{name}.ipynb', fast)}.ipynb" for name in names}
    waiting = [name for name in names if not paths[name].is_file()]
    total = sum(num_steps(SOLUTIONS / f"{name}.ipynb") for name in waiting)
    with tqdm(total=total, unit="cell", disable=not waiting) as bar:
        for name in waiting:
            bar.set_description(name)
            _execute(name, paths[name], fast, bar.update)
    return {name: nbformat.read(path, as_version=4) for name, path in paths.items()}


def _key(path: Path, fast: bool) -> str:
    """Return a name that changes with the notebook, the library, its data, and the length of training."""
    files = [path, KERNEL_START]
    for folder in _MADE_OF:
        files += (file for file in sorted((PROJECT / folder).rglob("*")) if _counts(file))
    parts = (hashlib.sha256(file.read_bytes()).digest() for file in files)
    return f"{path.stem}-{'fast' if fast else 'full'}-{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}"


def _counts(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _execute(name: str, path: Path, fast: bool, after_cell: Callable[[], object]) -> None:
    with _environment(fast):
        notebook, _ = run_solved(SOLUTIONS / f"{name}.ipynb", after_cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*"):
        old.unlink()
    unfinished = path.with_suffix(".part")
    nbformat.write(notebook, unfinished)
    unfinished.replace(path)


@contextmanager
def _environment(fast: bool) -> Iterator[None]:
    """Have kernels train shortly or not, and start with ``kernel_start`` and without the user's own start."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "profile_default", "startup")
        start.mkdir(parents=True)
        shutil.copy(KERNEL_START, start / "00-book.py")
        changed = {FAST: "1" if fast else "", "IPYTHONDIR": folder}
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
