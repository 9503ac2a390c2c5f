"""The README's pictures: ``python -m tools.pictures`` runs solved notebooks and keeps their figures."""

import base64
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

PROJECT = Path(__file__).resolve().parent.parent

# Which of a notebook's figures stands for it, counted from zero.
CHOSEN = {
    "01_the_mean_is_not_an_action": 2,
    "02_categorical_policies": 1,
    "03_mixtures_of_gaussians": 6,
    "04_discretise_and_autoregress": 0,
    "05_flow_matching": 5,
    "06_action_chunking": 15,
    "07_compounding_errors": 4,
    "08_interventions": 10,
    "09_push_t": 6,
}


def read_to_run(path: Path) -> NotebookNode:
    """Return a notebook without the cell that packs it, which would wait for a browser to save it."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "grader.export(" not in cell.source]
    return notebook


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook in a folder, and return it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
    return client.execute()


def figures(notebook: NotebookNode) -> list[bytes]:
    """Return the PNG files among a notebook's outputs, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"].get("image/png") for output in outputs if "data" in output]
    return [base64.b64decode(picture) for picture in pictures if picture]


def main() -> None:
    """Run each chosen notebook and write its picture into ``assets/``."""
    for name, index in CHOSEN.items():
        started = time.perf_counter()
        path = PROJECT / "solutions" / f"{name}.ipynb"
        notebook = run(read_to_run(path), path.parent)
        (PROJECT / "assets" / f"{name}.png").write_bytes(figures(notebook)[index])
        print(f"{name}: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
