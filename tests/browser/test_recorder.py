"""A scripted hand records demonstrations in a real JupyterLab, busy kernel and restart included."""

import pytest

from imitation_lab.data import Demonstrations
from imitation_lab.types import Ending
from tools.hand import ScriptedHand

pytestmark = pytest.mark.browser

PACE = 3.0
SHOW = f"""from imitation_lab.widgets import Recorder
recorder = Recorder(path="mine.npz", pace={PACE})
recorder"""
BUSY = """import time
from pathlib import Path
while not Path("done").exists():
    time.sleep(0.05)"""
WAITING = "on the way to the kernel"


def test_twenty_drives_arrive_also_from_a_busy_kernel_and_survive_its_restart(
    notebook, lab, work_folder, write_notebook
):
    notebook.open(lab, write_notebook("recorder", [SHOW, BUSY]))
    notebook.run(0)
    readout = notebook.page.locator(".imitation-widget .readout")
    readout.wait_for()
    notebook.keep_busy(1)
    notebook.select(0)
    hand = ScriptedHand(notebook.page)
    for side in (1, -1):
        hand.drive_fork(side)
    notebook.page.wait_for_function(
        "(text) => document.querySelector('.readout').textContent.includes(text)",
        arg=f"2 drives are {WAITING}",
    )
    assert not (work_folder / "mine.npz").exists()
    (work_folder / "done").write_text("")
    arrived = "(text) => !document.querySelector('.readout').textContent.includes(text)"
    notebook.page.wait_for_function(arrived, arg=WAITING)
    assert len(Demonstrations.load(work_folder / "mine.npz")) == 2

    for number in range(18):
        hand.drive_fork(-1 if number % 2 else 1)
    notebook.page.wait_for_function(arrived, arg=WAITING)
    assert notebook.kernel("print(len(recorder.demonstrations))") == "20"
    kept = Demonstrations.load(work_folder / "mine.npz").trajectories
    reached = sum(drive.ending == Ending.SUCCESS for drive in kept)
    print(f"{reached} of 20 reached the goal")  # pytest -s shows it
    assert reached >= 12
    for one, other in zip(kept[::2], kept[1::2], strict=True):
        assert one.observations[0].equal(other.observations[0])  # every start twice

    notebook.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.run(0)
    notebook.page.wait_for_function(
        """() => document.querySelector(".readout")?.textContent.startsWith("20 demonstrations")"""
    )
    assert notebook.kernel("print(len(recorder))") == "20"

    sources = notebook.sources()
    notebook.page.locator(".imitation-widget .area").focus()
    for key in ["b", "a", "x", "d", "d", "s", "ArrowUp", "m"]:
        notebook.page.keyboard.press(key)
    assert notebook.sources() == sources  # the notebook leaves the driver these keys
