"""What the second half of notebook 06 says of averaging, choosing and delay, over ten seeds of its own.

Every seed has demonstrations, a network, batches and drives of its own; all seeds drive in one batch. The
bounds stand where the notebook's words stand. Where two ways are compared, the mean difference over the
seeds is more than six of its standard errors.
"""

import math
import statistics
from itertools import pairwise

import pytest
import torch

from imitation_lab.controller import RecedingHorizon
from imitation_lab.evaluation import Evaluation
from imitation_lab.flows import exact_velocity
from imitation_lab.stack import PolicyStack

FRESH_SEEDS = range(1000, 1010)
EPISODES = 100 * len(FRESH_SEEDS)
BOTH, ONE = "two drivers", "one driver"
pytestmark = [pytest.mark.claims, pytest.mark.long]


@pytest.fixture(scope="module")
def policies(notebook):
    """Flows of fresh seeds for both roads."""
    roads = {BOTH: notebook.BOTH, ONE: notebook.LEFT}
    return {road: notebook.train_flows(sides, seeds=FRESH_SEEDS) for road, sides in roads.items()}


@pytest.fixture(scope="module")
def flows(policies):
    return {road: PolicyStack(seeds) for road, seeds in policies.items()}


@pytest.fixture(scope="module")
def weak(notebook):
    return PolicyStack(notebook.train_flows(notebook.BOTH, steps=100, seeds=FRESH_SEEDS))


@pytest.fixture(scope="module")
def drive(notebook):
    """Let all seeds drive: each way only once."""
    known: dict = {}

    def drive_once(key, actor, episodes=EPISODES):
        if key not in known:
            known[key] = notebook.drive_all(actor, episodes)
        return known[key]

    return drive_once


@pytest.fixture(scope="module")
def late(notebook, flows, drive):
    """Drives with a delay, by road, way and delay."""

    def go(road, way, delay, execution_horizon=None):
        make = getattr(notebook, way)
        options = () if execution_horizon is None else (execution_horizon,)
        key = (road, way, delay, execution_horizon)
        return drive(key, make(flows[road], delay, *options))

    return go


def by_seed(found: Evaluation) -> list[float]:
    """Return each seed's success rate, in per cent."""
    each = found.rollouts.succeeded.view(len(FRESH_SEEDS), -1).float().mean(dim=1)
    return (100 * each).tolist()


def mean_rate(found: Evaluation) -> float:
    return 100 * found.success.rate


def is_better(one: Evaluation, other: Evaluation) -> bool:
    """Tell whether the mean gain over the seeds is more than six of its standard errors."""
    gains = [a - b for a, b in zip(by_seed(one), by_seed(other), strict=True)]
    return statistics.mean(gains) > 6 * statistics.stdev(gains) / len(gains) ** 0.5


@pytest.fixture(scope="module")
def undelayed(notebook, flows, drive):
    """Whole chunks, a new chunk at every step, and averages, by road and way."""
    make = {
        "whole": lambda flow: RecedingHorizon(flow, notebook.HORIZON),
        "new": lambda flow: RecedingHorizon(flow, 1),
        "averaged": notebook.averaging,
    }
    return {
        (road, way): drive((road, way), actor(flow))
        for road, flow in flows.items()
        for way, actor in make.items()
    }


def test_with_one_driver_all_three_arrive_and_averages_are_the_calmest(notebook, undelayed):
    for way in ("whole", "new", "averaged"):
        assert mean_rate(undelayed[ONE, way]) > 97
    unrest = {way: notebook.unrest(undelayed[ONE, way].rollouts) for way in ("whole", "new")}
    assert notebook.unrest(undelayed[ONE, "averaged"].rollouts) < 0.75 * min(unrest.values())


def test_with_two_drivers_averages_steer_into_the_obstacle(undelayed):
    for way in ("whole", "new"):
        assert mean_rate(undelayed[BOTH, way]) == pytest.approx(70, abs=10)
        assert is_better(undelayed[BOTH, way], undelayed[BOTH, "averaged"])
    averaged = undelayed[BOTH, "averaged"]
    assert mean_rate(averaged) == pytest.approx(25, abs=8)
    assert float(averaged.rollouts.failed.float().mean()) > 0.6


def test_with_two_drivers_whole_chunks_gain_little(undelayed):
    gain = mean_rate(undelayed[BOTH, "whole"]) - mean_rate(undelayed[BOTH, "new"])
    # Ten seeds of 100 drives each: 2 points sharp, and the averages lie 45 below.
    assert gain < 13


def test_the_predictions_of_one_step_disagree_only_with_two_drivers(notebook, policies):
    split = {BOTH: [], ONE: []}
    for road, seeds in policies.items():
        for policy, seed in zip(seeds, FRESH_SEEDS, strict=True):
            for predictions in notebook.watch_predictions(policy, seed)[0][5:9]:
                apart = bool((predictions > 0.3).any() and (predictions < -0.3).any())
                split[road].append(apart)
    assert statistics.mean(split[BOTH]) > 0.5 and statistics.mean(split[ONE]) < 0.05


def test_no_weights_make_averaging_better_than_a_new_chunk_at_every_step(
    notebook, flows, drive, undelayed
):
    rates = [
        mean_rate(drive(("decay", m), notebook.averaging(flows[BOTH], m)))
        for m in (0.5, 0.01, -0.5, -2.0)
    ]
    assert max(rates[:2]) + 10 < rates[2] < rates[3] - 5
    # The newest prediction alone is a new chunk at every step: 1,000 drives are 1.5 points sharp.
    assert rates[3] < mean_rate(undelayed[BOTH, "new"]) + 6


@pytest.fixture(scope="module")
def choosing(notebook, flows, weak, drive):
    def go(count, select="chosen"):
        actor = notebook.choosing(flows[BOTH], weak, count, getattr(notebook, select))
        return drive(("choosing", count, select), actor, EPISODES // 2)

    return go


def test_two_candidates_beat_whole_chunks_and_sixteen_leave_hardly_a_failure(choosing, undelayed):
    assert is_better(choosing(2), undelayed[BOTH, "whole"])
    assert is_better(choosing(16), choosing(2))
    assert mean_rate(choosing(1)) == pytest.approx(70, abs=10)
    assert mean_rate(choosing(16)) > 94


@pytest.mark.parametrize("half", ["only_coherent", "only_contrasting"])
def test_either_question_alone_brings_most_of_it(choosing, half):
    whole, nothing = mean_rate(choosing(16)), mean_rate(choosing(1))
    assert mean_rate(choosing(16, half)) - nothing > 0.6 * (whole - nothing)


def test_single_actions_fail_under_delay_and_chunks_do_not_care(late):
    rates = [mean_rate(late(ONE, "single_actions", delay)) for delay in range(6)]
    assert rates[0] > 95 and rates[3] < 10 and rates[5] < 0.5
    for delay in range(6):
        assert mean_rate(late(ONE, "switching", delay)) > 96
        assert mean_rate(late(ONE, "real_time", delay)) > 96
    assert mean_rate(late(BOTH, "single_actions", 5)) < 2


def test_with_two_drivers_one_step_of_delay_costs_over_a_third_and_more_delay_less(late):
    rates = [mean_rate(late(BOTH, "switching", delay)) for delay in range(6)]
    assert 1 / 3 < 1 - rates[1] / rates[0] < 1 / 2
    assert is_better(late(BOTH, "switching", 5), late(BOTH, "switching", 2))


def test_new_chunks_toss_a_coin_and_guided_ones_do_not(notebook, policies):
    shares = {"fresh": [], "guided": []}
    for policy, seed in zip(policies[BOTH], FRESH_SEEDS, strict=True):
        velocity, noise, plan = notebook.at_the_seam(policy, seed=seed)
        with torch.no_grad():
            fresh = notebook.follow_euler(velocity, noise)
            guided = notebook.continued(velocity, noise, plan, 2, 2)
        for name, chunks in (("fresh", fresh), ("guided", guided)):
            shares[name].append(notebook.other_side(notebook.lateral(policy, chunks)))
    assert statistics.mean(shares["fresh"]) > 20
    assert statistics.mean(shares["guided"]) < 5


def test_guided_chunks_go_their_own_ways_after_the_frozen_part(notebook, policies):
    for policy, seed in zip(policies[BOTH], FRESH_SEEDS, strict=True):
        velocity, noise, plan = notebook.at_the_seam(policy, seed=seed)
        with torch.no_grad():
            guided = notebook.continued(velocity, noise, plan, 2, 2)
        spread = notebook.lateral(policy, guided).std(dim=0)
        assert float(spread[:2].max()) < 1e-5 and float(spread[3:].min()) > 0.01


@pytest.mark.parametrize("delay", range(5))
def test_real_time_chunking_beats_switching(late, delay):
    assert is_better(late(BOTH, "real_time", delay), late(BOTH, "switching", delay))


def test_with_five_steps_of_delay_little_of_the_gain_is_left(late):
    gains = {
        delay: mean_rate(late(BOTH, "real_time", delay)) - mean_rate(late(BOTH, "switching", delay))
        for delay in (1, 2, 5)
    }
    # 1,000 drives each, and a difference of 8 points: four of its standard errors above zero.
    assert 0 < gains[5] < 0.4 * min(gains[1], gains[2])


def test_real_time_chunking_arrives_about_twice_as_often_after_one_or_two_steps(late):
    for delay in (1, 2):
        ratio = mean_rate(late(BOTH, "real_time", delay)) / mean_rate(
            late(BOTH, "switching", delay)
        )
        assert ratio == pytest.approx(2, abs=0.4)


def test_real_time_chunking_falls_slowly(late):
    rates = [mean_rate(late(BOTH, "real_time", delay)) for delay in range(6)]
    assert rates[0] > 86 and rates[5] < 82
    assert all(later > before - 10 for before, later in pairwise(rates))
    assert is_better(late(BOTH, "real_time", 0), late(BOTH, "real_time", 5))


def test_there_is_less_to_gain_where_chunks_are_switched_seldom(notebook, late):
    gains = {
        execution: mean_rate(late(BOTH, "real_time", 2, execution))
        - mean_rate(late(BOTH, "switching", 2, execution))
        for execution in (2, 6)
    }
    assert gains[2] > 30 and gains[6] < 15
    for execution in (2, 6):
        calm, restless = (
            notebook.unrest(late(BOTH, way, 2, execution).rollouts)
            for way in ("real_time", "switching")
        )
        assert calm < restless


@pytest.fixture(scope="module")
def sampled(notebook, flows, drive):
    def go(weights_of=None, clip=5.0, num_steps=10):
        sample = notebook.sampler(weights_of, clip)
        actor = notebook.with_sampler(flows[BOTH], sample, num_steps=num_steps)
        return drive(("sampled", weights_of, clip, num_steps), actor)

    return go


def test_tying_what_is_frozen_helps_and_tying_more_helps_more(notebook, late, sampled):
    frozen = sampled(notebook.only_frozen)
    assert is_better(frozen, late(BOTH, "switching", 2))
    assert is_better(sampled(), frozen)


def test_whether_the_weights_fall_makes_hardly_a_difference(notebook, sampled):
    assert mean_rate(sampled()) == pytest.approx(
        mean_rate(sampled(notebook.all_that_overlaps)), abs=5
    )


def test_freezing_alone_makes_no_difference_to_the_drive(late, sampled):
    # The notebook's sampler leaves it out: the frozen actions are never played.
    actions = (
        late(BOTH, "real_time", 2).rollouts.actions,
        sampled(None, 5.0).rollouts.actions,
    )
    assert torch.equal(*actions)


def test_the_clip_has_a_wide_plain_and_a_cliff(sampled):
    rates = {clip: mean_rate(sampled(None, clip)) for clip in (0, 2, 5, 10, 20, 50, 100, 1000)}
    plain = [rates[clip] for clip in (2, 5, 10, 20)]
    assert min(plain) > 75 and max(plain) - min(plain) < 15
    assert rates[0] < 50 and rates[100] < 45 and rates[1000] < 2
    assert rates[100] < rates[50] < rates[20]


def test_with_fifty_steps_a_clip_of_a_hundred_works(sampled):
    assert mean_rate(sampled(None, 100, 50)) > 80


def test_the_guidance_is_above_twenty_only_at_the_first_of_ten_steps_and_above_five_at_three():
    guidance = {
        k: ((k / 10) ** 2 + (1 - k / 10) ** 2) / (k / 10 * (1 - k / 10)) for k in range(1, 10)
    }
    assert max(guidance.values()) == pytest.approx(9.1, abs=0.05)
    assert min(guidance.values()) == pytest.approx(2)
    assert [k for k, value in guidance.items() if value > 5] == [
        1,
        9,
    ]  # and at 0, where it is infinite


def test_an_exact_field_arrives_at_one_place_from_all_noise():
    data = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    points = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    arrivals = points + exact_velocity(points, torch.zeros(5), data)
    assert torch.allclose(arrivals, data.mean(dim=0).expand(5, -1), atol=1e-5)


def test_at_the_start_a_networks_arrival_moves_about_as_far_as_its_points(notebook, policies):
    sizes = []
    for policy, seed in zip(policies[BOTH], FRESH_SEEDS, strict=True):
        velocity, noise, _ = notebook.at_the_seam(policy, count=64, seed=seed)
        moves = torch.randn(noise.shape, generator=torch.Generator().manual_seed(seed))
        times = torch.zeros(len(noise))
        with torch.no_grad():
            _, moved = torch.func.jvp(
                lambda x, v=velocity, t=times: x + v(x, t), (noise,), (moves,)
            )
        sizes.append(float(moved.norm() / moves.norm()))
    assert statistics.mean(sizes) == pytest.approx(0.7, abs=0.15)


def test_the_three_drives_of_the_widget_begin_alike(notebook, policies):
    drives = notebook.three_drives(policies[BOTH][0], seed=1)
    assert all(torch.equal(drive.states[0], drives[0].states[0]) for drive in drives)
    assert [drive.delay for drive in drives] == [2, 2, 2]


def test_the_slow_brain_has_eight_ones_and_eight_zeros(notebook):
    delay = math.ceil(150 / 20)
    assert delay == 8 and (16 - 1) * 20 == 300
    assert notebook.rtc_weights(16, delay, delay).tolist() == [1.0] * 8 + [0.0] * 8
