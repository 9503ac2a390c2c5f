"""Episodes as a batch, success rates, and demonstrations collected from them."""

import math

import pytest
import torch

from imitation_lab.collection import demonstrate, demonstrate_from
from imitation_lab.envs.fork import Fork
from imitation_lab.evaluation import SuccessRate, evaluate, pool
from imitation_lab.experts import ForkDriver
from imitation_lab.rollout import rollout
from imitation_lab.types import Ending


class Commander:
    """Gives every episode its own constant command."""

    def __init__(self, commands):
        self.commands = commands

    def reset(self, mask):
        self.mask = mask

    def act(self, observations, generator):
        return self.commands


# One reaches the goal in a step, one crashes in a step, one stands still.
STARTS = torch.tensor(
    [
        [1.84, 0.0, 0, 0, 1, 0, 2, 0],
        [0.60, 0.0, 1, 0, 1, 0, 2, 0],
        [0.00, 0.0, 0, 0, 1, 0, 2, 0],
    ]
)
COMMANDS = torch.tensor([[1.0, 0], [1.0, 0], [0.0, 0]])


@pytest.fixture
def three(generator):
    return rollout(Fork(max_steps=6), Commander(COMMANDS), 3, generator, STARTS)


def test_episodes_end_in_success_failure_or_when_time_runs_out(three):
    assert three.succeeded.tolist() == [True, False, False]
    assert three.failed.tolist() == [False, True, False]
    assert three.lengths == [1, 1, 6]
    endings = [three.trajectory(index).ending for index in range(3)]
    assert endings == [Ending.SUCCESS, Ending.FAILURE, Ending.CUT_OFF]


def test_an_ended_episode_stands_still(three):
    for episode in (0, 1):
        ended = three.states[1:, episode]
        assert torch.equal(ended, ended[:1].expand_as(ended))
    assert three.active[:, 0].tolist() == [True] + [False] * 5


def test_there_is_one_moment_more_than_actions(three):
    assert three.states.shape == (7, 3, 8)
    assert three.observations.shape == (7, 3, 8)
    assert three.actions.shape == (6, 3, 2)


def test_a_rollout_stops_when_all_episodes_have_ended(generator):
    rollouts = rollout(Fork(), Commander(COMMANDS[:2]), 2, generator, STARTS[:2])
    assert rollouts.actions.shape[0] == 1


def test_a_trajectory_holds_its_own_steps_only(three):
    trajectory = three.trajectory(0, "anna")
    assert trajectory.driver == "anna"
    assert torch.equal(trajectory.observations, three.observations[:2, 0])
    assert torch.equal(trajectory.actions, COMMANDS[:1])
    assert len(three.trajectory(2)) == 6


def test_equal_generators_give_equal_rollouts_and_others_do_not():
    task = Fork(process_noise=0.1, observation_noise=0.1)

    def play(seed):
        generator = torch.Generator().manual_seed(seed)
        return rollout(task, ForkDriver(task), 8, generator).observations

    assert torch.equal(play(1), play(1))
    assert not torch.equal(play(1)[0], play(2)[0])


def test_given_starts_are_where_episodes_start(three):
    assert torch.equal(three.states[0], STARTS)


def test_the_actor_is_reset_once_for_all_episodes(generator):
    actor = Commander(COMMANDS)
    rollout(Fork(max_steps=2), actor, 3, generator, STARTS)
    assert actor.mask.tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (COMMANDS * math.nan, "not finite: has training diverged"),
        (COMMANDS[:2], r"a tensor of shape \(2, 2\): expected a tensor of shape \(3, 2\)"),
        (None, r"returned None: is the question that asks for `act` answered"),
    ],
)
def test_actions_that_make_no_sense_are_refused(commands, message, generator):
    with pytest.raises(ValueError, match=message):
        rollout(Fork(), Commander(commands), 3, generator, STARTS)


@pytest.mark.parametrize(
    ("number", "starts", "message"),
    [
        (0, None, "at least 1, got 0"),
        (2, STARTS, r"starts of shape \(3, 8\), expected \(2, 8\)"),
        (3, STARTS[:, :5], r"starts of shape \(3, 5\), expected \(3, 8\)"),
        (3, STARTS * math.nan, "NaN"),
    ],
)
def test_starts_that_make_no_sense_are_refused(number, starts, message, generator):
    with pytest.raises(ValueError, match=message):
        rollout(Fork(), Commander(COMMANDS), number, generator, starts)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (37, 50), (200, 200)])
def test_the_interval_is_wilsons(successes, trials):
    z, rate = 1.959963984540054, successes / trials
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials)
    half *= math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    low, high = SuccessRate(successes, trials).interval
    assert low == pytest.approx(centre - half, abs=1e-12)
    assert high == pytest.approx(centre + half, abs=1e-12)


def test_a_success_rate_reads_with_count_and_interval():
    # By the closed form above: 37/50 has the interval 60.4 … 84.1 %.
    assert str(SuccessRate(37, 50)) == "37/50 (60–84 %)"


def test_success_rates_add_up():
    total = SuccessRate(3, 10) + SuccessRate(5, 20)
    assert (total.successes, total.trials, total.rate) == (8, 30, 8 / 30)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_success_rates_are_refused(successes, trials):
    with pytest.raises(ValueError, match="impossible"):
        SuccessRate(successes, trials)


def test_evaluation_counts_what_the_rollouts_show(generator):
    task = Fork()
    evaluation = evaluate(task, ForkDriver(task), generator, 30)
    assert evaluation.success.trials == len(evaluation.rollouts) == 30
    assert evaluation.success.successes == int(evaluation.rollouts.succeeded.sum())
    assert pool([evaluation, evaluation]).trials == 60


def test_every_driver_demonstrates_from_the_same_starts(generator):
    task = Fork()
    drivers = {side: ForkDriver(task, (side,)) for side in ("left", "right")}
    demonstrations = demonstrate(task, drivers, 20, generator)
    left, right = (demonstrations.by_driver(side) for side in ("left", "right"))
    assert len(left) == len(right) == 20
    for one, other in zip(left.trajectories, right.trajectories, strict=True):
        assert torch.equal(one.observations[0], other.observations[0])
    assert demonstrations.task == "fork"


def test_only_successes_are_demonstrations(generator):
    task = Fork(max_steps=6)
    demonstrations = demonstrate_from(task, {"three": Commander(COMMANDS)}, STARTS, generator)
    (trajectory,) = demonstrations.trajectories
    assert torch.equal(trajectory.observations[0], STARTS[0])
    assert trajectory.ending is Ending.SUCCESS


def test_a_driver_who_never_succeeds_is_named(generator):
    still = Commander(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"none of \['still'\] succeeded once from 3 starts"):
        demonstrate(Fork(max_steps=3), {"still": still}, 3, generator)
