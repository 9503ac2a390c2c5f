"""What notebook 02 says in words, held over ten seeds that it does not use.

What concerns toys is compared with exact expectations where there are any. What drives has
demonstrations, a network, batches and episodes of its own for every seed: 1,000 episodes for each
rate. The bounds stand where the notebook's words stand. With the measured rates, and the spread
between seeds taken into account, they lie four and a half standard errors away or more.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate, pool
from imitation_lab.experiment import clone, players
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.toys import three_lanes
from imitation_lab.widgets.bins import summary

FRESH_SEEDS = range(2000, 2010)
TEMPERATURES = (0.25, 2.0, 4.0)
BINS = (5, 11, 31, 101)
LOW, HIGH = -1.5, 1.5
pytestmark = pytest.mark.claims


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# --- one number, and a truth that is known --------------------------------------------------------


@pytest.fixture(scope="module")
def truth():
    """The three lanes on a fine grid: actions, density per m/s, mass of each cell, entropy."""
    actions = torch.linspace(LOW, HIGH, 300_001)[:, None]
    density = three_lanes().log_prob(actions).double().exp().numpy()
    mass = density * (HIGH - LOW) / 300_000
    entropy = -float((mass * np.log(density)).sum())
    return SimpleNamespace(
        actions=actions[:, 0].numpy(), density=density, mass=mass, entropy=entropy
    )


@pytest.fixture(scope="module")
def fits(notebook):
    """Ten fresh sets of 2,000 actions, and the logits that gradient descent finds for them."""
    found = []
    for seed in FRESH_SEEDS:
        actions = three_lanes().sample(2000, seeded(seed)).squeeze(1)
        logits = {count: notebook.fit_logits(actions, count) for count in (11, 31, 61)}
        found.append(SimpleNamespace(actions=actions, logits=logits))
    return found


def moved(notebook, actions, limit):
    indices = notebook.discretize(actions, -limit, limit, 31)
    return (notebook.undiscretize(indices, -limit, limit, 31) - actions).abs().max()


def test_a_range_too_small_multiplies_the_worst_error(notebook, fits):
    for fit in fits:
        assert fit.actions.abs().max() <= 1.5
        assert moved(notebook, fit.actions, 1.5) <= 0.05
        assert moved(notebook, fit.actions, 0.6) > 3 * moved(notebook, fit.actions, 1.5)


def test_an_empty_bins_logit_falls_for_as_long_as_one_trains(notebook, fits):
    indices = notebook.discretize(fits[0].actions, LOW, HIGH, 61)
    policy = torch.nn.Linear(1, 61, bias=False)
    torch.nn.init.zeros_(policy.weight)
    ones = torch.ones(len(indices), 1)
    notebook.minimize(
        lambda: notebook.categorical_loss(policy, ones, indices), policy.parameters(), 600, 0.2
    )
    empty = torch.bincount(indices, minlength=61) == 0
    assert empty.any()
    log_probs = policy.weight.detach()[:, 0].log_softmax(dim=0)
    assert (log_probs < fits[0].logits[61].log_softmax(dim=0))[empty].all()


def test_hardly_anyone_gives_the_command_that_the_lane_is_clamped_to(truth):
    end_bin = (truth.actions > -0.6) & (truth.actions < -0.6 + 1.2 / 31)
    assert truth.mass[end_bin].sum() < 1e-3
    assert truth.mass[truth.actions < -0.6].sum() > 0.499


def test_gradient_descent_finds_the_histogram(fits):
    for fit in fits:
        counts = torch.histc(fit.actions, 61, LOW, HIGH)
        assert (fit.logits[61].softmax(dim=0) - counts / 2000).abs().max() < 1e-3


def nats(notebook, logits, actions):
    rows = logits.expand(len(actions), -1)
    return float(-notebook.categorical_log_density(rows, actions, LOW, HIGH).mean())


def test_more_bins_have_the_larger_cross_entropy(fits):
    for fit in fits:
        shares = [torch.histc(fit.actions, count, LOW, HIGH) / 2000 for count in (11, 31, 101)]
        # Where the probabilities are the frequencies, the cross-entropy is their entropy.
        losses = [float(torch.distributions.Categorical(share).entropy()) for share in shares]
        assert losses == sorted(losses)


def test_31_bins_fit_held_out_actions_better_than_11(notebook, fits):
    held_out = three_lanes().sample(20_000, seeded(1)).squeeze(1)
    for fit in fits:
        few, more = (nats(notebook, fit.logits[count], held_out) for count in (11, 31))
        assert more < few - 0.1


def test_cutting_every_bin_in_two_never_looks_worse_on_the_training_data(fits):
    for fit in fits:
        costs = []
        for count in (11, 22, 44, 88, 176, 352, 704):
            shares = torch.histc(fit.actions.double(), count, LOW, HIGH) / 2000
            in_nats = torch.distributions.Categorical(shares).entropy()
            costs.append(float(in_nats) + math.log((HIGH - LOW) / count))
        assert costs == sorted(costs, reverse=True)


def test_the_entropy_of_three_lanes_is_negative_and_depends_on_the_unit(truth):
    assert truth.entropy < 0
    assert math.log(100) == pytest.approx(4.6, abs=0.01)


def bin_masses(truth, count):
    indices = np.clip(((truth.actions - LOW) / (HIGH - LOW) * count).astype(int), 0, count - 1)
    return np.bincount(indices, truth.mass, count)


def expected_excess(truth, size, count):
    """Return the exact expected cost of a histogram above the entropy, half an action per bin added."""
    seen = np.arange(size + 1)
    scores = np.log((seen + 0.5) / (size + 0.5 * count))
    masses = bin_masses(truth, count)
    mean_scores = np.array([(binom.pmf(seen, size, mass) * scores).sum() for mass in masses])
    return math.log((HIGH - LOW) / count) - float(masses @ mean_scores) - truth.entropy


def formula(truth, size, count):
    width = (HIGH - LOW) / count
    return width**2 / 24 * roughness(truth) + (count - 1) / (2 * size)


def roughness(truth):
    slope = np.gradient(truth.density, (HIGH - LOW) / 300_000)
    return float((slope**2 / truth.density).sum() * (HIGH - LOW) / 300_000)


def test_flat_narrow_bins_cost_what_the_formula_says(truth):
    for count in (101, 151, 301):
        masses, width = bin_masses(truth, count), (HIGH - LOW) / count
        masses = masses[masses > 0]
        cost = -float((masses * np.log(masses / width)).sum()) - truth.entropy
        assert cost == pytest.approx(width**2 / 24 * roughness(truth), rel=0.03)


@pytest.mark.parametrize(("size", "recommended"), [(100, 30), (1000, 66), (10_000, 142)])
def test_the_formula_knows_where_the_bottom_lies(truth, size, recommended):
    best = ((HIGH - LOW) ** 2 * size / 6 * roughness(truth)) ** (1 / 3)
    assert best == pytest.approx(recommended, abs=1)
    lowest = min(expected_excess(truth, size, count) for count in (15, 21, 31, 45, 65, 101, 151))
    assert expected_excess(truth, size, recommended) < 1.15 * lowest


def test_three_hundred_bins_are_far_too_many_for_a_hundred_actions(truth):
    assert expected_excess(truth, 100, 301) > 3 * expected_excess(truth, 100, 31)
    assert expected_excess(truth, 100, 301) < 0.5 * formula(truth, 100, 301)


def test_most_of_them_stay_empty(truth):
    masses = bin_masses(truth, 301)
    assert ((1 - masses) ** 100).sum() > 301 / 2


def test_ten_thousand_actions_in_150_bins_come_close_to_the_floor(truth):
    assert expected_excess(truth, 10_000, 150) < 0.015


def test_a_cold_policy_keeps_the_tallest_lane_and_a_warm_one_fills_the_gaps(notebook, fits):
    for fit in fits:
        shares, nowhere = {}, {}
        for temperature in (0.25, 1.0, 4.0):
            rows = (fit.logits[61] / temperature).expand(20_000, -1)
            indices = notebook.categorical_sample(rows, seeded(0))
            samples = notebook.undiscretize(indices, LOW, HIGH, 61)
            lanes = torch.bucketize(samples, torch.tensor([-0.35, 0.4]))
            shares[temperature] = torch.bincount(lanes, minlength=3) / len(samples)
            density = three_lanes().log_prob(samples[:, None])
            nowhere[temperature] = float((density < math.log(0.1)).float().mean())
        assert shares[0.25][0] > 0.9
        assert shares[4.0].min() > 0.2
        assert 0.22 < nowhere[4.0] < 0.36
        assert nowhere[1.0] < 0.05


def test_the_widget_shows_what_its_questions_ask_for():
    coarse = summary(num_bins=3)
    assert coarse.policy_in_obstacle > 0.1 > 0.01 > coarse.truth_in_obstacle
    assert max(summary(temperature=0.0).probabilities) == 1
    assert summary(temperature=2.0).policy_in_obstacle < 0.05
    assert summary(temperature=3.0).policy_in_obstacle > 0.05


# --- on the road ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demonstrations():
    task = Fork()
    drivers = {side: NoisyActor(ForkDriver(task, (side,)), 0.03) for side in ("left", "right")}
    return [demonstrate(task, drivers, 100, seeded(seed)) for seed in FRESH_SEEDS]


@pytest.fixture(scope="module")
def actors(notebook, demonstrations):
    """Ten actors of each kind, each trained on demonstrations of its own."""
    makers = {
        "Gaussian": lambda seed: notebook.GaussianPolicy(8, 2, width=64, generator=seeded(seed)),
        "chunks": lambda seed: notebook.Categorical(seed, prediction_horizon=8),
    }
    for count in BINS:
        makers[count] = lambda seed, count=count: notebook.Categorical(seed, count)
    trained = {}
    for name, make in makers.items():
        runs = clone(make, demonstrations, notebook.SETTINGS, FRESH_SEEDS, "cpu")
        trained[name] = players(runs)
    return trained


def drive(actors, temperature=1.0):
    evaluations = []
    for seed, actor in zip(FRESH_SEEDS, actors, strict=True):
        actor.policy.temperature = temperature
        evaluations.append(evaluate(Fork(), actor, seeded(seed)))
        actor.policy.temperature = 1.0
    return evaluations


@pytest.fixture(scope="module")
def drives(actors):
    found = {name: drive(own) for name, own in actors.items()}
    warmed = {f"T = {t:g}": drive(actors[31], t) for t in TEMPERATURES}
    return found | warmed | {"T = 1": found[31]}


@pytest.fixture(scope="module")
def rate(drives):
    return lambda name: pool(drives[name]).rate


def commands(actor, data):
    """Return an actor's lateral commands where the drivers choose."""
    observations = data.observations[ForkDriver(Fork()).is_deciding(data.observations)]
    actor.reset(torch.ones(len(observations), dtype=torch.bool))
    return actor.act(observations, seeded(0))[:, 1]


@pytest.mark.parametrize("count", [11, 31, 101])
@pytest.mark.long
def test_three_drives_of_four_reach_the_goal(rate, count):
    assert rate(count) == pytest.approx(0.75, abs=0.1)


@pytest.mark.long
def test_the_gaussian_manages_one_in_two(rate):
    assert 0.35 < rate("Gaussian") < 0.65
    assert rate(31) > rate("Gaussian") + 0.1


@pytest.mark.long
def test_between_11_and_101_bins_there_is_little_to_choose(rate):
    rates = [rate(count) for count in (11, 31, 101)]
    assert max(rates) - min(rates) < 0.12


@pytest.mark.long
def test_five_bins_do_no_better_than_the_gaussian(rate):
    assert rate(5) < rate("Gaussian") + 0.02


def crashed(evaluations):
    return sum(int(evaluation.rollouts.failed.sum()) for evaluation in evaluations)


def passed_the_goal(evaluations):
    """Count the episodes that end beyond the goal, without having reached it."""
    count = 0
    for rollouts in (evaluation.rollouts for evaluation in evaluations):
        last = rollouts.states[rollouts.lengths, torch.arange(len(rollouts))]
        lost = ~rollouts.succeeded & ~rollouts.failed & (last[:, 0] > 2)
        count += int(lost.sum())
    return count


@pytest.mark.long
def test_five_bins_crash_about_twice_as_often_and_drive_past_the_goal(drives):
    assert 1.3 < crashed(drives[5]) / crashed(drives[31]) < 3
    assert 1 / 16 < passed_the_goal(drives[5]) / 1000 < 1 / 5
    assert passed_the_goal(drives[31]) / 1000 < 1 / 20


def test_a_lateral_bin_of_five_is_wide(demonstrations):
    for data in demonstrations:
        assert data.actions[:, 1].std() * 6 / 5 == pytest.approx(0.6, abs=0.02)


def spread(notebook, actors, count):
    """Let the policies play a place anywhere in the bin, instead of its centre."""
    generator = seeded(5)
    centre = notebook.undiscretize

    def anywhere(indices, low, high, num_bins):
        shift = torch.rand(indices.shape, generator=generator) - 0.5
        return centre(indices, low, high, num_bins) + shift * (high - low) / num_bins

    notebook.undiscretize = anywhere
    try:
        return pool(drive(actors[count])).rate
    finally:
        notebook.undiscretize = centre


@pytest.mark.long
def test_centres_drive_as_well_as_places_drawn_within_the_bin(notebook, actors, rate):
    assert spread(notebook, actors, 31) == pytest.approx(rate(31), abs=0.1)
    assert rate(5) > spread(notebook, actors, 5) - 0.05


@pytest.mark.long
def test_next_to_nothing_is_clamped(demonstrations, actors):
    for data, actor in zip(demonstrations, actors[31], strict=True):
        numbers = actor.action_normalizer.normalize(data.actions)
        assert (numbers.abs() > 3).float().mean() < 2e-3


@pytest.mark.long
def test_one_command_in_five_is_straight_on_where_the_drivers_choose(demonstrations, actors):
    found = [commands(*pair) for pair in zip(actors[31], demonstrations, strict=True)]
    pooled = torch.cat(found)
    straight = float((pooled.abs() < 0.25).float().mean())
    assert straight == pytest.approx(0.2, abs=0.07)
    assert float((pooled > 0.25).float().mean()) > straight
    assert float((pooled < -0.25).float().mean()) > straight


def test_drivers_go_straight_on_just_before_they_choose(demonstrations):
    driver = ForkDriver(Fork(), decision_distance=0.78)
    for data in demonstrations:
        before = data.actions[driver.is_deciding(data.observations), 1]
        assert (before.abs() < 0.25).float().mean() > 0.95


@pytest.mark.long
def test_a_colder_policy_succeeds_more_often_and_a_warmer_one_less(rate):
    assert rate("T = 0.25") > rate("T = 1") + 0.05
    assert rate("T = 1") > rate("T = 2") + 0.05
    assert rate("T = 2") > rate("T = 4") + 0.05


@pytest.mark.long
def test_nearly_nine_in_ten_cold_drives_reach_the_goal_and_fewer_than_half_of_the_warm_ones(rate):
    assert rate("T = 0.25") > 0.85
    assert rate("T = 4") < 0.5


@pytest.mark.long
def test_a_cold_policy_still_passes_on_both_sides(drives):
    for evaluation in drives["T = 0.25"]:
        rollouts = evaluation.rollouts
        beside = (rollouts.states[..., 0] - rollouts.states[..., 4]).abs().argmin(dim=0)
        where = rollouts.states[beside, torch.arange(len(rollouts))]
        left = (where[:, 1] > where[:, 5])[rollouts.succeeded]
        assert 0.15 < left.float().mean() < 0.85


@pytest.mark.long
def test_chunks_of_eight_succeed_less_than_a_third_of_the_time(rate):
    assert rate("chunks") < 1 / 3


@pytest.mark.long
def test_each_command_of_a_chunk_has_both_sides_but_no_chunk_keeps_to_one(demonstrations, actors):
    for actor, data in zip(actors["chunks"], demonstrations, strict=True):
        deciding = ForkDriver(Fork()).is_deciding(data.observations)
        starts = actor.observation_normalizer.normalize(data.observations[deciding])
        with torch.no_grad():
            chunks = actor.policy.sample(starts.repeat(20, 1), seeded(1))
        lateral = actor.action_normalizer.denormalize(chunks)[:, :5, 1]
        left = (lateral > 0.25).float().mean(dim=0)
        assert left.min() > 0.2
        assert left.max() < 0.7
        signs = lateral.sign()
        assert (signs == signs[:, :1]).all(dim=1).float().mean() < 0.3
