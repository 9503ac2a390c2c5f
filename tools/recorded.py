"""The drives of ``assets/recorded``: ``python -m tools.recorded`` lets a scripted hand record them anew.

A few minutes in a Chromium, in real time. The hand shakes. On the fork it also rests a moment before each
drive, and gives up half-way now and then, as people do.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.widgets import Recorder
from imitation_lab.widgets.recorder import default_task
from imitation_lab.widgets.recorder_numbers import INTERFACES
from tools.bare import RECORDED, bare_browser, open_bare
from tools.hand import ScriptedHand, deliver

TRACK = Racetrack(half_width=0.2, laps=1.0).at_rate(30)
DRIVES = {"fork": 20, "racetrack": 4}  # in each interface
PACE = {"fork": 1.0, "racetrack": 0.5}  # a busy machine makes the hand slow
TREMOR = 1.5  # pixels
GIVES_UP = (6, 13)  # drives on the fork that end early
GIVES_UP_AT = 1.1  # metres
SEED = 7


def main() -> None:
    """Record the drives of both tasks."""
    RECORDED.mkdir(parents=True, exist_ok=True)
    tasks = [task for task in (default_task(), TRACK) if task.name in (sys.argv[1:] or DRIVES)]
    with bare_browser() as browser:
        for task in tasks:
            recorder = record(browser, task)
            recorder.demonstrations.save(RECORDED / f"{task.name}.npz")
            print(task.name, recorder.sentence())


def record(browser: Any, task: Fork | Racetrack) -> Recorder:
    """Let the hand drive in every interface, and return the recorder that holds the drives."""
    draws = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drives.npz"
        for interface in INTERFACES:
            recorder = Recorder(task, path, interface, pace=PACE[task.name])
            page = open_bare(browser, recorder)
            hand = ScriptedHand(page, interface, TREMOR, draws)
            for number in range(DRIVES[task.name]):
                _drive(hand, task, number, idle=draws.uniform(0.15, 0.6))
            deliver(page, recorder)
            page.close()
            print(interface, recorder.sentence(), flush=True)
        return recorder


def _drive(hand: ScriptedHand, task: Fork | Racetrack, number: int, idle: float) -> None:
    if isinstance(task, Racetrack):
        hand.drive_racetrack()  # at once: this vehicle waits for nobody
    else:
        stop_at = GIVES_UP_AT if number in GIVES_UP else np.inf
        hand.drive_fork(1 if number % 2 else -1, idle, stop_at)


if __name__ == "__main__":
    main()
