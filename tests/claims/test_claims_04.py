"""What notebook 04 says in words, held over ten seeds that it does not use.

Every seed has actions, demonstrations, a network, batches and episodes of its own: 20,000 actions of
each toy and 100 episodes on each road. The bounds stand where the notebook's words stand. With the measured
numbers, and the spread between seeds taken into account, each of these tests would fail on fresh seeds
less than once in a million. What the notebook says of the five classes is held to the record that it
shows; that the record can be made again is the business of the comparison's own tests.
"""

import math
import statistics
from types import SimpleNamespace

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.comparison import recorded_comparison
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate, pool
from imitation_lab.experiment import players
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import count_parameters
from imitation_lab.toys import ring, steer_or_brake
from imitation_lab.training import train_ensemble
from imitation_lab.widgets import ChooseTheOrder

FRESH_SEEDS = range(1000, 1010)
TOYS = {"corners": steer_or_brake(), "ring": ring()}
ROADS = {"straight": Fork(), "turned": Fork(angle=math.pi / 4)}
CLASSES = ("Independent", "Autoregressive")
pytestmark = pytest.mark.claims


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def study_toy(notebook, toy, seed):
    """Do with one fresh seed what the notebook does with its own."""
    generator = seeded(seed)
    seen, unseen = (toy.sample(20_000, generator) for _ in range(2))
    joint = notebook.joint_of(notebook.BINS.discretize(seen))
    policy = notebook.counting_policy(joint)
    samples = notebook.autoregressive_sample(policy, torch.zeros(20_000, 0), 2, generator)
    blind = torch.zeros(2, 2, dtype=torch.bool)
    product = notebook.product_of_marginals(joint)
    return SimpleNamespace(
        joint=joint,
        product=product,
        invented_independent=notebook.invented_share(product, joint),
        invented_autoregressive=notebook.invented_share(notebook.joint_of(samples), joint),
        truth=-float(toy.log_prob(unseen).mean()),
        independent=notebook.nats_per_action(notebook.fit(seen, blind), unseen),
        steer_first=notebook.nats_per_action(notebook.fit(seen), unseen),
        speed_first=notebook.nats_per_action(notebook.fit(seen.flip(1)), unseen.flip(1)),
    )


@pytest.fixture(scope="module")
def toys(notebook):
    return {
        name: [study_toy(notebook, toy, seed) for seed in FRESH_SEEDS] for name, toy in TOYS.items()
    }


def test_half_of_what_independent_bins_do_is_a_crash(toys):
    for study in toys["corners"]:
        middle = len(study.joint) // 2  # of an odd number of bins: the middle one counts on no side
        left_and_fast = study.product[:middle, middle + 1 :].sum()
        right_and_slow = study.product[middle + 1 :, :middle].sum()
        assert float(left_and_fast + right_and_slow) == pytest.approx(0.5, abs=0.01)
        assert study.invented_independent == pytest.approx(0.5, abs=0.02)


def test_independent_bins_lose_the_rings_hole_and_keep_its_marginals(toys):
    for study in toys["ring"]:
        assert study.invented_independent > 0.15
        assert torch.allclose(study.product.sum(dim=0), study.joint.sum(dim=0), atol=1e-6)
        assert torch.allclose(study.product.sum(dim=1), study.joint.sum(dim=1), atol=1e-6)


def test_counting_autoregressively_invents_nothing(toys):
    assert all(study.invented_autoregressive == 0 for name in toys for study in toys[name])


def test_in_either_order_the_learnt_tables_come_within_a_tenth_of_a_nat(toys):
    for studies in toys.values():
        for study in studies:
            assert study.steer_first - study.truth < 0.1
            assert study.speed_first - study.truth < 0.1


def test_independence_costs_the_corners_one_bit(toys):
    for study in toys["corners"]:
        assert study.independent - study.steer_first == pytest.approx(math.log(2), abs=0.05)


def test_independence_costs_the_ring_four_tenths_of_a_nat(toys):
    for study in toys["ring"]:
        assert 0.4 < study.independent - study.steer_first < 0.55
        assert 0.4 < study.independent - study.speed_first < 0.55


def test_the_price_of_independence_is_the_mutual_information(toys):
    for studies in toys.values():
        for study in studies:
            ratios = study.joint / study.product
            information = torch.where(study.joint > 0, study.joint * ratios.log(), 0.0).sum()
            price = study.independent - study.steer_first
            assert price == pytest.approx(float(information), abs=0.06)


def test_one_pass_gives_the_same_numbers_as_one_by_one(notebook):
    model = notebook.MaskedTables(5, 4)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=seeded(1))
    actions = torch.randint(0, 4, (50, 5), generator=seeded(2))
    with torch.no_grad():
        slow = notebook.autoregressive_log_prob(model, actions, actions)
        fast = notebook.one_pass_log_prob(model, actions)
    assert torch.allclose(slow, fast, atol=1e-4)


def test_drawing_sixteen_numbers_takes_more_than_ten_times_one_pass(notebook):
    one_pass, drawing = notebook.time_of(16)
    assert drawing > 10 * one_pass


def test_drawing_takes_time_in_proportion_to_the_numbers(notebook):
    (_, two), (_, sixteen) = notebook.time_of(2), notebook.time_of(16)
    assert 4 < sixteen / two < 16


def test_two_actions_in_each_empty_corner_and_one_undo_the_mutual_information():
    """The exercise with three bins: two actions meet one across; two and one fill the other corners."""

    def information(*others):
        corners = [[-1.0, -1.0], [-1.0, -1.0], [1.0, 1.0], *others]
        return ChooseTheOrder(corners, bins=3).summary().mutual_information

    assert information() > 0.6
    assert information([-1.0, 1.0], [1.0, -1.0], [1.0, -1.0]) == pytest.approx(0, abs=1e-12)


def run_road(notebook, name, road):
    """Train and drive one class on one road, ten fresh seeds at once."""
    task = ROADS[road]
    data = []
    for seed in FRESH_SEEDS:
        drivers = {
            side: NoisyActor(ForkDriver(task, (side,), notebook.DECISION_DISTANCE), 0.03)
            for side in ("left", "right")
        }
        data.append(demonstrate(task, drivers, 100, seeded(seed)))
    policies = [getattr(notebook, name)(seed) for seed in FRESH_SEEDS]
    runs = train_ensemble(
        policies, data, notebook.SETTINGS, FRESH_SEEDS, "cpu", name, progress=False
    )
    actors = players(runs)
    pairs = zip(actors, FRESH_SEEDS, strict=True)
    evaluations = [evaluate(task, actor, seeded(seed)) for actor, seed in pairs]
    return SimpleNamespace(actors=actors, data=data, rate=pool(evaluations).rate)


@pytest.fixture(scope="module")
def results(notebook):
    return {(name, road): run_road(notebook, name, road) for name in CLASSES for road in ROADS}


@pytest.mark.long
def test_on_the_straight_road_both_drive_above_95_per_cent(results):
    assert all(results[name, "straight"].rate > 0.95 for name in CLASSES)


@pytest.mark.long
def test_on_the_turned_road_independent_bins_arrive_in_about_three_of_four(results):
    assert 0.67 < results["Independent", "turned"].rate < 0.87


@pytest.mark.long
def test_turning_the_road_costs_the_autoregressive_policy_nothing_to_speak_of(results):
    assert results["Autoregressive", "turned"].rate > 0.95


def mixtures(notebook, result, index):
    """Share of commands at the choice that mix the drivers': much of both numbers, or little of both."""
    task, data = ROADS["turned"], result.data[index]
    driver = ForkDriver(task, decision_distance=notebook.DECISION_DISTANCE)
    observations = data.observations[driver.is_deciding(data.observations)].repeat(4, 1)
    actor = result.actors[index]
    actor.reset(torch.ones(len(observations), dtype=torch.bool))
    commands = actor.act(observations, seeded(index))
    much, little = (commands > 0.85).all(dim=1), (commands < 0.35).all(dim=1)
    return float((much | little).float().mean())


@pytest.mark.long
def test_more_than_a_third_of_the_independent_commands_mix_the_drivers(notebook, results):
    count = range(len(FRESH_SEEDS))
    shares = {
        name: statistics.mean(mixtures(notebook, results[name, "turned"], index) for index in count)
        for name in CLASSES
    }
    assert shares["Independent"] > 1 / 3
    assert shares["Autoregressive"] < 0.1


@pytest.mark.long
def test_what_is_neither_drivers_in_the_autoregressive_commands_goes_straight_on(notebook, results):
    result = results["Autoregressive", "turned"]
    task = ROADS["turned"]
    for actor, data in zip(result.actors, result.data, strict=True):
        driver = ForkDriver(task, decision_distance=notebook.DECISION_DISTANCE)
        observations = data.observations[driver.is_deciding(data.observations)].repeat(4, 1)
        actor.reset(torch.ones(len(observations), dtype=torch.bool))
        commands = task.to_road(actor.act(observations, seeded(3)))
        neither = commands[commands[:, 1].abs() < 0.35]
        approaching = (neither - torch.tensor([1.0, 0.0])).norm(dim=1) < 0.25
        assert approaching.float().mean() > 0.5


def test_the_two_classes_have_as_many_parameters(notebook):
    counts = [count_parameters(getattr(notebook, name)(0)) for name in CLASSES]
    assert all(count == pytest.approx(12_650, rel=0.005) for count in counts)


@pytest.fixture(scope="module")
def record():
    """The recorded comparison by class and road, without the two classes that come later."""
    results = [row for row in recorded_comparison() if row.name not in ("flow", "diffusion")]
    roads = dict(zip(dict.fromkeys(result.road for result in results), ROADS, strict=True))
    return {(result.name, roads[result.road]): result for result in results}


def rate_of(record, name, road):
    return record[name, road].success.rate


def test_regression_hardly_ever_arrives(record):
    assert all(rate_of(record, "regression", road) < 0.01 for road in ROADS)


def test_on_the_straight_road_classes_with_several_modes_arrive(record):
    names = ("categorical", "mixture", "autoregressive")
    assert all(rate_of(record, name, "straight") > 0.95 for name in names)


def test_turning_the_road_costs_a_fifth_a_sixth_and_nearly_nothing(record):
    kept = {
        name: rate_of(record, name, "turned") / rate_of(record, name, "straight")
        for name in ("categorical", "gaussian", "mixture", "autoregressive")
    }
    assert kept["categorical"] == pytest.approx(1 - 1 / 5, abs=0.03)
    assert kept["gaussian"] == pytest.approx(1 - 1 / 6, abs=0.03)
    assert kept["mixture"] > 0.98 and kept["autoregressive"] > 0.98


def test_on_the_straight_road_the_gaussian_spends_fewer_nats_than_bins_and_drives_worse(record):
    gaussian = record["gaussian", "straight"]
    for name in ("categorical", "autoregressive"):
        bins = record[name, "straight"]
        assert statistics.mean(gaussian.nats) < statistics.mean(bins.nats)
        assert gaussian.success.rate < bins.success.rate


def test_at_the_choice_the_gaussian_spends_over_five_nats_more_than_the_drivers(record):
    for road in ROADS:
        least = record["expert", road].nats_at_the_choice[0]
        assert statistics.mean(record["gaussian", road].nats_at_the_choice) > least + 5


def test_nobody_spends_fewer_nats_than_the_drivers(record):
    for (name, road), result in record.items():
        if result.nats and name != "expert":
            assert statistics.mean(result.nats) > record["expert", road].nats[0]


def test_all_classes_treat_left_and_right_alike(record):
    assert all(abs(result.sides[0] - result.sides[1]) < 0.05 for result in record.values())


def test_regression_always_goes_between_and_the_best_classes_in_a_fifth_to_a_quarter(record):
    for road in ROADS:
        assert record["regression", road].sides[2] > 0.99
        for name in ("mixture", "autoregressive"):
            assert 0.195 < record[name, road].sides[2] < 0.255  # as the table rounds it


def test_on_the_turned_road_gaussian_and_independent_bins_mostly_go_neither_way(record):
    assert all(record[name, "turned"].sides[2] > 0.5 for name in ("gaussian", "categorical"))
    assert all(record[name, "turned"].sides[2] < 0.3 for name in ("mixture", "autoregressive"))


def test_no_class_took_a_millisecond_for_an_action(record):
    assert all(result.milliseconds < 1 for result in record.values())


def test_the_mixture_comes_out_best(record):
    for road in ROADS:
        learnt = [
            result for (name, at), result in record.items() if at == road and name != "expert"
        ]
        assert max(learnt, key=lambda result: result.success.rate).name == "mixture"
        with_density = [result for result in learnt if result.nats]
        assert min(with_density, key=lambda r: statistics.mean(r.nats)).name == "mixture"
