"""What the comparison measures, against closed forms and against the drivers themselves."""

import math

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.comparison import (
    HAND_NOISE,
    PolicyResult,
    _milliseconds_per_action,
    compare,
    comparison_table,
    expert_nats,
    fork_drivers,
    matching_width,
    per_action_nats,
    read_comparison,
    write_comparison,
)
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork
from imitation_lab.experts import ForkDriver
from imitation_lab.networks import count_parameters
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import CategoricalPolicy
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import Normalizers, TrainingRun, TrainingSettings, train_ensemble
from imitation_lab.types import Trajectory

ROADS = [Fork(), Fork(angle=math.pi / 4)]
# The entropy of two numbers with a Gaussian error each: 1/2 log(2 pi e std^2), twice.
HAND_ENTROPY = math.log(2 * math.pi * math.e * HAND_NOISE**2)


def maker(policy_class):
    return lambda width, generator: policy_class(8, 2, width=width, generator=generator)


def demonstrations_on(task, starts=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return demonstrate(task, fork_drivers(task), starts, generator)


@pytest.mark.parametrize("task", ROADS)
def test_the_drivers_spend_their_hands_entropy_and_one_bit_for_the_side(task):
    demonstrations = demonstrations_on(task)
    nats = expert_nats(task, demonstrations)
    # Each action costs the entropy of two Gaussian errors, whose negative log densities have
    # variance 1 together, and each episode costs log 2 once for the side.
    expected = HAND_ENTROPY + math.log(2) * len(demonstrations) / len(nats)
    assert abs(nats.mean() - expected) < 6 / math.sqrt(len(nats))


@pytest.mark.parametrize("task", ROADS)
def test_the_side_costs_its_bit_where_the_drivers_choose(task):
    demonstrations = demonstrations_on(task)
    nats = expert_nats(task, demonstrations)
    lengths = [len(trajectory) for trajectory in demonstrations.trajectories]
    driver = ForkDriver(task, decision_distance=0.8)
    state = task.to_road(demonstrations.observations.unflatten(-1, (4, 2))).flatten(-2)
    swerving = state[:, 4] - state[:, 0] <= driver.decision_distance
    first = [int(own.long().argmax()) for own in swerving.split(lengths)]
    starts = [0, *torch.tensor(lengths).cumsum(0)[:-1].tolist()]
    chosen = torch.tensor([start + step for start, step in zip(starts, first, strict=True)])
    expected = HAND_ENTROPY + math.log(2)
    assert abs(nats[chosen].mean() - expected) < 6 / math.sqrt(len(chosen))


@pytest.mark.parametrize(
    ("policy_class", "reach"), [(GaussianPolicy, 12), (MixturePolicy, 12), (CategoricalPolicy, 3)]
)
def test_nats_are_those_of_a_density_over_actions_in_metres_per_second(policy_class, reach):
    demonstrations = demonstrations_on(ROADS[0], starts=5)
    normalizers = Normalizers(
        Normalizer.fit(demonstrations.observations), Normalizer.fit(demonstrations.actions)
    )
    policy = policy_class(8, 2, generator=torch.Generator().manual_seed(0))
    run = TrainingRun(policy, normalizers, torch.zeros(0), 0.0, False)
    # Midpoints of 310 x 310 cells, a multiple of 31 bins, over `reach` normalised units: one
    # observation with every action of this grid has densities that sum to one.
    cell = 2 * reach / 310
    points = torch.arange(310) * cell - reach + cell / 2
    grid = normalizers.actions.denormalize(torch.cartesian_prod(points, points))
    seen = demonstrations.observations[:1].expand(len(grid) + 1, -1)
    nats = per_action_nats(run, Demonstrations((Trajectory(seen, grid),)))
    area = float(normalizers.actions.scale.prod()) * cell**2
    assert abs((-nats.double()).exp().sum() * area - 1) < 1e-3


@pytest.mark.parametrize(
    "policy_class",
    [
        RegressionPolicy,
        GaussianPolicy,
        CategoricalPolicy,
        MixturePolicy,
        AutoregressivePolicy,
        FlowPolicy,
        DiffusionPolicy,
    ],
)
@pytest.mark.parametrize("parameters", [6_000, 12_700, 50_000])
def test_every_class_is_given_the_parameters_that_were_asked_for(policy_class, parameters):
    width = matching_width(maker(policy_class), parameters)
    policy = maker(policy_class)(width, torch.Generator())
    assert abs(count_parameters(policy) - parameters) <= 0.05 * parameters


def test_too_few_parameters_for_a_match_are_refused():
    with pytest.raises(ValueError, match="no width comes within 5 % of 100 parameters"):
        matching_width(maker(CategoricalPolicy), 100)


def test_the_drivers_stand_first_as_the_measure_of_all(tmp_path):
    settings = TrainingSettings(steps=2, batch_size=8)
    classes = {"gaussian": maker(GaussianPolicy), "regression": maker(RegressionPolicy)}
    results = compare("straight", Fork(), classes, [3, 4], settings, 3000, 20, 30, progress=False)
    assert [result.name for result in results] == ["expert", "gaussian", "regression"]
    expert, gaussian, regression = results
    # The drivers reach the goal nearly always (notebook 01's demonstrations lost none of 200).
    assert expert.success.trials == 60 and expert.success.rate > 0.9
    assert len(gaussian.nats) == 2 and min(gaussian.nats) > expert.nats[0]
    assert regression.nats == []
    left, right, neither = expert.sides
    assert neither == 0 and abs(left + right - 1) < 1e-6
    for result in results:
        assert len(result.successes) == 2
        assert result.milliseconds > 0
    path = tmp_path / "record.json"
    write_comparison(results, path)
    assert read_comparison(path) == results
    table = comparison_table(results).splitlines()
    assert len(table) == 5 and "no density" in table[4]


def test_a_comparison_that_was_stopped_gives_no_results(monkeypatch):
    def stopped(*arguments):
        runs = train_ensemble(*arguments)
        return [TrainingRun(**{**vars(run), "interrupted": True}) for run in runs]

    monkeypatch.setattr("imitation_lab.comparison.train_ensemble", stopped)
    settings, classes = TrainingSettings(steps=2, batch_size=8), {"mixture": maker(MixturePolicy)}
    with pytest.raises(KeyboardInterrupt, match="training was stopped"):
        compare("straight", Fork(), classes, [3], settings, 3000, 10, 10, progress=False)


class Watched:
    """An actor that remembers how many observations it was shown at once."""

    def __init__(self):
        self.batches = []

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        self.batches.append(len(observations))
        return observations[:, :2]


def test_the_time_of_an_action_is_that_for_one_observation_however_few_there_are():
    actor = Watched()
    assert _milliseconds_per_action(actor, torch.zeros(3, 8), repeats=8) > 0
    assert actor.batches == [1] * 8


def test_a_seed_fixes_all_but_the_time():
    settings = TrainingSettings(steps=20, batch_size=8)
    classes = {"mixture": maker(MixturePolicy)}

    def results():
        (_, result) = compare("s", Fork(), classes, [7], settings, 3000, 10, 10, progress=False)
        return PolicyResult(**{**vars(result), "milliseconds": 0.0})

    assert results() == results()
