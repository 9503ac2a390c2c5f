"""Stacked policies do what each of them does alone."""

import pytest
import torch

from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.envs import Fork
from imitation_lab.networks import MLP
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.rollout import rollout
from imitation_lab.stack import PolicyStack


def physical(policy_class, seed, horizon=3):
    source = torch.Generator().manual_seed(seed)
    policy = policy_class(8, 2, horizon, width=16, generator=source)
    seen = Normalizer.fit(torch.randn(50, 8, generator=source) * (seed + 1) + seed)
    done = Normalizer.fit(torch.randn(50, 2, generator=source) * 0.3 - seed)
    return PhysicalPolicy(policy, seen, done)


def test_every_policy_answers_for_its_share_of_the_rows(generator):
    policies = [physical(RegressionPolicy, seed) for seed in range(4)]
    observations = torch.randn(20, 8, generator=generator)
    chunks = PolicyStack(policies).sample(observations, generator)
    for policy, rows, given in zip(policies, observations.split(5), chunks.split(5), strict=True):
        torch.testing.assert_close(given, policy.sample(rows, generator))


def test_noise_is_drawn_for_all_rows_and_each_policy_moves_its_own():
    policies = [physical(FlowPolicy, seed) for seed in range(3)]
    observations = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
    chunks = PolicyStack(policies).sample(observations, torch.Generator().manual_seed(2))
    noise = torch.randn(12, 6, generator=torch.Generator().manual_seed(2))
    shares = zip(policies, observations.split(4), noise.split(4), chunks.split(4), strict=True)
    for policy, rows, start, given in shares:
        alone = policy.policy.denoise(start, policy.normalize_observations(rows)).detach()
        torch.testing.assert_close(given, policy.denormalize_actions(alone), rtol=1e-4, atol=1e-5)


def test_all_seeds_drive_in_one_rollout_as_they_would_alone():
    task = Fork(max_steps=12)
    policies = [physical(RegressionPolicy, seed) for seed in range(2)]
    source = torch.Generator().manual_seed(3)
    starts = task.initial_states(10, source)
    together = rollout(task, RecedingHorizon(PolicyStack(policies), 2), 10, source, starts)
    for index, policy in enumerate(policies):
        own = slice(5 * index, 5 * index + 5)
        alone = rollout(task, RecedingHorizon(policy, 2), 5, source, starts[own])
        moments = len(alone.states)
        torch.testing.assert_close(together.states[:moments, own], alone.states)


def test_a_stack_is_not_changed_by_the_policies_it_was_made_of(generator):
    policies = [physical(RegressionPolicy, seed) for seed in range(2)]
    observations = torch.randn(4, 8, generator=generator)
    stack = PolicyStack(policies)
    before = stack.sample(observations, generator)
    assert isinstance(policies[0].policy.network, MLP)
    with torch.no_grad():
        for parameter in policies[0].policy.parameters():
            parameter.zero_()
    assert torch.equal(stack.sample(observations, generator), before)


def test_parameters_outside_the_network_are_refused():
    policy = physical(RegressionPolicy, 0)
    policy.policy.temperature = torch.nn.Parameter(torch.ones(()))
    with pytest.raises(ValueError, match=r"cannot be stacked: \['temperature'\]"):
        PolicyStack([policy])
