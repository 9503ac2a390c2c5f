"""The README's pictures: ``python -m tools.pictures`` runs solved notebooks and keeps their figures."""

import base64

from nbformat import NotebookNode

from tools.notebooks import PROJECT, SOLUTIONS, run_solved

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


def figures(notebook: NotebookNode) -> list[bytes]:
    """Return the PNG files among a notebook's outputs, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output["data"].get("image/png") for output in outputs if "data" in output]
    return [base64.b64decode(picture) for picture in pictures if picture]


def main() -> None:
    """Run each chosen notebook and write its picture into ``assets/``."""
    for name, index in CHOSEN.items():
        notebook, cost = run_solved(SOLUTIONS / f"{name}.ipynb")
        (PROJECT / "assets" / f"{name}.png").write_bytes(figures(notebook)[index])
        print(f"{name}: {cost.seconds:.0f} s")


if __name__ == "__main__":
    main()
