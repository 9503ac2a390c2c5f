"""A scripted hand that supervises a policy, and ``assets/recorded``'s drives under it: ``python -m tools.supervise``.

It looks at the cockpit's picture, as a student does, and holds the mouse where the vehicle should go as long as
things look bad. The browser tests use it too. It knows no number of the widget that is not drawn.
"""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.experts import ForkDriver, RacetrackDriver
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingRun, TrainingSettings, train_ensemble
from imitation_lab.types import Actor
from imitation_lab.widgets import Cockpit
from imitation_lab.widgets.cockpit_sessions import save_sessions
from tools.bare import RECORDED, bare_browser, open_bare, take_in

# As notebook 07 has it: half of the drives of a clone end beside the lane.
TRACK = Racetrack(half_width=0.10, process_noise=0.01, start_spread=0.02, standing_start=True)
LAPS, PAIRS = 4, 20  # demonstrations of the track, and pairs of them on the fork
SEEDS = range(5)
DRIVES = 8
PACE = 0.4  # of real time: where a person can still follow
ALARM, RELIEF = 0.45, 0.2  # of the lane's half width
AHEAD = 3.5  # half widths of the lane along it: where the hand points
FORK_ALARM, FORK_CLEARANCE = 0.75, 0.55  # metres before and beside the obstacle's centre
VEHICLE_LENGTH = 0.21  # metres: the yardstick on the fork
PATIENCE = 120.0  # seconds for one drive

SEE = """() => {
    const road = document.querySelector(".cockpit .from-above");
    const { left, top } = road.getBoundingClientRect();
    const vehicle = road.querySelector(".vehicle");
    const [x, y] = vehicle.getAttribute("transform").match(/-?[\\d.]+/g).map(Number);
    const circle = (name) => {
        const node = road.querySelector(name);
        return node && [Number(node.getAttribute("cx")), Number(node.getAttribute("cy"))];
    };
    return {
        running: document.querySelector(".cockpit .start").textContent !== "Start",
        corner: [left, top],
        place: [x, y],
        length: vehicle.getBBox().width,
        obstacle: circle(".obstacle"),
    };
}"""
SEE_LANE = """() => {
    const pointsOf = (path) => {
        const length = path.getTotalLength();
        const places = Array.from({ length: 600 }, (_, i) => path.getPointAtLength((length * i) / 600));
        return places.map(({ x, y }) => [x, y]);
    };
    const road = document.querySelector(".cockpit .from-above");
    return [road.querySelector("path.middle"), road.querySelector("path.road-edge")].map(pointsOf);
}"""


@dataclass
class SupervisingHand:
    """A hand on the mouse, over a page that shows a cockpit.

    Attributes:
        page: A page of Playwright.
        alarm: How far beside the middle of the lane it takes over, as a share of the half width.
        relief: And where it hands back.
    """

    page: Any
    alarm: float = ALARM
    relief: float = RELIEF

    def supervise(self) -> None:
        """Let the policy drive once, and take the wheel when it looks bad."""
        road = self.page.locator(".cockpit .from-above")
        road.scroll_into_view_if_needed()
        self.page.locator(".cockpit .seat").focus()
        on_fork = self.page.evaluate(SEE)["obstacle"] is not None
        target = self._fork_eyes() if on_fork else self._track_eyes()
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(f"() => ({SEE})().running")
        self._watch(target)

    def _watch(self, target: Callable[[dict[str, Any], bool], np.ndarray | None]) -> None:
        engaged = False
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            seen = self.page.evaluate(SEE)
            place = target(seen, engaged) if seen["running"] else None
            if place is not None:
                self.page.mouse.move(*(np.array(seen["corner"]) + place))
            if place is not None and not engaged:
                self.page.mouse.down()
            if place is None and engaged:
                self.page.mouse.up()
            engaged = place is not None
            if not seen["running"]:
                break

    def _track_eyes(self) -> Callable[[dict[str, Any], bool], np.ndarray | None]:
        """Return what sees where to point on the racetrack, or that there is no need to."""
        middle, edge = (np.array(points) for points in self.page.evaluate(SEE_LANE))
        half = np.linalg.norm(middle - edge[0], axis=1).min()
        step = np.linalg.norm(np.diff(middle, axis=0), axis=1).mean()
        ahead = round(AHEAD * half / step)

        def target(seen: dict[str, Any], engaged: bool) -> np.ndarray | None:
            place = np.array(seen["place"])
            distances = np.linalg.norm(middle - place, axis=1)
            nearest = int(distances.argmin())
            bad = distances[nearest] / half > (self.relief if engaged else self.alarm)
            # The lane's picture runs the way that everybody drives: counter-clockwise.
            return middle[(nearest + ahead) % len(middle)] if bad else None

        return target

    def _fork_eyes(self) -> Callable[[dict[str, Any], bool], np.ndarray | None]:
        """Return what sees where to point on the fork, or that there is no need to."""
        side = [0.0]

        def target(seen: dict[str, Any], engaged: bool) -> np.ndarray | None:
            metre = seen["length"] / VEHICLE_LENGTH
            aside = (np.array(seen["place"]) - np.array(seen["obstacle"])) / metre
            behind = aside[0] > 0.3
            clear = abs(aside[1]) > 0.5 and not engaged
            if aside[0] < -FORK_ALARM or behind or clear:
                return None
            side[0] = side[0] or math.copysign(1.0, aside[1])
            along = -0.15 if aside[0] < -0.25 else 0.5
            offset = np.array([along, side[0] * FORK_CLEARANCE])
            return np.array(seen["obstacle"]) + metre * offset

        return target


def clones(task: Fork | Racetrack) -> list[TrainingRun]:
    """Return policies cloned from the simulated drivers of a task."""
    generator = torch.Generator().manual_seed(0)
    if isinstance(task, Fork):
        drivers: dict[str, Actor] = {side: ForkDriver(task, (side,)) for side in ("left", "right")}
        demonstrations = demonstrate(task, drivers, PAIRS, generator)
    else:
        demonstrations = demonstrate(task, {"expert": RacetrackDriver(task)}, LAPS, generator)
    dims = (task.observation_dim, task.action_dim)
    policies = [
        RegressionPolicy(*dims, width=64, generator=torch.Generator().manual_seed(seed))
        for seed in SEEDS
    ]
    settings = TrainingSettings(steps=1500)
    return train_ensemble(policies, demonstrations, settings, SEEDS, "cpu", task.name)


def record(browser: Any, task: Fork | Racetrack) -> Cockpit:
    """Let the hand supervise some drives, and return the cockpit that holds them."""
    with tempfile.TemporaryDirectory() as folder:
        cockpit = Cockpit(task, clones(task), Path(folder) / "drives.npz", pace=PACE)
        page = open_bare(browser, cockpit)
        hand = SupervisingHand(page)
        for _ in range(DRIVES):
            hand.supervise()
        take_in(page, cockpit)
        page.close()
        return cockpit


def main() -> None:
    """Record the drives of both tasks."""
    RECORDED.mkdir(parents=True, exist_ok=True)
    with bare_browser() as browser:
        for task in (TRACK, Fork()):
            cockpit = record(browser, task)
            save_sessions(cockpit.sessions, RECORDED / f"supervision_{task.name}.npz", task.name)
            print(cockpit.results, flush=True)


if __name__ == "__main__":
    main()
