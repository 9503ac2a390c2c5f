"""Follow-the-flow in Python: its scenes, its numbers, what it hands over, its traits, its static figure."""

import ast
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.quiver import Quiver
from traitlets import TraitError

from imitation_lab.flows import exact_velocity
from imitation_lab.toys import ring, steer_or_brake
from imitation_lab.widgets import FlowScene, FollowTheFlow
from imitation_lab.widgets.flow_numbers import (
    LIMIT,
    STEP_COUNTS,
    chosen_particle,
    euler_path,
    exact_field,
    landing_distance,
    positions,
    posterior_at,
    start_noise,
)
from imitation_lab.widgets.flow_packing import (
    GRID,
    MOMENTS,
    QUANTUM,
    arrow_grid,
    exaggeration,
    learned_arrows,
    pack,
)
from imitation_lab.widgets.flow_scenes import MOST_POINTS, OWN, as_choices, built_in_scenes

PARTICLES = 300
DATA = torch.tensor([[1.5, 0.5], [-1.0, 1.0], [0.2, -1.6]])
UNEVEN = torch.tensor([[0.3, -0.7], [1.6, 0.4], [-0.9, 2.0], [0.31, -0.69], [-2.0, -0.1]])


def drift(points, times):
    """A field of its own: it turns around the middle, faster and faster."""
    turned = torch.stack([-points[:, 1], points[:, 0]], dim=1)
    return (1 + times.unsqueeze(1)) * turned


def make_flow(scenes=None, **options):
    return FollowTheFlow(scenes, particles=PARTICLES, **options)


def sent(widget, steps):
    """The stops as the bytes hold them, without the start, for the first state of all."""
    before = sum(STEP_COUNTS[: STEP_COUNTS.index(steps)])
    stops = np.frombuffer(widget.trajectories, "<i2").reshape(-1, PARTICLES, 2)
    return torch.tensor(stops[before : before + steps] * QUANTUM, dtype=torch.float32)


# --- where particles go ---------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEP_COUNTS)
def test_the_browser_gets_the_stops_of_euler_s_method_to_a_fiftieth_of_a_pixel(steps):
    widget = make_flow([FlowScene("turning", DATA, drift)], steps=steps)
    points, stops = start_noise(PARTICLES), []
    for index in range(steps):
        points = points + drift(points, torch.full((PARTICLES,), index / steps)) / steps
        stops.append(points)
    expected = torch.stack(stops)
    assert expected.abs().max() < 8  # what 16 bits reach to
    torch.testing.assert_close(sent(widget, steps), expected, atol=0.51 * QUANTUM, rtol=0)
    torch.testing.assert_close(widget.stops()[1:], sent(widget, steps), atol=0, rtol=0)


def test_a_field_that_runs_away_stays_within_its_bytes():
    widget = make_flow([FlowScene("away", DATA, lambda points, times: 1e6 * points)], steps=1)
    noise = start_noise(PARTICLES)
    assert (sent(widget, 1) * noise > 0).all()
    assert sent(widget, 1).abs().max() == 2**15 * QUANTUM


def test_one_step_of_the_exact_field_takes_all_particles_to_the_mean():
    for scene in ("two drivers", "ring"):
        widget = make_flow(scene=scene, steps=1, time=1.0)
        mean = widget.shown.points.mean(dim=0).expand(PARTICLES, 2)
        torch.testing.assert_close(widget.positions(), mean, atol=QUANTUM, rtol=0)
        assert "One step takes every particle to the mean of the data" in widget.describe()


def test_many_steps_of_the_exact_field_take_every_particle_to_a_data_point():
    for scene in ("two drivers", "ring"):
        distances = [make_flow(scene=scene, steps=steps).summary().landing for steps in STEP_COUNTS]
        assert distances == sorted(distances, reverse=True)
        assert distances[-1] < 0.05


def test_between_two_stops_particles_go_straight():
    stops = euler_path(drift, start_noise(7), 4)
    for index in range(5):
        torch.testing.assert_close(positions(stops, index / 4), stops[index])
    torch.testing.assert_close(positions(stops, 0.3), 0.8 * stops[1] + 0.2 * stops[2])


def test_particles_start_from_the_same_noise_everywhere():
    widget = make_flow([FlowScene("one", DATA), [FlowScene("many", UNEVEN, drift)] * 2])
    starts = []
    for scene in ("one", "many", OWN):
        for steps in (1, 50):
            widget.scene, widget.steps = scene, steps
            starts.append(widget.positions(0.0))
    assert all(torch.equal(start.float(), starts[0]) for start in starts)
    assert widget.noise == starts[0].numpy().astype("<f4").tobytes()


def test_the_same_particles_lead_a_larger_crowd():
    torch.testing.assert_close(make_flow().positions(0.0), start_noise(PARTICLES))
    share = start_noise(5000).norm(dim=1).square().mean() / 2
    assert abs(share - 1) < 6 / math.sqrt(5000)  # six standard errors: chi-squared of 2 degrees


def test_own_points_are_flown_to():
    widget = make_flow(scene=OWN, points=DATA.tolist(), steps=50)
    landed = widget.positions(1.0)
    assert landing_distance(landed, DATA) < 1e-6
    nearest = torch.cdist(landed, DATA.double()).argmin(dim=1)
    assert nearest.unique().tolist() == [0, 1, 2]


# --- what the exact field averages ----------------------------------------------------------------


@pytest.mark.parametrize("time", [0.0, 0.3, 0.8, 0.97])
def test_the_posterior_is_bayes_rule_with_torch_s_normal(time):
    place = torch.tensor([0.4, -0.5], dtype=torch.float64)
    likelihood = torch.distributions.Normal(time * UNEVEN.double(), 1 - time).log_prob(place)
    expected = likelihood.sum(dim=1).softmax(dim=0)
    torch.testing.assert_close(posterior_at(place, time, UNEVEN), expected)


def test_the_effective_number_goes_from_all_to_one():
    at_start = chosen_particle(0, torch.tensor([2.0, -1.0]), 0.0, UNEVEN)
    assert at_start.effective == pytest.approx(len(UNEVEN))
    assert at_start.mean == pytest.approx(tuple(UNEVEN.mean(dim=0).tolist()))
    at_end = chosen_particle(0, UNEVEN[2], 1.0, UNEVEN)
    assert at_end.effective == pytest.approx(1)
    assert at_end.mean == pytest.approx(tuple(UNEVEN[2].tolist()))


def test_the_chosen_particle_is_pointed_at_the_mean_of_the_data():
    widget = make_flow([FlowScene("uneven", UNEVEN)], time=0.6, particle=4)
    place = widget.positions()[4:5]
    velocity = exact_velocity(place.double(), torch.tensor([0.6]).double(), UNEVEN.double())
    chosen = widget.summary().chosen
    assert chosen.mean == pytest.approx((place + 0.4 * velocity)[0].tolist())
    assert chosen.effective == pytest.approx(1 / widget.posterior().square().sum().item())
    assert f"effectively {chosen.effective:.1f} of 5 data points" in widget.describe()


def test_a_posterior_without_a_particle_says_what_to_do():
    with pytest.raises(ValueError, match="click one, or set `particle`"):
        make_flow().posterior()
    with pytest.raises(ValueError, match="choose data"):
        make_flow(scene=OWN, particle=3).posterior()


def test_landing_distance_is_the_mean_distance_to_the_nearest_point():
    landed = start_noise(11)
    by_hand = [min(math.dist(one, point) for point in DATA.tolist()) for one in landed.tolist()]
    assert landing_distance(landed, DATA) == pytest.approx(sum(by_hand) / 11)


# --- the field on the grid ------------------------------------------------------------------------


def test_learned_arrows_are_the_field_at_the_grid_s_places_and_moments():
    marks = FlowScene("marks", DATA, lambda points, times: points + times.unsqueeze(1))
    arrows = learned_arrows(marks).reshape(MOMENTS, GRID, GRID, 2)
    centres = [LIMIT * (2 * (index + 0.5) / GRID - 1) for index in range(GRID)]
    moment, row, column = 7, 3, 12
    expected = [centres[column] + moment / MOMENTS, centres[row] + moment / MOMENTS]
    assert arrows[moment, row, column].tolist() == pytest.approx(expected, abs=1e-6)
    widget = make_flow([marks])
    assert np.frombuffer(widget.learned_arrows, "<f4") == pytest.approx(arrows.flatten().numpy())


@pytest.mark.parametrize(
    ("size", "factor"), [(3.0, 1), (1.1, 1), (0.9, 2), (0.25, 5), (0.11, 10), (1e-4, 50)]
)
def test_a_difference_is_drawn_as_long_as_two_without_passing_it(size, factor):
    def shifted(points, times):
        return exact_velocity(points, times, DATA) + torch.tensor([0.6 * size, -0.8 * size])

    assert exaggeration(FlowScene("shifted", DATA, shifted)) == factor


def test_where_nothing_is_learned_there_are_no_learned_arrows():
    assert make_flow().learned_arrows == b""
    assert make_flow([FlowScene("a", DATA), FlowScene("b", DATA, drift)]).learned_arrows != b""


# --- scenes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "toy"), [("two drivers", steer_or_brake()), ("ring", ring())])
def test_built_in_scenes_are_the_course_s_toys_in_standard_deviations(name, toy):
    scene = next(one for one in built_in_scenes() if one.name == name)
    assert len(scene.data) == MOST_POINTS
    assert (scene.data.std(dim=0) - 1).abs().max() < 6 / math.sqrt(MOST_POINTS)
    raw = scene.data * toy.distribution.stddev
    assert (raw.norm(dim=1) - raw.norm(dim=1).mean()).abs().max() < 6 * 0.12


def test_of_many_points_some_are_shown_from_first_to_last():
    data = torch.arange(4002.0).reshape(-1, 2) / 1000
    points = FlowScene("many", data).points
    assert len(points) == MOST_POINTS
    assert torch.equal(points[[0, -1]], data[[0, -1]])
    assert (points.diff(dim=0) > 0).all()


@pytest.mark.parametrize("shape", [(4,), (4, 3), (0, 2)])
def test_data_that_are_no_plane_s_points_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(count, 2\)"):
        FlowScene("wrong", torch.zeros(shape))


def test_data_with_nan_are_refused():
    with pytest.raises(ValueError, match="nan or infinity"):
        FlowScene("wrong", torch.tensor([[0.0, math.nan]]))


def test_choices_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="a name of its own"):
        as_choices([FlowScene("a", DATA), FlowScene("a", DATA)])
    with pytest.raises(ValueError, match="a name of its own"):
        as_choices([FlowScene(OWN, DATA)])
    with pytest.raises(ValueError, match="empty"):
        as_choices([[]])
    with pytest.raises(ValueError, match="all of them one, or none"):
        as_choices([[FlowScene("a", DATA), FlowScene("a", DATA, drift)]])


@pytest.mark.parametrize(("states", "shown"), [(1, 300), (3, 300), (4, 225), (9, 100)])
def test_many_states_share_the_particles(states, shown):
    widget = make_flow([[FlowScene("many", DATA, drift)] * states])
    assert widget.num_particles == shown
    assert len(widget.positions()) == shown
    assert len(widget.trajectories) == states * shown * sum(STEP_COUNTS) * 2 * 2


def test_a_state_s_stops_are_its_own():
    one, other = FlowScene("s", DATA, label="left"), FlowScene("s", UNEVEN, label="right")
    widget = make_flow([FlowScene("first", DATA), [one, other]], scene="s", state=1, steps=5)
    expected = euler_path(exact_field(UNEVEN), start_noise(PARTICLES), 5)
    torch.testing.assert_close(widget.stops(), expected, atol=QUANTUM, rtol=0)
    assert widget.summary().sentence().startswith("S, right, 5 Euler steps along the exact field")


def test_the_same_scenes_are_integrated_once():
    choices = as_choices([FlowScene("turning", DATA, drift)])
    assert pack(choices, 5) is pack(choices, 5)


def test_the_default_page_stays_below_six_megabytes():
    assert len(FollowTheFlow().to_html()) < 6e6


# --- traits ---------------------------------------------------------------------------------------


def test_particles_follow_the_field_that_is_shown():
    widget = make_flow([FlowScene("plain", DATA), FlowScene("taught", DATA, drift)], steps=3)
    for field in ("learned", "exact", "difference"):
        widget.field = field
        widget.scene = "plain"
        assert widget.followed == "exact"
        widget.scene = "taught"
        assert widget.followed == ("exact" if field == "exact" else "learned")
        followed = exact_field(DATA) if field == "exact" else drift
        expected = euler_path(followed, start_noise(PARTICLES), 3)
        torch.testing.assert_close(widget.stops().float(), expected, atol=QUANTUM, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scene", "spiral", "'two drivers', 'ring', 'your own points', got 'spiral'"),
        ("time", 1.5, "between 0 and 1, got 1.5"),
        ("steps", 4, "50"),
        ("particle", PARTICLES, "between 0 and 299, got 300"),
        ("state", 1, "between 0 and 0, got 1"),
        ("points", [[0.0, 0.0], [4.0, 0.0]], r"at index 1"),
        ("points", [[math.nan, 0.0]], r"at index 0"),
        ("points", [[0.0, 0.0]] * 201, "at most 200 points"),
    ],
)
def test_traits_refuse_what_cannot_be_shown(name, value, message):
    with pytest.raises(TraitError, match=message):
        setattr(make_flow(), name, value)


def test_too_many_particles_are_refused():
    with pytest.raises(ValueError, match="between 1 and 20000, got 50000"):
        FollowTheFlow(particles=50_000)


def test_without_own_points_there_is_a_picture_and_a_word():
    widget = make_flow(scene=OWN)
    assert "No data yet: draw some points on the plane." in widget.describe()
    assert widget.to_png().startswith(b"\x89PNG")


def test_one_may_show_nothing_but_own_points():
    assert make_flow([]).scene == OWN


# --- the static figure ----------------------------------------------------------------------------


def test_static_figure_shows_four_moments_of_the_same_particles():
    widget = make_flow(scene="ring", particle=2, steps=3)
    panels = widget.figure().axes
    assert [axes.get_title() for axes in panels] == ["t = 0: noise", "t = 1/3", "t = 2/3", "t = 1: data"]  # fmt: skip
    for axes, time in zip(panels, (0.0, 1 / 3, 2 / 3, 1.0), strict=True):
        crowd = next(line for line in axes.lines if len(line.get_xdata()) == PARTICLES)
        np.testing.assert_allclose(crowd.get_xydata(), widget.positions(time), atol=1e-6)
        assert sum(isinstance(child, Quiver) for child in axes.get_children()) == (time < 1)


def test_static_arrows_are_the_field_and_at_most_a_cell_long():
    widget = make_flow([FlowScene("turning", DATA, drift)])
    quiver = next(c for c in widget.figure().axes[1].get_children() if isinstance(c, Quiver))
    field = drift(arrow_grid(), torch.full((GRID**2,), 1 / 3)).numpy()
    arrows = np.stack([quiver.U, quiver.V], axis=1)
    cell = 2 * LIMIT / GRID
    lengths = np.linalg.norm(arrows, axis=1)
    expected = cell * np.minimum(np.linalg.norm(field, axis=1) / 3, 1)
    np.testing.assert_allclose(lengths, expected, rtol=1e-4)
    directions = field / np.linalg.norm(field, axis=1, keepdims=True)
    np.testing.assert_allclose(arrows / lengths[:, None], directions, atol=1e-4)


# --- the student's own answers --------------------------------------------------------------------


def own_velocity(points, times, data):
    """A right answer by logarithms of torch's normal density."""
    spread = (1 - times).view(-1, 1, 1)
    line = torch.distributions.Normal(times.view(-1, 1, 1) * data, spread)
    weights = line.log_prob(points.unsqueeze(1)).sum(dim=2).softmax(dim=1)
    return (weights @ data - points) / (1 - times).unsqueeze(1)


def own_euler(velocity, start, num_steps, observations):
    """A right answer that moves its points in place, and keeps its clock in float32."""
    points = start.clone()
    for step in range(num_steps):
        points += (
            velocity(points, torch.full((len(points),), step / num_steps), observations) / num_steps
        )
    return points


OWN_ANSWERS = {"exact_velocity": own_velocity, "euler_sample": own_euler}


def test_right_answers_of_a_student_show_what_the_course_s_show(monkeypatch):
    scenes = [FlowScene("taught", DATA, drift), FlowScene("plain", UNEVEN)]
    course = make_flow(scenes, particle=4, time=0.6, steps=5)
    expected = {}
    for field in ("learned", "exact"):
        course.field = field
        expected[field] = [course.positions(), course.posterior(), course.describe()]
    monkeypatch.setitem(sys.modules, "imitation_lab.flows", None)  # as in a release
    own = make_flow(scenes, particle=4, time=0.6, steps=5, **OWN_ANSWERS)
    assert own.plan == course.plan
    for field, (places, posterior, words) in expected.items():
        own.field = field
        torch.testing.assert_close(own.positions(), places, atol=2 * QUANTUM, rtol=0)
        torch.testing.assert_close(own.posterior(), posterior, atol=1e-4, rtol=0)
        assert own.describe() == words
    assert own.to_png().startswith(b"\x89PNG")


def test_a_wrong_answer_of_a_student_is_what_is_shown():
    def shortened(*given):
        return 0.5 * own_velocity(*given)

    widget = make_flow(scene="ring", steps=1, exact_velocity=shortened)
    mean = widget.shown.points.mean(dim=0)
    half_way = (start_noise(PARTICLES) + mean) / 2
    torch.testing.assert_close(widget.positions(1.0), half_way, atol=QUANTUM, rtol=0)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("exact_velocity", lambda *given: ..., r"your exact_velocity, which returned Ellipsis"),
        ("exact_velocity", lambda *given: given[0].mean(), r"your exact_velocity.*shape \(\)"),
        ("euler_sample", lambda *given: None, r"your euler_sample, which returned None"),
        ("euler_sample", lambda velocity, start, *more: start, r"asked for the velocity 0 times"),
    ],
)
def test_an_answer_that_is_still_missing_is_asked_for(name, function, message):
    with pytest.raises(ValueError, match=message):
        make_flow(**{name: function})


def test_without_the_course_s_answers_the_widget_asks_for_the_student_s(monkeypatch):
    pack.cache_clear()
    monkeypatch.setitem(sys.modules, "imitation_lab.flows", None)
    with pytest.raises(ValueError, match="Give the widget your own"):
        make_flow()


def test_an_answer_that_was_changed_is_computed_with_anew():
    before = make_flow(scene="ring", **OWN_ANSWERS)
    after = make_flow(scene="ring", **OWN_ANSWERS | {"exact_velocity": lambda x, t, data: 0 * x})
    assert before.trajectories != after.trajectories


# --- the grader -----------------------------------------------------------------------------------


def test_no_widget_imports_what_answers_a_notebook_before_it_is_asked():
    # The grader's copy of the library lacks those modules, and other cells import the widgets.
    folder = Path(__file__).resolve().parents[2] / "imitation_lab" / "widgets"
    for path in folder.glob("*.py"):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.ImportFrom):
                assert statement.module != "imitation_lab.flows", path.name
