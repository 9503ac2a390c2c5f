"""Drag-the-components in a bare page: what it draws, how it is moved, what it tells the kernel."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imitation_lab.widgets import DragTheComponents
from imitation_lab.widgets.components_numbers import (
    LIMITS,
    STARTS,
    TRUTHS,
    ascend,
    data_actions,
    start_components,
    summary,
)

pytestmark = pytest.mark.browser

FOLLOW = "Follow the gradient"
LINES = {
    "stroke": [
        ".truth-line",
        ".mixture-line",
        ".rug-line",
        ".arrow-line",
        *(f".component-line.component-{k}" for k in range(1, 9)),
        *(f".mean-handle.component-{k} .knob" for k in range(1, 9)),
        ".now",
    ],
    "fill": [f".width-handle.component-{k} .knob" for k in range(1, 9)],
}


@pytest.fixture
def open_components(open_widget):
    def open_(widget: DragTheComponents | None = None, **options: Any) -> Any:
        return open_widget(widget or DragTheComponents(), **options)

    return open_


def random_mixture(generator: random.Random) -> dict[str, Any]:
    names = ("logit", "mean", "log_std")
    count = generator.randint(*LIMITS["num_components"])
    rows = [[generator.uniform(*LIMITS[name]) for name in names] for _ in range(count)]
    floor = generator.uniform(*LIMITS["sigma_floor"])
    return {"components": rows, "data": generator.choice(list(TRUTHS)), "sigma_floor": floor}


def numbers_of(values: dict[str, Any]) -> Any:
    return summary(np.array(values["components"]), values["data"], values["sigma_floor"])


def row(shown: Any, k: int) -> list[float]:
    return shown.values["components"][k]


# --- the same numbers as in Python --------------------------------------------------------------


def test_numbers_in_the_browser_are_those_of_python(open_components):
    shown = open_components()
    generator = random.Random(0)
    settings = [random_mixture(generator) for _ in range(60)]
    in_browser = shown.evaluate_in_bundle(
        DragTheComponents(), "(settings) => settings.map(summarizeComponents)", settings
    )
    for numbers, values in zip(in_browser, settings, strict=True):
        expected = numbers_of(values)
        for name, number in numbers.items():
            assert number == pytest.approx(getattr(expected, name), abs=1e-9, rel=1e-9), name


def test_data_and_starts_in_the_browser_are_those_of_python(open_components):
    shown = open_components()
    for data in TRUTHS:
        actions = shown.evaluate_in_bundle(DragTheComponents(), "dataActions", data)
        assert actions == pytest.approx(data_actions(data), abs=1e-12)
    for start in STARTS:
        for count in (1, 2, 8):
            rows = shown.evaluate_in_bundle(
                DragTheComponents(), f"(start) => startComponents(start, {count}, 7)", start
            )
            assert np.array(rows) == pytest.approx(start_components(start, count, 7), abs=1e-12)


@pytest.mark.parametrize("data", TRUTHS)
def test_a_hundred_steps_in_the_browser_lead_where_python_s_lead(open_components, data):
    shown = open_components()
    start = start_components("spread", 4)
    values = {"components": start.tolist(), "data": data, "sigma_floor": 0.02}
    climbed = shown.evaluate_in_bundle(DragTheComponents(), "(s) => ascend(s, 100)", values)
    assert np.array(climbed) == pytest.approx(ascend(start, data, 0.02, 100), abs=1e-9)


def test_readout_is_python_s_sentence_wherever_the_settings_stand(open_components):
    shown = open_components()
    generator = random.Random(1)
    for _ in range(12):
        settings = random_mixture(generator)
        shown.set_by_kernel(**settings)
        assert shown.readout == numbers_of(settings).sentence()


# --- moving it ------------------------------------------------------------------------------------


def test_a_sideways_drag_moves_a_mean_and_leaves_all_else(open_components):
    shown = open_components()
    x, _ = shown.centre("Mean of component 1")
    shown.drag("Mean of component 1", right=60, down=4, release=False)
    assert shown.saved == []
    assert shown.centre("Mean of component 1")[0] == pytest.approx(x + 60, abs=2)
    shown.page.mouse.up()
    assert shown.saved == [{"components": shown.values["components"]}]
    logit, mean, log_std = row(shown, 0)
    assert (logit, log_std) == (0, start_components("spread", 3)[0, 2])
    assert mean > -0.8
    assert shown.values["components"][1:] == start_components("spread", 3)[1:].tolist()


def test_an_upward_drag_gives_a_component_more_weight(open_components):
    shown = open_components()
    _, y = shown.centre("Mean of component 2")
    shown.drag("Mean of component 2", down=-25)
    assert shown.centre("Mean of component 2")[1] == pytest.approx(y - 25, abs=3)
    assert numbers_of(shown.values).weights[1] > 0.45
    assert numbers_of(shown.values).weights[0] == pytest.approx(numbers_of(shown.values).weights[2])
    assert row(shown, 1)[1] == 0


def test_a_diamond_drags_a_width(open_components):
    shown = open_components()
    x, _ = shown.centre("Width of component 2")
    shown.drag("Width of component 2", right=-20)
    assert shown.centre("Width of component 2")[0] == pytest.approx(x - 20, abs=2)
    assert np.exp(row(shown, 1)[2]) < 0.25


def test_a_diamond_near_the_edge_stands_on_the_other_side_and_drags_that_way(open_components):
    shown = open_components(DragTheComponents(components=[[0.0, 1.4, -1.2]]))
    assert shown.centre("Width of component 1")[0] < shown.centre("Mean of component 1")[0]
    shown.drag("Width of component 1", right=-20)
    assert row(shown, 0)[2] > -1.2


@pytest.mark.parametrize(
    ("name", "key", "index", "expected"),
    [
        ("Mean of component 2", "ArrowRight", 1, 0.02),
        ("Mean of component 2", "PageDown", 1, -0.1),
        ("Mean of component 2", "End", 1, 1.5),
        ("Mean of component 2", "ArrowUp", 0, np.log(2 * 0.38 / 0.62)),
        ("Width of component 2", "ArrowRight", 2, np.log(0.3 * 1.05)),
        ("Width of component 2", "PageDown", 2, np.log(0.15)),
        ("Width of component 2", "Home", 2, np.log(0.02)),
        ("Weight of component 2", "Home", 0, np.log(2 * 0.001 / 0.999)),
    ],
)
def test_keys_move_what_has_the_focus(open_components, name, key, index, expected):
    shown = open_components()
    shown.slider(name).press(key)
    shown.settle()
    assert len(shown.saved) == 1
    assert row(shown, 1)[index] == pytest.approx(expected)
    assert shown.readout == numbers_of(shown.values).sentence()


def test_a_finger_drags_a_mean(open_components):
    shown = open_components(width=360, has_touch=True)
    name = "Mean of component 2"
    shown.slider(name).scroll_into_view_if_needed()
    x, y = shown.centre(name)
    touches = shown.page.context.new_cdp_session(shown.page)
    for kind, points in [
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 10, "y": y}]),
        ("touchMove", [{"x": x + 40, "y": y}]),
        ("touchEnd", []),
    ]:
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    shown.settle()
    assert len(shown.saved) == 1
    assert shown.centre(name)[0] == pytest.approx(x + 40, abs=2)


def test_raising_the_floor_widens_what_is_narrower(open_components):
    shown = open_components(DragTheComponents(components=[[0.0, 0.0, -4.0], [0.0, 0.5, -1.0]]))
    floor = shown.slider("Floor of the widths")
    floor.press("End")
    assert [np.exp(values[2]) for values in shown.values["components"]] == pytest.approx(
        [0.1, np.exp(-1)]
    )
    floor.press("Home")
    assert shown.values["sigma_floor"] == LIMITS["sigma_floor"][0]


@pytest.mark.parametrize("start", STARTS)
def test_a_start_is_taken_at_once_with_the_number_of_components(open_components, start):
    shown = open_components(DragTheComponents(start="all equal" if start == "spread" else "spread"))
    shown.slider("Components").press("ArrowRight")
    shown.page.get_by_role("radio", name=start, exact=True).check()
    assert shown.values["start"] == start
    expected = start_components(start, 4)
    assert np.array(shown.values["components"]) == pytest.approx(expected, abs=1e-12)


def test_following_the_gradient_climbs_until_paused_and_tells_the_kernel_then(open_components):
    shown = open_components()
    before = numbers_of(shown.values).log_likelihood
    shown.page.get_by_role("button", name=FOLLOW).click()
    shown.page.wait_for_function(
        "() => document.querySelectorAll('.mixture-line')[2].getAttribute('d').length > 200"
    )
    assert shown.saved == []
    shown.page.get_by_role("button", name="Pause").click()
    assert len(shown.saved) == 1
    assert numbers_of(shown.values).log_likelihood > before + 0.1
    shown.page.get_by_role("button", name=FOLLOW).wait_for()


def test_the_climb_pauses_by_itself_at_the_top(open_components):
    top = ascend(start_components("spread", 2), "two drivers", 0.02, 1500)
    shown = open_components(DragTheComponents(components=top.tolist()))
    shown.page.get_by_role("button", name=FOLLOW).click()
    shown.page.get_by_role("button", name="Pause").wait_for()
    shown.page.get_by_role("button", name=FOLLOW).wait_for()
    assert np.array(shown.values["components"]) == pytest.approx(top, abs=1e-2)


def test_starting_anew_stops_the_climb_and_clears_its_trace(open_components):
    shown = open_components()
    shown.page.get_by_role("button", name=FOLLOW).click()
    shown.page.wait_for_function(
        "() => document.querySelectorAll('.mixture-line')[2].getAttribute('d').length > 20"
    )
    shown.page.get_by_role("button", name="Start anew").click()
    shown.settle()
    assert shown.values["components"] == start_components("spread", 3).tolist()
    assert shown.page.locator("svg[role=img] .mixture-line").first.get_attribute("d") == ""
    assert shown.page.get_by_role("button", name=FOLLOW).count() == 1


def test_every_start_at_random_has_means_of_its_own_by_key_as_well(open_components):
    shown = open_components(DragTheComponents(start="at random"))
    shown.page.get_by_role("button", name="Start anew").press("Enter")
    shown.slider("Components").press("ArrowRight")
    shown.page.get_by_role("button", name="Start anew").press(" ")
    shown.settle()
    told = [(saved["seed"], saved["components"]) for saved in shown.saved if "seed" in saved]
    assert [seed for seed, _ in told] == [1, 2]
    for (seed, rows), count in zip(told, (3, 4), strict=True):
        expected = start_components("at random", count, seed)
        assert np.array(rows) == pytest.approx(expected, abs=1e-12)


def test_reduced_motion_takes_the_steps_at_once(open_components):
    shown = open_components(reduced_motion="reduce")
    shown.page.get_by_role("button", name="Take 600 steps").click()
    expected = ascend(start_components("spread", 3), "two drivers", 0.02, 600)
    assert len(shown.saved) == 1
    assert np.array(shown.values["components"]) == pytest.approx(expected, abs=1e-6)


def test_arrows_point_along_the_gradient(open_components):
    shown = open_components()
    numbers = numbers_of(shown.values)
    arrows = shown.page.evaluate(
        """() => [...document.querySelectorAll(".handle .arrow-line")].slice(0, 6)
            .map((arrow) => Number(arrow.getAttribute("d").match(/H(-?[\\d.]+)/)?.[1] ?? 0))"""
    )
    widths, means = np.sign(arrows[0::2]), np.sign(arrows[1::2])
    assert widths.tolist() == np.sign(numbers.log_std_gradient).tolist()
    assert means[[0, 2]].tolist() == np.sign(numbers.mean_gradient)[[0, 2]].tolist()


def test_a_closed_view_lets_go_of_the_model_and_stops_its_climb(open_components):
    shown = open_components()
    shown.page.get_by_role("button", name=FOLLOW).click()
    assert shown.page.evaluate("() => model.listenerCount()") == 5
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0
    drawn = "() => document.querySelector('.mixture-line[d]').getAttribute('d')"
    shown.settle()
    before = shown.page.evaluate(drawn)
    shown.settle()
    assert shown.page.evaluate(drawn) == before


# --- for every reader -----------------------------------------------------------------------------


def test_roles_names_and_values_reach_a_screen_reader(open_components):
    shown = open_components(DragTheComponents(num_components=2))
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Drag the components"',
        'slider "Mean of component 2"',
        'slider "Width of component 2"',
        'slider "Weight of component 2"',
        'slider "Floor of the widths"',
        'radio "two drivers" [checked]',
        f'button "{FOLLOW}"',
        'rowheader "2"',
    ]:
        assert line in tree
    assert "component 3" not in tree
    spoken = shown.slider("Mean of component 2").get_attribute("aria-valuetext")
    assert spoken == "+1.00 metres per second, weight 50 %"


def test_the_new_numbers_are_spoken_when_the_student_lets_go(open_components):
    shown = open_components()
    live = shown.page.locator("[aria-live=polite]")
    assert live.text_content() == ""
    shown.slider("Mean of component 1").press("ArrowRight")
    assert live.text_content() == numbers_of(shown.values).sentence()


def test_the_notebook_leaves_the_keys_to_whatever_takes_the_focus(open_components):
    shown = open_components()
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_components, scheme):
    shown = open_components(DragTheComponents(num_components=8), color_scheme=scheme)
    source = Path(__file__).with_name("contrast.js").read_text()
    ratios = shown.page.evaluate(source, LINES)
    assert len(ratios["text"]) > 50
    assert {name: ratio for name, ratio in ratios["text"] if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in ratios["shapes"] if ratio < 3} == {}


@pytest.mark.parametrize("width", [320, 700, 1100])
@pytest.mark.parametrize(
    "extreme",
    [
        {"num_components": 8, "data": "idle zeros"},
        {"num_components": 8, "start": "one astray", "data": "three lanes"},
        {"components": [[12.0, -1.5, -6.9], [-12.0, 1.5, 0.0]], "sigma_floor": 0.001},
    ],
)
def test_no_text_leaves_the_picture_in_any_column(open_components, width, extreme):
    shown = open_components(DragTheComponents(**extreme), width=width)
    assert shown.width <= width
    assert shown.texts_outside == []


def test_the_exported_page_plays_without_a_kernel(open_export, wait_for_readout):
    widget = DragTheComponents(num_components=2)
    page = open_export(widget)
    page.get_by_role("slider", name="Mean of component 1").press("PageUp")
    moved = np.array(widget.components)
    moved[0, 1] = -0.9
    wait_for_readout(page, summary(moved, "two drivers", 0.02).sentence())
