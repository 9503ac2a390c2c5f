"""What the first half of notebook 06 says in words, held over fresh seeds that it does not use.

Every seed has demonstrations, initial weights, batches and drives of its own. A mean over seeds is
held where it lies more than six of its standard errors inside the bound. Where seeds lie far apart,
there are more of them.
"""

import math
import statistics

import pytest
import torch

from imitation_lab.horizons import recorded_map
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy

FRESH_SEEDS = range(1000, 1010)
MORE_SEEDS = range(1000, 1060)  # where seeds lie far apart
pytestmark = pytest.mark.claims


def beyond(differences, bound=0.0):
    """Tell whether a mean over seeds lies more than six standard errors above a bound."""
    values = torch.as_tensor(differences).tolist()
    error = statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values) > bound + 6 * error


class Outcome:
    """The policies of one task by prediction horizon, and the shares of their drives that succeed."""

    def __init__(self, notebook, make_policy, demonstrate, task, settings, seeds, horizons):
        self.notebook, self.task, self.seeds = notebook, task, seeds
        self.data = [demonstrate(seed) for seed in seeds]
        self.runs = {
            h: notebook.train_policies(make_policy, self.data, h, settings, seeds) for h in horizons
        }
        self.drives = {h: notebook.play(runs, task, h) for h, runs in self.runs.items()}

    def success(self, prediction_horizon, execution_horizon=None):
        """Return the share of every seed; by default chunks are played to their end."""
        drives = self.drives[prediction_horizon]
        if execution_horizon:
            runs = self.runs[prediction_horizon]
            drives = self.notebook.play(runs, self.task, execution_horizon)
        return self.notebook.share_of(drives.succeeded)


@pytest.fixture(scope="module")
def fork(notebook):
    return Outcome(
        notebook,
        notebook.wide_mixture,
        notebook.drive_both_sides,
        notebook.NOISY,
        notebook.NOISY_SETTINGS,
        FRESH_SEEDS,
        notebook.HORIZONS,
    )


@pytest.fixture(scope="module")
def pause(notebook):
    return Outcome(
        notebook,
        RegressionPolicy,
        notebook.drive_with_a_pause,
        notebook.ROOMY,
        notebook.ROOMY_SETTINGS,
        MORE_SEEDS,
        notebook.HORIZONS,
    )


@pytest.fixture(scope="module")
def drawing(notebook, pause):
    """Mixtures of chunks of one on the pausing drivers' demonstrations."""
    few = FRESH_SEEDS
    return notebook.train_policies(
        MixturePolicy, pause.data[: len(few)], 1, notebook.ROOMY_SETTINGS, few
    )


@pytest.fixture(scope="module")
def track(notebook):
    return Outcome(
        notebook,
        RegressionPolicy,
        notebook.drive_round,
        notebook.TRACK,
        notebook.TRACK_SETTINGS,
        MORE_SEEDS,
        notebook.HORIZONS,
    )


@pytest.fixture(scope="module")
def pole(notebook):
    return Outcome(
        notebook,
        RegressionPolicy,
        notebook.balance,
        notebook.POLE,
        notebook.POLE_SETTINGS,
        FRESH_SEEDS,
        notebook.POLE_HORIZONS,
    )


@pytest.mark.long
def test_on_the_noisy_fork_fewer_than_half_arrive_with_one_decision_a_step(fork):
    assert beyond(-fork.success(1), -0.5)


@pytest.mark.long
def test_on_the_noisy_fork_about_seven_in_ten_arrive_with_chunks_of_16(fork):
    assert float(fork.success(16).mean()) == pytest.approx(0.7, abs=0.08)
    assert beyond(fork.success(16) - fork.success(1), 0.15)


@pytest.mark.long
def test_on_the_noisy_fork_chunks_of_2_and_4_hardly_change_anything(fork):
    for horizon in (2, 4):
        difference = float((fork.success(horizon) - fork.success(1)).mean())
        assert difference == pytest.approx(0, abs=0.08)


@pytest.mark.long
def test_on_the_noisy_fork_most_drives_turn_both_ways_unless_chunks_are_long(notebook, fork):
    turning = {
        h: notebook.share_of(notebook.turns_both_ways(drives)) for h, drives in fork.drives.items()
    }
    assert beyond(turning[1], 0.5) and beyond(-turning[16], -0.1)


@pytest.mark.long
def test_on_the_noisy_fork_turning_both_ways_is_what_fails(notebook, fork):
    every_step, long = fork.drives[1], fork.drives[16]
    both = notebook.turns_both_ways(every_step)
    arrived = every_step.succeeded.float()
    assert float(arrived[both].mean()) < 1 / 3
    # Those that keep to one side arrive about as often as with chunks of 16.
    assert float(arrived[~both].mean()) == pytest.approx(
        float(long.succeeded.float().mean()), abs=0.1
    )


@pytest.mark.long
def test_on_the_noisy_fork_chunks_of_4_turn_both_ways_less_often_and_arrive_less_often_otherwise(
    notebook, fork
):
    def turning(drives):
        return notebook.share_of(notebook.turns_both_ways(drives))

    every_step, short = fork.drives[1], fork.drives[4]
    assert beyond(turning(every_step) - turning(short), 0.15)
    both = [notebook.turns_both_ways(drives) for drives in (every_step, short)]
    rates = [
        drives.succeeded[~turned].float()
        for drives, turned in zip((every_step, short), both, strict=True)
    ]
    spread = sum(float(rate.var()) / len(rate) for rate in rates) ** 0.5
    assert float(rates[0].mean() - rates[1].mean()) > 6 * spread


def slack_on_one_side(notebook, rollouts):
    """Tell which drives keep to one side, but fail to steer hard 75 to 40 cm before the obstacle's middle."""
    states, lateral = rollouts.states[:-1], rollouts.actions[:, :, 1]
    ahead = (states[:, :, notebook.OBSTACLE] - states[:, :, notebook.POSITION])[:, :, 0]
    swerving = rollouts.active & (ahead > 0.4) & (ahead < 0.75)
    slack = (swerving & (lateral.abs() < 0.4)).any(dim=0)
    return slack & ~notebook.turns_both_ways(rollouts)


@pytest.mark.long
def test_on_the_noisy_fork_slack_swerves_fail_with_chunks_of_4_and_are_rare_with_16(notebook, fork):
    slack = {h: slack_on_one_side(notebook, fork.drives[h]) for h in (1, 4, 16)}
    arrived = {h: float(fork.drives[h].succeeded[slack[h]].float().mean()) for h in (1, 4)}
    assert arrived[1] > 0.5
    assert arrived[4] == pytest.approx(0.3, abs=0.05)
    share = {h: float(one.float().mean()) for h, one in slack.items()}
    assert share[1] == pytest.approx(0.1, abs=0.03)
    assert share[4] == pytest.approx(0.25, abs=0.05)
    assert share[16] < 0.1


@pytest.mark.long
def test_on_the_noisy_fork_playing_one_of_16_is_worst_of_all(fork):
    assert beyond(fork.success(1) - fork.success(16, 1), 0.05)
    assert float(fork.success(16, 1).mean()) == pytest.approx(0.12, abs=0.05)
    played = [float(fork.success(16, h).mean()) for h in (1, 2, 4, 8, 16)]
    assert played == sorted(played)


@pytest.mark.long
def test_the_pausing_drivers_arrive_in_time(notebook, pause):
    longest = max(len(one) for own in pause.data for one in own.trajectories)
    assert longest < 0.75 * notebook.ROOMY.max_steps


@pytest.mark.long
def test_where_drivers_stand_one_command_in_twenty_is_go_and_regression_returns_the_mean(
    notebook, pause
):
    own, chunks = notebook.where_drivers_stand(pause.runs[1], pause.data)
    assert float((own > 0.3).float().mean()) == pytest.approx(1 / 20, abs=0.01)
    assert float(chunks.mean()) == pytest.approx(float(own.mean()), abs=0.01)
    assert float((chunks > 0.3).float().mean()) < 0.001
    assert 0.01 < float(chunks.mean()) < 0.06  # a few centimetres a second


@pytest.mark.long
def test_where_drivers_stand_a_chunk_of_four_gathers_speed(notebook, pause):
    _, chunks = notebook.where_drivers_stand(pause.runs[4], pause.data)
    means = chunks.mean(dim=0).tolist()
    assert means == sorted(means) and means[3] > 2 * means[0]


@pytest.mark.long
def test_regression_at_every_step_runs_out_of_time_or_room(notebook, pause):
    drives = pause.drives[1]
    late = notebook.share_of(~drives.succeeded & ~drives.failed)
    assert beyond(late, 0.05) and beyond(notebook.share_of(drives.failed), 0.05)


@pytest.mark.long
def test_with_a_pause_chunks_of_four_are_best_for_regression(pause):
    assert beyond(pause.success(4) - pause.success(1), 0.15)
    for longer in (8, 16):
        assert beyond(pause.success(4) - pause.success(longer))


@pytest.mark.long
def test_with_chunks_of_four_nearly_all_leave_soon_and_most_of_the_slow_have_passed_the_goal(pause):
    rollouts = pause.drives[4]
    forward, lengths = rollouts.states[:, :, 0], torch.as_tensor(rollouts.lengths)
    waiting = (forward[40] < 0.8) & (lengths >= 40)  # after four seconds
    assert float(waiting.float().mean()) < 0.05
    slow = (lengths == pause.task.max_steps) & ~rollouts.succeeded
    ends = forward[lengths, torch.arange(len(lengths))]
    assert float((ends[slow] > 2).float().mean()) > 0.75


@pytest.mark.long
def test_a_mixture_draws_its_pauses_and_arrives(notebook, pause, drawing):
    data = pause.data[: len(drawing)]
    own, chunks = notebook.where_drivers_stand(drawing, data)
    going = float((chunks > 0.3).float().mean())
    assert going == pytest.approx(float((own > 0.3).float().mean()), abs=0.02)
    success = notebook.share_of(notebook.play(drawing, notebook.ROOMY, 1).succeeded)
    assert float(success.mean()) == pytest.approx(0.9, abs=0.05)


@pytest.mark.long
def test_with_a_pause_predicting_16_helps_even_if_one_is_played(pause):
    assert beyond(pause.success(16, 1) - pause.success(1), 0.1)


@pytest.mark.long
def test_on_the_racetrack_success_is_an_inverted_u(track):
    gains = track.success(2) - track.success(1)
    assert beyond(gains)
    assert float((gains > 0).float().mean()) > 0.6  # in most seeds
    assert beyond(track.success(2) - track.success(4))
    assert beyond(track.success(4) - track.success(8), 0.2)
    assert beyond(-track.success(16), -0.02)


def test_on_the_racetrack_the_pushes_of_16_steps_move_the_vehicle_by_8_centimetres(notebook):
    """Only pushes, on a straight lane: the heading walks, and the offset adds it up."""
    task = notebook.TRACK
    pushes = task.process_noise * torch.randn(
        20_000, 16, generator=torch.Generator().manual_seed(0)
    )
    aside = task.speed * task.time_step * pushes.cumsum(dim=1).sum(dim=1)
    assert float(aside.std()) == pytest.approx(0.08, abs=0.005)
    assert task.half_width == 0.1


@pytest.mark.long
def test_on_the_racetrack_the_same_network_drives_better_if_two_are_played(track):
    gains = track.success(16, 2) - track.success(16, 1)
    assert beyond(gains, 0.02)
    assert float((gains > 0).float().mean()) > 0.85  # in nearly every seed
    assert beyond(track.success(1) - track.success(16, 1), 0.05)  # predicting 16 costs
    best = max((1, 2, 4, 8, 16), key=lambda h: float(track.success(16, h).mean()))
    assert best == 2


def test_an_error_doubles_in_a_chunk_of_8_and_grows_elevenfold_in_one_of_20(notebook):
    rate, step = math.sqrt(9.8), notebook.POLE.time_step
    assert rate == pytest.approx(3.1, abs=0.05)
    assert math.cosh(rate * 8 * step) == pytest.approx(2, abs=0.15)
    assert 11 < math.cosh(rate * 20 * step) < 12


@pytest.mark.long
def test_up_to_chunks_of_8_no_pole_falls_and_with_20_nearly_all_do(pole):
    for horizon in (1, 2, 4, 8):
        assert float(pole.success(horizon).min()) > 0.99
    assert beyond(-pole.success(20), -0.2)


@pytest.mark.long
def test_on_the_pole_predicting_16_does_no_harm_if_few_are_played(pole):
    for played in (1, 2, 4, 8):
        assert float(pole.success(16, played).min()) > 0.99


def test_the_commanding_of_two_kinds_of_drivers_is_seen_through_noise_of_40_centimetres(notebook):
    assert notebook.NOISY.observation_noise == 0.4
    assert 2 * notebook.NOISY.road_half_width == 1.6


def test_the_maps_words_are_in_the_record():
    """The mixture on the fork: what a noisy sensor does, and what a noisy actuator does."""
    record = recorded_map()
    for noise in ("none", "observation"):
        one_way = record.panel("fork", "Markov", "mixture", noise)
        assert min(one_way.success(*cell).rate for cell in one_way.successes) > 0.9
    two_ways = record.panel("fork", "mode-switching", "mixture", "observation")
    climb = [two_ways.success(16, played).rate for played in (1, 2, 4, 8, 16)]
    assert climb == sorted(climb)
    assert (climb[0], climb[-1]) == (pytest.approx(0.15, abs=0.005), pytest.approx(0.78, abs=0.005))
    for demonstrator in ("Markov", "pausing", "mode-switching"):
        pushed = record.panel("fork", demonstrator, "mixture", "actuation")
        row = [pushed.success(16, played).rate for played in (1, 2, 4, 8, 16)]
        assert row[-1] == min(row)
