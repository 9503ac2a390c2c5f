"""Running notebooks from top to bottom, and what that costs."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

PROJECT = Path(__file__).resolve().parent.parent
SOLUTIONS = PROJECT / "solutions"
CHECKS = PROJECT / "autograder" / "tests"  # a solved notebook finds them beside its own folder

# Run last in the notebook's own kernel: nobody else can tell its processor time and peak memory.
_PROBE = """\
import json, sys, time
import torch
from imitation_lab.training import best_device
try:
    import resource
    _peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
except ImportError:  # Windows
    import psutil
    _peak = psutil.Process().memory_info().peak_wset
_device = best_device().type
_name = torch.cuda.get_device_name() if _device == "cuda" else _device
print(json.dumps({"cpu_seconds": time.process_time(), "peak_bytes": _peak, "device": _name}))"""


@dataclass(frozen=True)
class Cost:
    """What a run of a notebook took.

    Attributes:
        seconds: Of all code cells together.
        cpu_seconds: Processor time of the kernel, its start included.
        peak_bytes: The most memory that the kernel ever held.
        device: What it would train on.
        cells: Of each code cell its first line and its seconds.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    device: str
    cells: tuple[tuple[str, float], ...]

    @property
    def longest(self) -> tuple[str, float]:
        """The first line of the cell that took longest, and its seconds."""
        return max(self.cells, key=lambda cell: cell[1])


def read_to_run(path: Path) -> NotebookNode:
    """Return a notebook without the cell that packs it, which would wait for a browser to save it."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "grader.export(" not in cell.source]
    return notebook


def num_steps(path: Path) -> int:
    """Return how often ``run_solved`` calls ``after_cell``."""
    return 1 + sum(cell.cell_type == "code" for cell in read_to_run(path).cells)


def run(notebook: NotebookNode, folder: Path, **options: Any) -> NotebookNode:
    """Run a notebook in a folder, and return it with its outputs.

    Args:
        notebook: The notebook, which gets the outputs.
        folder: Where its kernel stands.
        **options: Of nbclient's.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    client = NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # it warns of other users of this machine, each time
        **options,
    )
    return client.execute()


def run_solved(
    path: Path, after_cell: Callable[[], object] = lambda: None
) -> tuple[NotebookNode, Cost]:
    """Run a solved notebook, its hidden tests too, in a folder that vanishes afterwards.

    Args:
        path: The notebook.
        after_cell: Called after each code cell, and after one more that measures.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = read_to_run(path)
    notebook.cells.append(new_code_cell(_PROBE))
    with _folder_beside_checks(path) as folder:
        run(notebook, folder, on_cell_executed=lambda **_: after_cell())
    (printed,) = [out.text for out in notebook.cells.pop().outputs if out.get("name") == "stdout"]
    cells = tuple(_timed(cell) for cell in notebook.cells if cell.cell_type == "code")
    return notebook, Cost(sum(seconds for _, seconds in cells), cells=cells, **json.loads(printed))


@contextmanager
def _folder_beside_checks(path: Path) -> Iterator[Path]:
    """Give a folder with a solved notebook, from which it finds its checks."""
    with tempfile.TemporaryDirectory(prefix="solved-") as folder:
        if (CHECKS / path.stem).is_dir():
            shutil.copytree(CHECKS / path.stem, Path(folder, "autograder", "tests", path.stem))
        own = Path(folder, SOLUTIONS.name)
        own.mkdir()
        shutil.copy(path, own)
        yield own


def _timed(cell: NotebookNode) -> tuple[str, float]:
    """Return a cell's first line and its seconds, and take the times out again."""
    times = cell.metadata.pop("execution", {})
    busy, idle = times.get("iopub.status.busy"), times.get("iopub.status.idle")
    seconds = (_moment(idle) - _moment(busy)).total_seconds() if busy and idle else 0.0
    return cell.source.split("\n")[0], seconds


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
