"""The cockpit in a bare page: networks and drives as in Python, hands on the wheel, mail for the kernel."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.gating import ensemble_disagreement, human_gated_rollout
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.widgets import Cockpit
from imitation_lab.widgets.cockpit_sessions import Session, read_session
from imitation_lab.widgets.cockpit_weights import name_weights, pack_weights

pytestmark = pytest.mark.browser

SEAT = ".cockpit .seat"
DIMS = {"racetrack": (5, 1), "fork": (8, 2)}
SESSIONS = """() => model.sent.filter(({ content }) => content.kind === "session")
    .map(({ content, buffers }) => ({ ...content, rows: [...new Float32Array(buffers[0])] }))"""


def make_policy(seed: int, dims: tuple[int, int] = (5, 1), **sizes: int) -> PhysicalPolicy:
    """Return a policy of random numbers, with normalizers that shift and scale every dimension."""
    generator = torch.Generator().manual_seed(seed)
    policy = RegressionPolicy(*dims, **{"width": 16, **sizes}, generator=generator)
    normalizers = [
        Normalizer.fit(torch.randn(20, dim, generator=generator) * torch.arange(1, dim + 1) + 0.5)
        for dim in dims
    ]
    return PhysicalPolicy(policy, *normalizers)


def first_action(policy: PhysicalPolicy) -> Any:
    return lambda observations: policy.sample(observations, torch.Generator())[:, 0]


def make_cockpit(task: Any = None, count: int = 3, **options: Any) -> Cockpit:
    task = task or Racetrack(half_width=0.9, max_steps=60).at_rate(30)
    policies = [make_policy(seed, DIMS[task.name]) for seed in range(count)]
    return Cockpit(task, policies, **{"path": "/nowhere/none.npz", "pace": 4.0, **options})


class Seat:
    """The driver's seat of a cockpit in a page."""

    def __init__(self, open_widget: Any, widget: Cockpit, **options: Any) -> None:
        self.widget, self.shown = widget, open_widget(widget, **options)
        self.page = self.shown.page
        self.drives = 0

    def start(self) -> None:
        self.page.locator(SEAT).focus()
        self.page.keyboard.press("Enter")
        self.shown.settle()  # what is drawn is no longer the last drive

    def wait_for_steps(self, count: int) -> None:
        """Wait until so many steps have been drawn."""
        self.page.wait_for_function(
            "(count) => (document.querySelector('.done-course').getAttribute('d')"
            ".match(/[ML]/g) ?? []).length >= count",
            arg=count,
        )

    def sessions(self) -> list[Session]:
        """What was sent to the kernel, as the kernel reads it."""
        dims = DIMS[self.widget.task.name]
        return [
            read_session(
                np.array(one["rows"], dtype="<f4").tobytes(), dims, one["ending"], one["weights"]
            )
            for one in self.page.evaluate(SESSIONS)
        ]

    def last(self) -> Session:
        """Wait for the end of the drive, and return it."""
        self.drives += 1
        self.page.wait_for_function(f"() => ({SESSIONS})().length >= {self.drives}")
        self.shown.settle()
        return self.sessions()[-1]

    def acknowledge(self, trouble: str = "") -> None:
        """Let the kernel answer all that was sent."""
        self.page.evaluate(
            """(trouble) => {
                for (const { content } of model.sent)
                    model.setByKernel("receipt", { id: content.id, trouble });
            }""",
            trouble,
        )
        self.shown.settle()


@pytest.fixture
def sit_down(open_widget):
    def sit(widget: Cockpit | None = None, **options: Any) -> Seat:
        return Seat(open_widget, widget or make_cockpit(), **options)

    return sit


def replayed(task: Any, session: Session, start: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what ``human_gated_rollout`` keeps when gate and expert do what the person did."""

    class FromStart(type(task)):
        def initial_states(self, num_episodes: int, generator: Any) -> torch.Tensor:
            return start.repeat(num_episodes, 1)

    env = FromStart(**{name: getattr(task, name) for name in task.__dataclass_fields__})
    looks = iter(range(len(session)))
    now = [0]

    def gate(observations: torch.Tensor, engaged: torch.Tensor) -> torch.Tensor:
        now[0] = next(looks, len(session) - 1)
        return session.engaged[now[0]].reshape(1)

    return human_gated_rollout(
        env,
        lambda observations: session.policy_actions[now[0]].reshape(1, -1),
        lambda observations: session.actions[now[0]].reshape(1, -1),
        gate,
        torch.Generator().manual_seed(0),
    )


def starts_of(widget: Cockpit) -> torch.Tensor:
    numbers = np.frombuffer(widget.starts, dtype="<f4").astype(np.float32)
    return torch.from_numpy(numbers).reshape(-1, widget.task.state_dim)


# --- the same numbers as in Python ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "sizes"),
    [((5, 1), {}), ((8, 2), {"depth": 3, "width": 7}), ((5, 1), {"prediction_horizon": 4})],
)
def test_networks_in_the_browser_give_python_s_actions_and_doubt(sit_down, dims, sizes):
    task = {5: Racetrack(), 8: Fork()}[dims[0]]
    policies = [make_policy(seed, dims, **sizes) for seed in range(3)]
    seat = sit_down(Cockpit(task, policies, record=False))
    observations = 2 * torch.randn(40, dims[0], generator=torch.Generator().manual_seed(1))
    actions, doubts = seat.shown.evaluate_in_bundle(
        seat.widget,
        """(observations) => {
            const policies = makePolicies(model.get("network"), floatsOf(model.get("weights")));
            const actions = observations.map((seen) => policies.map((policy) => policy(seen)));
            return [actions, actions.map(disagreementOf)];
        }""",
        observations.tolist(),
    )
    functions = [first_action(policy) for policy in policies]
    expected = torch.stack([function(observations) for function in functions], dim=1)
    np.testing.assert_allclose(actions, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        doubts, ensemble_disagreement(functions, observations), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("task", [Racetrack(half_width=0.6).at_rate(30), Fork(angle=0.4)])
def test_a_drive_of_the_policy_is_the_one_that_python_rolls_out(sit_down, task):
    seat = sit_down(make_cockpit(task, pace=8.0))
    seat.start()
    session = seat.last()
    states = starts_of(seat.widget)[:1]
    generator = torch.Generator()
    policies = [first_action(policy) for policy in seat.widget.policies]
    for step in range(len(session)):
        observations = task.observe(states, generator)
        actions = policies[0](observations)
        doubt = ensemble_disagreement(policies, observations)
        np.testing.assert_allclose(session.observations[step], observations[0], atol=1e-4)
        np.testing.assert_allclose(session.policy_actions[step], actions[0], atol=1e-3)
        np.testing.assert_allclose(session.doubt[step], doubt[0], atol=1e-3)
        states = task.advance(states, actions, generator)
    assert torch.equal(session.actions, session.policy_actions)
    assert not session.engaged.any()
    assert bool(task.failed(states)) == (session.ending == "failure")
    assert bool(task.succeeded(states)) == (session.ending == "success")
    assert (session.ending == "cut off") == (len(session) == task.max_steps)


# --- who drives -----------------------------------------------------------------------------------


def supervise(seat: Seat) -> Session:
    """Drive with two takeovers of the keys and one of the mouse, until Escape."""
    keyboard, mouse = seat.page.keyboard, seat.page.mouse
    seat.start()
    seat.wait_for_steps(4)
    for arrow in ("ArrowLeft", "ArrowRight"):
        keyboard.down(" ")
        keyboard.down(arrow)
        seat.wait_for_steps(10 if arrow == "ArrowLeft" else 24)
        keyboard.up(arrow)
        keyboard.up(" ")
        seat.wait_for_steps(16 if arrow == "ArrowLeft" else 28)
    box = seat.page.locator(".cockpit .from-above").bounding_box()
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    mouse.down()
    seat.wait_for_steps(34)
    mouse.up()
    seat.wait_for_steps(38)
    keyboard.press("Escape")
    return seat.last()


@pytest.mark.parametrize("task", [Racetrack(half_width=0.9).at_rate(30), Fork().at_rate(30)])
def test_corrections_are_what_a_human_gated_rollout_keeps(sit_down, task):
    seat = sit_down(make_cockpit(task, pace=1.0))
    session = supervise(seat)
    assert session.ending == "cut off"
    assert len(session.takeovers) == 3
    kept = replayed(task, session, starts_of(seat.widget)[:1])
    steps = int(session.engaged.sum())
    assert 12 <= steps < len(session)
    for found, expected in zip(session.corrections, kept, strict=True):
        np.testing.assert_allclose(found, expected[:steps], atol=1e-4)
    free = ~session.engaged
    assert torch.equal(session.actions[free], session.policy_actions[free])


def test_arrows_turn_the_wheel_from_where_the_policy_left_it_and_it_turns_back(sit_down):
    task = Racetrack(half_width=0.9).at_rate(30)
    seat = sit_down(make_cockpit(task, pace=1.0))
    seat.start()
    seat.wait_for_steps(4)
    seat.page.keyboard.down("ArrowLeft")
    seat.page.keyboard.down(" ")
    seat.wait_for_steps(20)
    seat.page.keyboard.up("ArrowLeft")
    seat.wait_for_steps(44)
    seat.page.keyboard.press("Escape")
    session = seat.last()
    by_hand = session.actions[session.engaged, 0]
    left = session.policy_actions[session.engaged, 0][0].clamp(
        -task.action_bound, task.action_bound
    )
    assert by_hand[0] == pytest.approx(left.item(), abs=1e-5)
    assert by_hand.max() == pytest.approx(task.action_bound, abs=1e-5)
    full = int((by_hand > task.action_bound - 1e-5).nonzero()[0])
    assert (by_hand[: full + 1].diff() >= 0).all()
    assert by_hand[-1] == pytest.approx(0, abs=1e-5)


def test_the_racetrack_s_vehicle_heads_for_the_pointer(sit_down):
    task = Racetrack(half_width=0.9).at_rate(30)
    seat = sit_down(make_cockpit(task, pace=1.0))
    seat.start()
    box = seat.page.locator(".cockpit .from-above").bounding_box()
    place = (0.5 * box["width"], 0.3 * box["height"])
    seat.page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    seat.page.mouse.down()
    seat.wait_for_steps(20)
    seat.page.mouse.up()
    seat.page.keyboard.press("Escape")
    session = seat.last()
    x, y = metres_at(task, place, box["width"])
    seen = session.observations[session.engaged]
    heading = torch.atan2(seen[:, 2], seen[:, 3])
    error = torch.atan2(y - seen[:, 1], x - seen[:, 0]) - heading
    error = torch.remainder(error + math.pi, 2 * math.pi) - math.pi
    expected = (6 * error).clamp(-task.top_turn_rate, task.top_turn_rate)
    assert len(seen) > 5
    np.testing.assert_allclose(session.actions[session.engaged, 0], expected, atol=0.05)


def metres_at(task: Racetrack, place: tuple[float, float], width: float) -> tuple[float, float]:
    """Return where on the track a pixel of its picture lies: the picture shows a verge of 0.13 m."""
    angles = torch.linspace(0, 2 * math.pi, 181)
    middle = task.middle(angles)
    aside = task.half_width + 0.13
    stretch = 1 + aside * task.metres_per_radian(angles) / middle.square().sum(dim=1)
    outside = middle * stretch.unsqueeze(1)
    (left, _), (right, top) = outside.min(dim=0).values, outside.max(dim=0).values
    per_metre = width / float(right - left)
    return float(left) + place[0] / per_metre, float(top) - place[1] / per_metre


def test_arrows_on_the_fork_are_directions(sit_down):
    seat = sit_down(make_cockpit(Fork(angle=0.3).at_rate(30), pace=1.0))
    seat.start()
    keyboard = seat.page.keyboard
    for key in (" ", "ArrowRight", "ArrowUp"):
        keyboard.down(key)
    seat.wait_for_steps(12)
    keyboard.press("Escape")
    for key in (" ", "ArrowRight", "ArrowUp"):
        keyboard.up(key)
    session = seat.last()
    wanted = seat.widget.task.to_world(torch.tensor([[1.0, 1.0]]) / math.sqrt(2))
    torch.testing.assert_close(session.actions[-1:], wanted)


def test_a_lost_focus_hands_back_and_the_drive_goes_on(sit_down):
    seat = sit_down(make_cockpit(pace=1.0))
    seat.start()
    seat.page.keyboard.down(" ")
    seat.wait_for_steps(6)
    assert seat.page.locator(".from-above").get_attribute("data-driver") == "person"
    seat.page.keyboard.press("Tab")  # which the seat does not trap
    assert seat.page.evaluate("() => document.activeElement.textContent") == "Stop"
    seat.wait_for_steps(14)
    assert seat.page.locator(".from-above").get_attribute("data-driver") == "policy"
    seat.page.keyboard.up(" ")
    seat.page.get_by_role("button", name="Stop", exact=True).click()
    session = seat.last()
    assert session.engaged.any()
    assert not session.engaged[-3:].any()


def test_the_chosen_policy_drives_and_the_kernel_hears_of_the_choice(sit_down):
    seat = sit_down(make_cockpit(pace=8.0))
    seat.page.get_by_role("radio", name="3", exact=True).check()
    seat.shown.settle()
    assert seat.shown.saved == [{"driver": 2}]
    seat.start()
    session = seat.last()
    expected = first_action(seat.widget.policies[2])(session.observations)
    np.testing.assert_allclose(session.policy_actions, expected, rtol=1e-4, atol=1e-4)


# --- pushes ---------------------------------------------------------------------------------------


def test_an_arrow_pushes_a_vehicle_that_is_only_watched_and_never_one_that_is_recorded(sit_down):
    track = Racetrack(half_width=0.9).at_rate(30)
    for record, jumps in ((False, [0.27, -0.27]), (True, [])):
        seat = sit_down(make_cockpit(track, pace=1.0, record=record))
        seat.start()
        seat.wait_for_steps(3)
        seat.page.keyboard.press("ArrowRight")
        seat.wait_for_steps(8)
        seat.page.keyboard.press("ArrowLeft")
        seat.wait_for_steps(13)
        seat.page.keyboard.press("Escape")
        places = seat.last().observations[:, :2]
        moves = places.diff(dim=0)
        jumped = moves.norm(dim=1) > 2 * track.time_step * track.speed
        assert int(jumped.sum()) == len(jumps)
        # Sideways by three tenths of the half width, and forward by the step.
        sizes = (moves[jumped].square().sum(dim=1) - (track.time_step * track.speed) ** 2).sqrt()
        np.testing.assert_allclose(sizes, np.abs(jumps), atol=0.02)


# --- starts and mail ------------------------------------------------------------------------------


def test_every_drive_begins_elsewhere_and_every_policy_with_the_first_start(sit_down):
    seat = sit_down(make_cockpit(pace=8.0))
    starts = seat.widget.task.observe(starts_of(seat.widget)[:2], torch.Generator())
    seat.start()
    seat.last()
    seat.start()
    seat.last()
    firsts = torch.stack([session.observations[0] for session in seat.sessions()])
    np.testing.assert_allclose(firsts, starts, atol=1e-5)
    retrained = [make_policy(seed) for seed in (7, 8, 9)]
    seat.acknowledge()
    send_weights(seat, retrained)
    seat.start()
    session = seat.last()
    assert session.weights == name_weights(pack_weights(retrained))
    np.testing.assert_allclose(session.observations[0], starts[0], atol=1e-5)
    expected = first_action(retrained[0])(session.observations)
    np.testing.assert_allclose(session.policy_actions, expected, rtol=1e-4, atol=1e-4)


def send_weights(seat: Seat, policies: list[PhysicalPolicy]) -> None:
    """Do in the page what the kernel's ``cockpit.policies = ...`` does there."""
    seat.widget.policies = policies
    seat.page.evaluate(
        """([network, results, bytes]) => {
            model.values.network = network;
            model.values.results = results;
            model.setByKernel("weights", new DataView(Uint8Array.from(bytes).buffer));
        }""",
        [seat.widget.network, seat.widget.results, list(seat.widget.weights)],
    )
    seat.shown.settle()


def test_the_readout_tells_whether_the_kernel_has_the_drive(sit_down):
    seat = sit_down(make_cockpit(pace=4.0))
    seat.start()
    seat.page.keyboard.down(" ")
    seat.wait_for_steps(9)
    seat.page.keyboard.up(" ")
    seat.page.keyboard.press("Escape")
    steps = int(seat.last().engaged.sum())
    assert "It waits for the kernel." in seat.shown.readout
    seat.acknowledge()
    assert f"Saved: {steps} corrections." in seat.shown.readout
    seat.start()
    seat.wait_for_steps(3)
    seat.page.keyboard.press("Escape")
    seat.last()
    seat.acknowledge(trouble="the disk is full")
    assert "not on disk: the disk is full" in seat.shown.readout


def test_backspace_asks_the_kernel_to_discard_the_last_drive_but_not_on_the_way(sit_down):
    seat = sit_down(make_cockpit(pace=1.0))
    kinds = "() => model.sent.map(({ content }) => content.kind)"
    seat.start()
    seat.wait_for_steps(3)
    seat.page.keyboard.press("Backspace")
    seat.page.keyboard.press("Escape")
    seat.last()
    seat.page.keyboard.press("Backspace")
    assert seat.page.evaluate(kinds) == ["session", "discard"]
    seat.shown.settle()
    assert seat.shown.readout == "The last drive is discarded."


def test_a_drive_after_the_kernel_was_restarted_says_that_it_is_not_kept(sit_down):
    seat = sit_down(make_cockpit(pace=4.0))
    seat.page.evaluate("() => { model.send = () => { throw new Error('Cannot send'); }; }")
    seat.start()
    seat.wait_for_steps(3)
    seat.page.keyboard.press("Escape")
    seat.shown.settle()
    assert "It is not kept: the kernel was restarted." in seat.shown.readout


# --- what is drawn --------------------------------------------------------------------------------


def test_the_courses_of_doubt_and_steering_are_those_of_the_log(sit_down):
    seat = sit_down(make_cockpit(pace=8.0, threshold=0.5))
    seat.start()
    session = seat.last()
    courses = seat.page.evaluate(
        """() => Object.fromEntries(["doubt", "offset", "wish", "done"].map((name) => [name,
            document.querySelector(`.${name}-course`).getAttribute("d")
                .slice(1).split("L").map((place) => place.split(" ").map(Number))]))"""
    )
    task = seat.widget.task
    bound = task.action_bound
    expected = {
        "doubt": session.doubt,
        "offset": task.offset(session.observations),
        "wish": session.policy_actions[:, 0].clamp(-bound, bound),
        "done": session.actions[:, 0].clamp(-bound, bound),
    }
    for name, values in expected.items():
        places = np.array(courses[name])
        assert len(places) == len(session)
        np.testing.assert_allclose(np.diff(places[:, 0]), np.diff(places[:, 0]).mean(), atol=0.02)
        # Upwards is more: heights are the numbers, up to one scale and one shift.
        slope, shift = np.polyfit(values.numpy(), places[:, 1], 1)
        assert slope < 0
        np.testing.assert_allclose(slope * values.numpy() + shift, places[:, 1], atol=0.02)


def test_the_meter_stands_at_the_doubt_of_now_and_shows_when_it_passes_the_line(sit_down):
    seat = sit_down(make_cockpit(pace=8.0, threshold=0.5))
    seat.start()
    session = seat.last()
    now = session.doubt[-1].item()
    for threshold in (0.9 * now, 1.1 * now):
        seat.shown.set_by_kernel(threshold=threshold)
        meter, line, classes, top = seat.page.evaluate(
            """() => {
                const [meter, line] = ["meter", "doubt-line"].map((name) =>
                    document.querySelector("." + name));
                const { y, height } = meter.getBBox();
                const course = document.querySelector(".doubt-course").getAttribute("d");
                return [[y, y + height], line.getBBox().y, meter.getAttribute("class"),
                    Number(course.split(" ").at(-1))];
            }"""
        )
        assert meter[0] == pytest.approx(top, abs=0.02)
        height = (meter[1] - line) / (meter[1] - meter[0])
        assert height == pytest.approx(threshold / now, rel=0.01)
        assert ("over" in classes) == (now > threshold)


def test_a_single_policy_has_no_doubt_to_show_and_nobody_to_choose_from(sit_down):
    seat = sit_down(make_cockpit(count=1, threshold=0.3))
    assert not seat.page.locator(".doubt-course").is_visible()
    assert seat.page.get_by_role("radio").count() == 0  # hidden ones have no role
    assert not seat.page.get_by_role("slider", name="Line of doubt").is_visible()
    send_weights(seat, [make_policy(0), make_policy(1)])
    assert seat.page.locator(".meter-frame").is_visible()
    assert seat.page.get_by_role("radio").count() == 2


def test_the_line_of_doubt_moves_by_keys_and_the_kernel_hears_of_it_on_release(sit_down):
    seat = sit_down(make_cockpit(threshold=0.25))
    slider = seat.page.get_by_role("slider", name="Line of doubt")
    slider.press("ArrowRight")
    seat.shown.settle()
    [told] = seat.shown.saved
    assert 0.25 < told["threshold"] < 0.3


def test_who_drives_shows_in_words_and_at_the_vehicle(sit_down):
    seat = sit_down(make_cockpit(pace=1.0))
    sign, ring = seat.page.locator(".sign"), seat.page.locator(".hand-ring")
    assert sign.text_content() == "ready"
    seat.start()
    seat.wait_for_steps(3)
    assert sign.text_content() == "the policy drives"
    assert ring.get_attribute("visibility") == "hidden"
    seat.page.keyboard.down(" ")
    seat.wait_for_steps(6)
    assert sign.text_content() == "you drive"
    assert ring.get_attribute("visibility") == "visible"
    assert len(seat.page.locator(".hand-trail").get_attribute("d")) > 10
    assert seat.page.locator(".hand-band").first.get_attribute("d").startswith("M")
    seat.page.keyboard.up(" ")
    seat.page.keyboard.press("Escape")
    seat.last()


def test_results_of_all_policies_stand_in_a_table(sit_down):
    seat = sit_down()
    row = {"drives": 4, "reached": 1, "crashed": 2, "steps": 200, "by_hand": 30, "takeovers": 5}
    now = seat.widget.network["name"]
    old = {**row, "weights": "old"}
    assert not seat.page.locator(".results").is_visible()
    seat.shown.set_by_kernel(results=[old, {**row, "weights": now, "drives": 1, "by_hand": 0}])
    rows = seat.page.locator(".results tbody tr").all_inner_texts()
    cells = [" ".join(text.split()) for text in rows]
    assert cells == ["policy 1 4 1 2 5 15 %", "policy 2, now 1 1 2 5 0 %"]


def test_frame_rate_latency_and_the_time_of_thinking_are_told(sit_down):
    seat = sit_down(make_cockpit(pace=1.0))
    seat.start()
    seat.page.keyboard.down(" ")
    seat.wait_for_steps(20)
    seat.page.keyboard.up(" ")
    seat.page.keyboard.press("Escape")
    seat.last()
    said = seat.page.locator(".speed").text_content()
    for part in ("frames per second", "from your hand to the picture", "3 policies together think"):
        assert part in said


def test_three_policies_of_the_course_s_size_think_within_a_fraction_of_a_step(sit_down):
    policies = [make_policy(seed, width=64) for seed in range(3)]
    seat = sit_down(Cockpit(Racetrack(), policies, record=False))
    milliseconds = seat.shown.evaluate_in_bundle(
        seat.widget,
        """() => {
            const policies = makePolicies(model.get("network"), floatsOf(model.get("weights")));
            const think = () => disagreementOf(policies.map((policy) => policy([1, 0, 0, 1, 0])));
            for (let i = 0; i < 300; i++) think();
            const before = performance.now();
            for (let i = 0; i < 300; i++) think();
            return (performance.now() - before) / 300;
        }""",
        None,
    )
    assert milliseconds < 5  # 0.05 on a quiet machine; a step at 30 Hz lasts 33


# --- manners --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 700, 1000])
@pytest.mark.parametrize("name", ["racetrack", "fork"])
def test_nothing_sticks_out_at_any_width(sit_down, width, name):
    task = {"racetrack": Racetrack(), "fork": Fork()}[name]
    seat = sit_down(make_cockpit(task, threshold=0.4), width=width)
    seat.shown.set_by_kernel(results=seat.widget.results)
    assert seat.shown.width == width
    assert seat.shown.texts_outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts_suffice_in_both_themes(sit_down, scheme):
    seat = sit_down(make_cockpit(threshold=0.4, pace=8.0), color_scheme=scheme)
    seat.start()
    seat.last()
    shapes = {
        "stroke": [
            ".doubt-course",
            ".done-course",
            ".offset-course",
            ".wish-course",
            ".doubt-line",
        ],
        "fill": [".meter"],
    }
    script = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
    found = seat.page.evaluate(script, shapes)
    sign = seat.page.locator(".sign").text_content()  # on a plate, which is no HTML element
    weak = [(text, ratio) for text, ratio in found["text"] if ratio < 4.5 and text != sign]
    assert weak == []
    assert [(name, ratio) for name, ratio in found["shapes"] if ratio < 3] == []


def test_the_page_does_not_get_the_keys_that_drive(sit_down):
    seat = sit_down()
    seat.page.evaluate(
        """() => {
            window.stray = [];
            document.addEventListener("keydown", ({ key }) => stray.push(key));
        }"""
    )
    seat.page.locator(SEAT).focus()
    for key in ("ArrowLeft", "ArrowDown", " ", "a", "d", "Enter", "Escape", "Backspace", "Tab"):
        seat.page.keyboard.press(key)
    assert seat.page.evaluate("() => stray") == ["Tab"]


def test_a_widget_that_is_taken_down_stops_and_listens_no_more(sit_down):
    seat = sit_down()
    seat.start()
    seat.wait_for_steps(2)
    seat.page.evaluate("() => unmount()")
    assert seat.page.evaluate("() => model.listenerCount()") == 0


def test_the_exported_page_drives_without_a_kernel(open_export):
    page = open_export(make_cockpit(pace=8.0))
    page.locator(SEAT).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelector('.readout').textContent.includes('Without a kernel')"
    )
