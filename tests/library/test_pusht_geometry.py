"""Where things lie on Push-T's table, held against gym-pusht's own geometry."""

import math

import numpy as np
import pymunk
import pytest
import shapely
import torch

from imitation_lab.pusht.environment import make_environment
from imitation_lab.pusht.geometry import (
    AGENT,
    AGENT_RADIUS,
    CENTRE,
    GOAL,
    GYRATION,
    OUTLINE,
    TABLE,
    TEE,
    agent_in_tee_frame,
    corners,
    distance_to_goal,
    error_to_goal,
    rotation,
)

# Which of gym-pusht's keypoints follow each other around the T. It has them rectangle by rectangle.
AROUND = [0, 1, 2, 5, 6, 7, 4, 3]


@pytest.fixture(scope="module")
def world():
    environment = make_environment()
    environment.reset(seed=0)
    return environment.unwrapped


def random_observations(generator, count):
    low = torch.tensor([0, 0, 100, 100, -math.pi], dtype=torch.float64)
    high = torch.tensor([512, 512, 400, 400, 3 * math.pi], dtype=torch.float64)
    return low + (high - low) * torch.rand(count, 5, generator=generator, dtype=torch.float64)


def place(world, observation):
    """Put the environment's T where the observation has it."""
    world.block.angle = float(observation[4])
    world.block.position = tuple(observation[TEE].tolist())


def turned_and_shifted(observations, angle, shift):
    """Return the same scenes after the whole table was turned and shifted."""
    turn = torch.from_numpy(rotation(angle))
    moved = observations.clone()
    moved[:, AGENT] = observations[:, AGENT] @ turn.T + shift
    moved[:, TEE] = observations[:, TEE] @ turn.T + shift
    moved[:, 4] += angle
    return moved


def test_the_corners_are_those_of_the_environments_own_tee(world, generator):
    observations = random_observations(generator, 50)
    for observation, ours in zip(observations, corners(observations), strict=True):
        place(world, observation)
        theirs = world.get_keypoints(world._block_shapes)[AROUND]
        np.testing.assert_allclose(sorted(ours.tolist()), sorted(theirs.tolist()), atol=1e-9)


def test_the_outline_goes_around_the_tee_once_and_covers_it(world):
    place(world, torch.zeros(5))
    shapes = [shapely.Polygon(shape.get_vertices()) for shape in world._block_shapes]
    tee = shapely.union_all(shapes)
    outline = shapely.Polygon(OUTLINE)
    assert outline.is_valid and outline.exterior.is_ccw
    assert outline.symmetric_difference(tee).area == pytest.approx(0, abs=1e-9)


def test_the_centre_is_the_environments_centre_of_gravity(world):
    np.testing.assert_allclose(CENTRE, world.block.center_of_gravity)


def test_the_agent_and_the_table_are_as_large_as_the_environments(world):
    (circle,) = world.agent.shapes
    assert circle.radius == AGENT_RADIUS
    assert (world.action_space.high == TABLE).all() and (world.action_space.low == 0).all()


def test_the_goal_is_the_environments(world):
    np.testing.assert_allclose(GOAL, world.goal_pose)


def test_the_agent_in_the_tees_frame_does_not_change_with_the_table(generator):
    observations = random_observations(generator, 40)
    moved = turned_and_shifted(observations, 0.7, torch.tensor([31.0, -12.0]))
    torch.testing.assert_close(agent_in_tee_frame(moved), agent_in_tee_frame(observations))


def test_the_agent_in_the_tees_frame_is_what_the_physics_calls_local(world, generator):
    for observation in random_observations(generator, 20):
        place(world, observation)
        expected = world.block.world_to_local(pymunk.Vec2d(*observation[AGENT].tolist()))
        found = agent_in_tee_frame(observation)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_agent_on_a_corner_has_that_corners_place_in_the_tees_frame(generator):
    observations = random_observations(generator, 10)
    for index, corner in enumerate(OUTLINE):
        observations[:, AGENT] = corners(observations)[:, index]
        expected = torch.from_numpy(corner).expand(10, 2)
        torch.testing.assert_close(agent_in_tee_frame(observations), expected)


def test_the_error_is_nothing_at_the_goal_and_after_whole_turns():
    at_goal = torch.tensor([[0.0, 0.0, *GOAL]], dtype=torch.float64).repeat(4, 1)
    at_goal[:, 4] += 2 * math.pi * torch.tensor([-1, 0, 1, 2], dtype=torch.float64)
    torch.testing.assert_close(error_to_goal(at_goal), torch.zeros(4, 3, dtype=torch.float64))
    assert [distance_to_goal(*pose) for pose in at_goal[:, 2:].tolist()] == pytest.approx([0] * 4)


def test_the_error_takes_the_shorter_way_around():
    quarter = torch.tensor([GOAL[2] + 3 * math.pi / 2, GOAL[2] + math.pi / 2], dtype=torch.float64)
    observations = torch.zeros(2, 5, dtype=torch.float64)
    observations[:, 4] = quarter
    expected = GYRATION * torch.tensor([-math.pi / 2, math.pi / 2], dtype=torch.float64)
    torch.testing.assert_close(error_to_goal(observations)[:, 2], expected)


def test_a_shift_alone_is_as_far_as_it_is_long():
    x, y, angle = GOAL
    assert distance_to_goal(x + 3.0, y - 4.0, angle) == pytest.approx(5.0)


def test_a_turn_about_the_centre_costs_the_same_wherever_it_ends():
    """Turned by the same angle to either side about its centre of gravity, the T is equally far."""
    x, y, angle = GOAL
    centre = rotation(angle) @ CENTRE + (x, y)
    for turn in (0.3, -0.3, 2.0):
        place = centre - rotation(angle + turn) @ CENTRE
        assert distance_to_goal(*place, angle + turn) == pytest.approx(GYRATION * abs(turn))


def test_the_distance_is_about_how_far_the_tees_points_have_to_go(generator):
    """Its square is the mean square over the T's area, for small errors, up to GYRATION's rounding."""
    inside = np.array(
        [
            (x, y)
            for x in np.arange(-59.5, 60)
            for y in np.arange(0.5, 120)
            if shapely.contains_xy(shapely.Polygon(OUTLINE), x, y)
        ]
    )
    for shift_x, shift_y, turn in (0.1 * torch.randn(10, 3, generator=generator)).tolist():
        pose = (GOAL[0] + 10 * shift_x, GOAL[1] + 10 * shift_y, GOAL[2] + 0.1 * turn)
        now = inside @ rotation(pose[2]).T + pose[:2]
        wanted = inside @ rotation(GOAL[2]).T + GOAL[:2]
        root_mean_square = np.sqrt(((now - wanted) ** 2).sum(axis=1).mean())
        assert distance_to_goal(*pose) == pytest.approx(root_mean_square, rel=0.25)
