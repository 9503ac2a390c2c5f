"""Categorical, mixture and autoregressive policies against torch's distributions and brute force."""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import Bins, CategoricalPolicy, draw
from imitation_lab.policies.mixture import MixturePolicy

FOUR_BINS = Bins(count=4, limit=1.0)
BINNED = [CategoricalPolicy, AutoregressivePolicy]


def make(policy_class, horizon=1, action_dim=3, seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    policy = policy_class(4, action_dim, horizon, width=16, generator=generator, **settings)
    # Away from the even distribution that a fresh network predicts, so that mistakes show.
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3)
    return policy


def draw_batch(horizon=1, action_dim=3, number=20, seed=9):
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(number, 4, generator=generator)
    return observations, torch.randn(number, horizon, action_dim, generator=generator)


def all_chunks(bins, chunk_dim):
    """Return the centre of every cell of the grid of bins, (bins.count**chunk_dim, chunk_dim)."""
    centres = [(k + 0.5) * bins.width - bins.limit for k in range(bins.count)]
    return torch.tensor(list(itertools.product(centres, repeat=chunk_dim)))


def probabilities_of_all_cells(policy, observation):
    """Return the probability of every cell, computed by ``log_prob``."""
    cells = all_chunks(policy.bins, policy.chunk_dim)
    chunks = cells.unflatten(1, (policy.prediction_horizon, policy.action_dim))
    log_density = policy.log_prob(observation.expand(len(cells), -1), chunks)
    return log_density.exp() * policy.bins.width**policy.chunk_dim


def test_every_number_falls_into_the_bin_that_holds_it(generator):
    bins = Bins(count=7, limit=2.0)
    numbers = 4 * torch.rand(1000, generator=generator) - 2
    indices = bins.discretize(numbers)
    low = indices * bins.width - bins.limit
    assert ((numbers >= low - 1e-6) & (numbers <= low + bins.width + 1e-6)).all()
    assert set(indices.tolist()) == set(range(7))


def test_edges_belong_to_the_bin_above_and_the_last_edge_to_the_last_bin():
    bins = Bins(count=4, limit=1.0)
    edges = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert bins.discretize(edges).tolist() == [0, 1, 2, 3, 3]


def test_numbers_beyond_the_limit_count_as_the_nearest_bins():
    bins = Bins(count=4, limit=1.0)
    numbers = torch.tensor([-9.0, -1.1, 0.2, 1e9])
    assert bins.discretize(numbers).tolist() == [0, 0, 2, 3]


def test_a_place_lies_in_its_bin_and_fills_it_evenly(generator):
    bins = Bins(count=5, limit=1.5)
    indices = torch.arange(5).repeat_interleave(4000)
    numbers = bins.place(indices, generator)
    assert torch.equal(bins.discretize(numbers), indices)
    places = (numbers + bins.limit) / bins.width - indices
    assert stats.kstest(places.numpy(), "uniform").pvalue > 1e-9


def test_numbers_beyond_all_integers_count_as_the_nearest_bins_too():
    bins = Bins(count=4, limit=1.0)
    numbers = torch.tensor([-math.inf, -1e30, 1e30, math.inf])
    assert bins.discretize(numbers).tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize("settings", [{"count": 1}, {"limit": 0.0}, {"limit": math.nan}])
def test_bins_that_are_none_are_refused(settings):
    with pytest.raises(ValueError, match="expected at least 2 bins and a positive limit"):
        Bins(**settings)


@pytest.mark.parametrize("policy_class", BINNED)
@pytest.mark.parametrize(("horizon", "action_dim"), [(1, 1), (1, 3), (2, 2)])
def test_the_cells_probabilities_sum_to_one(policy_class, horizon, action_dim):
    policy = make(policy_class, horizon, action_dim, bins=FOUR_BINS)
    for observation in draw_batch()[0][:5]:
        total = probabilities_of_all_cells(policy, observation).sum()
        torch.testing.assert_close(total, torch.tensor(1.0))


def test_the_categorical_density_is_torchs_categorical_over_the_bins_width():
    policy = make(CategoricalPolicy, horizon=2)
    observations, actions = draw_batch(horizon=2)
    indices = policy.bins.discretize(actions.flatten(1))
    categorical = Categorical(logits=policy(observations).double())
    expected = (categorical.log_prob(indices) - math.log(policy.bins.width)).sum(dim=1)
    given = policy.log_prob(observations, actions)
    torch.testing.assert_close(given.double(), expected, rtol=1e-5, atol=1e-5)


def test_the_mixtures_density_is_torchs_mixture():
    policy = make(MixturePolicy, horizon=2)
    observations, actions = draw_batch(horizon=2)
    logits, means, log_stds = (output.double() for output in policy(observations))
    components = Independent(Normal(means, log_stds.exp()), 1)
    oracle = MixtureSameFamily(Categorical(logits=logits), components)
    expected = oracle.log_prob(actions.flatten(1).double())
    given = policy.log_prob(observations, actions)
    torch.testing.assert_close(given.double(), expected, rtol=1e-4, atol=1e-4)


def test_the_mixtures_density_integrates_to_one():
    policy = make(MixturePolicy, action_dim=1, log_std_range=(-2.0, 0.0))
    observation = draw_batch(action_dim=1)[0][:1]
    _, means, _ = policy(observation)
    reach = float(means.detach().abs().max()) + 9  # nine of the largest standard deviations
    grid = torch.linspace(-reach, reach, 20_001)
    density = policy.log_prob(observation.expand(len(grid), -1), grid.view(-1, 1, 1)).exp()
    torch.testing.assert_close(torch.trapezoid(density, grid), torch.tensor(1.0))


def test_a_mixture_far_from_its_components_has_finite_gradients():
    policy = make(MixturePolicy)
    observations, actions = draw_batch()
    policy.loss(observations, 1e6 * actions).backward()
    assert all(parameter.grad.isfinite().all() for parameter in policy.parameters())


def test_fresh_components_differ():
    policy = MixturePolicy(4, 2, generator=torch.Generator().manual_seed(0))
    _, means, _ = policy(draw_batch(action_dim=2)[0])
    distances = torch.cdist(means[0], means[0]) + 10 * torch.eye(policy.num_components)
    assert distances.min() > 0.1


def test_a_mixture_of_no_component_is_refused():
    with pytest.raises(ValueError, match="num_components must be at least 1, got 0"):
        MixturePolicy(4, 2, num_components=0)


def conditionals_one_by_one(policy, observation, indices):
    """Return each number's logits, computed from the numbers before it alone."""
    hidden = policy.trunk(observation)
    logits = []
    for dimension, index in enumerate(indices.tolist()):
        before = sum(policy.tables[j, indices[j]] for j in range(dimension))
        features = torch.relu(hidden + before)
        logits.append(features @ policy.weights[dimension] + policy.biases[dimension])
        assert 0 <= index < policy.bins.count
    return torch.stack(logits)


def test_one_pass_gives_all_conditionals():
    policy = make(AutoregressivePolicy, horizon=2, action_dim=2, bins=FOUR_BINS)
    observations, actions = draw_batch(horizon=2, action_dim=2)
    indices = policy.bins.discretize(actions.flatten(1))
    rows = zip(observations, indices, strict=True)
    expected = torch.stack([conditionals_one_by_one(policy, *row) for row in rows])
    torch.testing.assert_close(policy(observations, indices), expected)


@pytest.mark.parametrize("changed", range(4))
def test_a_number_changes_the_conditionals_after_it_and_no_others(changed, generator):
    policy = make(AutoregressivePolicy, horizon=2, action_dim=2, bins=FOUR_BINS)
    observations, _ = draw_batch(action_dim=2)
    indices = torch.randint(0, 4, (20, 4), generator=generator)
    others = indices.clone()
    others[:, changed] = (others[:, changed] + 1) % 4
    differs = (policy(observations, indices) != policy(observations, others)).any(dim=-1)
    assert not differs[:, : changed + 1].any()
    assert differs[:, changed + 1 :].all()


@pytest.mark.parametrize("policy_class", BINNED)
def test_samples_fall_into_cells_as_often_as_the_density_says(policy_class, generator):
    policy = make(policy_class, horizon=1, action_dim=2, bins=FOUR_BINS)
    number, powers = 20_000, torch.tensor([4, 1])
    for observation in draw_batch(action_dim=2)[0][:3]:
        expected = number * probabilities_of_all_cells(policy, observation).double().detach()
        samples = policy.sample(observation.expand(number, -1), generator)[:, 0]
        cells = (policy.bins.discretize(samples) * powers).sum(dim=1)
        seen = torch.bincount(cells, minlength=16).double()
        common = expected >= 5  # chi-square needs a few in every class: the rest become one
        seen, expected = (
            torch.cat([counts[common], counts[~common].sum()[None] + 1e-9])
            for counts in (seen, expected)
        )
        assert stats.chisquare(seen.numpy(), expected.numpy(), sum_check=False).pvalue > 1e-9


def test_a_choice_of_probability_zero_is_never_drawn(generator):
    logits = torch.tensor([-math.inf, 0.0, -math.inf, 1.0]).expand(20_000, -1)
    drawn = draw(logits, generator)
    assert set(drawn.tolist()) == {1, 3}
    # 1 / (1 + e) of 20,000 draws are 5,379, with a standard deviation of 63: six of them are 376.
    assert abs(int((drawn == 1).sum()) - 20_000 / (1 + math.e)) < 376


@pytest.mark.parametrize("policy_class", [*BINNED, MixturePolicy])
def test_a_policy_of_broken_weights_draws_nothing(policy_class, generator):
    policy = make(policy_class)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="logits are NaN: has training diverged"):
        policy.sample(draw_batch()[0], generator)


@pytest.mark.parametrize("policy_class", [*BINNED, MixturePolicy])
def test_a_density_in_double_precision_is_that_in_single(policy_class):
    policy = make(policy_class, horizon=2)
    observations, actions = draw_batch(horizon=2)
    single = policy.log_prob(observations, actions).double()
    double = policy.double().log_prob(observations.double(), actions.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-4)


def test_an_autoregressive_policy_without_a_hidden_layer_is_refused():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        AutoregressivePolicy(4, 2, depth=0)


def test_mixture_samples_fall_where_the_density_says(generator):
    policy = make(MixturePolicy, action_dim=1)
    observation, number = draw_batch(action_dim=1)[0][:1], 20_000
    samples = policy.sample(observation.expand(number, -1), generator).flatten().double()
    logits, means, log_stds = (output[0].double() for output in policy(observation))
    stds = log_stds.exp().flatten()

    def cumulative(values):
        each = Normal(means.flatten(), stds).cdf(torch.as_tensor(values)[:, None])
        return (each * logits.softmax(dim=0)).sum(dim=1).detach().numpy()

    assert stats.kstest(samples.detach().numpy(), cumulative).pvalue > 1e-9


def test_a_component_is_chosen_for_the_whole_chunk(generator):
    policy = make(MixturePolicy, horizon=8, action_dim=1, num_components=2)
    with torch.no_grad():
        for parameter in policy.network[-1].parameters():
            parameter.zero_()
        means = policy.network[-1].bias[2 : 2 + 16].unflatten(0, (2, 8))
        means[0], means[1] = -50.0, 50.0
    samples = policy.sample(torch.zeros(400, 4), generator).squeeze(-1)
    assert ((samples > 0).all(dim=1) | (samples < 0).all(dim=1)).all()
    # 400 fair draws: 6 standard deviations are 60.
    assert 140 < int((samples > 0).all(dim=1).sum()) < 260
