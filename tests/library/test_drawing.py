"""Pictures of the fork show what is on the road, where it is."""

import math

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from imitation_lab.envs.adapters import TaskEnv, TaskVectorEnv
from imitation_lab.envs.drawing import Camera, draw_fork, view_limits
from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, Fork
from imitation_lab.style import OKABE_ITO

STATE = torch.tensor([0.3, 0.25, 1, 0, 1.05, -0.03, 2, 0.15])


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


@pytest.mark.filterwarnings("error")
def test_pictures_do_not_depend_on_the_style_of_other_figures():
    plain = Camera(Fork()).take(STATE)
    with plt.style.context("imitation_lab.course"):
        assert np.array_equal(Camera(Fork()).take(STATE), plain)


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


def test_frames_are_fresh_pixels_with_even_sides():
    camera = Camera(Fork())
    first = camera.take(STATE)
    kept = first.copy()
    second = camera.take(STATE + torch.tensor([0.2] + [0.0] * 7))
    assert first.dtype == np.uint8
    assert first.shape[0] % 2 == first.shape[1] % 2 == 0
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)
    assert np.array_equal(camera.take(STATE), first)  # nothing is left of the second


def test_environments_render_the_true_state():
    env = TaskEnv(Fork(observation_noise=0.5), render_mode="rgb_array")
    env.reset(seed=0, options={"state": STATE.numpy()})
    expected = Camera(Fork()).take(STATE)
    assert np.array_equal(env.render(), expected)
    vector = TaskVectorEnv(Fork(), 2, render_mode="rgb_array")
    vector.reset(seed=0, options={"states": np.stack([STATE, STATE])})
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
