"""The verb that runs the solved notebooks: what it tells, and when it complains."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import notebooks, solutions
from tools.notebooks import Cost


def costs(*seconds: float) -> dict[str, Cost]:
    """Return a notebook's cost for each number, all of it spent in one cell."""
    return {
        f"{number:02d}": Cost(
            spent, spent, 1 << 20, "cpu", (("import torch", 0.0), ("train()", spent))
        )
        for number, spent in enumerate(seconds, 1)
    }


def test_what_stays_within_both_budgets_is_not_complained_of():
    assert solutions.broken_budgets(costs(*[solutions.CELL_SECONDS] * 18)) == []
    assert 18 * solutions.CELL_SECONDS == solutions.TOTAL_SECONDS  # so both are met to the second


def test_a_cell_that_takes_too_long_is_named():
    (complaint,) = solutions.broken_budgets(costs(1.0, 41.0))
    assert complaint.startswith("02:") and "41 s" in complaint and "train()" in complaint


def test_notebooks_that_take_too_long_together_are_told():
    (complaint,) = solutions.broken_budgets(costs(*[40.0] * 19))
    assert complaint.startswith("all took 760 s")


LAST_CELLS = {
    "01_fine": "open('left', 'w').close()",
    "02_fails": "1 / 0",
    # A second is enough for the kernel to send the warning before anything that is printed later.
    "03_warns": "import torch, warnings\n"
    "torch.cuda.is_available = lambda: warnings.warn('too old') or time.sleep(1)",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with some notebooks in the place of the course's."""
    folder = tmp_path / "solutions"
    folder.mkdir()
    for name, last in LAST_CELLS.items():
        cells = [new_code_cell("import time"), new_code_cell("time.sleep(0.5)  # slow")]
        nbformat.write(new_notebook(cells=[*cells, new_code_cell(last)]), folder / f"{name}.ipynb")
    monkeypatch.setattr(solutions, "SOLUTIONS", folder)
    monkeypatch.setattr(notebooks, "CHECKS", tmp_path / "none")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return folder


def test_a_run_tells_each_cost_and_leaves_nothing_but_what_was_asked_for(folder, tmp_path, capsys):
    before = sorted(folder.iterdir())
    assert solutions.main(["01", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.startswith("01_fine")]
    assert line.endswith("time.sleep(0.5)  # slow") and "MB" in line
    assert sorted(folder.iterdir()) == before
    (kept,) = (tmp_path / "out").iterdir()
    assert len(nbformat.read(kept, as_version=4).cells) == 3


def test_a_cell_that_fails_is_told(folder, capsys):
    assert solutions.main(["02"]) == 1
    told = capsys.readouterr().out
    assert "02_fails failed." in told and "ZeroDivisionError" in told


def test_a_notebook_that_does_not_exist_is_told(folder, capsys):
    assert solutions.main(["07"]) == 2
    assert "no notebook begins with 07" in capsys.readouterr().out


def test_a_driver_that_torch_warns_of_leaves_the_cost_readable(folder):
    _, cost = notebooks.run_solved(folder / "03_warns.ipynb")
    assert cost.device == "cpu"


def test_the_bar_of_a_run_is_full_when_it_ends(folder):
    calls = []
    notebooks.run_solved(folder / "01_fine.ipynb", lambda: calls.append(1))
    assert len(calls) == notebooks.num_steps(folder / "01_fine.ipynb")


def test_the_seconds_of_cells_are_those_that_they_took(folder):
    _, cost = notebooks.run_solved(folder / "01_fine.ipynb")
    name, seconds = cost.longest
    # Asleep: a busy machine lets it sleep longer, and nothing shorter.
    assert name == "time.sleep(0.5)  # slow" and seconds >= 0.5
    assert cost.seconds >= seconds and cost.cpu_seconds > 0
    assert cost.peak_bytes > 50 << 20  # torch alone takes more
