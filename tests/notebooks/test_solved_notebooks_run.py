"""Every solved notebook, run from top to bottom as an instructor would.

By default with short trainings; those marked `long` leave nothing out.
"""

from types import SimpleNamespace

import pytest

from tools.notebooks import SOLUTIONS, run_solved

SOLVED = sorted(SOLUTIONS.glob("*.ipynb"))
LONGEST = 120  # CPU seconds: one thread trains, so an idle machine needs about as much wall time


RUNS = [
    *(pytest.param(path, "1", id=f"{path.stem}-fast") for path in SOLVED),
    *(pytest.param(path, "", id=path.stem, marks=pytest.mark.long) for path in SOLVED),
]


@pytest.fixture(scope="module")
def finished(path, fast, tmp_path_factory):
    """A solved notebook with its outputs, and the CPU seconds that its kernel used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMITATION_LAB_FAST", fast)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        notebook, cost = run_solved(path)
    return SimpleNamespace(name=path.stem, cells=notebook.cells, seconds=cost.cpu_seconds)


each_run = pytest.mark.parametrize(("path", "fast"), RUNS, scope="module")


def outputs(notebook, kind):
    every = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data[kind] for output in every if kind in output.get("data", {})]


def printed(notebook, stream):
    every = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in every if output.get("name") == stream)


@each_run
def test_it_does_not_keep_students_waiting(finished):
    assert finished.seconds < LONGEST


@each_run
def test_all_checks_pass_hidden_ones_too(finished):
    checks = [cell for cell in finished.cells if cell.source.startswith("grader.check(")]
    texts = [output.data["text/plain"] for cell in checks for output in cell.outputs]
    assert len(texts) == len(checks) > 0
    assert all("passed" in text and "fail" not in text.lower() for text in texts), texts


@each_run
def test_every_picture_is_described(finished):
    pictures = outputs(finished, "image/png")
    described = [text for text in outputs(finished, "text/html") if "<img" in text]
    assert len(pictures) == len(described) > 0
    assert all('alt="' in text and 'alt=""' not in text for text in described)


@each_run
def test_progress_bars_keep_their_final_state(finished):
    bars = printed(finished, "stdout")
    if "steps" in bars:
        assert "100%" in bars and "loss" in bars
