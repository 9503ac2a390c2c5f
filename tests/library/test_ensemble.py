"""All seeds at once must be what one after the other is."""

import pytest
import torch
from torch import nn

from imitation_lab.data import Demonstrations
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import CategoricalPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, minimize, train, train_ensemble
from imitation_lab.types import Policy, Trajectory

POLICIES = [
    RegressionPolicy,
    GaussianPolicy,
    CategoricalPolicy,
    MixturePolicy,
    AutoregressivePolicy,
]
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


def test_every_member_has_noise_of_its_own():
    policies = [Noisy(0) for _ in range(2)]
    one, other = quietly(policies, draw_demonstrations(0), seeds=[4, 4])
    assert not torch.isclose(one.losses, other.losses).any()


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

    with pytest.raises(FloatingPointError, match="at step 0: lower the learning rate"):
        quietly([Diverging(seed) for seed in SEEDS], draw_demonstrations(0))


def test_minimize_finds_the_least_squares_constant(generator):
    values = torch.randn(50, 3, generator=generator)
    constant = torch.zeros(3, requires_grad=True)
    losses = minimize(lambda: (values - constant).square().sum(dim=1).mean(), [constant], 400)
    torch.testing.assert_close(constant.detach(), values.mean(dim=0), rtol=1e-2, atol=1e-3)
    assert losses.shape == (400,)
    least = values.var(dim=0, correction=0).sum()
    torch.testing.assert_close(losses[-1], least, rtol=1e-4, atol=0.0)
