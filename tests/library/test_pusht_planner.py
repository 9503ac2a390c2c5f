"""The planner that solves Push-T: its physics, its ways, its sides, and how often it succeeds."""

import math
import multiprocessing
from itertools import pairwise

import numpy as np
import pytest
import shapely
import torch
from scipy.stats import binom

from imitation_lab.pusht.demonstrations import demonstrate_once
from imitation_lab.pusht.environment import drive, make_environment
from imitation_lab.pusht.geometry import AGENT_RADIUS, GOAL, OUTLINE, TABLE, corners, rotation
from imitation_lab.pusht.planner import (
    COARSE_CONTACTS,
    FINE_CONTACTS,
    PUSH_STEPS,
    Physics,
    Pose,
    PushPlanner,
    shortest_way,
)
from imitation_lab.pusht.shipped import shipped_demonstrations
from imitation_lab.types import Actor, Ending

RATE = 0.97  # of success; measured: 986 of 1000, with a hand that slips
FALSE_ALARM = 1e-6


def starts(count):
    """Return the first observations of some episodes."""
    world = make_environment()
    rows = [world.reset(seed=seed)[0] for seed in range(count)]
    return torch.from_numpy(np.array(rows, np.float32))


def random_pushes(count):
    """Return pushes in the middle of the table: agent, pose of the T, target."""
    draws = np.random.default_rng(0)
    for _ in range(count):
        pose = Pose(*draws.uniform(180, 330, 2).tolist(), draws.uniform(-3, 3))
        contact = COARSE_CONTACTS[draws.integers(len(COARSE_CONTACTS))]
        turn = rotation(pose.angle)
        start = turn @ contact.point + np.array(pose[:2])
        yield start, pose, start + turn @ contact.direction * draws.uniform(30, 80)


def place(world, agent, pose):
    """Put the environment's agent and T somewhere, at rest."""
    world.agent.position, world.agent.velocity = tuple(agent.tolist()), (0, 0)
    world.block.angle, world.block.position = pose.angle, (pose.x, pose.y)
    world.block.velocity, world.block.angular_velocity = (0, 0), 0
    for body in (world.agent, world.block):
        world.space.reindex_shapes_for_body(body)


# The copy of the physics -------------------------------------------------------------------------


def test_the_copied_physics_predicts_what_the_environment_then_does():
    moved = 0
    for start, pose, target in random_pushes(20):
        world = make_environment()
        world.reset(seed=0)
        place(world.unwrapped, start, pose)
        for _ in range(PUSH_STEPS):
            world.step(target)
        tee = world.unwrapped.block
        found = Physics().press(start, pose, target)
        np.testing.assert_allclose(found, (*tee.position, tee.angle), atol=1e-9)
        moved += math.dist(found[:2], pose[:2]) > 1
    assert moved > 10  # or nothing was predicted


def test_what_was_tried_before_changes_a_prediction_by_less_than_a_pixel():
    used = Physics()
    for start, pose, target in random_pushes(40):
        fresh, after_others = (p.press(start, pose, target) for p in (Physics(), used))
        np.testing.assert_allclose(after_others, fresh, atol=1.0)


def test_a_sweep_goes_as_far_as_it_was_told_and_no_further():
    start, pose, target = next(random_pushes(1))
    direction = (target - start) / np.linalg.norm(target - start)
    for speed in (100.0, 250.0):
        lengths = [length for length, _ in Physics().sweep(start, pose, direction, 50.0, speed)]
        steps = np.diff(lengths)
        assert lengths[0] > 0 and max(lengths) == pytest.approx(50.0, abs=steps[0])
        np.testing.assert_allclose(steps, steps[0])


# Where pushes begin, and the ways there ----------------------------------------------------------


@pytest.mark.parametrize("contacts", [COARSE_CONTACTS, FINE_CONTACTS], ids=["coarse", "fine"])
def test_an_agent_at_a_contact_does_not_touch_the_tee_but_would_if_it_went_on(contacts):
    tee = shapely.Polygon(OUTLINE)
    for contact in contacts:
        assert tee.distance(shapely.Point(contact.point)) > AGENT_RADIUS
        assert np.linalg.norm(contact.direction) == pytest.approx(1.0)
        path = shapely.LineString([contact.point, contact.point + 60 * contact.direction])
        assert path.distance(tee) < AGENT_RADIUS


def test_there_are_contacts_on_every_edge_of_the_tee():
    edges = [shapely.LineString(pair) for pair in pairwise([*OUTLINE, OUTLINE[0]])]
    nearest = {
        int(np.argmin([edge.distance(shapely.Point(contact.point)) for edge in edges]))
        for contact in FINE_CONTACTS
    }
    assert len(nearest) == len(edges)


def random_walks(count):
    """Return agents and places to go to, none of them touching the T, and where the T is."""
    draws = np.random.default_rng(1)
    while count:
        pose = Pose(*draws.uniform(180, 330, 2).tolist(), draws.uniform(-3, 3))
        tee = tee_at(pose)
        agent, goal = draws.uniform(30, 480, (2, 2))
        if min(tee.distance(shapely.Point(p)) for p in (agent, goal)) > AGENT_RADIUS + 2:
            count -= 1
            yield agent, goal, pose, tee


def tee_at(pose):
    observation = torch.tensor([0.0, 0.0, *pose], dtype=torch.float64)
    return shapely.Polygon(corners(observation).numpy())


def test_a_way_ends_at_its_goal_is_as_long_as_its_parts_and_touches_no_tee():
    around = 0
    for agent, goal, pose, tee in random_walks(40):
        way, length = shortest_way(agent, goal, pose)
        np.testing.assert_array_equal(way[-1], goal)
        line = shapely.LineString([agent, *way])
        assert length == pytest.approx(line.length)
        assert line.distance(tee) > AGENT_RADIUS
        around += len(way) > 1
    assert around > 5


def test_a_way_is_straight_where_nothing_lies_between():
    for agent, goal, pose, tee in random_walks(40):
        straight = shapely.LineString([agent, goal])
        if straight.distance(tee) > AGENT_RADIUS + 2:
            way, length = shortest_way(agent, goal, pose)
            assert len(way) == 1 and length == pytest.approx(straight.length)


def test_a_way_has_no_corner_that_could_be_left_out():
    for agent, goal, pose, tee in random_walks(40):
        way, _ = shortest_way(agent, goal, pose)
        points = [agent, *way]
        for before, after in zip(points, points[2:], strict=False):
            assert shapely.LineString([before, after]).distance(tee) < AGENT_RADIUS + 1.01


def test_a_place_inside_the_tee_has_no_way_to_it():
    pose = Pose(250.0, 250.0, 0.4)
    inside = rotation(pose.angle) @ (0.0, 15.0) + pose[:2]
    assert shortest_way(np.array([60.0, 60.0]), inside, pose) == ([], math.inf)


# What it does ------------------------------------------------------------------------------------


def test_the_planner_is_an_actor():
    assert isinstance(PushPlanner(), Actor)


def test_an_unknown_side_is_refused():
    with pytest.raises(ValueError, match='"left", "right" or "", got \'up\''):
        PushPlanner("up")


def test_shown_nothing_but_recorded_observations_it_asks_for_the_recorded_actions():
    """So it uses no more than its observations: no environment runs here, and the hand slips unseen."""
    trajectory = min(shipped_demonstrations().trajectories, key=len)
    planner = PushPlanner(trajectory.driver)
    planner.reset(torch.ones(1, dtype=torch.bool))
    for observation, action in zip(trajectory.observations, trajectory.actions, strict=False):
        (found,) = planner.act(observation.unsqueeze(0), torch.Generator())
        assert torch.equal(found, action)


def test_a_label_is_a_fresh_planners_first_action():
    observations = starts(3)
    for row in observations.split(1):
        fresh = PushPlanner("left")
        fresh.reset(torch.ones(1, dtype=torch.bool))
        assert torch.equal(PushPlanner("left").label(row), fresh.act(row, torch.Generator()))


def test_labels_come_in_the_order_of_the_situations():
    observations = starts(3)
    one_by_one = [PushPlanner().label(row) for row in observations.split(1)]
    assert (PushPlanner().label(observations) - torch.cat(one_by_one)).norm(dim=1).max() < 5


def test_no_situations_have_no_labels():
    assert PushPlanner().label(torch.zeros(0, 5)).shape == (0, 2)


def test_labelling_does_not_make_it_forget_what_it_is_about():
    observations = starts(2)
    planner, undisturbed = PushPlanner(), PushPlanner()
    for actor in (planner, undisturbed):
        actor.reset(torch.ones(1, dtype=torch.bool))
        actor.act(observations[:1], torch.Generator())
    planner.label(observations)
    expected = undisturbed.act(observations[:1], torch.Generator())
    assert torch.equal(planner.act(observations[:1], torch.Generator()), expected)


def test_a_reset_forgets_the_pushes_of_the_episodes_in_the_mask_only():
    observations = starts(2)
    planner = PushPlanner()
    planner.reset(torch.tensor([True, True]))
    planner.act(observations, torch.Generator())
    begun = list(planner._errands)
    planner.reset(torch.tensor([False, True]))
    assert planner._errands == [begun[0], None]


def mirrored(observations):
    """Return scenes as a mirror along the goal's own axis shows them. The table is its own mirror image."""
    agent_x, agent_y, tee_x, tee_y, angle = observations.unbind(1)
    scene = [TABLE - agent_y, TABLE - agent_x, TABLE - tee_y, TABLE - tee_x, 2 * GOAL[2] - angle]
    return torch.stack(scene, dim=1)


def test_left_in_the_mirror_is_right():
    """All but ties and the order in which contacts are solved is symmetric: 37 of 40 scenes are alike."""
    observations = starts(16)
    left = PushPlanner("left").label(observations)
    reflections = {
        side: PushPlanner(side).label(mirrored(observations)) for side in ("right", "left")
    }
    alike = {}
    for side, targets in reflections.items():
        back = TABLE - targets.flip(1)
        alike[side] = int(((back - left).norm(dim=1) < 0.01).sum())
    assert alike["right"] >= 12
    assert alike["right"] > alike["left"]


def test_an_agent_that_begins_inside_the_tee_gets_out():
    pose = torch.tensor([230.0, 250.0, 0.4])
    inside = torch.from_numpy(rotation(0.4) @ (0.0, 15.0)).float() + pose[:2]
    planner = PushPlanner()
    (target,) = planner.label(torch.cat([inside, pose]).unsqueeze(0))
    middle = torch.full((2,), TABLE / 2)
    assert (target - middle).norm() > 2 * (inside - middle).norm()


def solve(side, seeds):
    """Return episodes with a hand that slips, made in processes that check no shapes: ten times faster."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.starmap(demonstrate_once, [(side, seed) for seed in seeds])


def least_successes(trials):
    """Return the least number of successes that a planner of this rate has, but for one time in a million."""
    return int(binom.ppf(FALSE_ALARM, trials, RATE))


def test_it_succeeds_from_fresh_starts():
    episodes = solve("", range(20))
    succeeded = sum(episode.ending is Ending.SUCCESS for episode in episodes)
    assert succeeded >= least_successes(20) > 10


@pytest.mark.long
@pytest.mark.parametrize("side", ["left", "right"])
def test_it_succeeds_from_many_fresh_starts_with_either_side(side):
    episodes = solve(side, range(1000, 1060))
    succeeded = sum(episode.ending is Ending.SUCCESS for episode in episodes)
    assert succeeded >= least_successes(60) > 45


def test_two_episodes_at_once_are_both_solved_by_one_planner():
    """Its memory is one per episode."""
    drives = drive(PushPlanner(), [32, 10], torch.Generator(), max_steps=100)
    assert drives.succeeded == [True, True]
