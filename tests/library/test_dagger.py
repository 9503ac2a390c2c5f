"""Whose states are visited, whose actions are kept, and which labels are paid for."""

from itertools import pairwise

import pytest
import torch

from imitation_lab.dagger import choose_labels, dagger, rollout_and_label
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Pendulum, Racetrack
from imitation_lab.experts import MixedActor, NoisyActor, PendulumBalancer, RacetrackDriver
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.rollout import rollout
from imitation_lab.training import TrainingSettings
from imitation_lab.types import Actor, Ending, Trajectory

TASK = Pendulum(seconds=1.0)
EXPERT = PendulumBalancer()


class HandsOff:
    """A learner that has learnt nothing: no torque at all."""

    def reset(self, mask): ...

    def act(self, observations, generator):
        return torch.zeros(len(observations), 1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def states_of(demonstrations):
    return [trajectory.observations for trajectory in demonstrations.trajectories]


def test_the_learner_drives_and_the_expert_labels():
    labelled = rollout_and_label(TASK, HandsOff(), EXPERT, 5, seeded())
    alone = rollout(TASK, HandsOff(), 5, seeded())
    for index, trajectory in enumerate(labelled.trajectories):
        expected = alone.trajectory(index)
        assert torch.equal(trajectory.observations, expected.observations)
        assert trajectory.ending is expected.ending
        labels = EXPERT.act(trajectory.observations[:-1], seeded())
        assert torch.equal(trajectory.actions, labels)
        assert not torch.equal(trajectory.actions, expected.actions)


def test_a_shaking_hand_is_labelled_with_what_it_meant():
    track = Racetrack()
    driver = RacetrackDriver(track)
    labelled = rollout_and_label(track, NoisyActor(driver, 0.5), driver, 4, seeded())
    for trajectory in labelled.trajectories:
        expected = driver.act(trajectory.observations[:-1], seeded())
        torch.testing.assert_close(trajectory.actions, expected)


def test_episodes_that_fail_are_kept():
    fallen = rollout_and_label(Pendulum(), HandsOff(), EXPERT, 20, seeded())
    assert len(fallen) == 20
    assert {trajectory.ending for trajectory in fallen.trajectories} == {Ending.FAILURE}


@pytest.mark.parametrize(("beta", "driver"), [(0.0, HandsOff()), (1.0, EXPERT)])
def test_at_its_ends_beta_leaves_the_wheel_to_one(beta, driver):
    calm = Pendulum(seconds=1.0, process_noise=0.0)
    mixed = rollout(calm, MixedActor(HandsOff(), EXPERT, beta), 5, seeded())
    alone = rollout(calm, driver, 5, seeded())
    assert torch.equal(mixed.actions, alone.actions)


def test_the_coin_falls_anew_for_every_step_and_episode():
    beta = 0.3
    mixed = rollout(Pendulum(), MixedActor(HandsOff(), EXPERT, beta), 400, seeded())
    expert_drove = (mixed.actions[:10] != 0).float()
    # 4,000 coins: six standard deviations of their mean, and of 400 coins' at each step.
    assert abs(expert_drove.mean() - beta) < 6 * (beta * (1 - beta) / 4000) ** 0.5
    at_each_step = expert_drove.mean(dim=(1, 2))
    assert (at_each_step - beta).abs().max() < 6 * (beta * (1 - beta) / 400) ** 0.5


def test_a_mixed_actor_is_an_actor_and_refuses_what_is_no_probability():
    assert isinstance(MixedActor(HandsOff(), EXPERT, 0.5), Actor)
    with pytest.raises(ValueError, match="beta must lie in"):
        MixedActor(HandsOff(), EXPERT, 1.1)


@pytest.fixture
def numbered():
    """Three episodes whose observations count the steps and whose labels are minus that."""
    episodes, first = [], 0
    for length in (4, 1, 7):
        count = torch.arange(first, first + length + 1.0).unsqueeze(1)
        episodes.append(Trajectory(count, -count[:-1], f"driver {length}"))
        first += 100
    return Demonstrations(tuple(episodes), "counting")


def test_chosen_labels_are_steps_of_the_whole_each_at_most_once(numbered):
    chosen = choose_labels(numbered, 9, seeded())
    assert chosen.num_actions == len(chosen) == 9
    assert torch.equal(chosen.actions, -chosen.observations)
    assert len(set(chosen.actions.flatten().tolist())) == 9
    assert set(chosen.actions.flatten().tolist()) <= set(numbered.actions.flatten().tolist())
    assert chosen.task == "counting"


def test_every_step_is_as_likely_to_be_chosen(numbered):
    generator, draws = seeded(), 2000
    counts = dict.fromkeys(numbered.actions.flatten().tolist(), 0)
    for _ in range(draws):
        for value in choose_labels(numbered, 3, generator).actions.flatten().tolist():
            counts[value] += 1
    share = 3 / len(counts)
    bound = 6 * (share * (1 - share) * draws) ** 0.5
    assert all(abs(count - share * draws) < bound for count in counts.values())


def test_all_labels_can_be_chosen_but_not_more(numbered):
    assert torch.equal(choose_labels(numbered, 12, seeded()).actions, numbered.actions)
    with pytest.raises(ValueError, match="cannot choose 13 of 12"):
        choose_labels(numbered, 13, seeded())


def rounds_of(betas, labels=7, drives=3, seeds=(3, 5), task=TASK):
    def make_policy(seed):
        return RegressionPolicy(2, 1, width=8, generator=seeded(seed))

    firsts = [rollout_and_label(task, EXPERT, EXPERT, 1, seeded(seed)) for seed in seeds]
    settings = TrainingSettings(steps=20, batch_size=8)
    return list(
        dagger(task, EXPERT, make_policy, firsts, settings, seeds, betas, labels, seeded(), drives)
    )


def test_every_round_learns_from_all_labels_so_far():
    rounds = rounds_of([0.5, 0.0])
    assert len(rounds) == 3
    for seed in range(2):
        sizes = [done.demonstrations[seed].num_actions for done in rounds]
        assert sizes == [sizes[0], sizes[0] + 7, sizes[0] + 14]
        for before, after in pairwise(rounds):
            kept = after.demonstrations[seed].trajectories[: len(before.demonstrations[seed])]
            assert kept == before.demonstrations[seed].trajectories


def test_bought_labels_are_the_experts_answers_where_the_seeds_own_policy_was():
    first, second = rounds_of([0.0], labels=10_000)
    for seed, (before, after) in enumerate(
        zip(first.demonstrations, second.demonstrations, strict=True)
    ):
        bought = after.trajectories[len(before) :]
        seen = torch.cat([step.observations[:1] for step in bought])
        labels = torch.cat([step.actions for step in bought])
        torch.testing.assert_close(labels, EXPERT.act(seen, seeded()))
        # Where each policy goes depends on its own weights: nobody else has been there.
        others = second.demonstrations[1 - seed].observations
        assert (torch.cdist(seen, others).min(dim=1).values > 0).all()


@pytest.mark.parametrize(("beta", "expert_drives"), [(1.0, True), (0.0, False)])
def test_beta_tells_whose_actions_are_taken(beta, expert_drives):
    calm = Pendulum(seconds=1.0, process_noise=0.0)
    first, second = rounds_of([beta], labels=10_000, task=calm)
    for before, after in zip(first.demonstrations, second.demonstrations, strict=True):
        for step in after.trajectories[len(before) :]:
            state = torch.cat([step.observations[:1], torch.zeros(1, 1)], dim=1)
            led_to = calm.advance(state, step.actions, seeded())[:, :2]
            assert torch.allclose(led_to, step.observations[1:], atol=1e-5) == expert_drives
