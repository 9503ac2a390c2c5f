"""What a notebook's first cell says when something is off."""

import os
from pathlib import Path

from imitation_lab.doctor.findings import State
from imitation_lab.doctor.folder import check_writing


def look_around(name: str, checks: Path) -> None:
    """Print what a student must know before they begin to work: nothing, as a rule.

    Args:
        name: The notebook's own name, such as ``01_the_mean_is_not_an_action``.
        checks: The folder of its checks.
    """
    if not checks.is_dir():
        print(
            f"The checks of this notebook are not here: there is no folder {checks}. Open the notebook "
            "in the course's folder notebooks/."
        )
    if renamed := other_name(name):
        print(
            f"This notebook is called {renamed}. Give it back its name {name}.ipynb: the last cell "
            "packs the file of that name."
        )
    writing = check_writing(Path.cwd())
    if writing.state is not State.OK:
        print(writing.sentence)


def other_name(name: str) -> str:
    """Return what the open notebook is called, where that is known and another name; else nothing."""
    open_now = Path(os.environ.get("JPY_SESSION_NAME", "")).name  # Jupyter tells its kernels
    is_other = open_now.endswith(".ipynb") and open_now != f"{name}.ipynb"
    return open_now if is_other else ""
