"""The recorder in a bare page: driven by mouse, finger and keys, and what it sends and shows."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.types import Ending
from imitation_lab.widgets import Recorder
from imitation_lab.widgets.recorder import default_task
from imitation_lab.widgets.recorder_numbers import INTERFACES
from imitation_lab.widgets.vehicles import vehicle_plan
from tools.hand import ScriptedHand, deliver

pytestmark = pytest.mark.browser

STEP = 1 / 30
TRACK = Racetrack(half_width=0.2, laps=0.2).at_rate(30)
QUICK = Fork(max_steps=9, response=0.9).at_rate(30)  # 27 steps


@pytest.fixture
def make(tmp_path):
    """Return a function that makes recorders over one file."""

    def make_(task=None, **options: Any) -> Recorder:
        return Recorder(task, tmp_path / "drives.npz", **options)

    return make_


def area(shown: Any) -> Any:
    return shown.page.locator(".area")


def wait_for(shown: Any, what: str) -> None:
    """Wait until the road shows a start, a drive or an end."""
    shown.page.wait_for_function(
        "(what) => document.querySelector('.area').dataset.shows === what", arg=what
    )


def press(shown: Any, *keys: str) -> None:
    area(shown).focus()
    for key in keys:
        shown.page.keyboard.press(key)
    shown.settle()


def sent(shown: Any) -> list[dict[str, Any]]:
    """What the kernel was told of drives, message by message."""
    return shown.page.evaluate(
        """() => model.sent.map(({ content, buffers }) => ({ ...content,
            numbers: buffers.map((buffer) => [...new Float32Array(buffer)]) }))"""
    )


def steps_driven(shown: Any, count: int) -> None:
    """Wait until a drive is under way and its trail has some corners."""
    shown.page.wait_for_function(
        """(count) => (document.querySelector(".trail-now").getAttribute("d").match(/L/g) ?? [])
            .length >= count""",
        arg=count,
    )


# --- three interfaces -----------------------------------------------------------------------------

ACT = """([name, plan, latency, moments]) => {
    const hand = makeInterface(name, plan, latency);
    let state = moments[0].state;
    hand.begin(state);
    const vehicle = makeVehicle(plan);
    return moments.map(({ pointed, stick }) => {
        const action = hand.act(state, { pointed, stick, seconds: plan.time_step });
        state = vehicle.advance(state, vehicle.toWorld?.(action) ?? action);
        return { action, state, view: hand.view() };
    });
}"""
FORK_START = [0.0, 0, 0, 0, 1, 0, 2, 0]


def act(run_script, name, moments, task=None, latency=0.3):
    """Return, for every moment, the action, the state after it, and what is shown of the hand."""
    start = FORK_START if task is None else [1.5, 0, np.pi / 2, 0, 0]
    filled = [{"pointed": None, "stick": [0, 0], "state": start, **moment} for moment in moments]
    plan = vehicle_plan(task or default_task())
    return run_script("recorder_hands.js", ACT, [name, plan, latency, filled])


def test_a_dragged_vehicle_comes_to_where_the_hand_is_and_stops_when_let_go(run_script):
    held = act(run_script, "drag", [{"pointed": [0.3, 0.2]}] * 90)
    assert held[0]["state"][:2] != [0, 0]
    assert held[-1]["state"][:2] == pytest.approx([0.3, 0.2], abs=0.005)
    assert max(np.hypot(*moment["action"]) for moment in held) <= 1 + 1e-9
    free = act(run_script, "drag", [{"pointed": [2, 0]}] * 10 + [{}] * 3)
    assert [moment["action"] for moment in free[10:]] == [[0, 0]] * 3


def test_keys_move_the_hand_on_a_leash_and_the_vehicle_follows_to_where_it_stays(run_script):
    pushed = act(run_script, "drag", [{"stick": [1, 0]}] * 30 + [{}] * 90)
    for moment, before in zip(pushed[1:30], pushed[:29], strict=True):
        away = np.array(moment["view"]["hand"]) - before["state"][:2]
        assert np.hypot(*away) <= 0.4 + 1e-9
    assert pushed[-1]["view"]["hand"] == pushed[30]["view"]["hand"]
    assert pushed[-1]["state"][:2] == pytest.approx(pushed[-1]["view"]["hand"], abs=0.005)


@pytest.mark.parametrize("latency", [0.0, 0.1, 0.3])
def test_commands_from_afar_arrive_as_much_later_as_is_said(run_script, latency):
    pushes = [[0.1 * step, -0.05 * step] for step in range(10)]
    moments = [{"stick": push} for push in pushes] + [{}] * 10
    arrived = [moment["action"] for moment in act(run_script, "remote", moments, None, latency)]
    late = round(latency * 30)
    expected = [[0, 0]] * late + pushes + [[0, 0]] * (10 - late)
    np.testing.assert_allclose(arrived, expected, atol=1e-9)


def test_a_stick_pushed_beyond_its_rim_pushes_fully_that_way(run_script):
    moments = [{"pointed": [6, 8]}, {"pointed": [0.3, 0.4]}]
    actions = [m["action"] for m in act(run_script, "remote", moments, None, 0)]
    np.testing.assert_allclose(actions, [[0.6, 0.8], [0.3, 0.4]])
    turns = [m["action"] for m in act(run_script, "remote", moments, TRACK, 0)]
    np.testing.assert_allclose(turns, [[-0.6 * 2.5], [-0.3 * 2.5]])  # to the right is negative


def test_the_vehicle_copies_the_leader_s_velocity_and_not_its_place(run_script):
    moments = [{"pointed": [0.5, 0.3]}] * 20 + [{"pointed": [0.2, -0.4]}] * 40
    followed = act(run_script, "leader", moments)
    places = np.array([[0, 0], *(moment["view"]["leader"] for moment in followed)])
    velocities = np.diff(places, axis=0) / STEP
    np.testing.assert_allclose([m["action"] for m in followed], velocities, atol=1e-9)
    assert np.hypot(*velocities.T).max() <= 1 + 1e-9  # the same body: no faster
    np.testing.assert_allclose(places[-1], [0.2, -0.4], atol=0.01)
    # At 1 m/s the vehicle is behind by its lag: dt (1 - r) / r seconds, r the response of a step.
    behind = places[11, 0] - followed[10]["state"][0]
    assert behind == pytest.approx(STEP * (0.5 ** (-1 / 3) - 1) ** -1 * velocities[10, 0], rel=0.2)


def test_on_the_track_the_leader_turns_and_the_vehicle_copies_its_turn_rate(run_script):
    moments = [{"pointed": [-1.0, 0.0]}] * 60  # pointing left of straight ahead, which is up
    followed = act(run_script, "leader", moments, TRACK)
    headings = np.array([np.pi / 2, *(moment["view"]["heading"] for moment in followed)])
    rates = np.diff(headings) / STEP
    np.testing.assert_allclose([m["action"][0] for m in followed], rates, atol=1e-9)
    assert rates.max() <= 2.5 + 1e-9
    assert headings[-1] == pytest.approx(np.pi, abs=0.001)


@pytest.mark.parametrize("name", INTERFACES)
def test_on_the_track_keys_turn_to_their_side(run_script, name):
    for push, sign in [(-1, 1), (1, -1)]:  # left is a positive turn rate
        moments = [{"stick": [push, 0]}] * 12
        action = act(run_script, name, moments, TRACK)[-1]["action"][0]
        assert sign * action > 1


def test_a_tap_on_a_key_is_a_small_push(run_script):
    script = """(directions) => {
        const keys = makeKeyStick();
        return directions.map((direction) => keys.move(direction, 1 / 30));
    }"""
    pushes = run_script("recorder_hands.js", script, [[1, 0]] * 2 + [[0, 0]] * 3)
    assert [right for right, _ in pushes] == pytest.approx([0.2, 0.4, 0.2, 0, 0])
    diagonal = run_script("recorder_hands.js", script, [[1, 1]] * 9)[-1]
    assert np.hypot(*diagonal) == pytest.approx(1)


# --- driven by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize(("interface", "side"), [("drag", 1), ("remote", -1), ("leader", 1)])
def test_a_hand_that_looks_at_the_picture_reaches_the_goal(open_widget, make, interface, side):
    recorder = make(interface=interface, pace=1.5)
    shown = open_widget(recorder)
    ScriptedHand(shown.page, interface).drive_fork(side)
    deliver(shown.page, recorder)
    [drive] = recorder.demonstrations.trajectories
    assert (drive.ending, drive.driver) == (Ending.SUCCESS, interface)
    beside = (drive.observations[:, 0] - drive.observations[:, 4]).abs().argmin()
    lateral = drive.observations[beside, 1] - drive.observations[beside, 5]
    assert side * lateral > recorder.task.obstacle_radius
    after = recorder.task.advance(drive.observations[:-1], drive.actions, torch.Generator())
    torch.testing.assert_close(after, drive.observations[1:], rtol=0, atol=1e-5)


def test_a_hand_drives_the_track_too(open_widget, make):
    recorder = make(TRACK, pace=1.5)
    shown = open_widget(recorder)
    ScriptedHand(shown.page).drive_racetrack()
    deliver(shown.page, recorder)
    [drive] = recorder.demonstrations.trajectories
    assert drive.ending == Ending.SUCCESS
    assert (
        len(drive) >= 0.2 * 2 * np.pi / TRACK.speed / STEP * 0.9
    )  # a fifth of a lap and no short cut


@pytest.mark.parametrize("interface", INTERFACES)
def test_keys_alone_record_a_drive(open_widget, make, interface):
    shown = open_widget(make(interface=interface, latency=0.1))
    press(shown, "Enter")
    shown.page.keyboard.down("ArrowRight")
    steps_driven(shown, 9)
    shown.page.keyboard.up("ArrowRight")
    shown.page.keyboard.down("w")
    steps_driven(shown, 20)
    shown.page.keyboard.up("w")
    shown.page.keyboard.press("Escape")
    [drive] = sent(shown)
    states, actions = (np.array(numbers).reshape(-1, size) for numbers, size in zip(drive["numbers"], (8, 2), strict=True))  # fmt: skip
    assert (drive["kind"], drive["driver"], drive["ending"]) == ("drive", interface, "cut off")
    assert len(states) == len(actions) + 1 == drive["steps"] + 1
    assert actions[:, 0].max() > 0.5 and actions[:, 1].max() > 0.2
    assert states[-1, 0] > 0.05 and states[-1, 1] > states[0, 1]


def test_a_finger_pulls_the_vehicle(open_widget, make):
    shown = open_widget(make(), width=380, has_touch=True)
    box = area(shown).bounding_box()
    client = shown.page.context.new_cdp_session(shown.page)

    def touch(kind: str, *share: float) -> None:
        points = [{"x": box["x"] + share[0] * box["width"], "y": box["y"] + share[1] * box["height"]}] if share else []  # fmt: skip
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.1, 0.5)
    touch("touchMove", 0.2, 0.4)
    steps_driven(shown, 6)
    assert shown.page.locator(".hand").get_attribute("visibility") == "visible"
    touch("touchEnd")
    press(shown, "Escape")
    [drive] = sent(shown)
    actions = np.array(drive["numbers"][1]).reshape(-1, 2)
    assert actions[:, 0].max() > 0.1 and actions[:, 1].max() > 0.05


def test_time_runs_out(open_widget, make):
    shown = open_widget(make(QUICK, pace=2.0))
    press(shown, "Enter")
    wait_for(shown, "end")
    [drive] = sent(shown)
    assert (drive["steps"], drive["ending"]) == (QUICK.max_steps, "cut off")
    assert np.array(drive["numbers"][1]).any() == np.False_  # nobody touched anything: idle frames


def test_a_lost_focus_ends_the_drive_and_holds_no_key(open_widget, make):
    shown = open_widget(make())
    press(shown, "Enter")
    shown.page.keyboard.down("ArrowRight")
    steps_driven(shown, 3)
    shown.page.evaluate("() => document.querySelector('.area').blur()")
    shown.settle()
    assert [drive["ending"] for drive in sent(shown)] == ["cut off"]
    press(shown, "Enter")
    steps_driven(shown, 3)
    press(shown, "Escape")
    assert not any(sent(shown)[1]["numbers"][1])
    shown.page.keyboard.up("ArrowRight")


def test_tab_is_never_trapped(open_widget, make):
    shown = open_widget(make())
    press(shown, "Enter", "Tab")
    focused = shown.page.evaluate("() => document.activeElement.textContent")
    assert focused in {"Start", "End"}
    assert len(sent(shown)) <= 1


def test_keys_with_modifiers_belong_to_the_browser(open_widget, make):
    shown = open_widget(make())
    press(shown, "Control+Enter", "Alt+Backspace")
    assert area(shown).get_attribute("data-shows") == "start"


# --- bookkeeping ----------------------------------------------------------------------------------


def quick_drive(shown: Any) -> None:
    press(shown, "Enter")
    steps_driven(shown, 1)
    press(shown, "Escape")


def test_every_start_is_offered_twice_and_again_where_a_drive_is_deleted(open_widget, make):
    recorder = make(pace=8.0)
    shown = open_widget(recorder)
    for _ in range(5):
        quick_drive(shown)
    deliver(shown.page, recorder)
    assert [drive["start"] for drive in recorder.drives] == [0, 0, 1, 1, 2]
    recorder.delete(1)
    shown.set_by_kernel(drives=recorder.drives)
    quick_drive(shown)
    quick_drive(shown)
    assert [drive["start"] for drive in sent(shown)] == [0, 2]


def test_drives_wait_for_a_busy_kernel_and_count_meanwhile(open_widget, make):
    recorder = make(pace=8.0)
    shown = open_widget(recorder)
    for _ in range(2):
        quick_drive(shown)
    assert shown.readout.startswith("2 demonstrations: 2 cut off.")
    assert "2 drives are on the way to the kernel" in shown.readout
    deliver(shown.page, recorder)
    shown.settle()
    assert shown.readout == recorder.sentence()
    assert len(recorder) == 2


def test_a_drive_after_the_kernel_was_restarted_says_that_nobody_listens(open_widget, make):
    shown = open_widget(make(pace=8.0))
    shown.page.evaluate("() => { model.send = () => { throw new Error('Cannot send'); }; }")
    quick_drive(shown)
    shown.page.get_by_text("No kernel listens: they are gone when this page is closed.").wait_for()
    assert "1 demonstration:" in shown.readout


def test_what_the_kernel_has_is_drawn_and_said_when_the_widget_opens(open_widget, make):
    first = make(pace=8.0)
    shown = open_widget(first)
    quick_drive(shown)
    deliver(shown.page, first)
    again = make()
    shown = open_widget(again)
    assert shown.readout == again.sentence()
    assert "1 demonstration" in shown.readout
    trail = shown.page.locator(".area .trail-cut-off").get_attribute("d")
    assert trail.count("M") == 1
    assert area(shown).get_attribute("data-shows") == "start"


def test_trails_are_drawn_where_they_went_with_a_mark_for_how_they_ended(open_widget, make):
    recorder = make()
    shown = open_widget(recorder)
    hand = ScriptedHand(shown.page)
    hand.drive_fork(1, stop_at=0.4)
    hand.drive_fork(0)  # straight into the obstacle
    deliver(shown.page, recorder)
    shown.settle()
    assert [drive["ending"] for drive in recorder.drives] == ["cut off", "failure"]
    width = area(shown).evaluate("(node) => node.clientWidth")
    for name, trajectory in zip(
        ("cut-off", "failure"), recorder.demonstrations.trajectories, strict=True
    ):
        drawn = area(shown).locator(f".trail-{name}").get_attribute("d")
        pixels = np.array(re.findall(r"[ML](\S+) (\d[\d.]*)", drawn), float)
        along = pixels[:, 0] * 2.65 / width - 0.25
        assert along[[0, -1]] == pytest.approx(trajectory.observations[[0, -1], 0], abs=0.005)
        assert area(shown).locator(f".mark-{name}").get_attribute("d")
    assert area(shown).locator(".mark-success").get_attribute("d") == ""


def test_backspace_deletes_the_last_drive_and_says_so(open_widget, make):
    recorder = make(pace=8.0)
    shown = open_widget(recorder)
    quick_drive(shown)
    quick_drive(shown)
    deliver(shown.page, recorder)
    press(shown, "Backspace")
    assert shown.readout.startswith("1 demonstration:")  # at once, whatever the kernel does
    assert shown.page.locator(".told").text_content() == "The last drive is deleted."
    deliver(shown.page, recorder)
    assert [drive["start"] for drive in recorder.drives] == [0]
    assert len(recorder) == 1


def test_a_drive_in_the_list_is_shown_alone_and_deleted_by_key_or_button(open_widget, make):
    recorder = make(pace=8.0)
    shown = open_widget(recorder)
    for _ in range(3):
        quick_drive(shown)
    deliver(shown.page, recorder)
    ids = [drive["id"] for drive in recorder.drives]
    shown.settle()
    chosen = shown.page.locator(".trail-chosen")
    assert chosen.get_attribute("d") == ""
    drives = shown.page.get_by_role("listbox")
    drives.select_option(ids[1])
    shown.settle()
    assert chosen.get_attribute("d").count("M") == 1
    drives.press("Delete")
    shown.page.get_by_role("button", name="Delete chosen").click()
    deliver(shown.page, recorder)
    assert [drive["id"] for drive in recorder.drives] == ids[:1]


def test_settings_are_told_to_the_kernel_on_release(open_widget, make):
    shown = open_widget(make())
    shown.page.get_by_label("from afar").check()
    assert shown.saved == [{"interface": "remote"}]
    shown.slider("Commands arrive late by").press("ArrowLeft")
    assert shown.saved[-1]["latency"] == pytest.approx(0.25)
    shown.slider("Pace").press("ArrowLeft")
    assert shown.saved[-1] == {"pace": 0.75}


def test_the_pad_is_that_of_the_interface(open_widget, make):
    shown = open_widget(make())
    visible = """() => [...document.querySelectorAll(".pad")]
        .filter((node) => node.clientWidth).map((node) => node.getAttribute("aria-label"))"""
    assert shown.page.evaluate(visible) == []
    for interface, label in [
        ("remote", "The stick"),
        ("leader", "The leader, on a road of its own"),
    ]:
        shown.set_by_kernel(interface=interface)
        assert shown.page.evaluate(visible) == [label]


# --- quick, and for everybody ---------------------------------------------------------------------


def test_it_tells_its_frame_rate_and_its_latency_and_both_are_good(open_widget, make):
    # Other work on the machine makes both worse and never better: the best of a few drives counts.
    shown = open_widget(make())
    readings = []
    while len(readings) < 4 and not any(rate > 50 and late < 70 for rate, late in readings):
        press(shown, "Enter")
        for key in ["ArrowUp", "ArrowDown"] * 8:
            shown.page.keyboard.down(key)
            shown.page.wait_for_timeout(20)
            shown.page.keyboard.up(key)
        shown.page.wait_for_timeout(500)
        press(shown, "Escape")
        said = shown.page.locator(".quick").text_content()
        pattern = r"(\d+) frames per second; from your hand to the picture (\d+) ms\."
        readings.append(tuple(map(int, re.fullmatch(pattern, said).groups())))
    print(f"frames per second and milliseconds: {readings}")  # pytest -s shows it
    rate, late = max(readings, key=lambda reading: reading[0] - reading[1])
    assert rate > 50
    assert late < 70  # two frames and the mean wait for a step of 33 ms


def test_a_closed_view_lets_go_of_the_model(open_widget, make):
    shown = open_widget(make())
    press(shown, "Enter")
    assert shown.page.evaluate("() => model.listenerCount()") == 4
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0
    shown.page.evaluate("() => document.getElementById('host').replaceChildren()")
    shown.settle()


def test_roles_and_names_reach_a_screen_reader_and_keys_their_owner(open_widget, make):
    shown = open_widget(make(interface="remote"))
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Recorder of demonstrations"',
        'application "Driving area. Enter starts a drive. Arrow keys or W, A, S and D drive.',
        'button "Start"',
        'button "Delete last" [disabled]',
        'radio "from afar, by stick or keys (remote)" [checked]',
        'img "The stick"',
        'slider "Pace"',
        'slider "Commands arrive late by"',
        'listbox "Drives; the chosen one is drawn thick"',
    ]:
        assert line in tree
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, select, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0
    assert shown.page.locator(".told").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_widget, make, scheme):
    shown = open_widget(make(interface="remote"), color_scheme=scheme)
    script = Path(__file__).with_name("contrast.js").read_text()
    shapes = {"stroke": [".stick-base", ".stick-rod", ".stick-knob"], "fill": []}
    ratios = shown.page.evaluate(script, shapes)
    assert len(ratios["text"]) > 15
    on_panels = [(name, ratio) for name, ratio in ratios["text"] if name != "goal"]
    disabled = {"Delete last", "Delete chosen"}  # WCAG asks nothing of what cannot be pressed
    weak = {name: ratio for name, ratio in on_panels if ratio < 4.5 and name not in disabled}
    assert weak == {}
    # A knob's outline is black by day and by night; on the dark panel its yellow body stands out.
    lines = dict(ratios["shapes"])
    if scheme == "dark":
        lines.pop(".stick-knob")
    assert {name: ratio for name, ratio in lines.items() if ratio < 3} == {}


def test_how_a_drive_ended_is_told_without_colour(open_widget, make):
    shown = open_widget(make())
    dashes = shown.page.evaluate(
        """() => ["success", "failure", "cut-off"].map((name) =>
            getComputedStyle(document.querySelector(".area .trail-" + name)).strokeDasharray)"""
    )
    assert len(set(dashes)) == 3


@pytest.mark.parametrize("width", [320, 800])
def test_no_text_leaves_the_picture_in_any_column(open_widget, make, width):
    for task, interface in [(None, "leader"), (TRACK, "remote")]:
        shown = open_widget(make(task, interface=interface), width=width)
        assert shown.width <= width
        assert shown.texts_outside == []


def test_the_exported_page_drives_without_a_kernel_and_says_that_nobody_listens(open_export, make):
    page = open_export(make(pace=8.0))
    page.locator(".area").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    page.keyboard.press("Escape")
    page.get_by_text("No kernel listens: they are gone when this page is closed.").wait_for()
