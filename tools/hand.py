"""A scripted hand that drives the recorder in a browser, as a student does: it looks, and moves the mouse.

The browser tests use it, and ``tools.recorded`` records the drives of ``assets/recorded`` with it. It knows no
number of the widget that is not drawn.
"""

import base64
import math
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from imitation_lab.widgets import Recorder
from tools.bare import take_in

VEHICLE_LENGTH = 0.21  # metres: the hand's yardstick
SWERVE_AT = 0.7  # metres before the obstacle's centre
PASS_AT, CLEARANCE = 0.25, 0.55  # metres before and behind it, and beside it
AHEAD = {"drag": 0.25, "remote": 0.5, "leader": 0.3}  # metres along the way that the hand aims at
SPEED = {"drag": 1.0, "remote": 0.75, "leader": 0.85}  # m/s that it asks for on the fork
LATE = 0.45  # metres that the vehicle goes until it does what was said from afar
LEADING = 10.0  # 1/s: the leader's speed per metre, or per radian, to the hand
TOP_TURN_RATE = 2.5  # rad/s
STICK_REACH = 52  # pixels from the middle to a full push
WINDOW = 60  # points of the way among which the hand looks for where it is
PATIENCE = 30.0  # seconds for one drive

SEE = """() => {
    const area = document.querySelector(".imitation-widget .area");
    const pad = [...document.querySelectorAll(".imitation-widget .hold .pad")]
        .find((node) => node.clientWidth > 0);
    const cornerOf = (node) => {
        const { left, top, width, height } = node.getBoundingClientRect();
        return [left, top, width, height];
    };
    const poseOf = (vehicle) => {
        const numbers = vehicle?.getAttribute("transform")?.match(/-?[\\d.]+/g).map(Number);
        return numbers && { place: numbers.slice(0, 2), turn: numbers[2], length: vehicle.getBBox().width };
    };
    const circle = (name) => {
        const node = area.querySelector(name);
        return node && [Number(node.getAttribute("cx")), Number(node.getAttribute("cy"))];
    };
    return {
        driving: area.dataset.shows === "drive",
        area: cornerOf(area),
        pad: pad ? cornerOf(pad) : null,
        vehicle: poseOf(area.querySelector(".vehicle")),
        leader: poseOf(pad?.querySelector(".vehicle")),
        obstacle: circle(".obstacle"),
        goal: circle(".goal"),
    };
}"""
SEE_LANE = """() => {
    const middle = document.querySelector(".imitation-widget .area .middle");
    const length = middle.getTotalLength();
    const places = Array.from({ length: 800 }, (_, i) => middle.getPointAtLength((length * i) / 800));
    return places.map(({ x, y }) => [x, y]);
}"""


@dataclass
class ScriptedHand:
    """A hand on the mouse, over a page that shows a recorder.

    Attributes:
        page: A page of Playwright.
        interface: The recorder's: ``"drag"``, ``"remote"`` or ``"leader"``.
        tremor: Standard deviation of its shaking, in pixels.
        draws: The source of the shaking.
    """

    page: Any
    interface: str = "drag"
    tremor: float = 0.0
    draws: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def drive_fork(self, side: int, idle: float = 0.0, stop_at: float = math.inf) -> None:
        """Drive on the fork until the drive ends.

        Args:
            side: 1 passes the obstacle on the left, -1 on the right.
            idle: Seconds for which the hand rests first.
            stop_at: Metres after which it gives up and presses Escape.
        """
        seen = self._take_hold(idle)
        self._follow(_way_past(seen, side), stop_at)

    def drive_racetrack(self, idle: float = 0.0, stop_at: float = math.inf) -> None:
        """Drive on the racetrack until the drive ends."""
        lane = np.array(self.page.evaluate(SEE_LANE))
        seen = self._take_hold(idle)
        first = np.linalg.norm(lane - seen["vehicle"]["place"], axis=1).argmin()
        self._follow(np.concatenate([np.roll(lane, -first, axis=0)] * 4), stop_at)

    def _take_hold(self, idle: float) -> dict[str, Any]:
        """Press where a drive begins, and look."""
        self.page.locator(".imitation-widget .area").scroll_into_view_if_needed()
        seen = self.page.evaluate(SEE)
        if self.interface == "drag":
            self._move_to("area", seen, self._start(seen))
        elif seen["leader"]:
            self._move_to("pad", seen, seen["leader"]["place"])
        else:
            self._move_to("pad", seen, _middle_of(seen["pad"]))
        self.page.mouse.down()
        self.page.wait_for_function(
            """() => document.querySelector(".imitation-widget .area").dataset.shows === "drive" """
        )
        if idle:
            self.page.wait_for_timeout(1000 * idle)
        return self.page.evaluate(SEE)

    def _start(self, seen: dict[str, Any]) -> np.ndarray:
        """Return where to press: the fork's vehicle starts at the left, the track's where it is shown."""
        _, _, width, height = seen["area"]
        at_the_left = np.array([0.09 * width, 0.5 * height])
        return at_the_left if seen["obstacle"] else np.array(seen["vehicle"]["place"])

    def _follow(self, way: np.ndarray, stop_at: float) -> None:
        index, walked, last = 0, 0.0, None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            seen = self.page.evaluate(SEE)
            if not seen["driving"]:
                break
            scale = seen["vehicle"]["length"] / VEHICLE_LENGTH
            place = np.array(seen["vehicle"]["place"])
            walked += 0 if last is None else float(np.linalg.norm(place - last)) / scale
            last = place
            if walked > stop_at:
                self.page.keyboard.press("Escape")
                continue
            near = np.linalg.norm(way[index : index + WINDOW] - place, axis=1)
            index += int(near.argmin())
            self._steer(seen, way, index, scale)
        self.page.mouse.up()

    def _steer(self, seen: dict[str, Any], way: np.ndarray, index: int, scale: float) -> None:
        target = _point_ahead(way, index, AHEAD[self.interface] * scale)
        if self.interface == "drag":
            self._move_to("area", seen, target)
        elif seen["obstacle"]:
            self._steer_velocity(seen, target)
        elif self.interface == "remote":
            self._steer_late(seen, way, index, scale)
        else:
            self._steer_turn(seen, target, scale)

    def _steer_velocity(self, seen: dict[str, Any], target: np.ndarray) -> None:
        """On the fork: ask for a velocity towards the target."""
        away = target - np.array(seen["vehicle"]["place"])
        velocity = SPEED[self.interface] * away / max(float(np.linalg.norm(away)), 1e-6)
        if self.interface == "remote":
            self._move_to("pad", seen, _middle_of(seen["pad"]) + STICK_REACH * velocity)
        else:
            scale = seen["leader"]["length"] / VEHICLE_LENGTH
            self._move_to("pad", seen, seen["leader"]["place"] + scale * velocity / LEADING)

    def _steer_turn(self, seen: dict[str, Any], target: np.ndarray, scale: float) -> None:
        """On the racetrack: ask for the turn rate of the arc that leads to the target."""
        right, down = target - np.array(seen["vehicle"]["place"])
        heading = -math.radians(seen["vehicle"]["turn"])
        bearing = math.remainder(math.atan2(-down, right) - heading, math.tau)
        distance = math.hypot(right, down) / scale
        turn_rate = 2 * math.sin(bearing) / distance  # of an arc at 1 m/s
        angle = -math.radians(seen["leader"]["turn"]) + turn_rate / LEADING
        wheel = 60 * np.array([math.cos(angle), -math.sin(angle)])
        self._move_to("pad", seen, _middle_of(seen["pad"]) + wheel)

    def _steer_late(self, seen: dict[str, Any], way: np.ndarray, index: int, scale: float) -> None:
        """From afar on the racetrack: turn as the lane will when the command arrives, and correct gently."""
        lane, later, beyond = (
            _direction_of(way, index, distance * scale) for distance in (0, LATE, LATE + 0.1)
        )
        bend = math.remainder(beyond - later, math.tau) / 0.1  # rad/s at 1 m/s
        heading = -math.radians(seen["vehicle"]["turn"])
        askew = math.remainder(lane - heading, math.tau)
        right, down = (way[index] - np.array(seen["vehicle"]["place"])) / scale
        aside = -math.sin(heading) * right - math.cos(heading) * down  # how far left the lane is
        push = -(bend + 1.2 * askew + 1.0 * aside) / TOP_TURN_RATE
        stick = np.array([STICK_REACH * max(-1.0, min(1.0, push)), 0.0])
        self._move_to("pad", seen, _middle_of(seen["pad"]) + stick)

    def _move_to(self, part: str, seen: dict[str, Any], place: Any) -> None:
        left, top, _, _ = seen[part]
        x, y = np.asarray(place) + self.tremor * self.draws.standard_normal(2)
        self.page.mouse.move(left + float(x), top + float(y))


def deliver(page: Any, recorder: Recorder) -> None:
    """Hand to a recorder what its front end has sent to the stand-in of a kernel, and answer."""
    take_in(page, recorder)
    page.evaluate(
        """([drives, trails]) => {
            const bytes = Uint8Array.from(atob(trails), (letter) => letter.charCodeAt(0));
            model.values.trails = new DataView(bytes.buffer);
            model.setByKernel("drives", drives);
        }""",
        [recorder.drives, base64.b64encode(recorder.trails).decode()],
    )


def _middle_of(box: list[float]) -> np.ndarray:
    return np.array([box[2] / 2, box[3] / 2])


def _way_past(seen: dict[str, Any], side: int) -> np.ndarray:
    """Return a way towards the obstacle, past it on a side, and to the goal, a point every two pixels."""
    scale = seen["vehicle"]["length"] / VEHICLE_LENGTH
    start, obstacle, goal = (
        np.array(place) for place in (seen["vehicle"]["place"], seen["obstacle"], seen["goal"])
    )
    offsets = [(-SWERVE_AT, 0), (-PASS_AT, CLEARANCE), (PASS_AT, CLEARANCE)]
    corners = [obstacle + scale * np.array([along, -side * aside]) for along, aside in offsets]
    stops = [start, *corners, goal]
    pieces = [np.linspace(a, b, max(2, int(np.linalg.norm(b - a) / 2))) for a, b in pairwise(stops)]
    return np.concatenate(pieces)


def _point_ahead(way: np.ndarray, index: int, distance: float) -> np.ndarray:
    """Return the point of a way that lies a distance in pixels further along it."""
    rest = way[index:]
    walked = np.linalg.norm(np.diff(rest, axis=0), axis=1).cumsum()
    return rest[min(int(np.searchsorted(walked, distance)) + 1, len(rest) - 1)]


def _direction_of(way: np.ndarray, index: int, distance: float) -> float:
    """Return where a way leads at a distance in pixels from a point of it, in radians."""
    start = _point_ahead(way, index, distance)
    right, down = _point_ahead(way, index, distance + 10) - start
    return math.atan2(-down, right)
