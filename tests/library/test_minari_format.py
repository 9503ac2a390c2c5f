"""Demonstrations as Minari data sets, read by Minari itself as well."""

import sys

import gymnasium
import numpy as np
import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.data import Demonstrations
from imitation_lab.envs.fork import Fork
from imitation_lab.experts import ForkDriver
from imitation_lab.minari_format import load_minari, save_minari
from imitation_lab.types import Ending, Trajectory


@pytest.fixture
def minari(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("h5py")
    return pytest.importorskip("minari")


@pytest.fixture
def demonstrations(generator):
    task = Fork()
    drivers = {side: ForkDriver(task, (side,)) for side in ("left", "right")}
    driven = demonstrate(task, drivers, 2, generator)
    first = driven.trajectories[0]
    endings = [
        Trajectory(first.observations[:6], first.actions[:5], "anna", ending) for ending in Ending
    ]
    return driven + Demonstrations(tuple(endings))


def test_demonstrations_survive_minari(minari, demonstrations):
    save_minari(demonstrations, "fork/test-v0")
    loaded = load_minari("fork/test-v0")
    assert loaded.task == "fork"
    assert len(loaded) == len(demonstrations)
    for given, expected in zip(loaded.trajectories, demonstrations.trajectories, strict=True):
        assert torch.equal(given.observations, expected.observations)
        assert torch.equal(given.actions, expected.actions)
        assert (given.driver, given.ending) == (expected.driver, expected.ending)


def test_minari_itself_reads_the_final_observation_and_how_episodes_end(minari, demonstrations):
    save_minari(demonstrations, "fork/test-v0", "ImitationLab/Fork-v0")
    dataset = minari.load_dataset("fork/test-v0")
    episodes = list(dataset.iterate_episodes())
    assert dataset.total_episodes == len(demonstrations)
    assert dataset.total_steps == demonstrations.num_actions
    for episode, trajectory in zip(episodes, demonstrations.trajectories, strict=True):
        np.testing.assert_array_equal(episode.observations, trajectory.observations)
        np.testing.assert_array_equal(episode.actions, trajectory.actions)
        terminated = trajectory.ending is not Ending.CUT_OFF
        assert not episode.terminations[:-1].any() and not episode.truncations[:-1].any()
        assert (episode.terminations[-1], episode.truncations[-1]) == (terminated, not terminated)
        assert episode.rewards.sum() == (trajectory.ending is Ending.SUCCESS)
    assert isinstance(dataset.recover_environment(), gymnasium.Env)


def test_data_sets_of_others_are_read_by_their_rewards_and_terminations(minari):
    def episode(reward, terminated):
        return minari.data_collector.EpisodeBuffer(
            observations=np.zeros((3, 4)),
            actions=np.ones((2, 1)),
            rewards=[0.0, reward],
            terminations=[False, terminated],
            truncations=[False, not terminated],
        )

    box = gymnasium.spaces.Box(-1, 1, (4,), np.float64)
    with pytest.warns(UserWarning):  # Minari's wish for author and permalink
        minari.create_dataset_from_buffers(
            "toy/others-v0",
            [episode(1.0, True), episode(0.0, True), episode(1.0, False)],
            observation_space=box,
            action_space=gymnasium.spaces.Box(-1, 1, (1,), np.float64),
        )
    loaded = load_minari("toy/others-v0")
    endings = [trajectory.ending for trajectory in loaded.trajectories]
    assert endings == [Ending.SUCCESS, Ending.FAILURE, Ending.CUT_OFF]
    assert loaded.observations.dtype == torch.float32
    assert (loaded.task, loaded.trajectories[0].driver) == ("", "")


def test_data_sets_that_are_not_rows_of_numbers_are_refused(minari):
    buffer = minari.data_collector.EpisodeBuffer(
        observations=np.zeros((2, 4)),
        actions=np.zeros(1, dtype=np.int64),
        rewards=[0.0],
        terminations=[True],
        truncations=[False],
    )
    with pytest.warns(UserWarning):
        minari.create_dataset_from_buffers(
            "toy/discrete-v0",
            [buffer],
            observation_space=gymnasium.spaces.Box(-1, 1, (4,)),
            action_space=gymnasium.spaces.Discrete(3),
        )
    with pytest.raises(ValueError, match=r"actions of toy/discrete-v0 are Discrete\(3\)"):
        load_minari("toy/discrete-v0")


def test_a_data_set_is_never_overwritten(minari, demonstrations):
    save_minari(demonstrations, "fork/test-v0")
    with pytest.raises(ValueError, match="already exists"):
        save_minari(demonstrations, "fork/test-v0")


def test_an_unknown_data_set_is_not_found(minari):
    with pytest.raises(FileNotFoundError):
        load_minari("fork/nothing-v0")


@pytest.mark.parametrize("missing", ["minari", "h5py"])
def test_without_minari_the_message_says_what_to_install(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'pip install "imitation-lab\[minari\]"'):
        load_minari("fork/test-v0")
