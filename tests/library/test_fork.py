"""The fork's dynamics against closed forms and symmetries."""

import math

import pytest
import torch

from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, VELOCITY, Fork
from imitation_lab.types import Task

MIRROR = torch.tensor([1.0, -1] * 4)


def draw_commands(count, generator, size=1.0):
    return size * (2 * torch.rand(count, 2, generator=generator) - 1)


def test_the_fork_is_a_task():
    assert isinstance(Fork(), Task)


def test_velocity_closes_its_gap_to_the_command_geometrically(generator):
    task = Fork(response=0.3)
    start = task.initial_states(16, generator)
    command = draw_commands(16, generator, size=0.7)  # shorter than 1 m/s: nothing is cut
    states = start
    for _ in range(9):
        states = task.advance(states, command, generator)
    # v_n = c (1 - (1 - r)^n) from rest; x_n = x_0 + dt Σ v_k, a geometric sum.
    left = 0.7**9
    torch.testing.assert_close(states[:, VELOCITY], command * (1 - left))
    travelled = 0.1 * command * (9 - 0.7 * (1 - left) / 0.3)
    torch.testing.assert_close(states[:, POSITION], start[:, POSITION] + travelled)


def test_obstacle_and_goal_stand_still(generator):
    task = Fork(process_noise=0.2)
    start = task.initial_states(8, generator)
    after = task.advance(start, draw_commands(8, generator), generator)
    torch.testing.assert_close(after[:, 4:], start[:, 4:], rtol=0, atol=0)


def test_commands_longer_than_the_top_speed_are_shortened_and_keep_their_direction(generator):
    commands = draw_commands(64, generator, size=5.0)
    limited = Fork().limit_speed(commands)
    norms = commands.norm(dim=1)
    torch.testing.assert_close(limited.norm(dim=1), norms.clamp(max=1.0))
    cross = commands[:, 0] * limited[:, 1] - commands[:, 1] * limited[:, 0]
    torch.testing.assert_close(cross, torch.zeros(64), atol=1e-5, rtol=0)
    assert ((commands * limited).sum(dim=1) >= 0).all()


def test_standing_still_is_a_command():
    torch.testing.assert_close(Fork().limit_speed(torch.zeros(3, 2)), torch.zeros(3, 2))


@pytest.mark.parametrize("angle", [math.pi / 4, 2.0, -0.3])
def test_a_turned_road_turns_what_is_seen_and_done_and_nothing_else(angle, generator):
    straight, turned = Fork(), Fork(angle=angle)
    states = straight.initial_states(32, generator)
    commands = draw_commands(32, generator)
    rotation = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    for _ in range(5):
        seen = turned.observe(states, generator).unflatten(1, (4, 2))
        expected = torch.einsum("ij,bkj->bki", rotation, states.unflatten(1, (4, 2)))
        torch.testing.assert_close(seen, expected)
        same = turned.advance(states, commands @ rotation.T, generator)
        states = straight.advance(states, commands, generator)
        torch.testing.assert_close(same, states)


def test_left_and_right_are_mirror_images(generator):
    task = Fork()
    states = task.initial_states(64, generator)
    commands = draw_commands(64, generator)
    for _ in range(8):
        mirrored = task.advance(states * MIRROR, commands * MIRROR[:2], generator)
        states = task.advance(states, commands, generator)
        torch.testing.assert_close(mirrored, states * MIRROR)
    assert torch.equal(task.failed(states), task.failed(states * MIRROR))
    assert torch.equal(task.succeeded(states), task.succeeded(states * MIRROR))


def test_starts_fill_their_ranges_and_stay_inside(generator):
    task = Fork(start_spread=0.03, obstacle_spread=0.07, goal_spread=0.11)
    states = task.initial_states(2000, generator)
    centres = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0])
    half_ranges = torch.tensor([0.05, 0.03, 0, 0, 0.1, 0.07, 0, 0.11])
    offsets = states - centres
    assert (offsets.abs() <= half_ranges + 1e-6).all()
    # All of 2000 uniform draws miss the outer tenth on one side with probability 0.95^2000 < 1e-44.
    assert (offsets.amax(dim=0) >= 0.9 * half_ranges - 1e-6).all()
    assert (offsets.amin(dim=0) <= -0.9 * half_ranges + 1e-6).all()


def test_failure_is_the_obstacles_disc_and_the_roads_edge():
    task = Fork(obstacle_radius=0.35, road_half_width=0.8)
    base = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0])
    positions = torch.tensor(
        [[0.66, 0], [0.64, 0], [1.0, -0.34], [1.0, -0.36], [0.2, 0.81], [0.2, -0.79]]
    )
    states = base.repeat(6, 1)
    states[:, POSITION] = positions
    assert task.failed(states).tolist() == [True, False, True, False, True, False]


def test_success_is_the_goals_disc():
    task = Fork(goal_radius=0.15)
    states = torch.tensor([0.0, 0, 0, 0, 1, 0, 2, 0.2]).repeat(3, 1)
    states[:, POSITION] = torch.tensor([[1.86, 0.2], [1.84, 0.2], [2.0, 0.06]])
    assert task.succeeded(states).tolist() == [True, False, True]


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_whoever_changes_an_observation_changes_no_state(angle, generator):
    task = Fork(angle=angle)
    states = task.initial_states(4, generator)
    before = states.clone()
    task.observe(states, generator).zero_()
    task.to_world(states[:, :2]).zero_()
    assert torch.equal(states, before)


def test_observation_noise_is_lateral_only_and_of_the_stated_size(generator):
    task = Fork(observation_noise=0.3)
    states = Fork().initial_states(1, generator).repeat(20_000, 1)
    error = task.observe(states, generator) - states
    assert torch.equal(error[:, [0, 2, 4, 5, 6, 7]], torch.zeros(20_000, 6))
    # The sample deviation of n normals has relative standard error 1/sqrt(2n) = 0.5 %; six of them.
    for column in (1, 3):
        assert abs(error[:, column].std().item() / 0.3 - 1) < 6 / math.sqrt(40_000)


def test_process_noise_kicks_the_velocity_by_the_stated_size(generator):
    task, quiet = Fork(process_noise=0.2), Fork()
    states = quiet.initial_states(1, generator).repeat(20_000, 1)
    commands = torch.tensor([[0.5, 0.1]]).repeat(20_000, 1)
    kick = (task.advance(states, commands, generator) - quiet.advance(states, commands, generator))[
        :, VELOCITY
    ]
    assert abs(kick.std().item() / 0.2 - 1) < 6 / math.sqrt(80_000)  # 40,000 numbers


@pytest.mark.parametrize("settings", [{"response": 0.0}, {"response": 1.5}, {"max_steps": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Fork(**settings)


def test_slices_name_the_columns_of_the_state():
    columns = torch.arange(8)
    names = (POSITION, VELOCITY, OBSTACLE, GOAL)
    assert [columns[name].tolist() for name in names] == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_dynamics_are_the_same_on_a_gpu(generator):
    task = Fork(angle=0.5)
    states, commands = task.initial_states(32, generator), draw_commands(32, generator)
    on_gpu = task.advance(states.cuda(), commands.cuda(), torch.Generator("cuda"))
    torch.testing.assert_close(on_gpu.cpu(), task.advance(states, commands, generator))
