"""All seeds at once must be what one after the other is."""

import copy

import pytest
import torch
from torch import nn

from imitation_lab.data import Demonstrations
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import Bins, CategoricalPolicy
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, minimize, train, train_ensemble
from imitation_lab.training.cloning import fit_normalizers
from imitation_lab.training.ensemble import _Batches
from imitation_lab.types import Policy, Trajectory

POLICIES = [
    RegressionPolicy,
    GaussianPolicy,
    CategoricalPolicy,
    MixturePolicy,
    AutoregressivePolicy,
]
NOISY = [FlowPolicy, DiffusionPolicy]  # their losses draw noise
SHORT = TrainingSettings(steps=30, batch_size=16)
SEEDS = [3, 8, 5]


def draw_demonstrations(seed, number=6):
    generator = torch.Generator().manual_seed(seed)
    trajectories = []
    for index in range(number):
        observations = torch.randn(10 + index, 3, generator=generator)
        actions = observations[:-1, :2] + 0.3 * torch.randn(9 + index, 2, generator=generator)
        trajectories.append(Trajectory(observations, actions))
    return Demonstrations(tuple(trajectories), "noise")


def make_policies(policy_class, **settings):
    return [
        policy_class(3, 2, 2, width=8, generator=torch.Generator().manual_seed(seed), **settings)
        for seed in SEEDS
    ]


def quietly(policies, demonstrations, settings=SHORT, seeds=SEEDS):
    return train_ensemble(policies, demonstrations, settings, seeds, "cpu", progress=False)


@pytest.mark.parametrize("policy_class", POLICIES)
def test_an_ensemble_learns_what_its_members_learn_alone(policy_class):
    # Sets of different sizes, so that a batch from a neighbour's rows would show.
    sets = [
        draw_demonstrations(seed, number) for seed, number in zip(SEEDS, (6, 3, 9), strict=True)
    ]
    runs = quietly(make_policies(policy_class), sets)
    rows = zip(runs, make_policies(policy_class), sets, SEEDS, strict=True)
    for run, policy, demonstrations, seed in rows:
        alone = train(policy, demonstrations, SHORT, seed, "cpu", progress=False)
        torch.testing.assert_close(run.losses, alone.losses, rtol=1e-3, atol=1e-4)
        means = run.normalizers.observations.mean, alone.normalizers.observations.mean
        assert torch.equal(*means)
        for name, parameter in alone.policy.state_dict().items():
            torch.testing.assert_close(
                run.policy.state_dict()[name], parameter, rtol=1e-2, atol=1e-3
            )


@pytest.mark.parametrize("policy_class", NOISY)
def test_losses_with_noise_are_computed_together_and_each_policy_has_its_own(policy_class, capsys):
    alike = [
        policy_class(3, 2, 2, width=8, generator=torch.Generator().manual_seed(0)) for _ in SEEDS
    ]
    runs = quietly(alike, draw_demonstrations(0), seeds=[4, 4, 4])
    assert capsys.readouterr().out == ""
    # Equal weights, equal batches: only the noise can tell them apart, from the first step on.
    first, second, third = (run.losses[0] for run in runs)
    assert first != second != third != first


@pytest.mark.parametrize("policy_class", NOISY)
def test_losses_with_noise_are_on_average_what_they_are_alone(policy_class):
    # So slow that nothing is learnt: 300 losses of one and the same network.
    settings = TrainingSettings(steps=300, batch_size=64, learning_rate=1e-12)
    demonstrations = draw_demonstrations(0)
    together = quietly(make_policies(policy_class), demonstrations, settings)
    for run, policy, seed in zip(together, make_policies(policy_class), SEEDS, strict=True):
        alone = train(policy, demonstrations, settings, seed, "cpu", progress=False)
        error = ((run.losses.var() + alone.losses.var()) / 300).sqrt()
        assert abs(run.losses.mean() - alone.losses.mean()) < 6 * error


def test_one_set_of_demonstrations_serves_all():
    demonstrations = draw_demonstrations(0)
    together = quietly(make_policies(GaussianPolicy), demonstrations)
    apart = quietly(make_policies(GaussianPolicy), [demonstrations] * 3)
    for one, other in zip(together, apart, strict=True):
        assert torch.equal(one.losses, other.losses)


def test_the_policies_that_went_in_come_out_trained_and_in_evaluation_mode():
    policies = make_policies(RegressionPolicy)
    before = [policy.network[0].weight.clone() for policy in policies]
    runs = quietly(policies, draw_demonstrations(0))
    for policy, run, weight in zip(policies, runs, before, strict=True):
        assert run.policy is policy
        assert not policy.training
        assert not torch.equal(policy.network[0].weight, weight)
        assert run.losses.shape == (30,)


class Stubborn(Policy):
    """A line whose loss looks at a number, which vmap cannot do for several at once."""

    def __init__(self, seed):
        super().__init__(3, 2)
        torch.manual_seed(seed)
        self.line = nn.Linear(3, 2)

    def loss(self, observations, actions, generator=None):
        loss = (self.line(observations) - actions[:, 0]).square().sum(dim=1).mean()
        return loss if loss.item() >= 0 else -loss

    def sample(self, observations, generator=None):
        return self.line(observations).unsqueeze(1)


def test_a_loss_that_cannot_be_vectorised_is_trained_in_turns_and_says_so(capsys):
    demonstrations = draw_demonstrations(0)
    runs = quietly([Stubborn(seed) for seed in SEEDS], demonstrations)
    assert "cannot be computed for all 3 policies at once" in capsys.readouterr().out
    for run, seed in zip(runs, SEEDS, strict=True):
        alone = train(Stubborn(seed), demonstrations, SHORT, seed, "cpu", progress=False)
        torch.testing.assert_close(run.losses, alone.losses)


def test_a_vectorised_loss_says_nothing(capsys):
    quietly(make_policies(MixturePolicy), draw_demonstrations(0))
    assert capsys.readouterr().out == ""


class Noisy(Stubborn):
    def loss(self, observations, actions, generator=None):
        noise = torch.randn(actions.shape, generator=generator)
        return (self.line(observations) - actions[:, 0] + noise[:, 0]).square().sum(dim=1).mean()


def test_every_member_has_noise_of_its_own(capsys):
    policies = [Noisy(0) for _ in range(2)]
    one, other = quietly(policies, draw_demonstrations(0), seeds=[4, 4])
    assert capsys.readouterr().out == ""  # vectorised, where members might share their draws
    assert not torch.isclose(one.losses, other.losses).any()


class Wordless(Stubborn):
    def loss(self, observations, actions, generator=None):
        if torch._C._functorch.is_batchedtensor(observations):
            raise NotImplementedError
        return (self.line(observations) - actions[:, 0]).square().sum(dim=1).mean()


def test_an_error_without_words_is_named_by_its_class(capsys):
    quietly([Wordless(seed) for seed in SEEDS], draw_demonstrations(0))
    assert "so they take turns (NotImplementedError)" in capsys.readouterr().out


class Partial(Noisy):
    """Some of it is frozen, and some of it serves nothing."""

    def __init__(self, seed):
        super().__init__(seed)
        self.idle = nn.Linear(2, 2)
        self.line.bias.requires_grad_(False)


def test_frozen_and_idle_parameters_stay_as_they_are_and_do_not_stop_vmap(capsys):
    policies = [Partial(seed) for seed in SEEDS]
    before = [[policy.line.bias.clone(), policy.idle.weight.clone()] for policy in policies]
    weights = [policy.line.weight.clone() for policy in policies]
    quietly(policies, draw_demonstrations(0))
    assert capsys.readouterr().out == ""
    for policy, (bias, idle), weight in zip(policies, before, weights, strict=True):
        assert torch.equal(policy.line.bias, bias) and torch.equal(policy.idle.weight, idle)
        assert not torch.equal(policy.line.weight, weight)


class Counting(Stubborn):
    """Counts its batches in a buffer, as batch normalisation does."""

    def __init__(self, seed):
        super().__init__(seed)
        self.register_buffer("seen", torch.zeros(()))

    def loss(self, observations, actions, generator=None):
        self.seen += observations.abs().mean()
        return (self.line(observations) - actions[:, 0]).square().sum(dim=1).mean()


def test_what_a_policy_keeps_in_buffers_comes_back_too():
    policies = [Counting(seed) for seed in SEEDS]
    quietly(policies, draw_demonstrations(0))
    # Normalised numbers are 0.8 in size on average, in each of thirty batches.
    assert all(policy.seen > 15 for policy in policies)
    assert len({float(policy.seen) for policy in policies}) == 3


class Absolute(RegressionPolicy):
    def loss(self, observations, actions, generator=None):
        return (self(observations) - actions).abs().mean()


@pytest.mark.parametrize(
    ("make_pair", "message"),
    [
        (
            lambda: [RegressionPolicy(3, 2, width=8), Absolute(3, 2, width=8)],
            "a RegressionPolicy is no Absolute",
        ),
        (
            lambda: [
                CategoricalPolicy(3, 2, width=8),
                CategoricalPolicy(3, 2, width=8, bins=Bins(limit=1.0)),
            ],
            "they differ in bins",
        ),
        (
            lambda: [
                GaussianPolicy(3, 2, width=8),
                GaussianPolicy(3, 2, width=8, log_std_range=(-1.0, 0.0)),
            ],
            "they differ in log_std_range",
        ),
    ],
    ids=["class", "bins", "range"],
)
def test_policies_that_differ_in_class_or_setting_keep_their_own(make_pair, message, capsys):
    policies, demonstrations = make_pair(), draw_demonstrations(0)
    copies = copy.deepcopy(policies)
    runs = quietly(policies, demonstrations, seeds=[1, 2])
    assert message in capsys.readouterr().out
    for run, policy, seed in zip(runs, copies, [1, 2], strict=True):
        alone = train(policy, demonstrations, SHORT, seed, "cpu", progress=False)
        torch.testing.assert_close(run.losses, alone.losses)


def test_a_policy_that_is_given_twice_is_refused():
    with pytest.raises(ValueError, match="stands in the list more than once"):
        quietly([RegressionPolicy(3, 2)] * 3, draw_demonstrations(0))


def test_policies_of_several_horizons_are_refused():
    policies = [RegressionPolicy(3, 2, horizon) for horizon in (4, 1)]
    with pytest.raises(ValueError, match=r"horizons \[1, 4\]: expected one for all"):
        quietly(policies, draw_demonstrations(0), seeds=[0, 1])


def test_every_policys_dimensions_are_held_against_its_demonstrations():
    policies = [RegressionPolicy(3, 2), RegressionPolicy(2, 2)]
    with pytest.raises(ValueError, match=r"are \(3, 2\), the policy's \(2, 2\)"):
        quietly(policies, draw_demonstrations(0), seeds=[0, 1])


def test_a_set_that_serves_all_is_stored_once():
    shared, own = draw_demonstrations(0), draw_demonstrations(1, number=4)
    sets = [shared, own, shared]
    cpu = torch.device("cpu")
    normalizers = [fit_normalizers(each, cpu) for each in sets]
    batches = _Batches(RegressionPolicy(3, 2), sets, normalizers, 400, [0, 1, 2])
    observations, chunks = batches._rows
    assert len(observations) == len(chunks) == shared.num_actions + own.num_actions
    for drawn, each, normalizer in zip(batches.draw()[0], sets, normalizers, strict=True):
        rows = normalizer.observations.normalize(each.observations)
        assert set(map(tuple, drawn.tolist())) <= set(map(tuple, rows.tolist()))


@pytest.mark.parametrize("answer", [None, torch.zeros(3)])
def test_a_loss_that_is_no_loss_is_refused(answer):
    class Unanswered(Stubborn):
        def loss(self, observations, actions, generator=None):
            return answer

    with pytest.raises(ValueError, match="Is the question that asks for this loss answered"):
        quietly([Unanswered(seed) for seed in SEEDS], draw_demonstrations(0))


def test_an_interrupt_keeps_what_all_have_learnt(capsys):
    class Interrupted(Stubborn):
        calls = 0

        def loss(self, observations, actions, generator=None):
            Interrupted.calls += 1
            # Twice before the first step, to see whether the loss works; then once in every step.
            if Interrupted.calls == 9:
                raise KeyboardInterrupt
            return (self.line(observations) - actions[:, 0]).square().sum(dim=1).mean()

    runs = quietly([Interrupted(seed) for seed in SEEDS], draw_demonstrations(0))
    assert "stopped after 6 of 30 steps" in capsys.readouterr().out
    assert all(run.interrupted and run.losses.shape == (6,) for run in runs)
    assert not torch.equal(runs[0].policy.line.weight, Stubborn(SEEDS[0]).line.weight)


@pytest.mark.parametrize(("policies", "seeds"), [(0, []), (2, [1]), (2, [1, 2, 3])])
def test_numbers_that_do_not_fit_are_refused(policies, seeds):
    with pytest.raises(ValueError, match="expected at least one policy, and as many of each"):
        quietly([Stubborn(0)] * policies, draw_demonstrations(0), seeds=seeds)


def test_a_loss_that_is_not_finite_stops_the_ensemble():
    class Diverging(Stubborn):
        def loss(self, observations, actions, generator=None):
            return (self.line(observations).sum() * 0 + 1).log() / (self.line.bias.sum() * 0)

    with pytest.raises(FloatingPointError, match=r"of policy 0 became .* at step 0: lower"):
        quietly([Diverging(seed) for seed in SEEDS], draw_demonstrations(0))


def test_minimize_finds_the_least_squares_constant(generator):
    values = torch.randn(50, 3, generator=generator)
    constant = torch.zeros(3, requires_grad=True)
    losses = minimize(lambda: (values - constant).square().sum(dim=1).mean(), [constant], 400)
    torch.testing.assert_close(constant.detach(), values.mean(dim=0), rtol=1e-2, atol=1e-3)
    assert losses.shape == (400,)
    least = values.var(dim=0, correction=0).sum()
    torch.testing.assert_close(losses[-1], least, rtol=1e-4, atol=0.0)
