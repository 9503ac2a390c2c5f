"""Choose-the-bins in a bare page: what it draws, how it is moved, what it tells the kernel."""

import random
from pathlib import Path
from typing import Any

import pytest

from imitation_lab.widgets import ChooseTheBins
from imitation_lab.widgets.bins import LIMITS, summary, two_drivers

pytestmark = pytest.mark.browser

BALL = "Number of bins on the curve"
DRAW = "Draw other demonstrations"
INTEGERS = ("num_bins", "num_actions", "seed")
LINES = {
    "stroke": [
        ".truth-line",
        ".nats-line",
        ".endless-line",
        ".floor-line",
        ".bars",
        ".bars.hits",
        ".rug-line",
        ".centres",
        ".ball .knob",
    ],
    "fill": [],
}


@pytest.fixture
def open_bins(open_widget):
    def open_(widget: ChooseTheBins | None = None, **options: Any) -> Any:
        return open_widget(widget or ChooseTheBins(), **options)

    return open_


def random_bins(generator: random.Random) -> dict[str, float]:
    settings = {name: generator.uniform(*limits) for name, limits in LIMITS.items()}
    settings |= {name: generator.randint(*LIMITS[name]) for name in INTEGERS}
    settings["num_actions"] = generator.randint(20, 2000)
    return settings | {"temperature": generator.choice([0.0, 0.05, 0.7, 1.0, 3.0])}


def own(values: dict[str, float]) -> dict[str, float]:
    """Return the page's settings as Python's own numbers."""
    return {name: int(value) if name in INTEGERS else value for name, value in values.items()}


# --- the same numbers as in Python --------------------------------------------------------------


def test_numbers_in_the_browser_are_those_of_python(open_bins):
    shown = open_bins()
    generator = random.Random(0)
    settings = [random_bins(generator) for _ in range(40)]
    in_browser = shown.evaluate_in_bundle(
        ChooseTheBins(), "(settings) => settings.map(summarizeBins)", settings
    )
    for numbers, values in zip(in_browser, settings, strict=True):
        expected = summary(**values)
        for name, number in numbers.items():
            assert number == pytest.approx(getattr(expected, name), abs=1e-9, rel=1e-9), name


def test_demonstrations_in_the_browser_are_those_of_python(open_bins):
    shown = open_bins()
    for seed in (0, 7, LIMITS["seed"][1]):
        values = {"left_mode": -0.5, "right_mode": 0.7, "left_weight": 0.3, "spread": 0.2}
        actions = shown.evaluate_in_bundle(
            ChooseTheBins(),
            f"(values) => [...demonstrationsOf(truthOf(values), {seed}, 500)]",
            values,
        )
        assert actions == pytest.approx(two_drivers(**values).draw(seed, 500), abs=1e-12)


def test_costs_on_the_curve_are_those_of_every_number_of_bins(open_bins):
    shown = open_bins()
    values = ChooseTheBins(num_actions=100, temperature=1.5)._shared_values()
    curve = shown.evaluate_in_bundle(ChooseTheBins(), "natsByCount", values)
    assert [point["num_bins"] for point in curve] == list(range(2, 102))
    for point in curve[::11]:
        expected = summary(**values | {"num_bins": point["num_bins"]})
        assert point["nats"] == pytest.approx(expected.nats, abs=1e-9)
        assert point["endless"] == pytest.approx(expected.nats_endless, abs=1e-9)


def test_readout_is_python_s_sentence_wherever_the_settings_stand(open_bins):
    shown = open_bins()
    generator = random.Random(1)
    for _ in range(12):
        settings = {name: round(value, 2) for name, value in random_bins(generator).items()}
        shown.set_by_kernel(**settings)
        assert shown.readout == summary(**settings).sentence()


def test_ranges_in_the_browser_have_python_s_limits(open_bins):
    shown = open_bins()
    for label, name in [("Number of bins", "num_bins"), ("Temperature", "temperature")]:
        limits = shown.slider(label).evaluate("(input) => [Number(input.min), Number(input.max)]")
        assert tuple(limits) == LIMITS[name]
    reached = []
    for key in ("Home", "End"):
        shown.slider("Demonstrated actions").press(key)
        reached.append(shown.values["num_actions"])
    assert tuple(reached) == LIMITS["num_actions"]


# --- moving it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key", "changed"),
    [
        ("Number of bins", "ArrowRight", {"num_bins": 22}),
        ("Demonstrated actions", "ArrowRight", {"num_actions": 500}),
        ("Temperature", "ArrowLeft", {"temperature": 0.95}),
        ("Temperature", "Home", {"temperature": 0}),
        (BALL, "ArrowLeft", {"num_bins": 20}),
        (BALL, "PageUp", {"num_bins": 31}),
        (BALL, "End", {"num_bins": 101}),
    ],
)
def test_keys_move_what_has_the_focus(open_bins, name, key, changed):
    shown = open_bins()
    shown.slider(name).press(key)
    shown.settle()
    assert shown.saved == [changed]
    assert shown.readout == summary(**own(shown.values)).sentence()


def test_the_ball_stays_under_the_pointer_and_tells_the_kernel_on_release(open_bins):
    shown = open_bins()
    x, _ = shown.centre(BALL)
    shown.drag(BALL, right=-80, release=False)
    assert shown.saved == []
    assert shown.centre(BALL)[0] == pytest.approx(x - 80, abs=12)  # few bins lie far apart
    shown.page.mouse.up()
    assert shown.saved == [{"num_bins": shown.values["num_bins"]}]


def test_a_finger_drags_the_ball(open_bins):
    shown = open_bins(width=360, has_touch=True)
    shown.slider(BALL).scroll_into_view_if_needed()
    x, y = shown.centre(BALL)
    touches = shown.page.context.new_cdp_session(shown.page)
    for kind, points in [
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 10, "y": y}]),
        ("touchMove", [{"x": x + 40, "y": y}]),
        ("touchEnd", []),
    ]:
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    shown.settle()
    assert shown.saved == [{"num_bins": shown.values["num_bins"]}]
    assert shown.values["num_bins"] > 30


def test_other_demonstrations_give_other_bars_and_the_same_truth(open_bins):
    shown = open_bins()
    paths = [shown.page.locator(f"svg[role=img] .{name}") for name in ("bars", "truth-line")]
    bars, truth = [path.first.get_attribute("d") for path in paths]
    shown.page.get_by_role("button", name=DRAW).click()
    shown.settle()
    assert shown.saved == [{"seed": 1}]
    assert paths[0].first.get_attribute("d") != bars
    assert paths[1].first.get_attribute("d") == truth


def test_bars_fill_the_policy_s_probability(open_bins):
    shown = open_bins(ChooseTheBins(num_bins=9, temperature=2.0))
    areas = shown.page.evaluate(
        """() => [...document.querySelectorAll("svg[role=img] .bars")].flatMap((path) =>
            [...path.getAttribute("d").matchAll(/M([\\d.]+) ([\\d.]+)V([\\d.]+)H([\\d.]+)V/g)]
                .map(([, left, base, top, right]) => [+left, (right - left) * (base - top)]))"""
    )
    shares = [area for _, area in sorted(areas)]
    expected = summary(num_bins=9, temperature=2.0).probabilities
    assert [share / sum(shares) for share in shares] == pytest.approx(expected, abs=2e-3)


def test_every_frame_of_a_drag_at_ten_thousand_demonstrations_is_drawn_once(open_bins):
    shown = open_bins(ChooseTheBins(num_actions=10_000))
    drawings = shown.page.evaluate(
        """async () => {
            const input = document.querySelectorAll("input[type=range]")[2];
            const frame = () => new Promise(requestAnimationFrame);
            let drawings = 0;
            new MutationObserver(() => drawings++)
                .observe(document.querySelector(".nats-line[d]"), { attributeFilter: ["d"] });
            for (let i = 1; i <= 30; i++) {
                input.value = 0.05 * i;
                for (let again = 0; again < 3; again++) input.dispatchEvent(new Event("input"));
                await frame();
            }
            await frame();
            return drawings;
        }"""
    )
    assert drawings == 30


def test_start_again_brings_the_first_settings_back(open_bins):
    shown = open_bins(ChooseTheBins(num_bins=9, seed=4))
    before = shown.values
    shown.slider(BALL).press("End")
    shown.page.get_by_role("button", name=DRAW).click()
    shown.page.get_by_role("button", name="Start again").click()
    assert shown.values == before


def test_a_closed_view_lets_go_of_the_model(open_bins):
    shown = open_bins()
    assert shown.page.evaluate("() => model.listenerCount()") == len(LIMITS)
    assert shown.page.evaluate("() => { unmount(); return model.listenerCount(); }") == 0


# --- for every reader -----------------------------------------------------------------------------


def test_roles_names_and_values_reach_a_screen_reader(open_bins):
    shown = open_bins()
    tree = shown.page.locator(".imitation-widget").aria_snapshot()
    for line in [
        'group "Choose the bins"',
        'slider "Number of bins"',
        'slider "Demonstrated actions"',
        'slider "Temperature"',
        f'slider "{BALL}"',
        f'button "{DRAW}"',
    ]:
        assert line in tree
    assert shown.slider("Demonstrated actions").get_attribute("aria-valuetext") == "200"
    assert shown.slider(BALL).get_attribute("aria-valuetext") == "21 bins cost 0.08 nats"


def test_the_new_numbers_are_spoken_when_the_student_lets_go(open_bins):
    shown = open_bins()
    live = shown.page.locator("[aria-live=polite]")
    assert live.text_content() == ""
    shown.slider(BALL).press("Home")
    assert live.text_content() == summary(num_bins=2).sentence()


def test_the_notebook_leaves_the_keys_to_whatever_takes_the_focus(open_bins):
    shown = open_bins()
    unprotected = shown.page.evaluate(
        """() => [...document.querySelectorAll(".imitation-widget :is(input, [tabindex])")]
            .filter((element) => element.dataset.lmSuppressShortcuts !== "true").length"""
    )
    assert unprotected == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read_and_to_see(open_bins, scheme):
    shown = open_bins(color_scheme=scheme)
    source = Path(__file__).with_name("contrast.js").read_text()
    ratios = shown.page.evaluate(source, LINES)
    assert len(ratios["text"]) > 30
    assert len(ratios["shapes"]) == len(LINES["stroke"])
    assert {name: ratio for name, ratio in ratios["text"] if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in ratios["shapes"] if ratio < 3} == {}


def test_paper_is_white_and_has_no_buttons(open_bins):
    shown = open_bins(color_scheme="dark")
    shown.page.emulate_media(media="print", color_scheme="dark")
    try:
        root = shown.page.locator(".imitation-widget")
        paper = root.evaluate("(root) => getComputedStyle(root).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
        assert not shown.page.get_by_role("button").count()
    finally:
        shown.page.emulate_media(media="screen", color_scheme="dark")


@pytest.mark.parametrize("width", [320, 700, 1100])
@pytest.mark.parametrize(
    "extreme",
    [
        {},
        {"num_bins": 101, "temperature": 0.0, "seed": 3},
        {"num_bins": 2, "num_actions": 20, "temperature": 3.0},
        {"spread": 0.4, "left_mode": -1.0, "right_mode": 1.0, "obstacle": 0.5},
        {"spread": 0.04, "left_weight": 1.0, "left_mode": 1.0},
    ],
)
def test_no_text_leaves_the_picture_in_any_column(open_bins, width, extreme):
    shown = open_bins(ChooseTheBins(**extreme), width=width)
    assert shown.width <= width
    assert shown.texts_outside == []


def test_the_exported_page_plays_without_a_kernel(open_export, wait_for_readout):
    page = open_export(ChooseTheBins(num_bins=9))
    page.get_by_role("slider", name=BALL).press("ArrowRight")
    wait_for_readout(page, summary(num_bins=10).sentence())
