"""What notebook 01 says in words, held over ten seeds that it does not use.

Every seed has demonstrations, a network, batches and episodes of its own: 1,000 episodes for each
claim. The bounds stand where the notebook's words stand. The rates lie far from them, so chance
does not decide: with the measured rates, and the spread between seeds taken into account, each of
these tests would fail on fresh seeds less than once in a million.
"""

from types import SimpleNamespace

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate, pool
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import count_parameters

FRESH_SEEDS = range(1000, 1010)
pytestmark = pytest.mark.claims


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def run_seed(notebook, seed):
    """Do with one fresh seed what the notebook does with its own."""
    task = Fork()
    drivers = {side: NoisyActor(ForkDriver(task, (side,)), 0.03) for side in ("left", "right")}
    both = demonstrate(task, drivers, 100, seeded(seed))
    one = both.by_driver("left")
    policies = {
        "regression": (notebook.Regression(seed), both),
        "larger": (notebook.Regression(seed, width=273), both),
        "one driver": (notebook.Regression(seed), one),
        "gaussian": (notebook.Gaussian(seed), both),
        "chunks": (notebook.Gaussian(seed, prediction_horizon=8), both),
    }
    runs = {
        name: notebook.train(policy, data, notebook.SETTINGS, seed, "cpu", progress=False)
        for name, (policy, data) in policies.items()
    }
    actors = {
        name: notebook.ChunkPlayer(run.policy, *run.normalizers) for name, run in runs.items()
    }
    evaluations = {name: evaluate(task, actor, seeded(seed)) for name, actor in actors.items()}
    for wind in (0.05, 0.1, 0.2):
        windy = Fork(process_noise=wind)
        evaluations[f"wind {wind}"] = evaluate(windy, actors["regression"], seeded(seed))
    return SimpleNamespace(demonstrations=both, runs=runs, actors=actors, evaluations=evaluations)


@pytest.fixture(scope="module")
def results(notebook):
    return [run_seed(notebook, seed) for seed in FRESH_SEEDS]


@pytest.fixture(scope="module")
def rate(results):
    return lambda name: pool(result.evaluations[name] for result in results).rate


@pytest.mark.long
def test_the_drivers_succeed(results):
    assert all(len(result.demonstrations) >= 198 for result in results)


@pytest.mark.long
def test_nobody_ever_asks_for_zero(results):
    for result in results:
        data = result.demonstrations
        deciding = ForkDriver(Fork()).is_deciding(data.observations)
        assert deciding.sum() > 50
        assert data.actions[deciding, 1].abs().min() > 0.4


@pytest.mark.long
def test_regression_stays_below_five_per_cent(rate):
    assert rate("regression") < 0.05


@pytest.mark.long
def test_regression_commands_nearly_straight_ahead_where_the_drivers_choose(results):
    for result in results:
        data, actor = result.demonstrations, result.actors["regression"]
        observations = data.observations[ForkDriver(Fork()).is_deciding(data.observations)]
        actor.reset(torch.ones(len(observations), dtype=torch.bool))
        commands = actor.act(observations, seeded(0))[:, 1]
        assert commands.abs().mean() < 0.25
        assert abs(float(commands.mean())) < 0.1


def test_sixteen_times_the_parameters_are_what_the_notebook_says(notebook):
    small, large = notebook.Regression(0), notebook.Regression(0, width=273)
    assert count_parameters(large) / count_parameters(small) == pytest.approx(16, rel=0.05)


@pytest.mark.long
def test_the_larger_network_does_no_better(rate):
    assert rate("larger") < 0.05


@pytest.mark.long
def test_the_larger_network_has_a_lower_training_loss(results):
    for result in results:
        small, large = (result.runs[name].losses[-200:].mean() for name in ("regression", "larger"))
        assert large < small


@pytest.mark.long
def test_with_one_drivers_data_the_same_network_drives(rate):
    assert rate("one driver") > 0.95


@pytest.mark.long
def test_a_gaussian_with_one_action_a_step_succeeds_about_every_other_time(rate):
    assert 0.35 < rate("gaussian") < 0.65


@pytest.mark.long
def test_a_gaussian_with_chunks_crashes_in_more_than_three_cases_of_four(results, rate):
    crashes = [result.evaluations["chunks"].rollouts.failed.float().mean() for result in results]
    assert torch.stack(crashes).mean() > 0.75
    assert rate("chunks") < 0.25


def sides_kept(chunks):
    """Share of chunks whose first five lateral commands have one sign."""
    signs = chunks[:, :5, 1].sign()
    return float((signs == signs[:, :1]).all(dim=1).float().mean())


@pytest.mark.long
def test_drivers_chunks_keep_to_one_side_and_the_gaussians_do_not(results):
    for result in results:
        data, player = result.demonstrations, result.actors["chunks"]
        deciding = ForkDriver(Fork()).is_deciding(data.observations)
        starts = player.observation_normalizer.normalize(data.observations[deciding])
        with torch.no_grad():
            sampled = player.policy.sample(starts, seeded(1))
        sampled = player.action_normalizer.denormalize(sampled)
        assert sides_kept(data.chunks(8)[deciding]) == 1
        assert sides_kept(sampled) < 0.5


@pytest.mark.long
def test_wind_lets_the_same_policies_reach_the_goal_more_than_a_third_of_the_time(rate):
    assert rate("wind 0.1") > 1 / 3


@pytest.mark.long
def test_any_wind_helps_a_policy_that_sits_on_the_fence(rate):
    assert all(rate(f"wind {wind}") > 3 * rate("regression") for wind in (0.05, 0.1, 0.2))


@pytest.mark.long
def test_in_most_other_windy_episodes_the_push_comes_too_late(results):
    rollouts = [result.evaluations["wind 0.1"].rollouts for result in results]
    crashed = sum(int(rollout.failed.sum()) for rollout in rollouts)
    others = sum(int((~rollout.succeeded).sum()) for rollout in rollouts)
    assert crashed / others > 0.5
