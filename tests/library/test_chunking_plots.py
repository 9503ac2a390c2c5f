"""Pictures of chunks: where they begin, what is played of them, and what that brings."""

import pytest
import torch

from imitation_lab.controller import RecedingHorizon
from imitation_lab.envs import Fork
from imitation_lab.plots.chunking import (
    plot_chunk_starts,
    plot_courses,
    plot_schedule,
    plot_success_by_horizon,
)
from imitation_lab.plots.looks import POLICY_LOOKS
from imitation_lab.rollout import rollout


def test_a_chunk_is_drawn_from_its_step_on(axes):
    commands = torch.tensor([1.0, 4, 9, 16])
    chunks = torch.tensor([[1.0, 4, 9], [4, 9, 16], [9, 16, 16], [16, 16, 16]])
    plot_chunk_starts(axes, commands, chunks, starts=[1, 3])
    episode, first, second = axes.lines[:3]
    assert episode.get_ydata().tolist() == [1, 4, 9, 16]
    assert (first.get_xdata().tolist(), first.get_ydata().tolist()) == ([1, 2, 3], [4, 9, 16])
    assert (second.get_xdata().tolist(), second.get_ydata().tolist()) == ([3, 4, 5], [16, 16, 16])


def test_in_a_schedule_each_step_is_played_once_and_by_the_newest_chunk(axes):
    plot_schedule(axes, births=[0, 3, 5], prediction_horizon=4, steps=7)
    played = [
        (round(box.get_x() + 0.45), round(box.get_y() + 0.4))
        for box in axes.patches
        if not box.get_hatch()
    ]
    assert sorted(played) == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)]
    assert len(axes.patches) == 3 * 4


def test_success_is_the_mean_over_seeds_and_each_seed_is_shown(axes):
    shares = torch.tensor([[0.1, 0.3], [0.5, 0.7], [0.0, 1.0]])
    plot_success_by_horizon(axes, [1, 4, 20], shares, POLICY_LOOKS["flow"])
    *seeds, mean = axes.lines
    assert mean.get_ydata().tolist() == pytest.approx([20, 60, 50])
    assert [seed.get_ydata().tolist() for seed in seeds] == [
        pytest.approx([10, 50, 0]),
        pytest.approx([30, 70, 100]),
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "20"]


def test_seeds_of_two_series_stand_on_two_sides_of_their_means(axes):
    shares = torch.tensor([[0.1, 0.3], [0.5, 0.7]])
    for hollow in (False, True):
        plot_success_by_horizon(axes, [1, 4], shares, POLICY_LOOKS["flow"], hollow=hollow)
    places = [line.get_xdata()[0] for line in axes.lines]
    assert [-1 if x < 0 else 1 if x > 0 else 0 for x in places] == [-1, -1, 0, 1, 1, 0]


def test_a_course_ends_with_its_episode(axes):
    class Straight:
        """Drives straight on, which ends at the obstacle."""

        def sample(self, observations, generator):
            return torch.tensor([1.0, 0.0]).repeat(len(observations), 1, 1)

    rollouts = rollout(Fork(), RecedingHorizon(Straight()), 3, torch.Generator().manual_seed(0))
    plot_courses(axes, rollouts, rollouts.states[:, :, 0], 0.1, episodes=[2])
    course, end = axes.lines
    length = rollouts.lengths[2]
    assert course.get_ydata().tolist() == rollouts.states[: length + 1, 2, 0].tolist()
    assert end.get_xdata().tolist() == pytest.approx([0.1 * length])
    assert end.get_label() == "crashed"
