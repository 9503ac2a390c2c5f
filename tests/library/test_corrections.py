"""Rounds of learning for all seeds at once."""

import pytest
import torch

from imitation_lab.corrections import (
    SpentBudget,
    as_demonstrations,
    as_function,
    first_labels,
    learn_from_corrections,
    read_budgets,
    recorded_budgets,
    write_budgets,
)
from imitation_lab.envs import Fork, Pendulum
from imitation_lab.evaluation import evaluate
from imitation_lab.experiment import players
from imitation_lab.experts import ForkDriver, PendulumBalancer
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.rollout import rollout
from imitation_lab.training import TrainingSettings

TASK = Pendulum(seconds=1.0)
SEEDS = (3, 5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_policy(seed):
    return RegressionPolicy(2, 1, width=8, generator=seeded(seed))


def dataset(seed, count=30):
    observations = torch.randn(count, 2, generator=seeded(seed))
    return observations, observations.sum(dim=1, keepdim=True)


def rounds(count, collect=None):
    settings = TrainingSettings(steps=20, batch_size=8)
    datasets = [dataset(seed) for seed in SEEDS]
    return list(learn_from_corrections(make_policy, datasets, settings, SEEDS, count, collect))


def test_pairs_become_episodes_of_one_step():
    observations, actions = dataset(0, 5)
    episodes = as_demonstrations((observations, actions), "pendulum")
    assert [len(episode) for episode in episodes.trajectories] == [1] * 5
    assert torch.equal(episodes.observations, observations)
    assert torch.equal(episodes.chunks(1)[:, 0], actions)


def test_so_many_labels_are_the_first_ones():
    episodes = as_demonstrations(dataset(0, 5))
    observations, actions = first_labels(episodes, 3)
    assert torch.equal(observations, episodes.observations[:3])
    assert torch.equal(actions, episodes.actions[:3])
    with pytest.raises(ValueError, match="fewer than 6"):
        first_labels(episodes, 6)


def test_an_actor_as_a_function_starts_anew_and_keeps_its_memory():
    road = Fork()
    driver = ForkDriver(road)
    states = road.initial_states(50, seeded(1))
    swerving = states.clone()
    swerving[:, 0] = 0.5  # behind the decision
    ask = as_function(driver, 50, seeded(2))
    assert torch.equal(ask(swerving), ask(swerving))
    again = as_function(driver, 50, seeded(3))
    assert not torch.equal(ask(swerving), again(swerving)) or not torch.equal(
        again(swerving), as_function(driver, 50, seeded(4))(swerving)
    )


def test_each_seed_learns_from_its_own_labels_and_its_own_corrections():
    asked = []

    def collect(policy, index, seed):
        asked.append((index, seed))
        seen = torch.full((2, 2), float(seed))
        return seen, policy(seen)

    first, second, third = rounds(2, collect)
    assert asked == [(0, 3), (0, 5), (1, 3), (1, 5)]
    for place, seed in enumerate(SEEDS):
        assert [len(done.datasets[place][0]) for done in (first, second, third)] == [30, 32, 34]
        observations, actions = second.datasets[place]
        assert torch.equal(observations[:30], dataset(seed)[0])
        assert (observations[30:] == seed).all()
        torch.testing.assert_close(actions[30:], first.policies[place](observations[30:]))


def test_rounds_need_somebody_who_corrects():
    with pytest.raises(ValueError, match="collect"):
        rounds(1)


def test_judging_all_seeds_in_one_rollout_is_judging_them_one_by_one():
    calm = Pendulum(seconds=1.0, process_noise=0.0, start_spread=0.02, largest_angle=0.1)
    [done] = rounds(0)
    together = done.judge(calm, episodes=40)
    # Without noise an episode depends on its start alone: the same starts, one policy at a time.
    starts = torch.cat([evaluation.rollouts.states[0] for evaluation in together])
    for place, (run, evaluation) in enumerate(zip(done.runs, together, strict=True)):
        own = rollout(calm, players([run])[0], 40, seeded(), starts[40 * place : 40 * (place + 1)])
        torch.testing.assert_close(own.states, evaluation.rollouts.states[: len(own.states)])
        assert evaluation.success.successes == int(own.succeeded.sum())


def test_an_expert_that_is_cloned_well_is_judged_like_the_expert():
    expert = as_function(PendulumBalancer(), 1, seeded())
    observations = 0.3 * torch.randn(400, 2, generator=seeded(7))
    labels = expert(observations)
    settings = TrainingSettings(steps=300, batch_size=64, learning_rate=1e-2)
    [done] = learn_from_corrections(make_policy, [(observations, labels)] * 2, settings, SEEDS)
    best = evaluate(TASK, PendulumBalancer(), seeded(), 50).success
    assert best.rate == 1.0
    assert all(evaluation.success.rate == 1.0 for evaluation in done.judge(TASK, episodes=50))


def test_the_record_is_read_as_it_was_written(tmp_path):
    budgets = [SpentBudget("one way", (3.0, 5.5), ((1, 2), (4, 4)), 4)]
    write_budgets(budgets, tmp_path / "record.json")
    [found] = read_budgets((tmp_path / "record.json").read_text()).values()
    assert found == budgets[0]
    assert found.shares.tolist() == [[0.25, 0.5], [1, 1]]


def test_at_a_budget_of_630_cloning_stays_below_60_and_dagger_passes_95():
    record = recorded_budgets()
    assert all(max(budget.labels) <= 630 for budget in record.values())
    assert all(len(budget.successes[0]) == 10 for budget in record.values())
    assert record["behaviour cloning"].shares[-1].mean() < 0.6
    dagger = record["DAgger"].shares.mean(dim=1)
    assert dagger[-1] > 0.95 and dagger[1] < dagger[0]
