"""What both instruments drive with: the loop of fixed steps, its measurements, the roads."""

import re

import numpy as np
import pytest
import torch

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.widgets.vehicles import vehicle_plan

pytestmark = pytest.mark.browser

RUN = """({ timeStep, pace, frames, stopAfter }) => {
    let waiting = null;
    window.requestAnimationFrame = (callback) => ((waiting = callback), 1);
    window.cancelAnimationFrame = () => (waiting = null);
    const told = [];
    let steps = 0;
    const loop = makeLoop({
        timeStep,
        pace: () => pace,
        meter: makeMeter(),
        onStep() { if (++steps === stopAfter) loop.stop(); },
        onFrame: (owed) => told.push([steps, owed]),
    });
    loop.start();
    for (const now of frames) waiting?.(now);
    return { told, running: loop.isRunning() };
}"""


def run_loop(run_script, frames, time_step=0.02, pace=1.0, stop_after=0):
    options = {"timeStep": time_step, "pace": pace, "frames": frames, "stopAfter": stop_after}
    return run_script("driving.js", RUN, options)


def test_steps_have_one_length_however_frames_come(run_script):
    frames = [1000, 1007, 1031, 1050, 1050, 1122, 1201]  # milliseconds
    told = run_loop(run_script, frames)["told"]
    for now, (steps, owed) in zip(frames, told, strict=True):
        elapsed = (now - 1000) / 1000
        assert steps == int(elapsed / 0.02 + 1e-9)
        assert owed == pytest.approx(elapsed - 0.02 * steps)


def test_a_page_that_slept_makes_up_for_a_quarter_of_a_second_only(run_script):
    [_, [steps, _]] = run_loop(run_script, [0, 60_000])["told"]
    assert steps == 12  # of 0.25 s / 0.02 s


def test_another_pace_stretches_time_and_not_the_steps(run_script):
    frames = list(range(0, 1001, 10))
    for pace in (0.5, 1, 4):
        steps, _ = run_loop(run_script, frames, pace=pace)["told"][-1]
        assert steps == pytest.approx(50 * pace, abs=1)


def test_a_step_may_stop_the_loop_at_once(run_script):
    result = run_loop(run_script, [0, 200, 400], stop_after=3)
    assert result["told"][-1][0] == 3
    assert not result["running"]


def test_rate_and_latency_are_medians_of_what_was_measured(run_script):
    script = """() => {
        const meter = makeMeter();
        const before = meter.read();
        let now = 0;
        for (const gap of [0, 10, 10, 40, 10, 20]) meter.frame((now += gap));
        let clock = 0;
        performance.now = () => clock;
        for (const [touched, shown] of [[100, 130], [200, 210], [300, 390]]) {
            meter.input({ timeStamp: touched });
            meter.input({ timeStamp: touched + 5 });  // the oldest that waits counts
            clock = shown;
            meter.shown();
            meter.shown();
        }
        return [before, meter.read(), paceInWords(before), paceInWords(meter.read())];
    }"""
    before, after, early, late = run_script("driving.js", script)
    assert before == {"rate": None, "latency": None}
    assert after == {"rate": 100, "latency": 30}
    assert early == "Frame rate and latency are measured while you drive."
    assert late == "100 frames per second; from your hand to the picture 30 ms."


def outline(run_script, task, state, width):
    """Return what a road's picture draws, its pixels per metre and where it puts a point."""
    script = """([plan, state, width, point]) => {
        const view = makeRoadView({});
        const pixels = view.lay(roadOf(plan, state), width);
        view.place({ x: point[0], y: point[1], heading: 0.5 });
        const circle = (name) => {
            const node = view.node.querySelector(name);
            return node && ["cx", "cy", "r"].map((key) => Number(node.getAttribute(key)));
        };
        return {
            perUnit: pixels.perUnit,
            height: pixels.height,
            at: pixels.at(point),
            back: pixels.metresAt(pixels.at(point)),
            vehicle: view.node.querySelector(".vehicle").getAttribute("transform"),
            edges: [...view.node.querySelectorAll("path.road-edge")].map((p) => p.getAttribute("d")),
            obstacle: circle(".obstacle"),
            goal: circle(".goal"),
            zero: pixels.at([0, 0]),
        };
    }"""
    return run_script("roads.js", script, [vehicle_plan(task), state, width, [0.3, -0.2]])


@pytest.mark.parametrize("task", [Fork(), Racetrack(bump=0.1)])
def test_metres_and_pixels_go_there_and_back(run_script, task):
    state = task.initial_states(1, torch.Generator().manual_seed(0))[0].tolist()
    drawn = outline(run_script, task, state, 500)
    assert drawn["back"] == pytest.approx([0.3, -0.2])
    x, y, turn = map(float, re.findall(r"-?[\d.]+", drawn["vehicle"]))
    assert [x, y] == pytest.approx(drawn["at"], abs=0.01)
    assert turn == pytest.approx(np.degrees(-0.5), abs=0.01)  # a screen's y points down


def test_the_fork_s_obstacle_and_goal_stand_where_they_are_and_as_large(run_script):
    task = Fork(obstacle_radius=0.3)
    drawn = outline(run_script, task, [0, 0, 0, 0, 1.1, 0.05, 2, -0.2], 600)
    for name, place, radius in [("obstacle", [1.1, 0.05], 0.3), ("goal", [2, -0.2], 0.15)]:
        x, y, r = drawn[name]
        per_metre, (left, top) = drawn["perUnit"], drawn["zero"]
        assert [(x - left) / per_metre, (top - y) / per_metre] == pytest.approx(place)
        assert r / per_metre == pytest.approx(radius)


def test_the_track_s_edges_are_drawn_where_vehicles_fail(run_script):
    task = Racetrack(half_width=0.2)
    drawn = outline(run_script, task, [0.0] * 5, 500)
    left, top = drawn["zero"]
    for path, side in zip(drawn["edges"], (1, -1), strict=True):
        pixels = np.array(re.findall(r"[ML](\S+) (\d[\d.]*)", path), float)
        metres = np.stack([pixels[:, 0] - left, top - pixels[:, 1]], axis=1) / drawn["perUnit"]
        states = torch.zeros(len(metres), 5)
        states[:, :2] = torch.from_numpy(metres)
        offsets = task.offset(states)
        np.testing.assert_allclose(offsets, side * 0.2, atol=0.02 / drawn["perUnit"])
