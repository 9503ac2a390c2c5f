"""What notebook 07 says in words, held over ten fresh seeds that it does not use.

Every seed has demonstrations, initial weights, batches and drives of its own. A mean over seeds is
held where it lies more than six of its standard errors inside the bound, unless a test says otherwise.
"""

import math
import statistics
from itertools import pairwise

import pytest
import torch

from imitation_lab.controller import RecedingHorizon
from imitation_lab.corrections import first_labels, recorded_budgets
from imitation_lab.experts import RacetrackDriver

FRESH_SEEDS = range(1000, 1010)
pytestmark = pytest.mark.claims


def beyond(values, bound=0.0):
    """Tell whether a mean over seeds lies more than six standard errors above a bound."""
    listed = [float(value) for value in values]
    error = statistics.stdev(listed) / len(listed) ** 0.5
    return statistics.mean(listed) > bound + 6 * error


def below(values, bound):
    """Tell whether a mean over seeds lies more than six standard errors below a bound."""
    return beyond([-float(value) for value in values], -bound)


@pytest.fixture(scope="module")
def cloned(notebook):
    """Clones of 630 labels."""
    data = [
        first_labels(notebook.expert_drives(notebook.TRACK, seed), notebook.BUDGET)
        for seed in FRESH_SEEDS
    ]
    return notebook.learn(data, FRESH_SEEDS)[0]


@pytest.fixture(scope="module")
def judged(notebook, cloned):
    return cloned.judge(notebook.TRACK)


@pytest.fixture(scope="module")
def crowds(notebook, cloned):
    """The expert, twice, and every clone, from the same starts on a track without edges."""
    wide = notebook.replace(notebook.TRACK, half_width=100.0)
    actors = {"expert": RacetrackDriver(wide), "again": RacetrackDriver(wide)}
    actors |= {f"clone {i}": RecedingHorizon(one) for i, one in enumerate(cloned.players)}
    return notebook.from_the_same_starts(wide, actors)


def divergences(notebook, crowds):
    """Return the energy distance from the expert over time, by crowd, and without the expert's own."""
    aside = {name: notebook.off_the_middle(own)[:150, :, None] for name, own in crowds.items()}
    expert = aside.pop("expert")
    return {name: notebook.state_divergence(expert, own) for name, own in aside.items()}


@pytest.fixture(scope="module")
def rolling(notebook):
    """When clones of two drives are off the lane in 16 laps with a rolling start."""
    learnt = notebook.learn([notebook.two_drives(seed) for seed in FRESH_SEEDS], FRESH_SEEDS)[0]
    return notebook.drive_for_long(learnt, notebook.ROLLING, episodes=40)


@pytest.fixture(scope="module")
def standing(notebook, cloned):
    return notebook.drive_for_long(cloned, notebook.TRACK, episodes=40)


def never_off(off, steps):
    """Return the share of drives that have not left the lane after some steps."""
    return 1 - float((off[:steps].sum(dim=0) > 0).float().mean())


def test_about_half_of_the_clones_drives_arrive_and_all_of_the_experts(notebook, judged):
    shares = notebook.success_shares(judged)
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.1)
    expert = notebook.rollout(
        notebook.TRACK, RacetrackDriver(notebook.TRACK), 500, notebook.seeded(1)
    )
    assert expert.succeeded.all()


def test_nearly_all_crashes_happen_in_the_first_two_seconds(judged):
    lengths = [torch.tensor(own.rollouts.lengths)[own.rollouts.failed] for own in judged]
    early = torch.cat(lengths) * 0.1 <= 2
    assert float(early.float().mean()) > 0.85


def test_the_shift_is_largest_after_about_a_second_and_then_shrinks(notebook, crowds):
    found = divergences(notebook, crowds)
    again = found.pop("again")
    for divergence in found.values():
        assert 5 <= int(divergence.argmax()) <= 20
        late = divergence[100:].mean()
        assert late < divergence.max() / 8
        # What stays is more than chance.
        assert late > 3 * again[100:].mean()


def test_without_edges_the_clones_find_back(notebook, crowds):
    inside = [
        float((notebook.off_the_middle(own)[150].abs() < 10).float().mean())
        for name, own in crowds.items()
        if "clone" in name
    ]
    assert min(inside) > 0.95


def test_the_error_that_training_shows_is_about_a_fifth_of_the_one_that_counts(
    notebook, cloned, judged
):
    trained = zip(cloned.policies, cloned.datasets, judged, strict=True)
    ratios = [
        notebook.error_at(policy, notebook.seen_while_running(own.rollouts))
        / notebook.error_at(policy, observations)
        for policy, (observations, _), own in trained
    ]
    assert statistics.mean(map(float, ratios)) == pytest.approx(5, abs=1.5)


def test_on_fresh_drives_of_the_experts_the_error_is_less_than_a_third_of_the_one_that_counts(
    notebook, cloned, judged
):
    task = notebook.TRACK
    fresh = notebook.from_the_same_starts(task, {"expert": RacetrackDriver(task)})["expert"]
    seen = notebook.seen_while_running(fresh)
    own = [
        notebook.error_at(policy, notebook.seen_while_running(one.rollouts))
        for policy, one in zip(cloned.policies, judged, strict=True)
    ]
    there = [notebook.error_at(policy, seen) for policy in cloned.policies]
    assert statistics.mean(map(float, there)) == pytest.approx(0.15, abs=0.02)
    assert statistics.mean(map(float, own)) == pytest.approx(0.5, abs=0.08)
    ratios = [float(a / b) for a, b in zip(own, there, strict=True)]
    assert statistics.mean(ratios) > 3


def test_at_the_edge_the_error_is_more_than_three_times_what_it_is_in_the_middle(
    notebook, cloned, judged
):
    ratios = []
    for policy, own in zip(cloned.policies, judged, strict=True):
        middle, edge = (
            notebook.error_at(policy, notebook.seen_while_running(own.rollouts, between))
            for between in ((0, 2), (8, 10))
        )
        ratios.append(float(edge / middle))
    assert statistics.mean(ratios) > 3 and beyond(ratios, 2)


def test_a_cliff_costs_like_the_square_until_most_have_fallen(notebook):
    cliff = notebook.chains["cliff, r = 0"]
    steps = torch.arange(1, len(cliff) + 1, dtype=torch.float64)
    # Summed up by hand: after t steps all but (1 - error)^t have fallen.
    left = (1 - notebook.EPSILON) ** steps
    assert torch.allclose(cliff.double(), (1 - left).cumsum(dim=0), rtol=1e-3)
    assert notebook.slope_between(cliff, 10, 1000) == pytest.approx(2, abs=0.05)
    assert notebook.slope_between(cliff, 50_000, 100_000) < 1.3
    assert notebook.slope_between(cliff, 2, 10) == pytest.approx(1.8, abs=0.05)


def test_who_recovers_at_once_pays_in_proportion(notebook):
    chain = notebook.chains["r = 1"]
    for ends in ((1, 10), (10, 1000), (1000, 100_000)):
        assert notebook.slope_between(chain, *ends) == pytest.approx(1, abs=0.01)


def test_in_between_the_slope_is_two_before_the_way_back_and_one_after_it(notebook):
    chain = notebook.chains["r = 0.03"]
    assert 1.7 < notebook.slope_between(chain, 2, 10) < 1.9
    assert notebook.slope_between(chain, 1000, 100_000) == pytest.approx(1, abs=0.02)
    steps = 50_000
    expected = notebook.EPSILON * steps / 0.03
    assert float(chain[steps - 1]) == pytest.approx(expected, rel=0.02)


@pytest.mark.long
def test_one_drive_costs_like_a_cliff_or_in_proportion_by_what_one_counts(notebook, rolling):
    cliff, way_back = notebook.two_costs(rolling)
    falls, returns = (notebook.slope_between(cost, 40, 1320) for cost in (cliff, way_back))
    assert falls == pytest.approx(1.7, abs=0.2)
    assert returns == pytest.approx(1, abs=0.25)


@pytest.mark.long
def test_with_a_rolling_start_fewer_are_left_after_every_lap(rolling):
    left = [never_off(rolling, round(82.5 * laps)) for laps in (1, 2, 4, 8, 16)]
    assert all(later < 0.92 * earlier for earlier, later in pairwise(left))


def test_with_a_standing_start_all_is_decided_in_the_first_second(standing):
    assert never_off(standing, 10) < 0.65
    assert never_off(standing, 1320) > 0.85 * never_off(standing, 10)


@pytest.mark.long
def test_a_shaking_hand_helps_and_with_half_a_radian_nearly_every_drive_arrives(notebook):
    seeds = range(1000, 1020)  # the clones differ much from each other

    def shares_after(data):
        return notebook.success_shares(notebook.learn(data, seeds)[0].judge(notebook.TRACK))

    drives = [notebook.expert_drives(notebook.TRACK, seed) for seed in seeds]
    own = shares_after([first_labels(each, notebook.BUDGET) for each in drives])
    little, enough = (
        shares_after([notebook.shaken_labels(noise_std, seed) for seed in seeds])
        for noise_std in (0.1, 0.5)
    )
    assert float(enough.mean()) > 0.97
    assert beyond(enough - own, 0.15)
    assert float(own.mean()) < float(little.mean()) < float(enough.mean()) - 0.15


def test_the_record_of_ten_seeds_says_what_the_notebook_says():
    record = recorded_budgets()
    mean = {way: 100 * spent.shares.mean(dim=1) for way, spent in record.items()}
    assert float(mean["behaviour cloning"][0]) == pytest.approx(50, abs=2)
    assert float(mean["noise injection 0.5"][0]) == pytest.approx(99, abs=1)
    assert mean["DAgger"].tolist() == pytest.approx([26, 3, 42, 90, 99], abs=1)
    gated = [mean[f"human-gated, {steps} steps to react"] for steps in (0, 1, 2)]
    assert gated[0].tolist() == pytest.approx([26, 65, 62, 85, 91], abs=1)
    # At nine drives in ten DAgger has caught up, with no more labels.
    assert float(mean["DAgger"][3]) == pytest.approx(float(gated[0][-1]), abs=2)
    assert record["DAgger"].labels[3] < record["human-gated, 0 steps to react"].labels[-1]
    assert float(gated[0][-1]) > float(gated[1][-1]) + 15 > float(gated[2][-1]) + 30
    before, after = record["DAgger"].shares[:2]
    assert int((after < before).sum()) == 9
    assert int((after < 0.02).sum()) >= 7
    labels = {way: spent.labels[-1] for way, spent in record.items()}
    assert labels["human-gated, 0 steps to react"] < labels["DAgger"] < labels["behaviour cloning"]


@pytest.fixture(scope="module")
def corrected(notebook):
    """All rounds of DAgger."""
    first = [notebook.one_drive(seed) for seed in FRESH_SEEDS]
    return notebook.learn(first, FRESH_SEEDS, notebook.ROUNDS, notebook.correct_by_dagger)


@pytest.mark.long
def test_dagger_nearly_always_gets_round(notebook, corrected):
    shares = notebook.success_shares(corrected[-1].judge(notebook.TRACK))
    assert float(shares.mean()) > 0.95
    labels = [len(actions) for _, actions in corrected[-1].datasets]
    assert max(labels) <= notebook.BUDGET


@pytest.mark.long
def test_after_the_first_round_most_seeds_are_worse_and_their_crashes_come_later(
    notebook, corrected
):
    before, after = (notebook.success_shares(done.judge(notebook.TRACK)) for done in corrected[:2])
    assert int((after < before).sum()) > 5
    late = [float((notebook.first_crash(done) > 20).float().mean()) for done in corrected[:2]]
    assert late[0] < 0.25 and late[1] > 0.4


@pytest.mark.long
def test_the_error_on_the_experts_states_does_not_show_the_dip(notebook, corrected):
    first, second = (notebook.error_in_the_middle(done) for done in corrected[:2])
    assert second == pytest.approx(first, rel=0.15)


@pytest.fixture(scope="module")
def fork(notebook):
    """The shares of drives that succeed on the fork in the end, by states and labels."""
    data = [notebook.both_sides(seed) for seed in FRESH_SEEDS]
    found = {}
    for whose, how in notebook.CONTROL_LOOKS:
        collect = notebook.buy(whose, notebook.SIDES[how], data, FRESH_SEEDS)
        rounds = notebook.learn_the_fork(data, 2, collect, FRESH_SEEDS)
        for before, after in pairwise(rounds):
            for (_, old), (_, new) in zip(before.datasets, after.datasets, strict=True):
                assert len(new) == len(old) + 500  # everybody gets as many labels
        found[whose, how] = notebook.success_shares(rounds[-1].judge(notebook.FORK))
    again = notebook.learn_the_fork(notebook.relabelled(data), seeds=FRESH_SEEDS)[0]
    found["relabelled"] = notebook.success_shares(again.judge(notebook.FORK))
    return found


def test_asking_again_about_the_old_states_costs_1500_answers(notebook):
    for seed in FRESH_SEEDS:
        ((observations, _),) = notebook.relabelled([notebook.both_sides(seed)])
        assert len(observations) == pytest.approx(1500, abs=20)


@pytest.mark.long
def test_on_the_fork_labels_of_both_sides_help_nobody(fork):
    for whose in ("demonstrators'", "learner's"):
        assert float(fork[whose, "at random"].mean()) < 0.05


@pytest.mark.long
def test_on_the_fork_labels_of_one_mind_pay_in_the_learners_states(fork):
    theirs, own = fork["demonstrators'", "always left"], fork["learner's", "always left"]
    assert beyond(own, 0.5) and beyond(own - theirs, 0.4)
    assert below(theirs, 0.45)


@pytest.mark.long
def test_on_the_fork_no_new_state_is_needed(fork):
    assert beyond(fork["relabelled"], 0.85)
    assert float((fork["relabelled"] - fork["learner's", "always left"]).mean()) > 0


@pytest.mark.long
def test_shaking_as_one_errs_comes_to_rest_below_a_quarter_of_a_radian(notebook):
    seeds = range(1000, 1004)
    noises, learnt = notebook.shake_as_you_err(4, seeds)
    last = [statistics.mean(noise) for noise in noises]
    assert 0.1 < last[1] < last[-1] < 0.25
    assert last[-1] - last[-2] < 0.3 * (last[1] - last[0])
    shares = [float(notebook.success_shares(done.judge(notebook.TRACK)).mean()) for done in learnt]
    assert shares[0] + 0.15 < shares[-1] < 0.95


def test_the_slow_way_back_takes_as_long_as_the_notebook_says(notebook):
    assert 1 / notebook.CHAINS["r = 0.03"] == pytest.approx(33, abs=0.5)
    assert math.isclose(notebook.EPSILON, 1e-4)
