"""Demonstrations as a noisy sensor records them."""

import math
from dataclasses import replace

import pytest
import torch

from imitation_lab.collection import demonstrate, seen_by
from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.experts import ForkDriver, PendulumBalancer, RacetrackDriver

NOISE = 0.3
# One for each task: what drives, and which numbers of the observation are noisy.
TASKS = {
    "fork": (Fork(), ForkDriver(Fork()), [1, 3]),
    "racetrack": (Racetrack(), RacetrackDriver(Racetrack()), [0, 1]),
    "pendulum": (Pendulum(seconds=2.0), PendulumBalancer(), [0, 1]),
}


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=TASKS)
def case(request):
    task, driver, noisy = TASKS[request.param]
    return task, demonstrate(task, {"driver": driver}, 20, generator(0)), noisy


def test_a_noisy_sensor_changes_what_was_seen_and_not_what_was_done(case):
    task, demonstrations, noisy = case
    seen = seen_by(demonstrations, replace(task, observation_noise=NOISE), generator(1))
    assert seen.task == demonstrations.task
    for one, other in zip(seen.trajectories, demonstrations.trajectories, strict=True):
        assert torch.equal(one.actions, other.actions)
        assert (one.driver, one.ending) == (other.driver, other.ending)
        changed = (one.observations - other.observations).abs() > 1e-6
        exact = [i for i in range(task.observation_dim) if i not in noisy]
        assert not changed[:, exact].any()
        # A draw within 1e-6 of zero has probability 3e-6, and there are at most a few thousand.
        assert changed[:, noisy].float().mean() > 0.9


def test_the_noise_is_the_tasks_own_and_fresh_for_every_moment(case):
    task, demonstrations, noisy = case
    seen = seen_by(demonstrations, replace(task, observation_noise=NOISE), generator(2))
    added = (seen.observations - demonstrations.observations)[:, noisy] / NOISE
    count = added.numel()
    # Standard normal: mean within 6 / sqrt(n), mean square within 6 * sqrt(2 / n) of 1.
    assert abs(added.mean()) < 6 / math.sqrt(count)
    assert abs(added.square().mean() - 1) < 6 * math.sqrt(2 / count)
    # Neighbouring moments, and the two numbers: products of independent ones have variance 1.
    assert abs((added[1:] * added[:-1]).mean()) < 6 / math.sqrt(count - 2)
    assert abs((added[:, 0] * added[:, 1]).mean()) < 6 / math.sqrt(count / 2)


def test_a_perfect_sensor_changes_nothing(case):
    task, demonstrations, _ = case
    assert torch.equal(
        seen_by(demonstrations, task, generator(3)).observations, demonstrations.observations
    )


def test_a_turned_road_is_seen_with_noise_across_the_road():
    task = Fork(angle=math.pi / 2, observation_noise=NOISE)
    exact = replace(task, observation_noise=0.0)
    demonstrations = demonstrate(exact, {"driver": ForkDriver(exact)}, 5, generator(4))
    added = seen_by(demonstrations, task, generator(5)).observations - demonstrations.observations
    # Across a road that leads along the world's y is the world's x.
    assert added[:, [1, 3, 4, 5, 6, 7]].abs().max() < 1e-6
    assert added[:, [0, 2]].abs().mean() > NOISE / 2
