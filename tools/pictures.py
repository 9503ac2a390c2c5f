"""The README's pictures: ``python -m tools.pictures`` runs solved notebooks and keeps their figures."""

import base64
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parent.parent

# Which of a notebook's figures stands for it, counted from zero.
CHOSEN = {"01_the_mean_is_not_an_action": 2}


def run_notebook(path: Path) -> nbformat.NotebookNode:
    """Return a notebook with its outputs, after running it in its own folder.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    # Nobody hands this one in: the cell that packs it would wait for a browser to save it.
    notebook.cells = [cell for cell in notebook.cells if "grader.export(" not in cell.source]
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": path.parent}})
    return client.execute()


def figures(notebook: nbformat.NotebookNode) -> list[bytes]:
    """Return the PNG files among a notebook's outputs, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"].get("image/png") for output in outputs if "data" in output]
    return [base64.b64decode(picture) for picture in pictures if picture]


def main() -> None:
    """Run each chosen notebook and write its picture into ``assets/``."""
    for name, index in CHOSEN.items():
        started = time.perf_counter()
        notebook = run_notebook(PROJECT / "solutions" / f"{name}.ipynb")
        (PROJECT / "assets" / f"{name}.png").write_bytes(figures(notebook)[index])
        print(f"{name}: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
