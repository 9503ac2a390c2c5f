"""The same vehicles at other rates: what ten small steps bring is what one long step brought."""

import math

import pytest
import torch

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.envs.fork import VELOCITY
from imitation_lab.envs.racetrack import HEADING, TURN_RATE

FAST = 100.0  # Hz: ten steps for one
COUNT = 40_000


def steps(task, states, action, count, generator):
    for _ in range(count):
        states = task.advance(states, action, generator)
    return states


@pytest.mark.parametrize("response", [0.3, 0.5, 1.0])
def test_ten_small_steps_close_the_same_share_of_the_gap(generator, response):
    fork, track = Fork(response=response), Racetrack(response=response)
    for task, part, size in [(fork, VELOCITY, 2), (track, slice(TURN_RATE, TURN_RATE + 1), 1)]:
        start = task.initial_states(20, generator)
        action = 0.6 * torch.rand(20, size, generator=generator)
        slow = steps(task, start, action, 1, generator)
        fast = steps(task.at_rate(FAST), start, action, 10, generator)
        torch.testing.assert_close(fast[:, part], slow[:, part])


def test_where_the_vehicle_gets_to_differs_by_less_than_a_step_s_lag(generator):
    fork = Fork()
    start = fork.initial_states(20, generator)
    command = 0.7 * torch.rand(20, 2, generator=generator)
    slow = steps(fork, start, command, 20, generator)
    fast = steps(fork.at_rate(FAST), start, command, 200, generator)
    # Long steps take the velocity at their end, up to a step too early: at most dt times the change.
    assert ((slow - fast)[:, :2].abs() <= 0.1 * command + 1e-5).all()


@pytest.mark.parametrize("response", [0.3, 0.5, 1.0])
def test_kicks_to_the_velocity_are_as_large_after_ten_small_steps(generator, response):
    fork = Fork(response=response, process_noise=0.2)
    start = torch.zeros(COUNT, 8)
    nothing = torch.zeros(COUNT, 2)
    velocity = steps(fork.at_rate(FAST), start, nothing, 10, generator)[:, VELOCITY]
    # 6 sigma of the spread of 2 * COUNT Gaussian numbers.
    assert velocity.std() == pytest.approx(0.2, rel=6 / math.sqrt(4 * COUNT))


def test_kicks_to_the_heading_are_as_large_after_ten_small_steps(generator):
    track = Racetrack(process_noise=0.05)
    start = torch.zeros(COUNT, 5)
    start[:, 0] = 1.0
    heading = steps(track.at_rate(FAST), start, torch.zeros(COUNT, 1), 10, generator)[:, HEADING]
    assert heading.std() == pytest.approx(0.05, rel=6 / math.sqrt(2 * COUNT))


def test_noise_of_every_episode_is_scaled_for_every_episode():
    noises = torch.tensor([0.0, 0.1, 0.4])
    for kind in (Fork, Racetrack):
        each = [kind(process_noise=noise).at_rate(40).process_noise for noise in noises.tolist()]
        together = kind(process_noise=noises).at_rate(40).process_noise
        torch.testing.assert_close(together, torch.tensor(each))


@pytest.mark.parametrize("task", [Fork(max_steps=45), Racetrack(max_steps=250)])
def test_time_runs_out_after_as_many_seconds_and_all_else_stays(task):
    fast = task.at_rate(30)
    assert fast.max_steps * fast.time_step == pytest.approx(task.max_steps * task.time_step)
    assert fast.time_step == pytest.approx(1 / 30)
    back = fast.at_rate(10)
    assert back.response == pytest.approx(task.response)
    assert (back.max_steps, back.time_step) == (task.max_steps, pytest.approx(task.time_step))


def test_the_sensor_sees_as_well_as_before():
    assert Fork(observation_noise=0.1).at_rate(50).observation_noise == 0.1
    assert Racetrack(observation_noise=0.1).at_rate(50).observation_noise == 0.1


@pytest.mark.parametrize("kind", [Fork, Racetrack])
def test_rates_and_steps_that_cannot_be_are_refused(kind):
    for rate in (0, -30, math.nan):
        with pytest.raises(ValueError, match="rate must be positive"):
            kind().at_rate(rate)
    with pytest.raises(ValueError, match="time_step must be positive"):
        kind(time_step=0.0)
