"""Choose-the-order in a bare page: what it draws, how it is moved, what it tells the kernel."""

import random
from pathlib import Path
from typing import Any

import pytest

from imitation_lab.widgets.order import BINS, PRESETS, ChooseTheOrder
from imitation_lab.widgets.order_numbers import LIMIT, MODELS, ORDERS, SAMPLES, summary
from imitation_lab.widgets.order_sampling import draw_samples

pytestmark = pytest.mark.browser

NUMBERS = [name for name in summary([]).__dataclass_fields__ if name != "count"]


def random_actions(generator: random.Random) -> list[list[float]]:
    count = generator.randint(1, 60)
    return [[round(generator.uniform(-LIMIT, LIMIT), 2) for _ in range(2)] for _ in range(count)]


def pixel(shown: Any, steer: float, speed: float) -> tuple[float, float]:
    """Return where an action lies on the plane of demonstrations, in the page's pixels."""
    frame = shown.page.locator(".demo-plane .frame").bounding_box()
    right, up = ((value + LIMIT) / (2 * LIMIT) for value in (steer, speed))
    return frame["x"] + right * frame["width"], frame["y"] + (1 - up) * frame["height"]


def drawn(shown: Any, selector: str) -> list[str]:
    """Return the paths of a class, panel by panel."""
    return [path.get_attribute("d") or "" for path in shown.page.locator(selector).all()]


def press(shown: Any, name: str) -> None:
    shown.page.get_by_role("button", name=name, exact=True).click()
    shown.settle()


# --- the same numbers as in Python ----------------------------------------------------------------


def test_numbers_and_samples_in_the_browser_are_those_of_python(open_widget):
    shown = open_widget(ChooseTheOrder())
    generator = random.Random(0)
    settings = [
        {
            "actions": random_actions(generator),
            "bins": generator.randint(*BINS),
            "order": generator.choice(ORDERS),
            "seed": generator.randint(0, 2**31 - 1),
        }
        for _ in range(25)
    ]
    answers = shown.evaluate_in_bundle(
        ChooseTheOrder(),
        """(settings) => settings.map((one) => {
            const { counts, grids, ...numbers } = analyseOrder(one);
            const draw = (model) => drawSamples(counts, model, one.order, one.seed);
            return { numbers, samples: Object.keys(grids).map((model) => draw(model).map((s) => s.action)) };
        })""",
        settings,
    )
    for answer, one in zip(answers, settings, strict=True):
        expected = summary(one["actions"], one["bins"], one["order"])
        for name in NUMBERS:
            number = answer["numbers"][name]
            assert number == pytest.approx(getattr(expected, name), abs=1e-12), name
        for samples, model in zip(answer["samples"], MODELS, strict=True):
            assert samples == draw_samples(
                one["actions"], one["bins"], model, one["order"], one["seed"]
            )


def test_readout_is_python_s_sentence_whatever_the_actions_are(open_widget):
    shown = open_widget(ChooseTheOrder())
    generator = random.Random(1)
    for index in range(15):
        actions = random_actions(generator) if index else []
        bins = generator.randint(*BINS)
        shown.set_by_kernel(actions=actions, bins=bins)
        assert shown.readout == summary(actions, bins).sentence()


# --- moving it ------------------------------------------------------------------------------------


def test_a_click_adds_an_action_under_the_mouse_and_tells_the_kernel_once(open_widget):
    shown = open_widget(ChooseTheOrder())
    shown.page.mouse.click(*pixel(shown, -1.0, 1.0))
    [saved] = shown.saved
    assert saved["preset"] == "own"
    assert saved["actions"][:-1] == PRESETS["xor"]
    assert saved["actions"][-1] == pytest.approx([-1.0, 1.0], abs=0.02)  # two pixels
    shown.settle()
    actions = [[float(value) for value in action] for action in saved["actions"]]
    assert shown.readout == summary(actions).sentence()


def test_a_preset_ends_the_stepping_through_a_sample_of_other_actions(open_widget):
    shown = open_widget(ChooseTheOrder())
    all_samples = shown.page.get_by_role("button", name="All 80", exact=True)
    press(shown, "Step")
    assert all_samples.is_enabled()
    press(shown, "Line")
    assert all_samples.is_disabled()


def test_a_drag_moves_an_action_and_a_click_removes_it(open_widget):
    shown = open_widget(ChooseTheOrder([[-0.5, -0.5], [0.5, 0.5]]))
    shown.page.mouse.move(*pixel(shown, 0.5, 0.5))
    shown.page.mouse.down()
    shown.page.mouse.move(*pixel(shown, 1.0, -0.8), steps=4)
    assert shown.saved == []
    shown.page.mouse.up()
    [saved] = shown.saved
    assert saved["actions"][0] == [-0.5, -0.5]
    assert saved["actions"][1] == pytest.approx([1.0, -0.8], abs=0.02)
    shown.page.mouse.click(*pixel(shown, 1.0, -0.8))
    assert shown.saved[-1] == {"actions": [[-0.5, -0.5]]}


def test_an_action_cannot_leave_the_plane(open_widget):
    shown = open_widget(ChooseTheOrder([[0.5, 0.5]]))
    shown.page.mouse.move(*pixel(shown, 0.5, 0.5))
    shown.page.mouse.down()
    shown.page.mouse.move(*pixel(shown, 3.0, -4.0), steps=2)
    shown.page.mouse.up()
    assert shown.saved[-1]["actions"] == [[LIMIT, -LIMIT]]


def test_a_finger_adds_an_action(open_widget):
    shown = open_widget(ChooseTheOrder(preset="clear"), width=360, has_touch=True)
    shown.page.locator(".demo-plane").scroll_into_view_if_needed()
    shown.page.touchscreen.tap(*pixel(shown, 1.0, 0.5))
    shown.settle()
    [action] = shown.saved[-1]["actions"]
    assert action == pytest.approx([1.0, 0.5], abs=0.03)


def test_keys_move_the_cursor_add_and_remove(open_widget):
    shown = open_widget(ChooseTheOrder(preset="clear"))
    shown.page.locator(".demo-plane").focus()
    for key in ["ArrowRight", "ArrowRight", "ArrowUp", "Enter", "ArrowDown", "ArrowDown", "Enter"]:
        shown.page.keyboard.press(key)
    assert shown.saved[-1]["actions"] == [[0.2, 0.1], [0.2, -0.1]]
    spoken = shown.page.locator(".panel [aria-live]").first
    assert spoken.text_content() == "Added: right 0.20, brake 0.10, an action is near"
    shown.page.keyboard.press("Delete")
    assert shown.saved[-1]["actions"] == [[0.2, 0.1]]
    for _ in range(3):
        shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("Delete")
    assert spoken.text_content() == "Nothing to remove: right 0.20, brake 0.40"
    assert shown.saved[-1]["actions"] == [[0.2, 0.1]]


def test_a_preset_replaces_the_actions_and_is_marked(open_widget):
    shown = open_widget(ChooseTheOrder())
    press(shown, "Ring")
    assert shown.saved == [{"actions": PRESETS["ring"], "preset": "ring"}]
    assert shown.readout == summary(PRESETS["ring"]).sentence()
    pressed = shown.page.locator("button[aria-pressed=true]")
    assert pressed.all_text_contents() == ["Ring"]
    press(shown, "Start again")
    assert pressed.all_text_contents() == ["Two corners"]
    assert shown.saved[-1]["actions"] == PRESETS["xor"]


def test_the_order_changes_the_way_and_not_the_result(open_widget):
    shown = open_widget(ChooseTheOrder(preset="line"))
    panel = shown.page.locator(".panel").nth(2)
    shades = "(cells) => [...cells.children].map((cell) => cell.getAttribute('fill-opacity'))"
    before = panel.locator(".cells").evaluate(shades)
    samples, readout = drawn(shown, ".sample-dots.halo"), shown.readout
    assert panel.locator(".turn text").all_text_contents() == ["1", "2"]
    shown.page.get_by_label("speed", exact=True).check()
    shown.settle()
    assert shown.saved == [{"order": "speed"}]
    assert panel.locator(".cells").evaluate(shades) == before
    assert shown.readout == readout
    assert panel.locator(".turn text").all_text_contents() == ["2", "1"]  # above, then beside
    assert (
        panel.locator(".hint").text_content() == "p(speed)\u00a0·\u00a0p(steer\u00a0|\u00a0speed)"
    )
    assert drawn(shown, ".sample-dots.halo") != samples


def test_drawing_again_changes_the_samples_alone(open_widget):
    shown = open_widget(ChooseTheOrder(obstacles=False))
    samples, readout = drawn(shown, ".sample-dots.halo"), shown.readout
    assert [path.count("h0") for path in samples] == [SAMPLES, SAMPLES]
    press(shown, "Draw again")
    assert shown.saved == [{"seed": 1}]
    assert drawn(shown, ".sample-dots.halo") != samples
    assert shown.readout == readout


def test_crosses_mark_the_samples_that_crash(open_widget):
    widget = ChooseTheOrder()
    shown = open_widget(widget)
    crashed = [
        sum(steer * speed < 0 and min(abs(steer), abs(speed)) >= 0.2 for steer, speed in samples)
        for samples in map(widget.samples, MODELS)
    ]
    # The demonstrations' own crosses come first.
    counts = [path.count("l6.4 6.4") for path in drawn(shown, ".sample-crosses:not(.halo)")]
    assert counts == [0, *crashed]
    shown.page.get_by_label("Two corners crash").uncheck()
    shown.settle()
    assert "".join(drawn(shown, ".sample-crosses")) == ""
    assert "obstacle" not in shown.readout


# --- stepping through the sampling ----------------------------------------------------------------


def test_a_step_draws_the_first_number_and_the_next_the_second(open_widget):
    widget = ChooseTheOrder()
    shown = open_widget(widget)
    words = shown.page.locator(".narration")
    press(shown, "Step")
    assert all(drawn(shown, ".band"))
    assert not any(drawn(shown, ".drawn-cell"))
    assert not any(drawn(shown, ".sample-dots.halo"))
    first = words.all_text_contents()
    assert first[0] == first[1]  # so far there is no difference
    assert first[0].startswith("Sample 1, step 1: steer from its marginal, bin ")
    press(shown, "Step")
    assert all(drawn(shown, ".drawn-cell"))
    independent, autoregressive = words.all_text_contents()
    assert "step 2: speed from its marginal, whatever steer is, bin " in independent
    assert "step 2: speed from its conditional, given steer bin " in autoregressive
    assert "Nobody acted there" not in autoregressive
    press(shown, "Step")
    assert words.first.text_content().startswith("Sample 2, step 1")
    done = [one.count("h0") for one in drawn(shown, ".sample-dots.halo")]
    assert done[1] == 1


def test_in_the_second_step_the_edge_shows_the_conditional(open_widget):
    # Whoever steers left brakes, whoever steers right speeds up: given steer, one bin is left.
    shown = open_widget(ChooseTheOrder([[-1.0, -1.0], [1.0, 1.0]], bins=3))
    bars = "(panels) => panels.map((p) => p.querySelectorAll('.edge')[1].querySelector('.bars').getAttribute('d'))"
    press(shown, "Step")
    before = shown.page.locator(".panel").evaluate_all(bars)
    press(shown, "Step")
    after = shown.page.locator(".panel").evaluate_all(bars)
    rest = [path.count("M") for path in after]  # bars beside the one that was drawn
    assert [path.count("M") for path in before] == [2, 2, 2]
    assert rest == [2, 1, 0]


def test_keys_step_forward_and_back(open_widget):
    shown = open_widget(ChooseTheOrder())
    step = shown.page.get_by_role("button", name="Step", exact=True)
    for key, words in [
        ("ArrowRight", "Sample 1, step 1"),
        ("ArrowRight", "Sample 1, step 2"),
        ("ArrowLeft", "Sample 1, step 1"),
        ("ArrowLeft", "First steer"),
    ]:
        step.press(key)
        shown.settle()
        assert shown.page.locator(".narration").first.text_content().startswith(words)


def test_play_steps_by_itself_until_it_is_paused(open_widget):
    shown = open_widget(ChooseTheOrder())
    words = shown.page.locator(".narration").first
    press(shown, "Play")
    assert words.get_attribute("aria-live") == "off"  # what moves by itself is not read aloud
    shown.page.wait_for_function(
        "() => document.querySelector('.narration').textContent.includes('step 2')"
    )
    press(shown, "Pause")
    assert words.get_attribute("aria-live") == "polite"
    press(shown, f"All {SAMPLES}")
    assert words.text_content().startswith("First steer")
    assert not any(drawn(shown, ".band"))


def test_a_closed_view_lets_go_of_the_model(open_widget):
    shown = open_widget(ChooseTheOrder())
    press(shown, "Play")
    assert shown.page.evaluate("() => model.listenerCount()") == 6
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0


def test_every_frame_of_a_drag_is_drawn_once(open_widget):
    shown = open_widget(ChooseTheOrder(bins=15, preset="ring"))
    pictures = shown.page.evaluate(
        """async () => {
            const plane = document.querySelector(".demo-plane");
            const frame = () => new Promise(requestAnimationFrame);
            plane.setPointerCapture = () => {};
            const box = document.querySelector(".demo-plane .frame").getBoundingClientRect();
            const send = (type, x) =>
                plane.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: box.y + 9, button: 0 }));
            let drawings = 0;
            send("pointerdown", box.x + 9);
            await frame();
            await frame();
            new MutationObserver(() => drawings++)
                .observe(document.querySelector(".action-dots"), { attributeFilter: ["d"] });
            for (let i = 1; i <= 60; i++) {
                for (const part of [0.3, 0.6, 1]) send("pointermove", box.x + 18 + 2 * (i + part));
                await frame();
            }
            await frame();
            return drawings;
        }"""
    )
    assert pictures == 60


# --- for every reader -----------------------------------------------------------------------------


def test_roles_and_names_reach_a_screen_reader_and_keys_their_owner(open_widget):
    shown = open_widget(ChooseTheOrder())
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Choose the order"',
        'application "Plane of demonstrated actions. Arrow keys move the cursor',
        'img "Independent bins: probability of every cell, and samples"',
        'group "Presets"',
        'button "Two corners" [pressed]',
        'slider "Bins per number"',
        'checkbox "Two corners crash" [checked]',
        'radio "steer" [checked]',
        'button "Play"',
    ]:
        assert line in tree
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0


def test_the_cursor_shows_for_those_who_come_by_keyboard(open_widget):
    shown = open_widget(ChooseTheOrder())
    visibility = "(cursor) => getComputedStyle(cursor).visibility"
    cursor = shown.page.locator(".cursor")
    assert cursor.evaluate(visibility) == "hidden"
    shown.page.keyboard.press("Tab")
    assert cursor.evaluate(visibility) == "visible"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_widget, scheme):
    shown = open_widget(ChooseTheOrder(), color_scheme=scheme)
    press(shown, "Step")
    press(shown, "Step")
    shapes = {
        "stroke": [
            ".action-dots:not(.halo)",
            ".sample-dots:not(.halo)",
            ".sample-crosses:not(.halo)",
            ".obstacles",
            ".frame",
            ".band",
            ".drawn-cell",
            ".legend .independent-sample",
            ".legend .autoregressive-sample",
        ],
        "fill": [
            ".panel:nth-child(1) .bars",
            ".panel:nth-child(2) .bars",
            ".edge.given .bars",
            ".bars.drawn",
        ],
    }
    ratios = shown.page.evaluate(Path(__file__).with_name("contrast.js").read_text(), shapes)
    on_badges = {"1", "2"}  # white on black: they stand on their own ground
    text = {name: ratio for name, ratio in ratios["text"] if name not in on_badges}
    assert len(text) > 25
    assert len(ratios["shapes"]) == 13
    assert {name: ratio for name, ratio in text.items() if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in ratios["shapes"] if ratio < 3} == {}


@pytest.mark.parametrize("width", [320, 520, 700, 1400])
@pytest.mark.parametrize("preset", ["xor", "clear"])
def test_no_text_leaves_the_picture_in_any_column(open_widget, width, preset):
    shown = open_widget(ChooseTheOrder(preset=preset), width=width)
    assert shown.width <= width
    assert shown.texts_outside == []


# --- without a kernel -----------------------------------------------------------------------------


def test_the_exported_page_plays_without_a_network(open_export, wait_for_readout):
    page = open_export(ChooseTheOrder(bins=5))
    page.get_by_role("button", name="Ring").click()
    wait_for_readout(page, summary(PRESETS["ring"], 5).sentence())
