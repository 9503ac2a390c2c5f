"""What notebook 08 says in words, held over fresh seeds that it does not use.

Every seed has a drive, initial weights and corrections of its own. A mean over seeds is held where it
lies more than six of its standard errors inside the bound, where the words say more or fewer.
"""

import statistics

import pytest
import torch

from imitation_lab.corrections import learn_from_corrections
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.types import Ending
from imitation_lab.widgets import recorded_drives, recorded_supervision
from imitation_lab.widgets.recorder import default_task

FRESH_SEEDS = range(1000, 1010)
pytestmark = pytest.mark.claims


def beyond(values, bound=0.0):
    """Tell whether a mean over seeds lies more than six standard errors above a bound."""
    values = torch.as_tensor(values).tolist()
    error = statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values) > bound + 6 * error


# Who drives?


def noisy_rise_and_fall(seed):
    noise = torch.randn(120, generator=torch.Generator().manual_seed(seed))
    return (torch.pi * torch.linspace(0, 1, 120)).sin() + 0.08 * noise


def test_with_one_threshold_the_wheel_changes_hands_again_and_again(notebook):
    counts = [
        notebook.switches(notebook.decide(noisy_rise_and_fall(seed), 0.6, 0.6))
        for seed in FRESH_SEEDS
    ]
    assert min(counts) > 2 and statistics.mean(counts) > 5


def test_with_two_thresholds_it_changes_hands_twice(notebook):
    counts = {
        notebook.switches(notebook.decide(noisy_rise_and_fall(seed), 0.4, 0.8))
        for seed in FRESH_SEEDS
    }
    assert counts == {2}


# A supervisor of flesh and blood


@pytest.fixture(scope="module")
def first_drives(notebook):
    return [notebook.one_drive(seed) for seed in FRESH_SEEDS]


@pytest.fixture(scope="module")
def cloned(notebook, first_drives):
    (done,) = learn_from_corrections(
        notebook.make_policy, first_drives, notebook.SETTINGS, FRESH_SEEDS
    )
    return done


@pytest.fixture(scope="module")
def alone(notebook, cloned):
    """The share of each seed's drives that crash without a supervisor."""
    return torch.tensor([1 - own.success.rate for own in cloned.judge(notebook.TRACK)])


@pytest.fixture(scope="module")
def crashes(notebook, cloned):
    """The shares of each seed's drives that crash, by the steps that a supervisor needs to react."""
    return {
        steps: torch.tensor(notebook.crash_rates(cloned.policies, steps, episodes=40))
        for steps in (0, 1, 2, 5)
    }


def test_one_drive_of_two_laps_is_167_labels(first_drives):
    lengths = [len(labels) for _, labels in first_drives]
    assert statistics.mean(lengths) == pytest.approx(167, abs=1)


@pytest.mark.long
def test_who_reacts_at_once_prevents_about_half_of_the_crashes_and_loses_a_third(crashes, alone):
    assert beyond(alone - crashes[0])
    assert float(crashes[0].mean()) == pytest.approx(float(alone.mean()) / 2, abs=0.1)
    assert float(crashes[0].mean()) == pytest.approx(1 / 3, abs=0.08)


@pytest.mark.long
def test_here_who_reacts_at_once_prevents_two_of_three_and_loses_one_drive_in_five(notebook):
    starts = [notebook.one_drive(seed) for seed in notebook.SEEDS]
    (done,) = learn_from_corrections(
        notebook.make_policy, starts, notebook.SETTINGS, notebook.SEEDS
    )
    alone = 1 - statistics.mean(own.success.rate for own in done.judge(notebook.TRACK))
    lost = statistics.mean(notebook.crash_rates(done.policies, 0))
    assert (alone - lost) / alone == pytest.approx(2 / 3, abs=0.1)
    assert lost == pytest.approx(1 / 5, abs=0.05)


@pytest.mark.long
def test_who_needs_a_tenth_of_a_second_prevents_few(crashes, alone):
    assert beyond(crashes[1] - crashes[0])
    assert float((alone - crashes[1]).mean()) < 0.2


@pytest.mark.long
def test_from_two_tenths_on_a_supervisor_might_as_well_stay_at_home(crashes, alone):
    for steps in (2, 5):
        assert float((alone - crashes[steps]).mean()) < 0.06


@pytest.mark.long
def test_who_looks_away_prevents_fewer_crashes(notebook, cloned, crashes):
    lapses = torch.tensor(notebook.crash_rates(cloned.policies, 0, lapse=0.1, episodes=40))
    assert beyond(lapses - crashes[0])


# What is learnt from it


@pytest.fixture(scope="module")
def curves(notebook):
    """Seconds and success (2, rounds, seeds) for every way to teach."""
    ways = {
        "DAgger": notebook.dagger_labels,
        "gated": notebook.gated_labels,
        "slow": notebook.slow_labels,
    }
    found = {name: notebook.learning_curve(collect, FRESH_SEEDS) for name, collect in ways.items()}
    return {**found, "automatic": notebook.ensemble_curve(FRESH_SEEDS)}


def mostly(values):
    """Tell whether something holds for eight seeds of ten: seeds lie far apart here."""
    return int(values.sum()) >= 8


@pytest.mark.long
def test_dagger_falls_in_its_first_round_and_ends_best_of_the_three(curves):
    success = curves["DAgger"][1]
    assert mostly(success[1] < 0.1) and float(success[1].median()) < 0.05
    assert float(success[-1].mean()) > 0.95
    for name in ("gated", "slow"):
        assert float(curves[name][1][-1].mean()) < float(success[-1].mean())


@pytest.mark.long
def test_human_gating_with_quick_hands_does_not_fall(curves):
    success = curves["gated"][1]
    assert mostly(success[1] > success[0]) and float((success[1] - success[0]).mean()) > 0.15
    assert bool((success.mean(dim=1).diff() > -0.03).all())
    assert float(success[-1].mean()) > 0.8


@pytest.mark.long
def test_slow_hands_teach_far_less(curves):
    gated, slow = curves["gated"][1], curves["slow"][1]
    assert mostly(gated[-1] > slow[-1]) and float((gated[-1] - slow[-1]).mean()) > 0.25
    assert float(slow[:3].mean()) < 0.45


@pytest.mark.long
def test_gating_by_disagreement_rises_soonest_and_without_a_fall(notebook, curves):
    seconds = {name: notebook.seconds_until(curve) for name, curve in curves.items()}
    assert seconds["automatic"] < min(seconds["DAgger"], seconds["gated"])
    assert seconds["slow"] is None
    success = curves["automatic"][1]
    assert mostly(success[1] > success[0])
    assert bool((success.mean(dim=1).diff() > -0.03).all())
    assert float(curves["DAgger"][1][-1].mean()) > float(success[-1].mean()) - 0.05


@pytest.mark.long
def test_help_that_ended_in_the_ditch_makes_policies_worse(notebook, alone):
    sessions = recorded_supervision("racetrack")
    arrived = [session for session in sessions if session.ending == Ending.SUCCESS]
    assert (len(arrived), len(sessions)) == (5, 8)
    in_all, in_arrived = (len(notebook.help_in(own)[0]) for own in (sessions, arrived))
    assert (in_all, in_all - in_arrived) == (133, 24)
    rates = []
    for kept in (sessions, arrived):
        done = notebook.taught(notebook.help_in(kept), FRESH_SEEDS)
        rates.append(torch.tensor([own.success.rate for own in done.judge(notebook.TRACK)]))
    assert beyond(1 - alone - rates[0])
    assert float((rates[1] - rates[0]).mean()) > 0.1
    assert float((rates[1] - (1 - alone)).mean()) == pytest.approx(0, abs=0.15)


@pytest.mark.long
def test_a_supervisor_watches_several_times_as_long_as_they_drive(notebook, cloned):
    for seed, policy in enumerate(cloned.policies):
        generator = torch.Generator().manual_seed(seed)
        person = notebook.supervisor(generator)
        logbook, (_, kept) = notebook.supervise(policy, person, generator, 6)
        assert int(logbook.running.sum()) > 2 * len(kept)


# Doubt


@pytest.fixture(scope="module")
def doubtful(notebook, first_drives):
    """Ensembles of the fresh seeds, and drives of the first policy of each."""
    done = notebook.train_ensembles(first_drives, FRESH_SEEDS)
    ensembles = [notebook.Ensemble(done, number) for number in range(len(FRESH_SEEDS))]
    judged = done.judge(notebook.TRACK)[:: notebook.MEMBERS]
    return ensembles, [own.rollouts for own in judged]


@pytest.fixture(scope="module")
def areas(notebook, doubtful):
    """The AUROC of every seed, by doubt."""
    found = {"disagreement": [], "novelty": [], "edge": []}
    for ensemble, rollouts in zip(*doubtful, strict=True):
        seen = notebook.seen_in(rollouts)
        labels = notebook.crash_within(rollouts, 1.0, notebook.TRACK.time_step)
        scores = {
            "disagreement": ensemble.disagreement(seen),
            "novelty": ensemble.novelty(seen),
            "edge": notebook.towards_the_edge(seen),
        }
        for name, own in scores.items():
            found[name].append(float(notebook.auroc(own, labels)))
    return {name: torch.tensor(values) for name, values in found.items()}


def test_disagreement_and_novelty_find_steps_before_a_crash_in_nine_pairs_of_ten(areas):
    assert float(areas["disagreement"].mean()) > 0.9
    assert float(areas["novelty"].mean()) > 0.9


def test_half_a_second_before_a_crash_policies_disagree_and_the_vehicle_is_near_the_middle(
    notebook, doubtful
):
    disagreement, edge, usual = [], [], []
    for ensemble, rollouts in zip(*doubtful, strict=True):
        disagreement.append(notebook.before_crashes(ensemble.disagreement, rollouts))
        edge.append(notebook.before_crashes(notebook.towards_the_edge, rollouts))
        arriving = rollouts.observations[:-1][rollouts.active & rollouts.succeeded]
        levels = ensemble.disagreement(arriving), notebook.towards_the_edge(arriving)
        usual.append(torch.stack([own.median() for own in levels]))
    before, way = (torch.cat(tables).nanmedian(dim=0).values for tables in (disagreement, edge))
    doubt, place = torch.stack(usual).median(dim=0).values.tolist()
    assert float(before[-5]) > max(3 * doubt, 2 * float(before[0]))
    assert float(way[-6]) < place < 0.7 < float(way[-1])


def test_the_machine_knows_before_the_eye(areas):
    assert float(areas["edge"].mean()) < 0.72
    for name in ("disagreement", "novelty"):
        assert beyond(areas[name] - areas["edge"], 0.1)


def test_computers_do_not_always_count_as_we_do():
    assert 0.29 * 100 < 29 and 29 / 100 <= 0.29


@pytest.mark.long
def test_the_gate_by_disagreement_saves_most_drives_and_the_eye_fewer(notebook, doubtful):
    ensembles, rollouts = doubtful
    alone = torch.stack([own.failed for own in rollouts]).float().mean(dim=1)

    def outcome(name, budget):
        return notebook.gated_crashes(ensembles, rollouts, name, budget, episodes=40)

    def crashed(name, budget):
        return outcome(name, budget)[:, 0]

    (tenth, by_hand), fifth = outcome("disagreement", 0.1).T, crashed("disagreement", 0.2)
    assert beyond(alone - tenth) and float(tenth.mean()) < 0.5 * float(alone.mean())
    assert float(fifth.mean()) < 0.12
    eye, looked_after = outcome("way to the edge", 0.1).T
    assert beyond(eye - tenth) and float(looked_after.mean()) > float(by_hand.mean())
    # Novelty does at least as well: two standard errors of the difference are allowed for.
    better = tenth - crashed("novelty", 0.1)
    assert float(better.mean()) > -2 * float(better.std()) / len(better) ** 0.5


@pytest.mark.long
def test_by_disagreement_the_experts_share_is_smaller_than_the_budget(notebook, doubtful):
    for budget in (0.1, 0.2):
        outcome = notebook.gated_crashes(*doubtful, "disagreement", budget, episodes=40)
        assert mostly(outcome[:, 1] < budget)


@pytest.mark.long
def test_here_it_is_smaller_by_disagreement_and_larger_by_the_way_to_the_edge(notebook):
    starts = [notebook.one_drive(seed) for seed in notebook.SEEDS]
    done = notebook.train_ensembles(starts)
    ensembles = [notebook.Ensemble(done, number) for number in range(len(starts))]
    drives = [own.rollouts for own in done.judge(notebook.TRACK)[:: notebook.MEMBERS]]
    for budget in (0.1, 0.2):
        by_hand = {
            name: float(notebook.gated_crashes(ensembles, drives, name, budget)[:, 1].mean())
            for name in ("disagreement", "way to the edge")
        }
        assert by_hand["disagreement"] < budget < by_hand["way to the edge"]


# Sure and wrong


@pytest.fixture(scope="module")
def forks(notebook):
    return [notebook.five_of_one_mind(seed) for seed in FRESH_SEEDS]


@pytest.mark.long
def test_five_regressions_agree_and_drive_into_the_obstacle(notebook, forks):
    for policies, demonstrations, alone in forks:
        assert float(alone.failed.float().mean()) > 0.8
        theirs, ours = notebook.at_the_decision(policies, demonstrations)
        assert float(theirs.abs().mean()) == pytest.approx(0.7, abs=0.02)
        assert float(ours.std(dim=0, correction=0).mean()) < 0.06
        assert float(ours.mean(dim=0).abs().mean()) < 0.2


@pytest.mark.long
def test_with_the_same_budgets_most_drives_crash_on_the_fork(notebook, forks):
    for budget in (0.1, 0.2):
        crashed = [notebook.fork_gate(own, alone, budget)[0] for own, _, alone in forks]
        assert min(crashed) > 0.5


# How to collect demonstrations


def test_recorded_drives_show_their_traces(notebook):
    drives, step = recorded_drives("fork"), default_task().time_step
    rows = notebook.artefacts(drives, step)
    assert set(rows) == {"drag", "remote", "leader"}
    idle, length, early = zip(*(rows[name] for name in ("drag", "remote", "leader")), strict=True)
    # From afar everybody stands still for the delay of 0.3 s longer, and drives for longer.
    assert idle[1] - idle[0] == pytest.approx(0.3, abs=0.1) and idle[1] > idle[2]
    # The script rests as long with a leader in its hand.
    assert idle[2] == pytest.approx(idle[0], abs=0.05)
    assert length[1] > max(length[0], length[2])
    assert set(early) == {0.1}
    assert min(idle) > 0.1


def test_the_leaders_speeds_shake():
    jumps = {
        name: statistics.mean(
            float(drive.actions.norm(dim=1)[20:].diff().abs().mean())
            for drive in recorded_drives("fork").by_driver(name).trajectories
        )
        for name in ("drag", "remote", "leader")
    }
    assert jumps["leader"] > 5 * max(jumps["drag"], jumps["remote"])


def test_tidy_drives_arrive_and_begin_at_once(notebook):
    tidied = notebook.tidy(recorded_drives("fork"))
    assert len(tidied) == 54
    assert all(notebook.idle_steps(one) <= 1 for one in tidied.trajectories)


@pytest.mark.long
def test_regression_hits_what_was_avoided_and_a_mixture_passes_it(notebook):
    tidied, task = notebook.tidy(recorded_drives("fork")), default_task()
    seeds = range(1000, 1004)
    found = {
        make: notebook.taught_by_hand(make, tidied, task, seeds)
        for make in (RegressionPolicy, MixturePolicy)
    }
    rates = {make: [own.success.rate for own in evaluations] for make, evaluations in found.items()}
    assert max(rates[RegressionPolicy]) < 0.3
    assert statistics.mean(rates[MixturePolicy]) > 0.6
    for evaluation in found[MixturePolicy]:
        aside = evaluation.rollouts.states[:, evaluation.rollouts.succeeded, 1]
        left = float((aside.abs().max(dim=0).values == aside.max(dim=0).values).float().mean())
        assert 0.2 < left < 0.8
