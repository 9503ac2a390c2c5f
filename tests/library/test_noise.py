"""Noise in the environments: one strength for all episodes, or one for each."""

import pytest
import torch

from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.envs.noise import disturbance

TASKS = [Fork, Racetrack, Pendulum]


def test_no_noise_draws_nothing(generator):
    before = generator.get_state()
    assert torch.equal(disturbance(0.0, torch.ones(3, 2), generator), torch.zeros(3, 2))
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 5)])
def test_every_episodes_noise_is_the_same_draw_at_its_own_strength(shape):
    like, scales = torch.zeros(shape), torch.tensor([0.0, 1.0, 2.5, 0.1])
    own = disturbance(scales, like, torch.Generator().manual_seed(1))
    for row, scale in enumerate(scales.tolist()):
        one = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        assert torch.equal(own[row], scale * one[row])


@pytest.mark.parametrize("task_class", TASKS)
@pytest.mark.parametrize("kind", ["process_noise", "observation_noise"])
def test_an_environments_noise_may_differ_between_episodes(task_class, kind):
    scales = torch.tensor([0.0, 0.3, 0.1])
    states = task_class().initial_states(3, torch.Generator().manual_seed(0))
    actions = torch.zeros(3, task_class.action_dim)

    def outcome(noise):
        task = task_class(**{"process_noise": 0.0} | {kind: noise})
        source = torch.Generator().manual_seed(2)
        if kind == "observation_noise":
            return task.observe(states, source)
        return task.advance(states, actions, source)

    together = outcome(scales)
    for row, scale in enumerate(scales.tolist()):
        assert torch.equal(together[row], outcome(scale)[row])
    assert not torch.equal(together[1], outcome(0.0)[1])
