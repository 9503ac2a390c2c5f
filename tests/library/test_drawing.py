"""Pictures of the tasks show what there is, where it is."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from imitation_lab.envs.adapters import TaskEnv, TaskVectorEnv
from imitation_lab.envs.drawing import (
    Camera,
    draw_fork,
    draw_pendulum,
    draw_racetrack,
    view_limits,
)
from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, Fork
from imitation_lab.envs.pendulum import Pendulum
from imitation_lab.envs.racetrack import Racetrack
from imitation_lab.style import OKABE_ITO

STATE = torch.tensor([0.3, 0.25, 1, 0, 1.05, -0.03, 2, 0.15])
ON_TRACK = torch.tensor([1.5, 0.05, 1.6, 0.3, 0.1])
LEANING = torch.tensor([0.4, 0.0, 2.0])
# Each task with a state and with how far the next one lies from it.
STATES = [
    (Fork(), STATE, [0.2] + [0.0] * 7),
    (Racetrack(), ON_TRACK, [0.0, 0, 0.5, 0, 0]),
    (Pendulum(), LEANING, [-0.5, 0, 0]),
]
GREY = 0.92 * 255


def colour_at(picture, point, task):
    """Return the colour of the pixel that shows a point in metres of the world's frame."""
    (left, right), (bottom, top) = view_limits(task)
    height, width = picture.shape[:2]
    column = int(width * (float(point[0]) - left) / (right - left))
    row = int(height * (top - float(point[1])) / (top - bottom))
    return picture[row, column].astype(int)


def is_blue(picture, point, task):
    wanted = np.array(to_rgb(OKABE_ITO["blue"])) * 255
    return np.abs(colour_at(picture, point, task) - wanted).max() < 3


def find_centre(picture, colour, task):
    """Return the middle of all pixels of a colour, in metres of the world's frame."""
    wanted = np.array(to_rgb(colour)) * 255
    rows, columns = np.nonzero(np.abs(picture - wanted).max(axis=2) < 3)
    (left, right), (bottom, top) = view_limits(task)
    height, width = picture.shape[:2]
    x = left + (right - left) * (columns.mean() + 0.5) / width
    y = top - (top - bottom) * (rows.mean() + 0.5) / height
    return torch.tensor([x, y], dtype=torch.float32)


@pytest.mark.parametrize("angle", [0.0, math.pi / 4, 2.5])
@pytest.mark.parametrize(
    ("colour", "where"), [("blue", POSITION), ("vermillion", OBSTACLE), ("bluish_green", GOAL)]
)
def test_things_are_drawn_where_they_are_also_on_turned_roads(colour, where, angle):
    task = Fork(angle=angle)
    picture = Camera(task).take(STATE)
    expected = task.to_world(STATE[where])
    found = find_centre(picture, OKABE_ITO[colour], task)
    # An arrow's area is not centred on the vehicle, a stripe not on the obstacle: 5 cm for both.
    assert (found - expected).norm() < 0.05


@pytest.mark.parametrize(("task", "state", "step"), STATES)
@pytest.mark.filterwarnings("error")
def test_pictures_do_not_depend_on_the_style_of_other_figures(task, state, step):
    plain = Camera(task).take(state)
    with plt.style.context("imitation_lab.course"):
        assert np.array_equal(Camera(task).take(state), plain)


def test_the_obstacle_has_its_size():
    # The hatching takes some of the disc: measure its width and height, not its area.
    task = Fork()
    picture = Camera(task).take(STATE)
    wanted = np.array(to_rgb(OKABE_ITO["vermillion"])) * 255
    rows, columns = np.nonzero(np.abs(picture - wanted).max(axis=2) < 3)
    (left, right), _ = view_limits(task)
    metres_per_pixel = (right - left) / picture.shape[1]
    for extent in (np.ptp(rows), np.ptp(columns)):
        assert extent * metres_per_pixel == pytest.approx(2 * task.obstacle_radius, abs=0.03)


def test_the_arrow_points_where_the_vehicle_goes():
    task = Fork()
    north = STATE.clone()
    north[2:4] = torch.tensor([0.0, 1.0])
    figures = [Camera(task).take(state) for state in (STATE, north)]
    wanted = np.array(to_rgb(OKABE_ITO["blue"])) * 255
    extents = []
    for picture in figures:
        rows, columns = np.nonzero(np.abs(picture - wanted).max(axis=2) < 3)
        extents.append((np.ptp(columns), np.ptp(rows)))
    assert extents[0][0] > extents[0][1]  # longer than wide, heading along the road
    assert extents[1][0] < extents[1][1]


def test_without_a_state_there_is_a_road_and_no_vehicle():
    figure = Figure()
    axes = figure.add_subplot()
    assert draw_fork(axes, Fork()) is axes
    faces = {tuple(artist.get_facecolor()[:3]) for artist in axes.patches + axes.artists}
    assert to_rgb(OKABE_ITO["vermillion"]) in faces
    assert to_rgb(OKABE_ITO["blue"]) not in faces
    assert axes.get_xlabel() == "x (m)" and axes.get_ylabel() == "y (m)"


@pytest.mark.parametrize(
    ("draw", "task"), [(draw_racetrack, Racetrack()), (draw_pendulum, Pendulum())]
)
def test_without_a_state_there_is_neither_a_vehicle_nor_a_pole(draw, task):
    axes = Figure().add_subplot()
    assert draw(axes, task) is axes
    assert axes.get_aspect() == 1
    faces = {tuple(a.get_facecolor()[:3]) for a in axes.patches + axes.artists}
    assert len(faces) == 3  # surface, edges and dashes: all greys
    assert to_rgb(OKABE_ITO["blue"]) not in faces


@pytest.mark.parametrize(("task", "state", "step"), STATES)
def test_frames_are_fresh_pixels_with_even_sides(task, state, step):
    camera = Camera(task)
    first = camera.take(state)
    kept = first.copy()
    second = camera.take(state + torch.tensor(step))
    assert first.dtype == np.uint8
    assert first.shape[0] % 2 == first.shape[1] % 2 == 0
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)
    assert np.array_equal(camera.take(state), first)  # nothing is left of the second


@pytest.mark.parametrize(("task", "state", "step"), STATES)
def test_environments_render_the_true_state(task, state, step):
    env = TaskEnv(replace(task, observation_noise=0.5), render_mode="rgb_array")
    env.reset(seed=0, options={"state": state.numpy()})
    expected = Camera(task).take(state)
    assert np.array_equal(env.render(), expected)
    vector = TaskVectorEnv(task, 2, render_mode="rgb_array")
    vector.reset(seed=0, options={"states": np.stack([state, state])})
    assert all(np.array_equal(picture, expected) for picture in vector.render())


def test_without_a_render_mode_nothing_is_drawn_and_the_warning_says_how():
    env = TaskEnv(Fork())
    env.reset(seed=0)
    with pytest.warns(UserWarning, match='render_mode="rgb_array"'):
        assert env.render() is None


def test_a_task_without_a_drawing_is_named(monkeypatch):
    monkeypatch.setattr("imitation_lab.envs.drawing.DRAWINGS", {})
    with pytest.raises(ValueError, match="no drawing of Fork"):
        Camera(Fork())


def test_a_variant_of_a_task_is_drawn_like_the_task():
    class Variant(Fork):
        pass

    assert np.array_equal(Camera(Variant()).take(STATE), Camera(Fork()).take(STATE))


@pytest.mark.parametrize("heading", [0.0, 1.0, math.pi / 2, -2.5])
@pytest.mark.parametrize("half_width", [0.12, 0.3])
def test_the_vehicle_is_on_the_track_where_it_is_and_points_ahead(half_width, heading):
    task = Racetrack(half_width=half_width)
    state = torch.tensor([-0.5, 1.2, heading, 0, 0])
    picture = Camera(task).take(state)
    ahead = torch.tensor([math.cos(heading), math.sin(heading)])
    found = find_centre(picture, OKABE_ITO["blue"], task)
    assert (found - state[:2]).norm() < 0.05
    # The arrow is 0.28 m long, 0.15 of them ahead, with a notch 0.07 m behind; less in a narrow lane.
    assert is_blue(picture, state[:2] + 0.07 * ahead, task)
    assert not is_blue(picture, state[:2] - 0.09 * ahead, task)


@pytest.mark.parametrize("settings", [{}, {"bump": 0.0}, {"bump": 0.5, "half_width": 0.2}])
@pytest.mark.parametrize("angle", [0.0, 0.5, math.pi / 3, 2.0, -2.8])
def test_the_edges_of_the_track_are_where_vehicles_fail(settings, angle):
    task = Racetrack(**settings)
    picture = Camera(task).take(torch.zeros(5))  # a vehicle far from the lane
    ray = torch.tensor([math.cos(angle), math.sin(angle)])
    points = torch.linspace(0.1, 2.5, 4801)[:, None] * ray
    failed = task.failed(torch.cat([points, torch.zeros(len(points), 3)], dim=1))
    inner, outer = (torch.nonzero(failed[1:] != failed[:-1]).flatten() + 1).tolist()
    for edge in (inner, outer):
        assert colour_at(picture, points[edge], task).max() < GREY / 2
    for inside in (inner + 100, outer - 100):  # 5 cm
        assert colour_at(picture, points[inside], task) == pytest.approx(GREY, abs=2)
    for outside in (
        inner - 200,
        outer + 200,
    ):  # 10 cm, of which less lies across a lane that crosses the ray
        assert colour_at(picture, points[outside], task).min() == 255


def test_white_dashes_and_gaps_of_one_length_alternate_along_the_middle_of_the_lane():
    task = Racetrack()
    picture = Camera(task).take(torch.zeros(5))
    points = task.middle(torch.linspace(0, 2 * math.pi, 20_001))
    metres = torch.cat([torch.zeros(1), (points[1:] - points[:-1]).norm(dim=1).cumsum(0)])
    # 0.14 m each as on the fork, or as nearly as a whole number of them goes round.
    count = round(float(metres[-1]) / 0.28)
    for dash in range(count):
        for metre, colour in [(0.03, 255), (0.11, 255), (0.17, GREY), (0.25, GREY)]:
            place = torch.searchsorted(metres, dash * metres[-1] / count + metre)
            assert colour_at(picture, points[place], task) == pytest.approx(colour, abs=8)


@pytest.mark.parametrize("angle", [-0.9, -0.2, 0.0, 0.5, 1.3])
def test_the_pole_leans_as_it_does_to_the_left_when_positive(angle):
    task = Pendulum()
    picture = Camera(task).take(torch.tensor([angle, 0.0, 0.0]))
    x, y = find_centre(picture, OKABE_ITO["blue"], task).tolist()
    assert math.atan2(-x, y) == pytest.approx(angle, abs=0.02)
    assert math.hypot(x, y) == pytest.approx(0.5, abs=0.05)  # half of 1 m


def test_the_pole_is_one_metre_long():
    task = Pendulum()
    picture = Camera(task).take(torch.zeros(3))
    assert is_blue(picture, (0, 0.99), task) and not is_blue(picture, (0, 1.1), task)


@pytest.mark.parametrize("largest_angle", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_pendulums_edges_are_where_poles_count_as_fallen(largest_angle, side):
    task = Pendulum(largest_angle=largest_angle)
    picture = Camera(task).take(torch.zeros(3))
    angles = side * torch.linspace(0.1, math.pi, 3001)
    failed = task.failed(torch.stack([angles, 0 * angles, 0 * angles], dim=1))
    border = float(angles[failed][0])
    for angle, expected in [(border - side * 0.1, GREY), (border, 64), (border + side * 0.1, 255)]:
        point = (-0.8 * math.sin(angle), 0.8 * math.cos(angle))
        assert colour_at(picture, point, task) == pytest.approx(expected, abs=8)


def test_a_pole_that_has_just_fallen_is_in_the_picture():
    task = Pendulum()
    (left, right), (bottom, top) = view_limits(task)
    for angle in (-task.largest_angle - 0.3, task.largest_angle + 0.3):
        assert left < -math.sin(angle) < right and bottom < math.cos(angle) < top
