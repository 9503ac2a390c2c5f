"""Which Push-T policy: its bounds, its network, and that each kind of it can learn."""

import math
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from imitation_lab.networks import count_parameters
from imitation_lab.pusht.encoding import ACTION_DIM, FEATURE_DIM
from imitation_lab.pusht.networks import FREQUENCIES, Residual, TimeWaves, trunk
from imitation_lab.pusht.recipe import BOUNDS, KINDS, Recipe, main_recipe

SMALL = {"width": 32, "depth": 1}


def fresh(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


# The bounds --------------------------------------------------------------------------------------


def check(settings):
    """Check settings of any type as a recipe does: while tests run, a recipe's own types come first."""
    Recipe.__post_init__(SimpleNamespace(**{**asdict(Recipe()), **settings}))


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_may_take_its_least_and_its_largest_value_and_no_other(name):
    least, largest = BOUNDS[name]
    horizon = 1 if name == "prediction_horizon" else BOUNDS["prediction_horizon"][1]
    usual = {"prediction_horizon": horizon, "execution_horizon": 1}
    for value in (least, largest):
        assert getattr(Recipe(**{**usual, name: value}), name) == value
    for value in (least - 1, largest + 1, float(least), str(least), None, True):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            check({**usual, name: value})


@pytest.mark.parametrize("kind", ["", "Flow", "transformer", None, 3, ["flow"]])
def test_an_unknown_kind_is_refused_with_those_that_there_are(kind):
    with pytest.raises(ValueError, match=r"kind must be one of .*regression.*flow"):
        check({"kind": kind})


def test_a_long_value_is_told_in_short():
    with pytest.raises(ValueError) as caught:
        Recipe("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_no_more_can_be_played_than_is_predicted():
    assert Recipe(prediction_horizon=4, execution_horizon=4).execution_horizon == 4
    with pytest.raises(ValueError, match="execution_horizon must not be greater"):
        Recipe(prediction_horizon=4, execution_horizon=5)


# The policies ------------------------------------------------------------------------------------


def parameters_of_trunk(inputs, outputs, width, depth):
    """Count what a trunk has: in, blocks of two layers and a normalisation each, normalisation, out."""
    block = 2 * width + 2 * (width * width + width)
    return (inputs + 1) * width + depth * block + 2 * width + (width + 1) * outputs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("horizon", "frames"), [(1, 1), (5, 2)])
def test_a_policy_has_as_many_parameters_as_its_recipe_says(kind, horizon, frames):
    recipe = Recipe(kind, prediction_horizon=horizon, frames=frames, width=40, depth=2)
    policy = recipe.policy(fresh())
    chunk, features = horizon * ACTION_DIM, frames * FEATURE_DIM
    components = getattr(policy, "num_components", 0)
    sizes = {
        "regression": (features, chunk),
        "mixture": (features, components * (1 + 2 * chunk)),
        "flow": (features + chunk + 1 + 2 * FREQUENCIES, chunk),
        "diffusion": (features + chunk + 1 + 2 * FREQUENCIES, chunk),
    }
    assert count_parameters(policy) == parameters_of_trunk(*sizes[kind], 40, 2)


def test_the_kinds_that_are_compared_have_equally_many_parameters():
    counts = [count_parameters(main_recipe(kind).policy()) for kind in KINDS]
    assert max(counts) < 1.01 * min(counts)
    recipes = [main_recipe(kind) for kind in KINDS]
    assert len({replace(recipe, kind="flow", width=192) for recipe in recipes}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_the_initial_weights(kind):
    recipe = Recipe(kind, **SMALL)
    first, again, other = (parameters(recipe.policy(fresh(seed))) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_shape_of_a_chunk_and_follow_the_generator(kind):
    recipe = Recipe(kind, prediction_horizon=3, num_steps=4, **SMALL)
    policy = recipe.policy(fresh()).eval()
    features = torch.randn(6, FEATURE_DIM, generator=fresh(1))
    first, again, other = (policy.sample(features, fresh(seed)) for seed in (2, 2, 3))
    assert first.shape == (6, 3, ACTION_DIM)
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (kind == "regression")


def toy(count):
    """Return features, and chunks of two habits: one number of a feature, or its negative."""
    draws = fresh(7)
    features = torch.zeros(count, FEATURE_DIM)
    features[:, 3] = 0.4 + 0.4 * torch.rand(count, generator=draws)
    signs = torch.where(torch.rand(count, generator=draws) < 0.5, -1.0, 1.0)
    chunks = (signs * features[:, 3])[:, None, None].repeat(1, 2, ACTION_DIM)
    return features, chunks


def learnt(kind):
    """Return what a trained policy draws for fresh features, as multiples of the feature."""
    policy = Recipe(kind, prediction_horizon=2, **SMALL).policy(fresh())
    features, chunks = toy(4000)
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    draws = fresh(1)
    for _ in range(700):
        rows = torch.randint(len(features), (256,), generator=draws)
        optimizer.zero_grad()
        policy.loss(features[rows], chunks[rows], draws).backward()
        optimizer.step()
    fresh_features, _ = toy(600)
    with torch.no_grad():
        drawn = policy.eval().sample(fresh_features, fresh(2))
    return drawn / fresh_features[:, 3, None, None]


def test_regression_learns_the_mean_of_two_habits():
    multiples = learnt("regression")
    assert multiples.abs().mean() < 0.2


@pytest.mark.parametrize("kind", ["mixture", "diffusion", "flow"])
def test_the_others_learn_both_habits_and_nothing_between(kind):
    multiples = learnt(kind).flatten(1)
    near_a_habit = ((multiples.abs() - 1).abs() < 0.4).all(dim=1)
    whole_chunk_agrees = (multiples.sign() == multiples[:, :1].sign()).all(dim=1)
    assert (near_a_habit & whole_chunk_agrees).float().mean() > 0.8
    assert 0.2 < (multiples[:, 0] > 0).float().mean() < 0.8


# The network -------------------------------------------------------------------------------------


def test_waves_are_sines_and_cosines_of_one_column_from_half_a_turn_to_thirty():
    inputs = torch.rand(5, 4, generator=fresh())
    waved = TimeWaves(2)(inputs)
    frequencies = torch.tensor([30 ** (k / (FREQUENCIES - 1)) for k in range(FREQUENCIES)])
    angles = math.pi * inputs[:, 2:3] * frequencies
    torch.testing.assert_close(waved, torch.cat([inputs, angles.sin(), angles.cos()], dim=1))


def test_a_trunk_with_a_time_column_sees_its_waves_and_one_without_sees_none():
    inputs = torch.rand(3, 6, generator=fresh())
    timed = trunk(6, 2, 16, 1, time_column=4, generator=fresh(1))
    assert torch.equal(timed(inputs), timed[1:](TimeWaves(4)(inputs)))
    untimed = trunk(6, 2, 16, 1, generator=fresh(1))
    assert untimed(inputs).shape == (3, 2)
    assert not any(isinstance(layer, TimeWaves) for layer in untimed)


def test_the_first_column_can_be_the_time():
    timed = trunk(3, 1, 8, 1, time_column=0, generator=fresh())
    assert isinstance(timed[0], TimeWaves) and timed[0].column == 0


def test_a_residual_block_adds_to_its_input():
    block = Residual(8, fresh())
    inputs = torch.randn(4, 8, generator=fresh(1))
    torch.testing.assert_close(block(inputs) - inputs, block.layers(inputs))
    for parameter in block.layers[-1].parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(inputs), inputs)


def test_rows_of_a_batch_do_not_see_each_other():
    network = trunk(5, 3, 16, 2, time_column=1, generator=fresh())
    inputs = torch.randn(6, 5, generator=fresh(1))
    torch.testing.assert_close(network(inputs)[2:3], network(inputs[2:3]))
