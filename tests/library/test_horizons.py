"""The map over horizons: every cell is what it says, and the figure shows it."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from matplotlib import pyplot as plt

from imitation_lab import horizons
from imitation_lab.controller import RecedingHorizon
from imitation_lab.horizons import (
    DEMONSTRATORS,
    NOISES,
    SCENES,
    HorizonMap,
    Panel,
    read_map,
    run_map,
    write_map,
)
from imitation_lab.plots.horizons import plot_map
from imitation_lab.training import FAST

SMALL = {
    "tasks": ["pendulum"],
    "policies": ["regression"],
    "demonstrators": ["Markov"],
    "noises": ["none", "observation"],
    "delays": [0, 2],
    "horizons": [1, 4],
    "seeds": [3, 8],
    "episodes": 6,
    "progress": False,
}


@pytest.fixture(autouse=True)
def short_training(monkeypatch, full_length_training):
    monkeypatch.setenv(FAST, "1")


@pytest.fixture(scope="module")
def small():
    """A small part of the map, hardly trained."""
    patch = pytest.MonkeyPatch()
    patch.setenv(FAST, "1")
    yield run_map(**SMALL)
    patch.undo()


def test_the_map_holds_what_was_asked_for_and_nothing_else(small):
    names = [(panel.noise, panel.delay) for panel in small.panels]
    assert sorted(names) == sorted(itertools.product(SMALL["noises"], SMALL["delays"]))
    for panel in small.panels:
        assert list(panel.successes) == [(1, 1), (4, 1), (4, 4)]
        assert all(len(counts) == 2 for counts in panel.successes.values())


def test_a_horizon_that_is_named_twice_counts_once(small):
    assert run_map(**{**SMALL, "horizons": [4, 1, 4]}) == small


def test_the_same_seeds_give_the_same_map_among_two_processes_too(small):
    assert run_map(**SMALL, processes=2) == small


def test_every_cell_gets_its_own_noise_delay_and_horizon(monkeypatch):
    """Drives that succeed as often as a code of their settings says stand in for real ones."""
    noises, delays, seeds, episodes = ["none", "actuation"], [0, 2], [0, 1], 120

    def coded(task, actor, number, generator):
        noisy = (task.observation_noise > 0).long() + 2 * (task.process_noise > 0).long()
        policy = torch.arange(number) // (number // (3 * len(noises) * len(seeds)))
        code = actor.execution_horizon + 4 * (actor.delay > 0) + 8 * noisy
        code = code + 30 * (policy // 4) + 2 * (policy % 2)
        return SimpleNamespace(succeeded=torch.arange(number) % episodes < code)

    monkeypatch.setattr(horizons, "rollout", coded)
    found = run_map(
        ["pendulum"], ["regression"], DEMONSTRATORS, noises, delays, [1, 2], seeds, episodes,
        progress=False,
    )  # fmt: skip
    assert len(found.panels) == 3 * 2 * 2
    for panel in found.panels:
        code = 16 * (panel.noise == "actuation") + 4 * (panel.delay > 0)
        code += 30 * DEMONSTRATORS.index(panel.demonstrator)
        for (_, execution), counts in panel.successes.items():
            assert counts == [code + execution, code + execution + 2]


def test_a_map_comes_back_from_its_file(small, tmp_path):
    write_map(small, tmp_path / "map.json")
    assert read_map(tmp_path / "map.json") == small


def test_a_panel_pools_its_seeds():
    panel = Panel("fork", "Markov", "mixture", "none", 0, 50, {(1, 1): [10, 30]})
    assert (panel.success(1, 1).successes, panel.success(1, 1).trials) == (40, 100)


def test_a_part_that_was_not_run_is_asked_for_in_vain(small):
    assert small.panel("pendulum", "Markov", "regression", "observation", 2).delay == 2
    with pytest.raises(KeyError, match="has this part of the map been run"):
        small.panel("fork", "Markov", "regression")


@pytest.mark.parametrize("delay", [0, 1, 2, 5])
@pytest.mark.parametrize("prediction_horizon", [1, 2, 4, 8])
def test_a_chunk_runs_out_where_play_repeats_its_last_action(delay, prediction_horizon):
    """Chunks of numbers that occur once show by themselves where one is held."""
    drawn = itertools.count()

    def sample(observations, generator):
        first = 100.0 * next(drawn)
        return (first + torch.arange(prediction_horizon)).view(1, -1, 1)

    for execution in range(1, prediction_horizon + 1):
        actor = RecedingHorizon(SimpleNamespace(sample=sample), execution, delay)
        actor.reset(torch.ones(1, dtype=torch.bool))
        numbers = [float(actor.act(torch.zeros(1, 1), torch.Generator())) for _ in range(60)]
        held = any(one == other for one, other in itertools.pairwise(numbers))
        panel = Panel("fork", "Markov", "mixture", "none", delay, 1, {})
        assert panel.runs_out(prediction_horizon, execution) == held


@pytest.mark.parametrize("task", SCENES)
def test_every_demonstrator_succeeds_more_often_than_not(task):
    # Who pauses, and whose lane is kicked, fails now and then; the failures are left out of the data.
    for demonstrator, noise in itertools.product(DEMONSTRATORS, NOISES):
        demonstrations = horizons._demonstrations(task, demonstrator, noise, 0)
        drivers = {trajectory.driver for trajectory in demonstrations.trajectories}
        assert len(demonstrations) > 0.5 * SCENES[task].num_starts * len(drivers)


def test_the_fork_is_shown_both_ways_by_mode_switching_drivers_only():
    sides = {
        demonstrator: {
            trajectory.driver
            for trajectory in horizons._demonstrations("fork", demonstrator, "none", 0).trajectories
        }
        for demonstrator in DEMONSTRATORS
    }
    assert sides == {"Markov": {"left"}, "pausing": {"left"}, "mode-switching": {"left", "right"}}


def texts(axes):
    return {
        (round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in axes.texts
    }


def test_the_figure_shows_the_success_of_every_cell_and_marks_where_chunks_run_out():
    successes = {(1, 1): [5], (2, 1): [20], (2, 2): [35], (8, 1): [3], (8, 2): [50], (8, 8): [0]}
    panel = Panel("fork", "pausing", "mixture", "none", 2, 50, successes)
    figure = plot_map(HorizonMap([panel]), "fork", "mixture", delay=2)
    (axes,) = figure.axes
    # Across is the execution horizon, up the prediction horizon.
    assert texts(axes) == {
        (0, 0): "(10)", (0, 1): "(40)", (1, 1): "(70)", (0, 2): "6", (1, 2): "100", (2, 2): "(0)",
    }  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "8"]
    assert "delay of 2 steps" in figure.get_suptitle()
    plt.close(figure)


def test_the_figure_has_a_row_for_every_demonstrator_and_a_column_for_every_noise(small):
    figure = plot_map(small, "pendulum", "regression")
    assert [axes.get_title(loc="center") for axes in figure.axes] == [
        "no noise",
        "observation noise",
    ]
    assert "Markov" in figure.axes[0].get_ylabel()
    plt.close(figure)


def test_a_figure_of_what_was_not_run_is_refused(small):
    with pytest.raises(ValueError, match="holds no mixture on the pendulum"):
        plot_map(small, "pendulum", "mixture")
