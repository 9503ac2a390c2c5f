"""Whose states are visited, whose actions are kept, and which labels are paid for."""

import pytest
import torch

from imitation_lab.dagger import choose_labels, rollout_and_label
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Pendulum, Racetrack
from imitation_lab.experts import MixedActor, NoisyActor, PendulumBalancer, RacetrackDriver
from imitation_lab.rollout import rollout
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
