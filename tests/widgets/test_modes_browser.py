"""Drag-the-modes in a bare page: what it draws, how it is moved, what it tells the kernel."""

import json
import random
from pathlib import Path

import pytest

from imitation_lab.widgets import DragTheModes
from imitation_lab.widgets.base import _script_literal
from imitation_lab.widgets.modes import LIMITS, summary

pytestmark = pytest.mark.browser

HANDLES = ["Left driver", "Right driver", "Your constant action"]
PICTURE = "() => document.querySelector('.panels').innerHTML"


def random_settings(generator: random.Random) -> dict[str, float]:
    settings = {name: generator.uniform(*limits) for name, limits in LIMITS.items()}
    settings["left_mode"], settings["right_mode"] = sorted(
        [settings["left_mode"], settings["right_mode"]]
    )
    return settings


# --- the same numbers as in Python --------------------------------------------------------------


def test_closed_forms_in_the_browser_are_those_of_python(open_widget):
    shown = open_widget()
    generator = random.Random(0)
    settings = [random_settings(generator) for _ in range(200)]
    in_browser = shown.evaluate_in_bundle(
        DragTheModes(), "(settings) => settings.map(summarizeModes)", settings
    )
    for numbers, values in zip(in_browser, settings, strict=True):
        expected = summary(**values)
        for name, number in numbers.items():
            assert number == pytest.approx(getattr(expected, name), abs=1e-12, rel=1e-12), name


def test_readout_is_python_s_sentence_wherever_the_settings_stand(open_widget):
    shown = open_widget()
    generator = random.Random(1)
    for _ in range(20):
        # Rounded as a drag rounds: sums of such numbers are where two roundings could differ.
        settings = {name: round(value, 2) for name, value in random_settings(generator).items()}
        shown.set_by_kernel(**settings)
        assert shown.readout == summary(**settings).sentence()


def test_ranges_in_the_browser_have_python_s_limits(open_widget):
    shown = open_widget()
    for label, name in [
        ("Left driver’s share", "left_weight"),
        ("Drivers’ spread", "spread"),
    ]:
        limits = shown.slider(label).evaluate("(input) => [Number(input.min), Number(input.max)]")
        assert tuple(limits) == LIMITS[name]


# --- moving it ------------------------------------------------------------------------------------


def test_a_sideways_drag_moves_a_mode_and_leaves_its_weight(open_widget):
    shown = open_widget(DragTheModes())
    shown.drag("Right driver", right=-60, down=5)
    assert shown.values["right_mode"] < 0.5
    assert shown.values["left_weight"] == 0.5
    assert shown.readout == summary(**shown.values).sentence()


def test_an_upward_drag_gives_a_driver_more_of_the_data(open_widget):
    shown = open_widget()
    shown.drag("Left driver", right=3, down=-30)
    assert shown.values["left_weight"] > 0.6
    assert shown.values["left_mode"] == -0.6


def test_a_handle_stays_under_the_pointer(open_widget):
    shown = open_widget()
    x, _ = shown.centre("Left driver")
    shown.drag("Left driver", right=75)
    assert shown.centre("Left driver")[0] == pytest.approx(x + 75, abs=3)  # a hundredth is 3 pixels


def test_the_kernel_hears_of_a_drag_once_and_only_at_its_end(open_widget):
    shown = open_widget()
    shown.drag("Left driver", right=40, release=False)
    assert shown.saved == []
    shown.page.mouse.up()
    assert shown.saved == [{"left_mode": shown.values["left_mode"]}]


def test_modes_cannot_pass_each_other(open_widget):
    shown = open_widget(DragTheModes(left_mode=-0.2, right_mode=0.1))
    shown.drag("Left driver", right=400)
    assert shown.values["left_mode"] == shown.values["right_mode"] == 0.1


def test_the_ball_follows_the_mouse_and_the_car_follows_the_ball(open_widget):
    shown = open_widget()
    car = shown.page.locator(".car")
    assert "crashed" in car.get_attribute("class")
    shown.drag("Your constant action", right=100)
    assert shown.values["guess"] > LIMITS["obstacle"][1]
    assert "crashed" not in car.get_attribute("class")
    assert shown.saved == [{"guess": shown.values["guess"]}]


def test_every_frame_of_a_drag_is_drawn_once(open_widget):
    shown = open_widget()
    pictures = shown.page.evaluate(
        """async () => {
            const ball = document.querySelector(".ball");
            const frame = () => new Promise(requestAnimationFrame);
            ball.setPointerCapture = () => {};
            const send = (type, x) => ball.dispatchEvent(new PointerEvent(type, { clientX: x, button: 0 }));
            let drawings = 0;
            new MutationObserver(() => drawings++).observe(ball, { attributeFilter: ["transform"] });
            send("pointerdown", 0);
            for (let i = 1; i <= 60; i++) {
                for (const part of [0.3, 0.6, 1]) send("pointermove", i - 1 + part);
                await frame();
            }
            await frame();
            return drawings;
        }"""
    )
    assert pictures == 60


@pytest.mark.parametrize(
    ("name", "key", "changed"),
    [
        ("Left driver", "ArrowRight", {"left_mode": -0.58}),
        ("Left driver", "PageDown", {"left_mode": -0.7}),
        ("Left driver", "Home", {"left_mode": -1}),
        ("Left driver", "ArrowUp", {"left_weight": 0.55}),
        ("Right driver", "ArrowUp", {"left_weight": 0.45}),
        ("Right driver", "ArrowLeft", {"right_mode": 0.58}),
        ("Right driver", "End", {"right_mode": 1}),
        ("Your constant action", "ArrowRight", {"guess": 0.02}),
        ("Your constant action", "PageUp", {"guess": 0.1}),
        ("Your constant action", "Home", {"guess": -1}),
        ("Left driver’s share", "ArrowRight", {"left_weight": 0.51}),
        ("Drivers’ spread", "End", {"spread": 0.4}),
    ],
)
def test_keys_move_what_has_the_focus(open_widget, name, key, changed):
    shown = open_widget()
    before = shown.page.evaluate(PICTURE)
    shown.slider(name).press(key)
    shown.settle()
    assert shown.saved == [changed]
    assert shown.page.evaluate(PICTURE) != before


def test_a_key_held_down_tells_the_kernel_once(open_widget):
    shown = open_widget()
    shown.slider("Left driver").focus()
    for _ in range(5):
        shown.page.keyboard.down("ArrowRight")
    assert shown.saved == []
    shown.page.keyboard.up("ArrowRight")
    assert shown.saved == [{"left_mode": -0.5}]


def test_a_finger_drags_a_mode(open_widget):
    shown = open_widget(width=360, has_touch=True)
    shown.slider("Left driver").scroll_into_view_if_needed()
    x, y = shown.centre("Left driver")
    touches = shown.page.context.new_cdp_session(shown.page)
    for kind, offset in [
        ("touchStart", 0),
        ("touchMove", 10),
        ("touchMove", 40),
        ("touchEnd", None),
    ]:
        points = [] if offset is None else [{"x": x + offset, "y": y}]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    shown.settle()
    assert shown.saved == [{"left_mode": shown.values["left_mode"]}]
    assert shown.centre("Left driver")[0] == pytest.approx(x + 40, abs=2)


def test_minimise_rolls_the_ball_into_the_mean(open_widget):
    shown = open_widget(DragTheModes(left_weight=0.4, guess=-0.9))
    shown.page.get_by_role("button", name="Minimise the loss").click()
    shown.page.wait_for_function("() => model.saved.length === 1")
    [saved] = shown.saved
    assert saved["guess"] == pytest.approx(summary(left_weight=0.4).mean, abs=1e-12)


def test_a_ball_at_rest_in_the_minimum_is_rolled_from_a_slope(open_widget):
    shown = open_widget(DragTheModes(guess=0.0))
    shown.page.get_by_role("button", name="Minimise the loss").click()
    shown.page.wait_for_function(
        "() => Number(document.querySelector('.ball').getAttribute('aria-valuenow')) > 0.3"
    )


def test_taking_the_ball_stops_its_roll(open_widget):
    shown = open_widget(DragTheModes(guess=-0.9))
    shown.page.get_by_role("button", name="Minimise the loss").click()
    shown.slider("Your constant action").press("End")
    shown.settle()
    assert shown.slider("Your constant action").get_attribute("aria-valuenow") == "1"
    assert shown.saved == [{"guess": 1}]


def test_start_again_brings_the_first_settings_back(open_widget):
    first = DragTheModes(left_mode=-0.4, left_weight=0.7)
    shown = open_widget(first)
    before = shown.values
    shown.slider("Left driver").press("End")
    shown.slider("Your constant action").press("Home")
    shown.page.get_by_role("button", name="Start again").click()
    assert shown.values == before


def test_sampling_the_gaussian_sends_some_of_forty_drives_into_the_obstacle(open_widget):
    shown = open_widget()
    crosses = shown.page.locator(".crosses")
    in_data = crosses.get_attribute("d").count("M") / 2
    shown.page.get_by_label("the Gaussian fit").check()
    shown.settle()
    in_fit = crosses.get_attribute("d").count("M") / 2
    numbers = summary()
    assert in_data / 40 == pytest.approx(numbers.data_in_obstacle, abs=1.5 / 40)
    assert in_fit / 40 == pytest.approx(numbers.gaussian_in_obstacle, abs=1.5 / 40)


def test_a_trait_set_in_python_moves_the_picture(open_widget):
    shown = open_widget()
    x, _ = shown.centre("Left driver")
    shown.set_by_kernel(left_mode=-0.2)
    assert shown.centre("Left driver")[0] > x + 50
    assert shown.saved == []


def test_a_closed_view_lets_go_of_the_model(open_widget):
    shown = open_widget()
    assert shown.page.evaluate("() => model.listenerCount()") == len(LIMITS)
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0


# --- for every reader -----------------------------------------------------------------------------


def test_roles_names_and_values_reach_a_screen_reader(open_widget):
    shown = open_widget()
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Drag the modes"',
        'slider "Left driver"',
        'slider "Right driver"',
        'slider "Your constant action"',
        'slider "Left driver’s share"',
        'slider "Drivers’ spread"',
        'radio "the drivers" [checked]',
        'button "Minimise the loss"',
    ]:
        assert line in tree
    assert shown.slider("Left driver").get_attribute("aria-valuetext") == (
        "−0.60 metres per second, 50 % of the data"
    )


def test_the_new_numbers_are_spoken_when_the_student_lets_go(open_widget):
    shown = open_widget()
    live = shown.page.locator("[aria-live=polite]")
    for _ in range(3):  # passing by is no news
        shown.page.keyboard.press("Tab")
    assert live.text_content() == ""
    shown.slider("Your constant action").press("End")
    assert live.text_content() == summary(guess=1.0).sentence()


def test_the_notebook_leaves_the_keys_to_whatever_takes_the_focus(open_widget):
    shown = open_widget()
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0


def test_tab_visits_every_control_and_leaves(open_widget):
    shown = open_widget()
    names = []
    for _ in range(9):
        shown.page.keyboard.press("Tab")
        names.append(
            shown.page.evaluate(
                """() => document.activeElement.getAttribute("aria-label")
                    ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"""
            )
        )
    assert names[:2] == ["Left driver", "Right driver"]
    assert names[5:8] == ["Your constant action", "Minimise the loss", "Start again"]
    assert names[8] not in names[:8]


@pytest.mark.parametrize("name", HANDLES)
def test_a_focused_handle_wears_a_ring(open_widget, name):
    shown = open_widget()
    ring = shown.slider(name).locator(".ring")
    stroke = "(ring) => getComputedStyle(ring).stroke"
    assert ring.evaluate(stroke) == "none"
    shown.page.keyboard.press("Tab")  # a ring is for those who come by keyboard
    shown.slider(name).focus()
    assert ring.evaluate(stroke) != "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_widget, scheme):
    shown = open_widget(color_scheme=scheme)
    ratios = shown.page.evaluate(Path(__file__).with_name("contrast.js").read_text())
    assert len(ratios["text"]) > 30
    assert len(ratios["shapes"]) >= 9
    assert {name: ratio for name, ratio in ratios["text"] if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in ratios["shapes"] if ratio < 3} == {}


@pytest.mark.parametrize(
    ("attribute", "value", "light"),
    [
        ("data-jp-theme-light", "true", True),
        ("data-jp-theme-light", "false", False),
        ("data-theme", "dark", False),
    ],
)
def test_the_notebook_s_theme_goes_before_the_system_s(open_widget, attribute, value, light):
    shown = open_widget(color_scheme="dark" if light else "light")
    shown.page.evaluate(
        "([name, value]) => document.body.setAttribute(name, value)", [attribute, value]
    )
    paper = shown.page.locator(".imitation-widget").evaluate(
        "(root) => getComputedStyle(root).backgroundColor"
    )
    assert (paper == "rgb(255, 255, 255)") == light


def test_reduced_motion_arrives_without_a_roll(open_widget):
    shown = open_widget(DragTheModes(guess=-0.9), reduced_motion="reduce")
    shown.page.get_by_role("button", name="Minimise the loss").click()
    assert shown.saved == [{"guess": 0}]
    durations = (
        "(car) => [getComputedStyle(car).transitionDuration, getComputedStyle(car).animationName]"
    )
    assert shown.page.locator(".car-along").evaluate(durations) == ["0s", "none"]


@pytest.mark.parametrize("width", [320, 360, 640, 1400])
@pytest.mark.parametrize(
    "extreme",
    [
        {},
        {"left_mode": -1.0, "right_mode": -0.98, "left_weight": 1.0, "guess": 1.0},
        {
            "left_mode": 1.0,
            "right_mode": 1.0,
            "left_weight": 0.0,
            "guess": -1.0,
            "spread": 0.04,
            "obstacle": 0.5,
        },
    ],
)
def test_no_text_leaves_the_picture_in_any_column(open_widget, width, extreme):
    shown = open_widget(DragTheModes(**extreme), width=width)
    assert shown.width <= width
    assert shown.texts_outside == []


# --- without a kernel -----------------------------------------------------------------------------


def test_the_exported_page_plays_without_a_network(open_export, wait_for_readout):
    page = open_export(DragTheModes(left_weight=0.3))
    page.get_by_role("slider", name="Your constant action").press("End")
    wait_for_readout(page, summary(left_weight=0.3, guess=1.0).sentence())
    assert page.locator("img").count() == 0


def test_two_exported_widgets_share_a_page(chromium):
    page = chromium.new_page()
    page.set_content(DragTheModes().to_html() + DragTheModes(left_weight=0.9).to_html())
    page.wait_for_function("() => document.querySelectorAll('.readout').length === 2")
    texts = page.locator(".readout").all_text_contents()
    assert texts == [summary().sentence(), summary(left_weight=0.9).sentence()]
    page.close()


def test_without_scripts_the_exported_page_shows_the_described_picture(chromium):
    widget = DragTheModes()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(widget.to_html())
    assert page.get_by_role("img").get_attribute("alt") == widget.describe()
    context.close()


def test_a_value_cannot_break_out_of_the_exported_script(chromium):
    page = chromium.new_page()
    hostile = {"name": "</script><img src=x onerror=alert(1)><!--"}
    page.set_content(f"<script>window.value = {_script_literal(hostile)}</script>")
    assert page.evaluate("() => JSON.stringify(window.value)") == json.dumps(
        hostile, separators=(",", ":")
    )
    page.close()
