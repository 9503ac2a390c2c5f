"""Steps from a tape: the steps that Python would have made, to the bit, and no others."""

import ast
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imitation_lab.data import Demonstrations
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import CategoricalPolicy
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, minimize, train, train_ensemble
from imitation_lab.training.capture import Steps
from imitation_lab.training.optimizer import AdamW
from imitation_lab.training.tape import NO_CAPTURE, Program, Tape, TapeRecorder
from imitation_lab.types import Trajectory

STEPS = 40
SETTINGS = TrainingSettings(steps=STEPS, batch_size=16)
CPU = torch.device("cpu")
POLICIES = [
    RegressionPolicy,
    GaussianPolicy,
    CategoricalPolicy,
    MixturePolicy,
    AutoregressivePolicy,
    FlowPolicy,
    DiffusionPolicy,
]


@pytest.fixture(autouse=True)
def may_record(monkeypatch):
    monkeypatch.delenv(NO_CAPTURE, raising=False)
    monkeypatch.delenv("IMITATION_LAB_FAST", raising=False)


@pytest.fixture
def anew(monkeypatch):
    """Call a function where every step is computed anew."""

    def call(function):
        with monkeypatch.context() as here:
            here.setenv(NO_CAPTURE, "1")
            return function()

    return call


def demonstrations():
    generator = torch.Generator().manual_seed(0)
    sizes = [(201, 3), (200, 2)]
    return Demonstrations(
        (Trajectory(*(torch.randn(size, generator=generator) for size in sizes)),), "noise"
    )


def learnt(kind, *, together=False):
    """Return the losses and the parameters after a training."""
    policies = [
        kind(3, 2, generator=torch.Generator().manual_seed(seed)) for seed in range(1 + together)
    ]
    torch.manual_seed(0)
    if together:
        runs = train_ensemble(policies, demonstrations(), SETTINGS, device=CPU, progress=False)
    else:
        runs = [train(policies[0], demonstrations(), SETTINGS, device=CPU, progress=False)]
    losses = torch.stack([run.losses for run in runs])
    return [losses, *(tensor for policy in policies for tensor in policy.state_dict().values())]


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_learns_to_the_bit_what_it_learns_without_a_tape(kind, together, anew, capsys):
    def run():
        return learnt(kind, together=together)

    assert same(run(), anew(run))
    assert capsys.readouterr().out == ""


class Straight(torch.autograd.Function):
    """Rounds, and lets gradients pass."""

    @staticmethod
    def forward(context, values):
        return values.round()

    @staticmethod
    def backward(context, gradient):
        return gradient


class Net(nn.Module):
    """A network for a loss of three inputs and two outputs, with whatever layers between."""

    def __init__(self, *layers):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(*(layer() for layer in layers))
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, inputs):
        return self.last(self.layers(self.first(inputs)))


def penalised(net, inputs, targets):
    inputs = inputs.clone().requires_grad_()
    outputs = net(inputs)
    [slope] = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return (outputs - targets).square().mean() + slope.square().mean()


def in_places(net, inputs, targets):
    errors = net(inputs) - targets
    errors[:, 0].mul_(2.0)
    errors.clamp_(-3, 3)
    table = torch.zeros(4, 2)
    table.index_add_(0, torch.arange(len(errors)) % 4, errors)
    return table.square().mean()


def in_pieces(net, inputs, targets):
    left, right = net(inputs).split(1, dim=1)
    best, where = torch.stack([left, right]).max(dim=0)
    values, order = best.sort(dim=0)
    picked = targets.gather(1, where).index_select(0, order[:, 0])
    return torch.logsumexp(values - picked, 0).sum() + torch.einsum("bi,bi->", left, left)


def per_row(net, inputs, targets):
    def one(row, target):
        return (net(row[None])[0] - target).square().sum()

    return torch.func.vmap(one)(inputs, targets).mean()


def checkpointed(net, inputs, targets):
    outputs = torch.utils.checkpoint.checkpoint(net, inputs, use_reentrant=False)
    return F.smooth_l1_loss(outputs, targets)


def with_noise(net, inputs, targets):  # from the generator that nobody gave
    noisy = F.dropout(inputs + 0.1 * torch.randn_like(inputs), 0.3)
    return (net(noisy) - targets).abs().mean() * torch.tensor([1.0, 2.0]).sum()


def plain(net, inputs, targets):
    return F.mse_loss(net(inputs), targets)


LOSSES = {
    "plain": (plain,),
    "layer norm, GELU": (plain, lambda: nn.LayerNorm(8), nn.GELU),
    "a slope inside": (penalised, nn.Tanh),
    "in place": (in_places, nn.ReLU),
    "several results": (in_pieces, nn.SiLU),
    "a gradient of its own": (lambda n, i, t: (Straight.apply(n(i)) - t).square().mean(),),
    "row by row": (per_row, nn.ReLU),
    "computed twice": (checkpointed, nn.ReLU),
    "noise": (with_noise, nn.ReLU),
    "double precision": (lambda n, i, t: (n(i).double() - t).square().mean().float(),),
}


def curve(loss, recorder, steps=STEPS, layers=()):
    """Return the losses of some steps, and what the network holds after them."""
    net, generator = Net(*layers), torch.Generator().manual_seed(0)
    rows = torch.randn(50, 5, generator=generator)
    torch.manual_seed(2)

    def next_loss():
        chosen = rows[torch.randint(50, (16,), generator=generator)]
        return loss(net, chosen[:, :3], chosen[:, 3:])

    taken = Steps(next_loss, AdamW(list(net.parameters()), 0.01), [generator], CPU, recorder)
    losses = torch.stack([taken.take(0.01 / (step + 1)) for step in range(steps)])
    return [losses, *net.state_dict().values()]


@pytest.mark.parametrize("name", LOSSES)
def test_whatever_a_loss_computes_its_steps_are_the_same(name, capsys):
    loss, *layers = LOSSES[name]
    assert same(curve(loss, TapeRecorder(), layers=layers), curve(loss, None, layers=layers))
    assert capsys.readouterr().out == ""


def asking(net, inputs, targets):
    error = plain(net, inputs, targets)
    return error if error > 1 else 2 * error


def comparing(net, inputs, targets):
    return plain(net, inputs, targets) * (1 if torch.equal(inputs, inputs.sort(dim=0)[0]) else 2)


def masked(net, inputs, targets):
    chosen = inputs[:, 0] > 0
    return plain(net, inputs[chosen], targets[chosen])


@pytest.mark.parametrize(
    ("loss", "layers", "reason"),
    [
        (asking, (), "reads a number"),
        (comparing, (), "reads a number"),
        (masked, (), "aten.index"),
        (plain, (lambda: nn.BatchNorm1d(8),), "batch_norm"),
    ],
)
def test_what_may_go_another_way_is_computed_anew_and_one_line_says_why(
    loss, layers, reason, capsys
):
    assert same(curve(loss, TapeRecorder(), layers=layers), curve(loss, None, layers=layers))
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "cannot be captured" in said and reason in said


def from_numpy(net, inputs, targets):
    shift = torch.from_numpy(np.tanh(inputs.detach().numpy()))
    return plain(net, inputs + shift, targets)


def drawing_a_coin(net, inputs, targets):
    return plain(net, inputs, targets) * random.random()


@pytest.mark.parametrize("loss", [from_numpy, drawing_a_coin])
def test_what_python_computes_beside_is_noticed_before_a_step_is_lost(loss, capsys):
    def run(recorder):
        random.seed(0)
        return curve(loss, recorder)

    recorded, plainly = run(TapeRecorder()), run(None)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "more than compute with tensors" in said
    if loss is from_numpy:  # nothing gives a coin back that was thrown to compare
        assert same(recorded, plainly)


def test_what_python_does_otherwise_later_is_noticed_later_and_the_line_says_what_to_do(capsys):
    def run(recorder):
        weight, made = np.ones(1, np.float32), [0]

        def loss(net, inputs, targets):
            return plain(net, inputs, targets) * float(weight[0])

        net, rows = Net(), torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
        steps = Steps(
            lambda: loss(net, rows[:, :3], rows[:, 3:]),
            AdamW(list(net.parameters()), 0.01),
            [],
            CPU,
            recorder,
        )
        losses = []
        for made[0] in range(STEPS):
            weight[0] = 1 if made[0] < 15 else 3
            losses.append(steps.take(0.01))
        return torch.stack(losses)

    taped, plainly = run(TapeRecorder()), run(None)
    # Step 4 is recorded; steps 5, 11 and 35 are looked at.
    assert torch.equal(taped[:15], plainly[:15])
    assert (taped[15:34] < 0.5 * plainly[15:34]).all() and (taped[34:] > 2 * taped[33]).all()
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "may be wrong" in said and NO_CAPTURE in said


class Counting(RegressionPolicy):
    """Weighs its loss by how often it was asked."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asked, self.kept = 0, []

    def loss(self, observations, actions, generator=None):
        self.asked += 1
        return super().loss(observations, actions, generator) * (1 if self.asked < 20 else 3)


class Keeping(Counting):
    """Keeps its losses."""

    def loss(self, observations, actions, generator=None):
        loss = RegressionPolicy.loss(self, observations, actions, generator)
        self.kept.append(loss.detach())
        return loss


class CountingAll(Counting):
    """Counts in its class."""

    asked_of_all = 0

    def loss(self, observations, actions, generator=None):
        CountingAll.asked_of_all += 1
        return RegressionPolicy.loss(self, observations, actions, generator)


times = 0


class CountingOutside(Counting):
    """Counts in a name of this module."""

    def loss(self, observations, actions, generator=None):
        global times
        times += 1
        return RegressionPolicy.loss(self, observations, actions, generator) * (1 + times % 3)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Counting, "asked"),
        (Keeping, "kept"),
        (CountingAll, "asked_of_all"),
        (CountingOutside, "times"),
    ],
)
def test_what_a_policy_counts_or_keeps_it_counts_and_keeps_at_every_step(kind, name, anew, capsys):
    def run():
        global times
        times = CountingAll.asked_of_all = 0
        policy = kind(3, 2, generator=torch.Generator().manual_seed(0))
        run = train(policy, demonstrations(), SETTINGS, device=CPU, progress=False)
        return [
            run.losses,
            torch.tensor([policy.asked, len(policy.kept), CountingAll.asked_of_all, times]),
        ]

    assert same(run(), anew(run))
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"changes {name} beside the parameters" in said


def test_what_a_loss_writes_outside_is_written_once_a_step():
    def followed(recorder):
        follower = torch.zeros(2)

        def loss(net, inputs, targets):
            with torch.no_grad():
                follower.lerp_(targets.mean(dim=0), 0.1)
            return plain(net, inputs, targets - follower)

        return [*curve(loss, recorder), follower]

    assert same(followed(TapeRecorder()), followed(None))


def test_nothing_is_kept_longer_than_it_is_needed():
    net = Net(nn.ReLU)
    with Tape() as tape:
        loss = net(torch.randn(4, 3)).square().mean()
        loss.backward()
        result = loss.detach()
    program = Program(tape.calls, result)
    [make] = ast.parse(program.source).body
    step = make.body[0].body
    made = {
        name.id
        for line in step
        for name in ast.walk(line)
        if isinstance(name, ast.Name) and name.id.startswith("made")
    }
    deleted = [name.id for line in step if isinstance(line, ast.Delete) for name in line.targets]
    assert sorted([*deleted, step[-1].value.id]) == sorted(made)


def test_a_smaller_loss_by_hand_is_asked_at_every_step():
    asked = []
    weight = torch.ones((), requires_grad=True)

    def loss():
        asked.append(weight.item())
        return weight.square()

    assert len(minimize(loss, [weight], steps=30)) == len(asked) == 30


def test_recording_does_not_load_the_compiler():
    code = (
        "import sys, torch\n"
        "from torch import nn\n"
        "from imitation_lab.training.tape import Tape\n"
        "with Tape():\n"
        "    nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()\n"
        "print('torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]
