"""The notebooks' experiment: seeds are kept apart, and what was stopped is no result."""

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate
from imitation_lab.experiment import FIRST_DRIVE, clone, drive, players
from imitation_lab.experts import ForkDriver
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.training import TrainingSettings, train

SETTINGS = TrainingSettings(steps=20, batch_size=16)
SEEDS = [2, 7]


def make_policy(seed):
    return GaussianPolicy(8, 2, width=8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def demonstrations():
    task = Fork()
    drivers = {side: ForkDriver(task, (side,)) for side in ("left", "right")}
    return demonstrate(task, drivers, 4, torch.Generator().manual_seed(0))


def test_every_seed_is_trained_as_if_alone(demonstrations):
    runs = clone(make_policy, demonstrations, SETTINGS, SEEDS, "cpu")
    for run, seed in zip(runs, SEEDS, strict=True):
        alone = train(make_policy(seed), demonstrations, SETTINGS, seed, "cpu", progress=False)
        torch.testing.assert_close(run.losses, alone.losses, rtol=1e-3, atol=1e-4)


def test_every_actor_drives_from_the_starts_of_its_seed(demonstrations):
    task = Fork()
    actors = players(clone(make_policy, demonstrations, SETTINGS, SEEDS, "cpu"))
    evaluations = drive(actors, task, SEEDS, episodes=5)
    for evaluation, actor, seed in zip(evaluations, actors, SEEDS, strict=True):
        generator = torch.Generator().manual_seed(FIRST_DRIVE + seed)
        expected = evaluate(task, actor, generator, 5)
        assert torch.equal(evaluation.rollouts.states, expected.rollouts.states)
    first, second = (evaluation.rollouts.states[0] for evaluation in evaluations)
    assert not torch.equal(first, second)


def test_training_that_was_stopped_gives_no_policies(demonstrations, monkeypatch):
    def stopped(policies, *arguments):
        run = train(policies[0], demonstrations, SETTINGS, 0, "cpu", progress=False)
        return [type(run)(**{**vars(run), "interrupted": True})]

    monkeypatch.setattr("imitation_lab.experiment.train_ensemble", stopped)
    with pytest.raises(KeyboardInterrupt, match="run this again"):
        clone(make_policy, demonstrations, SETTINGS, SEEDS, "cpu")


def test_more_actors_than_seeds_are_refused(demonstrations):
    actors = players(clone(make_policy, demonstrations, SETTINGS, SEEDS, "cpu"))
    with pytest.raises(
        ValueError, match="got 2 actors and 1 seeds: expected a seed for every actor"
    ):
        drive(actors, Fork(), [2], episodes=2)


@pytest.mark.parametrize(("asked", "played"), [(None, 3), (2, 2)])
def test_players_play_whole_chunks_unless_told_otherwise(demonstrations, asked, played):
    def make(seed):
        return GaussianPolicy(8, 2, 3, width=8, generator=torch.Generator().manual_seed(seed))

    [actor] = players(clone(make, demonstrations, SETTINGS, [2], "cpu"), asked)
    actor.reset(torch.ones(1, dtype=torch.bool))
    source, chunk = torch.Generator().manual_seed(1), []
    for step in range(6):
        if step % played == 0:
            same = torch.Generator()
            same.set_state(source.get_state())
            chunk = actor.sample(demonstrations.observations[step : step + 1], same)[0]
        action = actor.act(demonstrations.observations[step : step + 1], source)
        assert torch.equal(action[0], chunk[step % played])


def test_any_actor_can_drive():
    task = Fork()
    [evaluation] = drive([ForkDriver(task)], task, [0], episodes=5, device="cpu")
    assert evaluation.success.successes == 5
