"""The chunk timeline in a bare page: what it draws, how it is moved, what it tells the kernel."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imitation_lab.controller import RecedingHorizon
from imitation_lab.envs import Fork
from imitation_lab.traces import ChunkTrace, trace
from imitation_lab.widgets import ChunkTimeline
from imitation_lab.widgets.timeline_numbers import JUMP, Drive

pytestmark = pytest.mark.browser

NAIVE, CONTINUED = "naive switching", "continuing the old plan"
ROAD = (-0.25, 2.4)  # metres that the picture shows
CELLS = """() => [...document.querySelectorAll(".chunks .rows > g")]
    .filter((row) => row.getAttribute("visibility") === "visible")
    .map((row) => [...row.querySelectorAll(".cell:not(.unseen)")]
        .map((cell) => cell.getAttribute("class").slice(5)))"""


class Scribbler:
    """A policy of random plans that mostly go forward."""

    def __init__(self, horizon: int) -> None:
        self.prediction_horizon = horizon

    def sample(self, observations: Any, generator: Any) -> torch.Tensor:
        shape = (len(observations), self.prediction_horizon, 2)
        steering = torch.randn(shape, generator=generator)
        return torch.tensor([0.5, 0.0]) + torch.tensor([0.1, 0.6]) * steering


@cache
def scribbles() -> tuple[ChunkTrace, ...]:
    """Drives of many paces, on a road that is turned, with steps and a response of their own."""
    paces = [(1, 0, 5), (2, 2, 6), (3, 1, 6), (1, 3, 4), (7, 0, 4), (4, 4, 6)]
    task = Fork(angle=0.5, response=0.3, process_noise=0.02, max_steps=30, time_step=0.08)
    return tuple(
        trace(
            task,
            RecedingHorizon(Scribbler(length), horizon, delay),
            torch.Generator().manual_seed(7 + horizon),
            f"every {horizon}, late by {delay}",
        )
        for horizon, delay, length in paces
    )


def make_timeline(traces: Any = None, **options: Any) -> ChunkTimeline:
    return ChunkTimeline(traces, **options)


def press(shown: Any, name: str) -> None:
    shown.page.get_by_role("button", name=name, exact=True).click()
    shown.settle()


def press_keys(shown: Any, *keys: str) -> None:
    shown.page.locator(".chunks").focus()
    for key in keys:
        shown.page.keyboard.press(key)
    shown.settle()


def path_of(shown: Any, name: str) -> np.ndarray:
    """Return the corners of a path on the road, in metres along the road and to the left."""
    drawn = shown.page.evaluate(
        """(name) => {
            const road = document.querySelector(".fork");
            const [, , width, height] = road.getAttribute("viewBox").split(" ").map(Number);
            return { path: road.querySelector(name).getAttribute("d"), width, height };
        }""",
        name,
    )
    numbers = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn["path"])
    pixels = np.array(numbers, dtype=float).reshape(-1, 2)
    per_metre = drawn["width"] / (ROAD[1] - ROAD[0])
    along = pixels[:, 0] / per_metre + ROAD[0]
    return np.stack([along, (drawn["height"] / 2 - pixels[:, 1]) / per_metre], axis=1)


def set_to(shown: Any, widget: ChunkTimeline, **settings: Any) -> None:
    """Set the same in Python and in the browser."""
    for name, value in settings.items():
        setattr(widget, name, value)
    shown.set_by_kernel(**settings)


# --- the same numbers as in Python ----------------------------------------------------------------


def test_planned_positions_in_the_browser_are_those_of_python(open_widget):
    widget = make_timeline(scribbles())
    shown = open_widget(widget)
    found = shown.evaluate_in_bundle(
        widget,
        """() => unpackDrives(window.model).map((drive) => {
            const steps = Array.from({ length: drive.steps }, (_, step) => step);
            return steps.map((step) => planFrom(drive, playingAt(drive, step), step));
        })""",
        None,
    )
    for drive, plans in zip(scribbles(), found, strict=True):
        assert len(plans) == len(drive)
        for step, plan in enumerate(plans):
            expected = drive.planned_states(drive.playing(step), step)[:, :2]
            np.testing.assert_allclose(plan, expected, atol=1e-5)


def test_what_became_of_every_action_is_in_the_browser_as_in_python(open_widget):
    widget = make_timeline(scribbles())
    shown = open_widget(widget)
    found = shown.evaluate_in_bundle(
        widget,
        """() => unpackDrives(window.model).map((drive) => Array.from(
            { length: drive.steps + 1 }, (_, now) => fatesAt(drive, now)))""",
        None,
    )
    for drive, moments in zip(scribbles(), found, strict=True):
        assert moments == [drive.fates(now) for now in range(len(drive) + 1)]


def test_takeovers_and_plans_thrown_away_are_in_the_browser_as_in_python(open_widget):
    widget = make_timeline(scribbles())
    shown = open_widget(widget)
    found = shown.evaluate_in_bundle(
        widget,
        """() => unpackDrives(window.model).map((drive) => ({
            takeovers: drive.takeovers.map(({ chunk, step, before, after, jumps }) =>
                [chunk, step, before, after, jumps]),
            gone: Array.from({ length: drive.steps }, (_, step) => thrownAwayAt(drive, step)),
        }))""",
        None,
    )
    for trace_, answer in zip(scribbles(), found, strict=True):
        drive = Drive(trace_)
        assert len(answer["takeovers"]) == len(drive.takeovers)
        for there, here in zip(answer["takeovers"], drive.takeovers, strict=True):
            expected = [here.chunk, here.step, here.old, here.new, here.jumps]
            assert there == pytest.approx(expected, abs=1e-6)
        gone = [drive.thrown_away(step) for step in range(len(trace_))]
        assert answer["gone"] == [None if one is None else list(one) for one in gone]
    assert shown.evaluate_in_bundle(widget, "() => JUMP", None) == JUMP


def test_readout_is_python_s_sentence_wherever_the_settings_stand(open_widget):
    widget = make_timeline(scribbles())
    shown = open_widget(widget)
    for drive in scribbles():
        for step in (0, 1, 3, 4, 5, 8, 11, len(drive)):
            set_to(shown, widget, trace=drive.label, step=step)
            assert shown.readout == widget.sentence()


# --- what is drawn --------------------------------------------------------------------------------


def test_every_row_is_a_chunk_and_every_cell_tells_what_became_of_an_action(open_widget):
    widget = make_timeline(scribbles())
    shown = open_widget(widget)
    for drive in scribbles():
        for step in (0, 4, 9, len(drive)):
            set_to(shown, widget, trace=drive.label, step=step)
            expected = [[fate.replace(" ", "-") for fate in row] for row in drive.fates(step)]
            assert shown.page.evaluate(CELLS) == expected


def test_a_cell_stands_in_the_column_of_its_step_and_points_to_the_side_it_steers_to(open_widget):
    widget = make_timeline(step=13)
    shown = open_widget(widget)
    found = shown.page.evaluate(
        """() => [...document.querySelectorAll(".chunks .rows > g")].map((row) =>
            [...row.querySelectorAll(".cell")].map((cell) => {
                const [box, bar] = ["box", "bar"].map((name) =>
                    cell.querySelector("." + name).getBoundingClientRect());
                const middle = box.top + box.height / 2;
                return [box.left, bar.top + bar.height / 2 - middle, cell.dataset.side];
            }))"""
    )
    drive = widget.shown
    lefts = {}
    for chunk, row in enumerate(found):
        for index, (left, below, side) in enumerate(row):
            step = drive.trace.born[chunk] + index
            assert lefts.setdefault(step, left) == pytest.approx(left, abs=0.6)
            lateral = drive.lateral(chunk, step)
            expected = "straight" if abs(lateral) < 0.1 else "left" if lateral > 0 else "right"
            assert side == expected
            assert {"left": below < -0.4, "right": below > 0.4, "straight": abs(below) < 0.2}[side]
    columns = np.diff([lefts[step] for step in sorted(lefts)])
    np.testing.assert_allclose(columns, columns.mean(), atol=0.6)


def test_what_became_of_an_action_is_told_without_colour(open_widget):
    shown = open_widget(make_timeline(scribbles(), trace=scribbles()[1].label, step=9))
    looks = shown.page.evaluate(
        """() => {
            const looks = {};
            for (const cell of document.querySelectorAll(".fates .cell")) {
                const style = (name) => getComputedStyle(cell.querySelector("." + name));
                looks[cell.getAttribute("class")] = [
                    style("box").fill === "none", style("box").strokeDasharray,
                    style("hatch").stroke === "none", style("strike").stroke === "none",
                    style("bar").visibility,
                ].join();
            }
            return looks;
        }"""
    )
    assert len(looks) == 6
    assert len(set(looks.values())) == 6


def test_only_what_occurs_is_in_the_legend(open_widget):
    shown = open_widget(make_timeline(scribbles()[:1]))
    legend = shown.page.locator(".fates").text_content()
    assert legend == "takenstill to comethrown away"


def test_vehicle_trail_and_plans_are_drawn_where_they_are(open_widget):
    widget = make_timeline(scribbles(), trace=scribbles()[2].label)
    shown = open_widget(widget)
    drive = widget.shown
    for step in (1, 5, 9):
        set_to(shown, widget, step=step)
        states = drive.trace.states[: step + 1, :2]
        np.testing.assert_allclose(path_of(shown, ".trail")[:-1], states, atol=0.005)
        ahead = drive.trace.planned_states(drive.trace.playing(step), step)[:, :2]
        np.testing.assert_allclose(path_of(shown, ".new-plan"), ahead, atol=0.005)
        gone = drive.thrown_away(step)
        old = drive.trace.planned_states(*gone)[:, :2] if gone else np.zeros((0, 2))
        np.testing.assert_allclose(path_of(shown, ".old-plan"), old, atol=0.005)
        transform = shown.page.locator(".vehicle").get_attribute("transform")
        x, y = map(float, re.findall(r"translate\((\S+) (\S+)\)", transform)[0])
        width, height = shown.page.evaluate(
            "() => document.querySelector('.fork').getAttribute('viewBox').split(' ').slice(2)"
        )
        per_metre = float(width) / (ROAD[1] - ROAD[0])
        place = [x / per_metre + ROAD[0], (float(height) / 2 - y) / per_metre]
        np.testing.assert_allclose(place, states[-1], atol=0.005)


def test_after_the_end_there_is_no_plan_and_the_picture_says_how_it_ended(open_widget):
    widget = make_timeline()
    shown = open_widget(widget)
    end = shown.page.locator(".chunks > text")
    burst = shown.page.locator(".burst")
    assert (end.text_content(), burst.get_attribute("visibility")) == ("", "hidden")
    for label, ending, visibility in [
        (NAIVE, "crashed", "visible"),
        (CONTINUED, "reached the goal", "hidden"),
    ]:
        widget.trace = label
        set_to(shown, widget, trace=label, step=len(widget.shown.trace))
        assert len(path_of(shown, ".new-plan")) == len(path_of(shown, ".old-plan")) == 0
        assert (end.text_content(), burst.get_attribute("visibility")) == (ending, visibility)


def test_jumps_are_marked_on_the_road_in_the_steering_and_beside_the_choice(open_widget):
    widget = make_timeline()
    widget.step = len(widget.shown.trace)
    shown = open_widget(widget)
    count = """() => {
        const strokes = (path) => (path.getAttribute("d").match(/M/g) ?? []).length;
        const drawn = [...document.querySelectorAll(".strip .strip-jump")].filter(strokes);
        const marks = [...document.querySelectorAll(".ribbon .strip-jump")].map(strokes);
        return [strokes(document.querySelector(".jump-marks")), drawn.length, ...marks];
    }"""
    jumps = sum(takeover.jumps for takeover in widget.shown.takeovers)
    assert jumps > 0
    assert shown.page.evaluate(count) == [jumps, jumps, jumps, 0]
    set_to(shown, widget, trace=CONTINUED)
    assert shown.page.evaluate(count) == [0, 0, jumps, 0]


def test_each_drive_s_ribbon_has_a_cell_for_every_action_taken(open_widget):
    widget = make_timeline()
    shown = open_widget(widget)
    sides = shown.page.evaluate(
        """() => [...document.querySelectorAll(".ribbon")].map((ribbon) =>
            [...ribbon.querySelectorAll(".cell")].map((cell) => cell.dataset.side))"""
    )
    for label, found in zip((NAIVE, CONTINUED), sides, strict=True):
        widget.trace = label
        trace_ = widget.shown.trace
        steering = [action[1].item() for action in trace_.actions]
        assert found == [
            "straight" if abs(value) < 0.1 else "left" if value > 0 else "right"
            for value in steering
        ]


# --- time -----------------------------------------------------------------------------------------


def test_the_slider_scrubs_and_tells_the_kernel_on_release(open_widget):
    shown = open_widget(make_timeline(step=0))
    slider = shown.slider("Step")
    box = slider.bounding_box()
    shown.page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8, steps=5)
    shown.settle()
    assert shown.saved == []
    assert slider.get_attribute("aria-valuetext") in {"6 of 13", "7 of 13"}
    shown.page.mouse.up()
    [saved] = shown.saved
    assert saved["step"] in {6, 7}


def test_a_drag_on_the_timeline_moves_time_by_whole_steps(open_widget):
    shown = open_widget(make_timeline(trace=CONTINUED, step=0))
    cells = shown.page.locator(".chunks .rows > g").first.locator(".box")
    start, end = (cells.nth(index).bounding_box() for index in (2, 9))
    shown.page.mouse.move(start["x"], start["y"] + 4)
    shown.page.mouse.down()
    shown.settle()
    assert shown.slider("Step").get_attribute("aria-valuetext").startswith("2 of")
    shown.page.mouse.move(end["x"], end["y"] + 30, steps=5)
    assert shown.saved == []
    shown.page.mouse.up()
    assert shown.saved == [{"step": 9}]


def test_a_finger_moves_time(open_widget):
    shown = open_widget(make_timeline(step=0), width=360, has_touch=True)
    shown.page.locator(".chunks").scroll_into_view_if_needed()
    box = shown.page.locator(".chunks .rows .box").nth(5).bounding_box()
    shown.page.touchscreen.tap(box["x"] + 1, box["y"] + 3)
    shown.settle()
    assert shown.saved[-1] == {"step": 5}


def test_keys_on_the_timeline_move_time(open_widget):
    widget = make_timeline(step=3)
    shown = open_widget(widget)
    first, second, *_ = (takeover.step for takeover in widget.shown.takeovers)
    last = len(widget.shown.trace)
    for key, step in [
        ("ArrowRight", 4),
        ("ArrowLeft", 3),
        ("PageUp", 8),
        ("PageDown", 3),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("ArrowDown", first),
        ("ArrowDown", second),
        ("ArrowUp", first),
        ("ArrowUp", 0),
        ("End", last),
        ("ArrowRight", last),
        ("ArrowDown", last),
    ]:
        press_keys(shown, key)
        assert shown.values["step"] == step, key


def test_space_plays_and_pauses_and_the_kernel_hears_of_both(open_widget):
    shown = open_widget(make_timeline(step=0))
    press_keys(shown, " ")
    assert shown.saved[0] == {"playing": True}
    shown.page.wait_for_function(
        "() => parseInt(document.querySelector('.range .value').textContent) > 0"
    )
    spoken = shown.page.locator(".imitation-widget > .only-spoken")
    assert spoken.text_content() == ""  # what moves by itself is not read aloud
    press_keys(shown, " ")
    assert shown.saved[-1]["playing"] is False
    step = shown.values["step"]
    assert 0 < step < 13
    assert step == int(step)
    assert spoken.text_content() == shown.readout
    shown.settle()
    assert shown.values["step"] == step


def test_while_it_plays_the_vehicle_moves_between_steps(open_widget):
    shown = open_widget(make_timeline(trace=CONTINUED, step=0))
    press(shown, "Play")
    places = shown.page.evaluate(
        """async () => {
            const places = new Set();
            const value = document.querySelector(".range .value");
            while (parseInt(value.textContent) < 3) {
                places.add(document.querySelector(".vehicle").getAttribute("transform"));
                await new Promise(requestAnimationFrame);
            }
            return places.size;
        }"""
    )
    assert places > 10


def test_play_ends_at_the_end_and_begins_anew(open_widget):
    shown = open_widget(make_timeline(step=12))
    press(shown, "Play")
    shown.page.get_by_role("button", name="Play", exact=True).wait_for()
    assert shown.saved[-1] == {"step": 13, "playing": False}
    press(shown, "Play")
    press(shown, "Pause")
    assert shown.values["step"] < 10


def test_python_plays_too(open_widget):
    shown = open_widget(make_timeline(step=11))
    shown.set_by_kernel(playing=True)
    shown.page.wait_for_function("() => model.values.step === 13")
    shown.settle()
    assert shown.saved == [{"step": 13, "playing": False}]


def test_reduced_motion_plays_in_still_pictures(open_widget):
    shown = open_widget(make_timeline(step=0), reduced_motion="reduce")
    press(shown, "Play")
    places = shown.page.evaluate(
        """async () => {
            const seen = new Map();
            const value = document.querySelector(".range .value");
            while (seen.size < 3) {
                const transform = document.querySelector(".vehicle").getAttribute("transform");
                seen.set(value.textContent, [...(seen.get(value.textContent) ?? []), transform]);
                await new Promise(requestAnimationFrame);
            }
            return [...seen].map(([step, places]) => [step, new Set(places).size]);
        }"""
    )
    assert places == [["0 of 13", 1], ["1 of 13", 1], ["2 of 13", 1]]


def test_another_drive_is_a_click_away_and_keeps_the_step(open_widget):
    widget = make_timeline(step=8)
    shown = open_widget(widget)
    shown.page.get_by_label(CONTINUED).check()
    shown.settle()
    assert shown.saved == [{"trace": CONTINUED}]
    widget.trace = CONTINUED
    assert shown.readout == widget.sentence()
    assert "Step 8 of" in shown.readout


def test_a_shorter_drive_is_shown_at_its_end_here_too(open_widget):
    widget = make_timeline(trace=CONTINUED, step=20)
    shown = open_widget(widget)
    set_to(shown, widget, trace=NAIVE)
    assert shown.readout == widget.sentence()
    assert shown.slider("Step").get_attribute("aria-valuetext") == "13 of 13"
    press_keys(shown, "ArrowLeft")
    assert shown.saved == [{"step": 12}]


# --- sixty frames a second ------------------------------------------------------------------------


def test_it_plays_at_sixty_frames_a_second_and_leaves_most_of_each_free(open_widget):
    # Other work on the machine makes gaps longer and never shorter: the quietest of a few runs counts.
    class Steady(Scribbler):
        def sample(self, observations: Any, generator: Any) -> torch.Tensor:
            return torch.full((len(observations), 16, 2), 0.01)

    task = Fork(max_steps=45)
    actor = RecedingHorizon(Steady(16), 1, 0)
    busy = trace(task, actor, torch.Generator().manual_seed(0), "at every step")
    shown = open_widget(make_timeline([busy], step=0))
    measure = """async () => {
        const [gaps, spent] = [[], []];
        const ask = window.requestAnimationFrame;
        window.requestAnimationFrame = (draw) => ask((now) => {
            const start = performance.now();
            draw(now);
            spent.push(performance.now() - start);
        });
        let last = null;
        for (let i = 0; i < 90; i++) {
            const now = await new Promise(ask);
            if (last !== null) gaps.push(now - last);
            last = now;
        }
        window.requestAnimationFrame = ask;
        const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
        const drawn = spent.filter((time) => time > 0.05);
        return [median(gaps), median(drawn), drawn.length];
    }"""
    runs = []
    while len(runs) < 6 and min((gap for gap, _, _ in runs), default=99) >= 20:
        shown.set_by_kernel(step=0, playing=True)
        runs.append(shown.page.evaluate(measure))
        assert runs[-1][2] > 40
    gap, cost = min(gap for gap, _, _ in runs), min(cost for _, cost, _ in runs)
    print(f"median gap {gap:.1f} ms, median drawing {cost:.2f} ms")  # pytest -s shows it
    assert gap < 20
    assert cost < 8


def test_a_closed_view_lets_go_of_the_model(open_widget):
    shown = open_widget(make_timeline(step=0))
    press(shown, "Play")
    assert shown.page.evaluate("() => model.listenerCount()") == 3
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0


# --- for every reader -----------------------------------------------------------------------------


def test_roles_and_names_reach_a_screen_reader_and_keys_their_owner(open_widget):
    shown = open_widget(make_timeline())
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Chunk timeline"',
        'img "The fork from above: the vehicle is',
        'application "Timeline of chunks. Left and right arrow move by a step',
        'button "Play"',
        'slider "Step"',
        'radio "naive switching (4 jumps, crashed)" [checked]',
        'radio "continuing the old plan (no jump, reached the goal)"',
    ]:
        assert line in tree
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_widget, scheme):
    shown = open_widget(make_timeline(step=12), color_scheme=scheme)
    script = Path(__file__).with_name("contrast.js").read_text()
    legend = [f".legend .{name}-sample" for name in ("taken", "planned", "jump")]
    cells = [".missed .hatch", ".to-come .box", ".discarded .strike", ".awaited .box"]
    sides = [f'.rows .taken[data-side="{side}"] .box' for side in ("left", "right", "straight")]
    shapes = {
        "stroke": [*legend, *cells, ".strip-taken", ".strip-playing", ".strip-jump", ".now-line"],
        "fill": [*sides, ".fates .to-come .bar", ".now-grip"],
    }
    ratios = shown.page.evaluate(script, shapes)
    assert len(ratios["text"]) > 20
    on_panels = [(name, ratio) for name, ratio in ratios["text"] if name != "goal"]
    assert {name: ratio for name, ratio in on_panels if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in ratios["shapes"] if ratio < 3} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plans_stand_out_on_the_road_by_day_and_by_night(open_widget, scheme):
    shown = open_widget(make_timeline(), color_scheme=scheme)
    found = shown.page.evaluate(
        """() => {
            const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            const luminance = (colour) => {
                context.fillStyle = colour;
                context.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
                    const value = byte / 255;
                    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const style = (name, property) =>
                luminance(getComputedStyle(document.querySelector(".fork " + name))[property]);
            const road = style(".asphalt", "fill") + 0.05;
            const lines = [".new-plan", ".old-plan", ".trail", ".goal", ".burst"];
            const areas = [".vehicle", ".on-road"];
            return [...lines.map((name) => [name, (style(name, "stroke") + 0.05) / road]),
                ...areas.map((name) => [name, (style(name, "fill") + 0.05) / road])];
        }"""
    )
    found = {name: ratio for name, ratio in found if name != ".burst"}
    assert {name: ratio for name, ratio in found.items() if ratio < 3} == {}
    assert found[".on-road"] >= 4.5
    assert found[".new-plan"] > found[".old-plan"]  # what was thrown away is the fainter one


@pytest.mark.parametrize("width", [320, 520, 700, 1400])
def test_no_text_leaves_the_picture_in_any_column(open_widget, width):
    for widget in (make_timeline(step=13), make_timeline(scribbles(), step=9)):
        shown = open_widget(widget, width=width)
        assert shown.width <= width
        assert shown.texts_outside == []


# --- without a kernel -----------------------------------------------------------------------------


def test_the_exported_page_drives_without_a_network_and_again_when_reloaded(
    open_export, wait_for_readout
):
    widget = make_timeline(step=0)
    page = open_export(widget)
    for _ in range(2):
        page.get_by_label(CONTINUED).check()
        page.get_by_role("slider", name="Step").press("End")
        widget.trace = CONTINUED
        widget.step = len(widget.shown.trace)
        wait_for_readout(page, widget.sentence())
        page.reload()
        page.get_by_text("0 of 13", exact=True).wait_for()


def test_without_scripts_the_exported_page_shows_the_described_picture(chromium):
    widget = make_timeline()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(widget.to_html())
    assert page.get_by_role("img").get_attribute("alt") == widget.describe()
    context.close()
