"""Networks and policies against closed forms and torch's own distributions."""

import math

import pytest
import torch
from torch import nn

from imitation_lab.networks import MLP, count_parameters
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import CategoricalPolicy
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy

POLICIES = [
    RegressionPolicy,
    GaussianPolicy,
    CategoricalPolicy,
    MixturePolicy,
    AutoregressivePolicy,
    FlowPolicy,
    DiffusionPolicy,
]
SAMPLED = POLICIES[1:]
WITH_DENSITY = [policy_class for policy_class in SAMPLED if hasattr(policy_class, "log_prob")]
HORIZONS = [1, 5]


def make(policy_class, horizon=3, seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    return policy_class(4, 2, horizon, width=16, generator=generator, **settings)


def draw_batch(horizon=3, number=32, seed=9):
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(number, 4, generator=generator)
    return observations, torch.randn(number, horizon, 2, generator=generator)


def test_a_seed_fixes_the_networks_weights():
    one, same, other = (make(RegressionPolicy, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_a_given_generator_leaves_the_global_one_out_of_the_weights():
    torch.manual_seed(1)
    one = make(RegressionPolicy).state_dict()
    torch.manual_seed(2)
    other = make(RegressionPolicy).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("width", "depth"), [(7, 1), (16, 2), (5, 4)])
def test_an_mlp_has_as_many_parameters_as_the_formula_says(width, depth):
    expected = (3 + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * 2
    assert count_parameters(MLP(3, 2, width, depth)) == expected


def test_frozen_parameters_are_not_counted():
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 6


def test_an_mlp_of_depth_zero_is_linear(generator):
    network = MLP(3, 2, depth=0)
    x, y = torch.randn(2, 5, 3, generator=generator)
    zero = network(torch.zeros(5, 3))
    torch.testing.assert_close(network(x + y), network(x) + network(y) - zero)


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("policy_class", POLICIES)
def test_policies_speak_in_chunks(policy_class, horizon, generator):
    policy = make(policy_class, horizon)
    observations, actions = draw_batch(horizon)
    assert policy.sample(observations, generator).shape == (32, horizon, 2)
    assert policy.loss(observations, actions, generator).shape == ()
    assert policy.chunk_dim == horizon * 2


@pytest.mark.parametrize("policy_class", POLICIES)
def test_gradients_reach_every_parameter_and_are_finite(policy_class):
    policy = make(policy_class)
    observations, actions = draw_batch()
    policy.loss(observations, 1e3 * actions).backward()
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("policy_class", POLICIES)
@pytest.mark.parametrize("name", ["observation_dim", "action_dim", "prediction_horizon"])
def test_dimensions_below_one_are_refused(policy_class, name):
    dimensions = {"observation_dim": 4, "action_dim": 2, "prediction_horizon": 3} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        policy_class(**dimensions)


def test_the_regression_loss_is_the_mean_squared_length_of_the_chunks_error():
    policy = make(RegressionPolicy)
    observations, actions = draw_batch()
    predicted = policy.sample(observations)
    expected = sum((predicted[i] - actions[i]).square().sum() for i in range(32)) / 32
    torch.testing.assert_close(policy.loss(observations, actions), expected)


def test_regression_samples_the_same_chunk_at_every_call():
    policy = make(RegressionPolicy)
    observations, _ = draw_batch()
    assert torch.equal(policy.sample(observations), policy.sample(observations))


@pytest.mark.parametrize("policy_class", WITH_DENSITY)
def test_the_loss_is_the_mean_negative_log_likelihood(policy_class):
    policy = make(policy_class)
    observations, actions = draw_batch()
    expected = -sum(policy.log_prob(observations, actions)) / 32
    torch.testing.assert_close(policy.loss(observations, actions), expected)


def test_the_gaussian_loss_is_the_negative_log_likelihood_of_torchs_normal():
    policy = make(GaussianPolicy)
    observations, actions = draw_batch()
    mean, log_std = policy(observations)
    normal = torch.distributions.Normal(mean, log_std.exp())
    expected = normal.log_prob(actions.flatten(1)).sum(dim=1)
    torch.testing.assert_close(policy.log_prob(observations, actions), expected)
    torch.testing.assert_close(policy.loss(observations, actions), -expected.mean())


def test_gaussian_samples_have_the_predicted_mean_and_width(generator):
    policy = make(GaussianPolicy, horizon=2)
    observation = draw_batch()[0][:1]
    number = 20_000
    mean, log_std = policy(observation)
    samples = policy.sample(observation.expand(number, -1), generator).flatten(1)
    # 6.5 standard errors: two-sided 8e-11 each, for four numbers and two statistics below 1e-9.
    standard = (samples - mean[0]) / log_std[0].exp()
    assert standard.mean(dim=0).abs().max() < 6.5 / math.sqrt(number)
    assert (standard.var(dim=0) - 1).abs().max() < 6.5 * math.sqrt(2 / number)


@pytest.mark.parametrize("policy_class", SAMPLED)
def test_samples_follow_the_generator(policy_class):
    policy = make(policy_class)
    observations, _ = draw_batch()
    draws = [policy.sample(observations, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_gaussians_width_stays_in_its_range():
    policy = make(GaussianPolicy, log_std_range=(-0.1, 0.1))
    observations, _ = draw_batch()
    _, log_std = policy(100 * observations)
    assert log_std.abs().max() <= 0.1
