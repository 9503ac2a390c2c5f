"""The map that notebook 06 shows: the record that comes with the library, and fresh runs of its parts."""

import itertools
import statistics
import sys

import pytest

from benchmarks.chunking import main
from imitation_lab.horizons import (
    DELAYS,
    DEMONSTRATORS,
    HORIZONS,
    NOISES,
    POLICIES,
    SCENES,
    recorded_map,
    run_map,
)
from imitation_lab.training import FAST

EPISODES = 50
# Seeds that the record has not seen. Ten of them, and more where seeds scatter more. The comments
# give means in per cent with standard errors over ten seeds.
TEN, TWENTY, THIRTY = (range(500, 500 + count) for count in (10, 20, 30))


@pytest.fixture(autouse=True)
def full_length_training(monkeypatch):
    monkeypatch.delenv(FAST, raising=False)


@pytest.fixture(scope="module")
def record():
    return recorded_map()


def fresh(task, policy, demonstrator, noise, horizons, seeds, delay=0):
    """Train and drive with fresh seeds for one heat map."""
    part = run_map(
        [task], [policy], [demonstrator], [noise], [delay], horizons, seeds, EPISODES,
        progress=False,
    )  # fmt: skip
    return part.panel(task, demonstrator, policy, noise, delay)


def rate(panel, prediction_horizon, execution_horizon=None):
    return panel.success(prediction_horizon, execution_horizon or prediction_horizon).rate


def check_commitment(modes, one_style):
    # The same policies, which predict eight actions: executing one of them 25 ± 2, all 50 ± 4.
    assert rate(modes, 8, 8) > rate(modes, 8, 1)
    # 94 ± 2 and 95 ± 2: with one style there is nothing to commit to.
    assert min(rate(one_style, 8, 1), rate(one_style, 8, 8)) > 0.8


def check_inverted_u(panel):
    # 38 ± 6, 73 ± 5 and 0.
    assert rate(panel, 1) < rate(panel, 4)
    assert rate(panel, 16) < 0.05


def check_pausing(regression, mixture):
    # Regression 28 ± 5 one by one, 60 ± 8 by fours; the mixture 85 ± 3 one by one.
    assert rate(regression, 1) < rate(regression, 4)
    assert rate(mixture, 1) - rate(regression, 1) > 0.25


def check_pendulum(noisy, still):
    # 97 ± 3 one by one, 24 ± 8 by eights, 3 ± 2 by sixteens; predicting sixteen costs nothing: 99.
    assert rate(noisy, 8, 8) < rate(noisy, 1)
    assert rate(noisy, 16, 16) < rate(noisy, 16, 1)
    assert rate(noisy, 16, 1) > 0.85
    # Without noise there is next to nothing to correct: 96 ± 3 by sixteens.
    assert rate(still, 16, 16) > 0.75


def check_average_of_two_sides(regression, mixture):
    # 5 ± 2 one by one, and 0 by fours and more; the mixture 97 ± 1.
    assert rate(regression, 1) < 0.2
    assert rate(regression, 4) < 0.02
    assert rate(mixture, 1) > 0.85


def check_delay(fork, pendulum):
    # After five steps a single action comes too late: 0, whereas chunks of eight cover for it: 100.
    assert rate(fork, 1) < 0.05
    assert rate(fork, 8, 1) > 0.95
    # An unstable plant forgives no quarter of a second: 4 ± 4 at best.
    assert max(rate(pendulum, *cell) for cell in pendulum.successes) < 0.4


def test_the_record_holds_every_cell_with_three_seeds(record):
    cells = {(p, e) for p, e in itertools.product(HORIZONS, HORIZONS) if e <= p}
    axes = itertools.product(SCENES, DEMONSTRATORS, POLICIES, NOISES, DELAYS)
    assert len(record.panels) == 162
    for panel in itertools.starmap(record.panel, axes):
        assert set(panel.successes) == cells
        assert panel.episodes == EPISODES
        assert all(len(counts) == 3 for counts in panel.successes.values())


def test_the_record_shows_what_fresh_seeds_show(record):
    check_commitment(
        record.panel("fork", "mode-switching", "mixture", "observation"),
        record.panel("fork", "Markov", "mixture", "observation"),
    )
    check_inverted_u(record.panel("racetrack", "Markov", "regression", "actuation"))
    check_pausing(*(record.panel("fork", "pausing", policy) for policy in POLICIES))
    check_pendulum(
        record.panel("pendulum", "Markov", "regression", "observation"),
        record.panel("pendulum", "Markov", "regression"),
    )
    check_average_of_two_sides(
        *(record.panel("fork", "mode-switching", policy) for policy in POLICIES)
    )
    check_delay(
        record.panel("fork", "Markov", "regression", delay=5),
        record.panel("pendulum", "Markov", "regression", delay=5),
    )


def test_a_mixture_trained_as_briefly_as_regression_never_stays_on_the_racetrack(record):
    for demonstrator, noise in itertools.product(DEMONSTRATORS, NOISES):
        panel = record.panel("racetrack", demonstrator, "mixture", noise)
        assert max(rate(panel, *cell) for cell in panel.successes) < 0.05


def test_a_quick_look_does_not_become_the_record(monkeypatch, capsys):
    monkeypatch.setenv(FAST, "1")
    monkeypatch.setattr(sys, "argv", ["chunking"])
    # Should it start after all, it must not get as far as the record.
    monkeypatch.setattr("benchmarks.chunking.run_map", lambda **_: pytest.fail("it started"))
    with pytest.raises(SystemExit):
        main()
    assert "unset it, or write this quick look elsewhere" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.claims
@pytest.mark.parametrize(("task", "horizon"), [("fork", 1), ("racetrack", 4), ("pendulum", 16)])
def test_the_records_own_seeds_give_the_record_again(record, task, horizon):
    again = run_map([task], ["regression"], horizons=[1, horizon], progress=False)
    differences = []
    for panel in again.panels:
        recorded = record.panel(task, panel.demonstrator, "regression", panel.noise, panel.delay)
        differences += [abs(rate(panel, *cell) - rate(recorded, *cell)) for cell in panel.successes]
    # The policies are the record's, the drives are others: the batch holds fewer horizons. Two rates
    # of 150 drives differ by 0.8 * sqrt(2 * 0.25 / 150) = 0.046 on average at worst, with a standard
    # deviation of 0.035. Six standard errors of a mean over 27 cells: 0.046 + 0.040.
    assert statistics.mean(differences) < 0.09


@pytest.mark.long
@pytest.mark.claims
def test_chunks_commit_to_a_side_under_observation_noise():
    parts = [
        fresh("fork", "mixture", demonstrator, "observation", [1, 8], TEN)
        for demonstrator in ("mode-switching", "Markov")
    ]
    check_commitment(*parts)


@pytest.mark.long
@pytest.mark.claims
def test_success_on_the_racetrack_rises_and_falls_with_the_chunk():
    check_inverted_u(fresh("racetrack", "regression", "Markov", "actuation", [1, 4, 16], TWENTY))


@pytest.mark.long
@pytest.mark.claims
def test_after_a_pausing_driver_chunks_help_regression_and_a_sampled_policy_needs_none():
    regression = fresh("fork", "regression", "pausing", "none", [1, 4], THIRTY)
    check_pausing(regression, fresh("fork", "mixture", "pausing", "none", [1], TEN))


@pytest.mark.long
@pytest.mark.claims
def test_long_open_loop_drops_the_pendulum_where_there_is_noise():
    check_pendulum(
        *(
            fresh("pendulum", "regression", "Markov", noise, [1, 8, 16], TEN)
            for noise in ("observation", "none")
        )
    )


@pytest.mark.long
@pytest.mark.claims
def test_no_horizon_saves_the_average_of_two_sides():
    check_average_of_two_sides(
        *(fresh("fork", policy, "mode-switching", "none", [1, 4], TEN) for policy in POLICIES)
    )


@pytest.mark.long
@pytest.mark.claims
def test_chunks_cover_for_delay_on_the_fork_and_not_on_the_pendulum():
    check_delay(
        *(
            fresh(task, "regression", "Markov", "none", [1, 4, 8], TEN, delay=5)
            for task in ("fork", "pendulum")
        )
    )
