"""The drawings of drives that stray, of costs that grow, and of what labels buy, read back from their axes."""

import pytest
import torch

from imitation_lab.envs import Racetrack
from imitation_lab.experts import RacetrackDriver
from imitation_lab.plots.shift import WAY_LOOKS, plot_growth, plot_laps, plot_rounds, plot_tube
from imitation_lab.rollout import rollout


def test_laps_follow_the_vehicle_to_its_end(axes):
    task = Racetrack(max_steps=8)
    rollouts = rollout(task, RacetrackDriver(task), 3, torch.Generator())
    plot_laps(axes, task, rollouts, episodes=(0, 2))
    paths = [line for line in axes.lines if len(line.get_xdata()) > 1]
    ends = [line for line in axes.lines if len(line.get_xdata()) == 1]
    for path, end, episode in zip(paths, ends, (0, 2), strict=True):
        drawn = torch.stack([torch.as_tensor(values) for values in path.get_data()], dim=1)
        assert torch.equal(drawn, rollouts.states[:, episode, :2])
        assert [float(values[0]) for values in end.get_data()] == drawn[-1].tolist()


def test_a_tube_holds_every_episode_and_no_more(axes):
    values = torch.tensor([[0.0, 1.0], [2.0, -1.0], [3.0, 5.0]])
    plot_tube(axes, values, time_step=0.1)
    corners = torch.as_tensor(axes.collections[0].get_paths()[0].vertices)
    for step, (low, high) in enumerate([(0, 1), (-1, 2), (3, 5)]):
        at = corners[(corners[:, 0] - 0.1 * step).abs() < 1e-6, 1]
        assert (float(at.min()), float(at.max())) == (low, high)


def test_growth_draws_powers_as_straight_lines_from_their_starts(axes):
    horizons = torch.tensor([10.0, 100.0, 1000.0])
    looks = [WAY_LOOKS["cloning"]]
    plot_growth(axes, horizons, {"cliff": horizons**2}, looks, guides={1: 3.0, 2: 0.5})
    linear, square, cliff = (line.get_ydata().tolist() for line in axes.lines)
    assert linear == pytest.approx([3, 30, 300])
    assert square == pytest.approx([0.5, 50, 5000])
    assert cliff == pytest.approx([100, 1e4, 1e6])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_rounds_show_every_seed_and_the_mean_in_per_cent(axes):
    shares = torch.tensor([[0.2, 0.4], [0.9, 1.0]])
    plot_rounds(axes, [100.0, 200.0], shares, WAY_LOOKS["DAgger"], "DAgger")
    *seeds, mean = (line.get_ydata().tolist() for line in axes.lines)
    assert [pytest.approx(values) for values in seeds] == [[20, 90], [40, 100]]
    assert mean == pytest.approx([30, 95])
    assert axes.get_legend_handles_labels()[1] == ["DAgger"]
