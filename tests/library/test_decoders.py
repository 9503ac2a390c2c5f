"""Decoders hand the right tensors, in the right units, to the functions around which they are built."""

import pytest
import torch

from imitation_lab.chunking import bidirectional_select, rtc_sample
from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.decoders import guided_decoder, selecting_decoder
from imitation_lab.envs import Fork
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.rollout import rollout
from imitation_lab.stack import PolicyStack


def physical(seed, horizon=6):
    source = torch.Generator().manual_seed(seed)
    policy = FlowPolicy(8, 2, horizon, width=16, generator=source)
    seen = Normalizer.fit(torch.randn(50, 8, generator=source) * 2 + seed)
    done = Normalizer.fit(torch.randn(50, 2, generator=source) * 0.3 - seed)
    return PhysicalPolicy(policy, seen, done)


@pytest.fixture
def policy():
    return physical(1)


@pytest.fixture
def inputs(generator):
    return torch.randn(4, 8, generator=generator), torch.randn(4, 6, 2, generator=generator)


def test_guidance_sees_normalised_plans_and_the_policys_own_field(policy, inputs):
    observations, plans = inputs
    handed = []

    def spy(velocity, noise, previous, *rest):
        handed.append((velocity, noise, previous, rest))
        return noise

    decode = guided_decoder(policy, spy, delay=2, execution_horizon=3, num_steps=7)
    chunks = decode(observations, plans, torch.Generator().manual_seed(5))
    [(velocity, noise, previous, rest)] = handed
    assert rest == (2, 3, 7)
    expected = torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(5))
    assert torch.equal(noise, expected)
    torch.testing.assert_close(previous, policy.action_normalizer.normalize(plans))
    torch.testing.assert_close(chunks, policy.action_normalizer.denormalize(noise))
    times = torch.rand(4, generator=torch.Generator().manual_seed(6))
    seen = policy.observation_normalizer.normalize(observations)
    speed = policy.policy.velocity(noise.flatten(1), times, seen)
    torch.testing.assert_close(velocity(noise, times).flatten(1), speed)


def test_guidance_without_overlap_is_the_policys_own_sample(policy, inputs):
    observations, plans = inputs
    decode = guided_decoder(policy, rtc_sample, delay=0, execution_horizon=6)
    given = decode(observations, plans, torch.Generator().manual_seed(5))
    noise = torch.randn(4, 12, generator=torch.Generator().manual_seed(5))
    alone = policy.policy.denoise(noise, policy.normalize_observations(observations))
    torch.testing.assert_close(given, policy.denormalize_actions(alone.detach()))


def test_selection_gets_each_rows_candidates_and_what_is_left_of_its_plan(inputs, generator):
    observations, plans = inputs
    handed = []

    def spy(candidates, previous, strong, weak, decay):
        handed.append((candidates, previous, strong, weak, decay))
        return candidates[:, 0]

    class Echo:
        def __init__(self, sign):
            self.sign = sign

        def sample(self, rows, generator):
            return self.sign * rows[:, :2].unsqueeze(1).expand(-1, 6, 2)

    decode = selecting_decoder(Echo(1), Echo(-1), spy, 2, num_candidates=5, decay=0.3)
    decode(observations, plans, generator)
    [(candidates, previous, strong, weak, decay)] = handed
    assert candidates.shape == strong.shape == weak.shape == (4, 5, 6, 2)
    assert torch.equal(candidates[:, 3, 4], observations[:, :2])
    assert torch.equal(weak, -strong)
    assert torch.equal(previous, plans[:, :4])
    assert decay == 0.3


@pytest.mark.parametrize("kind", ["guided", "selecting"])
def test_decoders_work_for_a_stack_in_a_rollout(kind):
    stack, weak = PolicyStack([physical(1), physical(2)]), PolicyStack([physical(3), physical(4)])
    decode = {
        "guided": guided_decoder(stack, rtc_sample, 2, 3),
        "selecting": selecting_decoder(stack, weak, bidirectional_select, 3, num_candidates=4),
    }[kind]
    actor = RecedingHorizon(stack, 3, 2, decode)
    rollouts = rollout(Fork(max_steps=8), actor, 10, torch.Generator().manual_seed(0))
    assert rollouts.actions.isfinite().all()
