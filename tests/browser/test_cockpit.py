"""A scripted hand supervises a policy in a real JupyterLab: corrections arrive, and what they teach drives."""

import pytest

from tools.supervise import SupervisingHand

pytestmark = pytest.mark.browser

SOURCES = [
    """\
import torch
from imitation_lab.collection import demonstrate
from imitation_lab.corrections import as_demonstrations
from imitation_lab.envs import Racetrack
from imitation_lab.experiment import clone
from imitation_lab.experts import RacetrackDriver
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings
from imitation_lab.widgets import Cockpit

track = Racetrack(half_width=0.2, laps=0.3, standing_start=True)
laps = demonstrate(track, {"expert": RacetrackDriver(track)}, 4, torch.Generator().manual_seed(0))

def learn(demonstrations):
    make = lambda seed: RegressionPolicy(5, 1, width=16, generator=torch.Generator().manual_seed(seed))
    return clone(make, demonstrations, TrainingSettings(steps=1000), range(3), "cpu")

cockpit = Cockpit(track, learn(laps), threshold=0.2, pace=0.5)
cockpit""",
    "import time\nfrom pathlib import Path\nwhile not Path('enough').exists():\n    time.sleep(0.1)",
    "cockpit.policies = learn(laps + as_demonstrations(cockpit.corrections, track.name))",
]
COUNT = "print(len(cockpit), len(cockpit.corrections[0]))"


def test_a_hand_supervises_while_the_kernel_is_busy_and_the_retrained_policy_drives(
    notebook, lab, work_folder, write_notebook
):
    notebook.open(lab, write_notebook("cockpit", SOURCES))
    notebook.run(0)
    hand = SupervisingHand(notebook.page, alarm=0.15, relief=0.05)
    notebook.page.locator(".cockpit .seat").wait_for()

    notebook.keep_busy(1)
    notebook.select(0)
    hand.supervise()
    assert "waits for the kernel" in notebook.page.locator(".cockpit .readout").text_content()
    (work_folder / "enough").touch()
    drives, corrections = map(int, notebook.kernel(COUNT).split())
    assert drives == 1
    assert corrections > 0
    engaged = notebook.kernel("print(int(cockpit.sessions[0].engaged.sum()))")
    assert int(engaged) == corrections
    notebook.page.wait_for_function(
        "() => document.querySelector('.cockpit .readout').textContent.includes('Saved')"
    )

    notebook.run(2)
    notebook.kernel("pass")
    notebook.select(0)
    notebook.page.locator(".cockpit .results").get_by_text("policy 2, now").wait_for()
    hand.supervise()
    same = "print(cockpit.sessions[1].weights == cockpit.network['name'] != cockpit.sessions[0].weights)"
    assert notebook.kernel(same) == "True"

    assert (work_folder / "my_corrections.npz").exists()
    before = notebook.kernel(COUNT)
    notebook.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.run(0)
    assert notebook.kernel(COUNT) == before
