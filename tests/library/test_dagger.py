"""Whose states are visited, whose actions are kept, and who is asked."""

from dataclasses import dataclass

import pytest
import torch

from imitation_lab.dagger import (
    aggregate,
    choose_labels,
    dagger,
    noise_injected_demonstrations,
    rollout_and_label,
)
from imitation_lab.envs import Pendulum
from imitation_lab.experts import PendulumBalancer


@dataclass(frozen=True)
class Counter:
    """A task whose state is its history: episode, steps left, last executed action."""

    max_steps: int = 7
    name = "counter"
    state_dim = observation_dim = 3
    action_dim = 1
    action_bound = 1.0
    time_step = 1.0

    def initial_states(self, num_episodes, generator):
        numbers = torch.arange(num_episodes, dtype=torch.float32)
        return torch.stack([numbers, 2 + numbers, torch.zeros(num_episodes)], dim=1)

    def observe(self, states, generator):
        return states

    def advance(self, states, actions, generator):
        return torch.stack([states[:, 0], states[:, 1] - 1, actions[:, 0]], dim=1)

    def failed(self, states):
        return (states[:, 1] <= 0) & (states[:, 0] % 2 == 1)

    def succeeded(self, states):
        return (states[:, 1] <= 0) & (states[:, 0] % 2 == 0)


def label(observations):
    """What the expert says: its number for this episode and step."""
    return 100 + 10 * observations[:, :1] + observations[:, 1:2]


def silence(observations):
    return torch.full((len(observations), 1), -1.0)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_policy_drives_and_the_expert_labels_all_it_sees():
    observations, labels = rollout_and_label(Counter(), silence, label, 4, 0.0, seeded())
    # Episode i lasts 2 + i steps. At its start nobody has acted yet, afterwards the policy has.
    steps = [(i, 2 + i - t, 0.0 if t == 0 else -1.0) for i in range(4) for t in range(2 + i)]
    assert torch.equal(observations, torch.tensor(steps))
    assert torch.equal(labels, label(observations))


def test_long_episodes_are_cut_off():
    observations, _ = rollout_and_label(Counter(max_steps=3), silence, label, 4, 0.0, seeded())
    assert torch.bincount(observations[:, 0].long()).tolist() == [2, 3, 3, 3]


def test_at_one_beta_leaves_the_wheel_to_the_expert():
    observations, labels = rollout_and_label(Counter(), silence, label, 4, 1.0, seeded())
    later = observations[:, 2] != 0
    # What was executed last is what the expert said one step before, in the same episode.
    assert torch.equal(observations[later, 2:], labels[:-1][later[1:]])


def test_the_coin_falls_anew_for_every_step_and_episode():
    beta, episodes = 0.3, 400
    calm = Pendulum(seconds=2.0, process_noise=0.0)
    expert = PendulumBalancer()
    ask = lambda observations: expert.act(observations, seeded())  # noqa: E731
    generator = seeded()
    observations, labels = rollout_and_label(
        calm, lambda o: torch.zeros(len(o), 1), ask, episodes, beta, generator
    )
    # Where nobody acts, the angular velocity follows gravity and friction alone.
    states = torch.cat([observations, torch.zeros(len(observations), 1)], dim=1)
    free = calm.advance(states, torch.zeros_like(labels), generator)[:-1, 1]
    steered = calm.advance(states, labels, generator)[:-1, 1]
    follows = observations[1:, 1]
    expert_drove = torch.isclose(follows, steered, atol=1e-6)
    known = expert_drove ^ torch.isclose(follows, free, atol=1e-6)
    share = expert_drove[known].float().mean()
    assert known.sum() > 5000
    assert abs(share - beta) < 6 * (beta * (1 - beta) / int(known.sum())) ** 0.5


def test_labels_are_what_a_pushed_hand_meant():
    observations, labels = noise_injected_demonstrations(Counter(), label, 5.0, 1.0, seeded(), 4)
    assert torch.equal(labels, label(observations))
    later = observations[:, 2] != 0
    pushes = observations[later, 2] - labels[:-1][later[1:], 0]
    assert (pushes != 0).all()


@pytest.mark.parametrize(("noise", "fraction"), [(0.0, 1.0), (5.0, 0.0)])
def test_without_noise_or_without_a_share_nobody_is_pushed(noise, fraction):
    calm = noise_injected_demonstrations(Counter(), label, noise, fraction, seeded(), 4)
    plain = rollout_and_label(Counter(), label, label, 4, 1.0, seeded())
    assert all(torch.equal(*pair) for pair in zip(calm, plain, strict=True))


def test_pushes_have_the_share_and_the_spread_that_are_asked_for():
    long = Counter(max_steps=400)
    noise, fraction, episodes = 3.0, 0.25, 300
    observations, labels = noise_injected_demonstrations(
        long, label, noise, fraction, seeded(), episodes
    )
    later = observations[:, 2] != 0
    pushes = observations[later, 2] - labels[:-1][later[1:], 0]
    pushed = pushes.abs() > 1e-3
    count, total = int(pushed.sum()), len(pushes)
    # Pushes below 1e-3 are lost in the label's rounding: fewer than one in 3,000.
    assert abs(count / total - fraction) < 6 * (fraction * 0.75 / total) ** 0.5 + 1e-3
    assert abs(pushes[pushed].std() / noise - 1) < 6 / (2 * count) ** 0.5 + 1e-3
    assert abs(pushes[pushed].mean()) < 6 * noise / count**0.5


def test_new_labels_come_after_the_old_ones_and_change_neither():
    old = (torch.zeros(2, 3), torch.ones(2, 1))
    new = (torch.ones(1, 3), torch.zeros(1, 1))
    before = [tensor.clone() for tensor in (*old, *new)]
    observations, actions = aggregate(old, new)
    assert observations.sum(dim=1).tolist() == [0, 0, 3]
    assert actions.flatten().tolist() == [1, 1, 0]
    assert all(torch.equal(*pair) for pair in zip(before, (*old, *new), strict=True))


def test_only_chosen_observations_are_asked_about_each_at_most_once():
    asked = []

    def expert(observations):
        asked.append(observations)
        return label(observations)

    numbered = torch.arange(36.0).view(12, 3)
    observations, labels = choose_labels(numbered, expert, 9, seeded())
    assert torch.equal(torch.cat(asked), observations) and torch.equal(labels, label(observations))
    rows = {tuple(row) for row in observations.tolist()}
    assert len(rows) == 9 and rows <= {tuple(row) for row in numbered.tolist()}
    assert len(choose_labels(numbered, expert, 50, seeded())[0]) == 12


def test_every_observation_is_as_likely_to_be_chosen():
    numbered, generator, draws = torch.arange(12.0).unsqueeze(1), seeded(), 2000
    counts = torch.zeros(12)
    for _ in range(draws):
        chosen, _ = choose_labels(numbered, lambda o: o, 3, generator)
        counts[chosen.flatten().long()] += 1
    share = 3 / 12
    assert (counts - share * draws).abs().max() < 6 * (share * (1 - share) * draws) ** 0.5


def test_every_round_learns_from_all_labels_so_far_and_drives_with_the_newest_policy():
    learnt = []

    def train(dataset):
        learnt.append(dataset)
        mark = -float(len(learnt))
        return lambda observations: torch.full((len(observations), 1), mark)

    policies, dataset = dagger(Counter(), label, train, 3, 4, 0.0, seeded())
    drives = 2 + 3 + 4 + 5
    assert [len(actions) for _, actions in learnt] == [drives, 2 * drives, 3 * drives, 4 * drives]
    assert len(policies) == 4 and torch.equal(dataset[0], learnt[-1][0])
    for index in range(1, 4):
        executed = dataset[0][index * drives : (index + 1) * drives, 2]
        assert set(executed.tolist()) == {0.0, -float(index)}
    assert torch.equal(dataset[1], label(dataset[0]))


def test_the_experts_share_falls_by_beta_with_every_round():
    beta, episodes, rounds = 0.6, 300, 3
    long = Counter(max_steps=60)
    _, (observations, _) = dagger(
        long, label, lambda dataset: silence, rounds, episodes, beta, seeded()
    )
    first = rollout_and_label(long, label, label, episodes, 1.0, seeded())[0]
    for index in range(1, rounds + 1):
        own = observations[index * len(first) : (index + 1) * len(first), 2]
        executed = own[own != 0]
        share, expected = (executed != -1).float().mean(), beta**index
        assert abs(share - expected) < 6 * (expected * (1 - expected) / len(executed)) ** 0.5


def test_without_rounds_it_is_behaviour_cloning_of_the_experts_own_drives():
    policies, dataset = dagger(Counter(), label, lambda dataset: silence, 0, 4, 0.5)
    expected = rollout_and_label(Counter(), label, label, 4, 1.0, seeded())
    assert policies == [silence]
    assert all(torch.equal(*pair) for pair in zip(dataset, expected, strict=True))
