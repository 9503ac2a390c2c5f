"""The simulated drivers do what they are said to do."""

import math

import pytest
import torch

from imitation_lab.envs.fork import GOAL, OBSTACLE, POSITION, Fork
from imitation_lab.evaluation import evaluate
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.rollout import rollout
from imitation_lab.types import Actor

# A driver that fails once in a thousand starts shows more than 15 failures in 1,500 with
# probability below 1e-10 (Poisson of mean 1.5); one that meets 99 % only just would show.
EPISODES = 500


def passing_side(task, rollouts):
    """Return +1 or -1 for the side of the obstacle on which each vehicle drew level with it."""
    ahead = rollouts.states[..., POSITION][..., 0] - rollouts.states[..., OBSTACLE][..., 0]
    level = ahead.abs().argmin(dim=0)
    states = rollouts.states[level, torch.arange(len(rollouts))]
    return (states[:, 1] - states[:, OBSTACLE][:, 1]).sign()


@pytest.mark.parametrize("angle", [0.0, math.pi / 4])
@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_a_driver_succeeds_and_goes_by_the_side_of_its_name(side, sign, angle):
    task = Fork(angle=angle)
    failures = 0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        rollouts = rollout(task, ForkDriver(task, (side,)), EPISODES, generator)
        failures += int((~rollouts.succeeded).sum())
        assert (passing_side(task, rollouts) == sign).all()
    assert failures <= 0.01 * 3 * EPISODES


def test_a_driver_of_both_sides_draws_them_evenly(generator):
    task = Fork()
    number = 4000
    rollouts = rollout(task, ForkDriver(task), number, generator)
    left = int((passing_side(task, rollouts) > 0).sum())
    # Hoeffding: |left - n/2| > d with probability at most 2 exp(-2 d² / n) = 1e-6.
    bound = math.sqrt(number * math.log(2e6) / 2)
    assert abs(left - number / 2) < bound
    assert rollouts.succeeded.float().mean() > 0.99


def test_a_driver_keeps_its_side_until_reset_and_a_masked_reset_redraws_only_the_masked(generator):
    task = Fork()
    driver = ForkDriver(task)
    number = 200
    states = task.initial_states(number, generator)
    states[:, 0] = states[:, OBSTACLE][:, 0] - 0.5  # deciding: the command shows the side
    driver.reset(torch.ones(number, dtype=torch.bool))
    first = driver.act(states, generator)[:, 1].sign()
    assert torch.equal(driver.act(states, generator)[:, 1].sign(), first)
    mask = torch.arange(number) < 100
    driver.reset(mask)
    second = driver.act(states, generator)[:, 1].sign()
    assert torch.equal(second[~mask], first[~mask])
    # All of 100 fair draws repeat with probability 2^-100.
    assert not torch.equal(second[mask], first[mask])


@pytest.mark.parametrize("distance", [0.6, 0.8])
def test_a_driver_gives_nothing_away_before_the_decision_distance(distance, generator):
    task = Fork()
    left, right = (ForkDriver(task, (side,), distance) for side in ("left", "right"))
    states = task.initial_states(64, generator)
    ahead = torch.linspace(distance - 0.2, distance + 0.2, 64)
    states[:, 0] = states[:, OBSTACLE][:, 0] - ahead
    for driver in (left, right):
        driver.reset(torch.ones(64, dtype=torch.bool))
    apart = (left.act(states, generator) - right.act(states, generator)).norm(dim=1) > 0.1
    assert torch.equal(apart, ahead <= distance)


@pytest.mark.parametrize("angle", [0.0, 0.8])
def test_a_deciding_moment_is_seen_once_and_does_not_show_who_drives(angle, generator):
    task = Fork(angle=angle)
    starts = task.initial_states(200, generator)
    seen = []
    for side in ("left", "right"):
        driver = ForkDriver(task, (side,))
        rollouts = rollout(task, driver, 200, generator, starts)
        deciding = driver.is_deciding(rollouts.observations[:-1].flatten(0, 1))
        deciding = deciding.unflatten(0, rollouts.active.shape) & rollouts.active
        assert deciding.sum(dim=0).max() == 1
        seen.append(rollouts.observations[:-1].mT.where(deciding.unsqueeze(1), 0.0).sum(dim=0))
    assert torch.equal(*seen)
    assert seen[0].abs().sum() > 0


def test_a_pause_delays_an_episode_by_its_number_of_steps():
    task = Fork(max_steps=80)
    starts = task.initial_states(300, torch.Generator().manual_seed(1))
    lengths = []
    for longest in (0, 10):
        driver = ForkDriver(task, ("left",), longest_pause=longest)
        generator = torch.Generator().manual_seed(2)
        rollouts = rollout(task, driver, 300, generator, starts)
        assert rollouts.succeeded.all()
        lengths.append(torch.tensor(rollouts.lengths))
    delay = lengths[1] - lengths[0]
    # 5 to 10 steps of waiting; starting again from rest costs up to 2 m/s-steps of ground more.
    assert delay.min() >= 5
    assert delay.max() <= 10 + 3
    # Each of the six lengths is missed by 300 draws with probability (5/6)^300 < 1e-23.
    assert delay.unique().numel() >= 6


def test_a_pausing_driver_stands_still(generator):
    task = Fork()
    driver = ForkDriver(task, longest_pause=6)
    states = task.initial_states(50, generator)
    states[:, 0] = states[:, OBSTACLE][:, 0] - 0.5
    driver.reset(torch.ones(50, dtype=torch.bool))
    still = [(driver.act(states, generator).norm(dim=1) == 0) for _ in range(8)]
    pauses = torch.stack(still).sum(dim=0)
    assert set(pauses.tolist()) <= {3, 4, 5, 6}
    # Then it goes on for good.
    assert not still[6].any() and not still[7].any()


def test_a_driver_can_change_the_size_of_its_batch(generator):
    task = Fork()
    driver = ForkDriver(task)
    for number in (4, 9):
        assert len(rollout(task, driver, number, generator)) == number


def test_unknown_sides_are_refused():
    with pytest.raises(ValueError, match=r"left.*right.*'middle'"):
        ForkDriver(Fork(), ("middle",))
    with pytest.raises(ValueError, match=r"got \[\]"):
        ForkDriver(Fork(), ())


def test_noise_is_added_to_what_the_actor_does_in_the_stated_size(generator):
    task = Fork()
    quiet = ForkDriver(task, ("left",))
    noisy = NoisyActor(ForkDriver(task, ("left",)), 0.2)
    states = task.initial_states(10_000, generator)
    for actor in (quiet, noisy):
        assert isinstance(actor, Actor)
        actor.reset(torch.ones(10_000, dtype=torch.bool))
    noise = noisy.act(states, generator) - quiet.act(states, generator)
    # Six standard errors of mean and deviation, over 20,000 numbers.
    assert abs(noise.mean().item()) < 6 * 0.2 / math.sqrt(20_000)
    assert abs(noise.std().item() / 0.2 - 1) < 6 / math.sqrt(40_000)


def test_a_slightly_noisy_driver_still_arrives_mostly(generator):
    task = Fork()
    evaluation = evaluate(task, NoisyActor(ForkDriver(task), 0.05), generator, 500)
    assert evaluation.success.rate > 0.8


def test_a_driver_past_the_obstacle_heads_for_the_goal(generator):
    task = Fork()
    states = task.initial_states(20, generator)
    states[:, POSITION] = torch.tensor([1.5, 0.5])
    driver = ForkDriver(task)
    driver.reset(torch.ones(20, dtype=torch.bool))
    action = driver.act(states, generator)
    to_goal = states[:, GOAL] - states[:, POSITION]
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(action, to_goal), torch.ones(20)
    )
