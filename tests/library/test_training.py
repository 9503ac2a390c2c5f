"""Training, up to a policy that drives."""

import itertools
import math
import re

import pytest
import torch
from torch import nn

from imitation_lab.collection import demonstrate
from imitation_lab.controller import ChunkPlayer
from imitation_lab.data import Demonstrations
from imitation_lab.envs.fork import Fork
from imitation_lab.evaluation import evaluate
from imitation_lab.experts import ForkDriver
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import FAST, TrainingSettings, best_device, train
from imitation_lab.training.optimizer import AdamW
from imitation_lab.types import Policy, Trajectory

SHORT = TrainingSettings(steps=40, batch_size=16)


class LinearPolicy(Policy):
    """A least-squares line: its optimum is known in closed form."""

    def __init__(self, observation_dim=3, action_dim=2):
        super().__init__(observation_dim, action_dim)
        self.line = nn.Linear(observation_dim, action_dim)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.calls = 0

    def loss(self, observations, actions, generator=None):
        self.calls += 1
        return (self.line(observations) - actions[:, 0]).square().sum(dim=1).mean()

    def sample(self, observations, generator=None):
        return self.line(observations).unsqueeze(1)


def draw_demonstrations(noise=0.0, seed=0, number=20, length=25):
    """Draw actions that are linear in the observations, with an offset and noise."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.tensor([[1.0, -2, 0.5], [0, 3, 1]])
    trajectories = []
    for _ in range(number):
        observations = 5 + 2 * torch.randn(length + 1, 3, generator=generator)
        actions = observations[:-1] @ weight.T - 4
        actions = actions + noise * torch.randn(length, 2, generator=generator)
        trajectories.append(Trajectory(observations, actions))
    return Demonstrations(tuple(trajectories), "line")


def quiet_train(policy, demonstrations=None, settings=SHORT, **keywords):
    demonstrations = demonstrations or draw_demonstrations()
    return train(policy, demonstrations, settings, device="cpu", progress=False, **keywords)


def test_training_reaches_the_least_squares_optimum():
    demonstrations = draw_demonstrations(noise=0.5)
    # A full batch in expectation, 600 steps with a cosine to a fiftieth: the weights settle.
    settings = TrainingSettings(600, 256, 3e-2, weight_decay=0.0)
    run = quiet_train(LinearPolicy(), demonstrations, settings)
    inputs, targets = demonstrations.observations, demonstrations.actions
    ones = torch.ones(len(inputs), 1)
    design = torch.cat([inputs, ones], dim=1)
    best = design @ torch.linalg.lstsq(design, targets).solution
    normalised = run.normalizers.observations.normalize(inputs)
    learnt = run.normalizers.actions.denormalize(run.policy.sample(normalised)[:, 0].detach())
    # The noise is 0.5; the optimum is met to a small part of it.
    assert (learnt - best).abs().max() < 0.05
    assert run.losses[-50:].mean() < 0.2 * run.losses[0]


def test_equal_seeds_give_equal_curves_to_the_bit_and_others_do_not():
    def curve(seed, policy_class=GaussianPolicy):
        policy = policy_class(3, 2, 2, width=8, generator=torch.Generator().manual_seed(0))
        return quiet_train(policy, seed=seed).losses

    assert torch.equal(curve(1), curve(1))
    assert not torch.equal(curve(1), curve(2))


def test_the_gaussians_loss_is_its_mean_negative_log_density():
    generator = torch.Generator().manual_seed(0)
    policy = GaussianPolicy(3, 2, 4, width=8, generator=generator)
    rows = torch.randn(7, 3, generator=generator), torch.randn(7, 4, 2, generator=generator)
    assert torch.allclose(policy.loss(*rows), -policy.log_prob(*rows).mean(), rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_optimizer_is_torchs_adamw_to_the_bit(transposed, fused):
    own, theirs = ([torch.ones(4, 3), torch.ones(3, 1), torch.ones(2)] for _ in range(2))
    for parameter in (*own, *theirs):
        parameter.requires_grad_()
    optimizer = AdamW(own, 0.1, fused)  # some devices have no fused kernel
    reference = torch.optim.AdamW(theirs, weight_decay=0.1, fused=fused)
    for step in range(1, 5):
        rate = reference.param_groups[0]["lr"] = 0.1 / step
        inputs = torch.randn(3, 4, generator=torch.Generator().manual_seed(step))

        def loss(matrix, offset, idle, inputs=inputs):
            # The transposed matrix's gradient lies in memory otherwise than the matrix.
            outputs = matrix.T * inputs if transposed else (matrix * inputs.T).T
            return (outputs + offset).square().mean()

        optimizer.step(loss(*own), rate)
        reference.zero_grad()
        loss(*theirs).backward()
        reference.step()
    for mine, other in zip(own, theirs, strict=True):
        assert torch.equal(mine, other)
    assert torch.equal(own[2], torch.ones(2))  # what no loss uses does not even decay


@pytest.mark.parametrize("fused", [True, False])
def test_what_a_loss_leaves_out_for_a_while_counts_its_own_steps(fused):
    own, theirs = ([torch.ones(3, requires_grad=True) for _ in range(2)] for _ in range(2))
    optimizer = AdamW(own, 0.1, fused)
    reference = torch.optim.AdamW(theirs, lr=0.1, weight_decay=0.1, fused=fused)
    for used in (2, 2, 1, 2, 1, 2):
        optimizer.step(torch.stack(own[:used]).square().sum(), 0.1)
        reference.zero_grad()
        torch.stack(theirs[:used]).square().sum().backward()
        reference.step()
    for mine, other in zip(own, theirs, strict=True):
        assert torch.equal(mine, other)


def test_training_leaves_the_global_random_state_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    policy = RegressionPolicy(3, 2, generator=torch.Generator())
    torch.manual_seed(0)
    quiet_train(policy)
    assert torch.equal(torch.rand(1), expected)


def test_every_step_has_a_finite_loss_and_the_policy_is_left_in_evaluation_mode():
    run = quiet_train(LinearPolicy())
    assert run.losses.shape == (40,)
    assert run.losses.isfinite().all()
    assert not run.policy.training and not run.interrupted
    assert run.seconds > 0


def test_an_interrupt_keeps_what_was_learnt_and_says_so(capsys):
    class Interrupted(LinearPolicy):
        def loss(self, observations, actions, generator=None):
            if self.calls == 7:
                raise KeyboardInterrupt
            return super().loss(observations, actions, generator)

    policy = Interrupted()
    run = quiet_train(policy)
    assert run.interrupted
    assert "steps; what was learnt is kept" in capsys.readouterr().out
    assert run.losses.shape == (7,) and run.losses.isfinite().all()
    assert run.policy is policy and policy.line.weight.abs().max() > 0
    full = quiet_train(LinearPolicy())
    assert torch.equal(run.losses, full.losses[:7])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_and_names_its_first_step(value):
    class Diverging(LinearPolicy):
        def loss(self, observations, actions, generator=None):
            loss = super().loss(observations, actions, generator)
            return loss * value if self.calls > 24 else loss  # the step before had number 23

    with pytest.raises(FloatingPointError, match=f"became {value} at step 24: lower the learning"):
        quiet_train(Diverging(), settings=TrainingSettings(steps=200, batch_size=16))


@pytest.mark.parametrize("answer", [None, torch.zeros(3), torch.tensor(1.0)])
def test_a_loss_that_is_no_loss_is_refused(answer):
    class Unanswered(LinearPolicy):
        def loss(self, observations, actions, generator=None):
            return answer

    with pytest.raises(ValueError, match=r"expected a tensor of shape \(\) that gradients flow"):
        quiet_train(Unanswered())


def test_the_fast_mode_takes_a_twentieth_of_the_steps(monkeypatch):
    monkeypatch.setenv(FAST, "1")
    assert len(quiet_train(LinearPolicy()).losses) == 2
    few = TrainingSettings(steps=3, batch_size=4)
    assert len(quiet_train(LinearPolicy(), settings=few).losses) == 1


def test_the_learning_rate_warms_up_and_ends_at_a_fiftieth():
    settings = TrainingSettings(warmup_steps=100)
    factors = [settings.learning_rate_factor(step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[49] == pytest.approx(0.5, abs=0.01)
    assert max(factors) <= 1
    assert factors[-1] == pytest.approx(0.02, abs=1e-4)
    assert all(a > b for a, b in itertools.pairwise(factors[100:]))


@pytest.mark.parametrize(
    "settings",
    [{"steps": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"learning_rate": math.nan}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        TrainingSettings(**settings)


def test_demonstrations_of_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"are \(3, 2\), the policy's \(5, 2\)"):
        quiet_train(LinearPolicy(observation_dim=5))


def test_training_shows_its_progress_with_loss_and_speed(capsys):
    train(LinearPolicy(), draw_demonstrations(), SHORT, device="cpu", description="a line")
    shown = capsys.readouterr().out
    assert "a line" in shown and "40/40" in shown
    assert re.search(r"steps/s.*loss \d", shown)


def test_the_device_is_the_best_of_those_present(monkeypatch):
    present = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: present["mps"])
    chosen = [best_device().type]
    present["cuda"] = False
    chosen.append(best_device().type)
    present["mps"] = False
    chosen.append(best_device().type)
    assert chosen == ["cuda", "mps", "cpu"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_on_a_gpu_learns_the_same():
    cpu = quiet_train(LinearPolicy())
    gpu = train(LinearPolicy(), draw_demonstrations(), SHORT, device="cuda", progress=False)
    assert gpu.policy.line.weight.is_cuda and not gpu.losses.is_cuda
    assert gpu.losses[-1] < gpu.losses[0]
    assert cpu.losses[-1] < cpu.losses[0]


def test_one_drivers_data_teach_regression_to_drive():
    task, generator = Fork(), torch.Generator().manual_seed(0)
    demonstrations = demonstrate(task, {"left": ForkDriver(task, ("left",))}, 100, generator)
    policy = RegressionPolicy(8, 2, width=64, generator=generator)
    run = quiet_train(policy, demonstrations, TrainingSettings(steps=500, batch_size=128))
    player = ChunkPlayer(run.policy, *run.normalizers)
    assert evaluate(task, player, generator, 200).success.rate > 0.9
