"""Networks that are computed together give what each gives alone."""

import copy
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn
from torch.func import jacrev, vmap
from torch.nn import functional as F

from imitation_lab.training.stacked import Stack, linear

MODULES = 3


def draw(*shape):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64
    )


@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 6, 4), (2, 1, 6, 4), (0, 4)])
@pytest.mark.parametrize("hidden", [0, -1])
def test_a_layer_of_all_is_the_layer_of_each(shape, hidden):
    inputs = draw(MODULES, *shape)
    weights, biases = draw(MODULES, 5, 4), draw(MODULES, 5)
    expected = torch.stack([F.linear(*own) for own in zip(inputs, weights, biases, strict=True)])
    moved = inputs.movedim(0, hidden)
    found = vmap(linear, in_dims=(hidden, 0, 0))(moved, weights, biases)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("in_dims", [(None, 0, 0), (0, None, 0), (0, 0, None), (None, None, None)])
def test_what_all_share_is_no_obstacle(in_dims):
    full = [draw(MODULES, 6, 4), draw(MODULES, 5, 4), draw(MODULES, 5)]
    given = [one if place == 0 else one[0] for one, place in zip(full, in_dims, strict=True)]
    each = [
        [one[index] if place == 0 else one for one, place in zip(given, in_dims, strict=True)]
        for index in range(MODULES)
    ]
    expected = torch.stack([F.linear(*own) for own in each])
    found = vmap(lambda _, *own: linear(*own), in_dims=(0, *in_dims))(torch.zeros(MODULES), *given)
    torch.testing.assert_close(found, expected)


def test_a_layer_without_a_bias_and_one_outside_of_vmap():
    inputs, weights = draw(MODULES, 6, 4), draw(MODULES, 5, 4)
    expected = torch.stack([F.linear(*own) for own in zip(inputs, weights, strict=True)])
    torch.testing.assert_close(vmap(lambda x, w: linear(x, w, None))(inputs, weights), expected)
    torch.testing.assert_close(linear(inputs[0], weights[0], None), expected[0])


class Twice(nn.Module):
    """A network that uses one layer twice and counts its inputs."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.free = nn.Linear(4, 4, bias=False)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs):
        self.seen.add_(len(inputs))
        return self.free(self.again(self.first(inputs).relu()))


def test_modules_together_are_modules_alone_with_gradients_and_buffers():
    modules = [Twice(seed) for seed in range(MODULES)]
    alone = copy.deepcopy(modules)
    inputs = draw(MODULES, 6, 4).float()
    stack = Stack(modules)
    outputs = stack.map(modules[0], inputs)
    expected = torch.stack([own(rows) for own, rows in zip(alone, inputs, strict=True)])
    torch.testing.assert_close(outputs, expected)
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for name, stacked in stack.parameters.items():
        each = torch.stack([dict(own.named_parameters())[name].grad for own in alone])
        torch.testing.assert_close(stacked.grad, each)
    assert [float(own.seen) for own in modules] == [0, 0, 0]  # theirs again when it is handed back
    stack.hand_back()
    assert [float(own.seen) for own in modules] == [6, 6, 6]


def test_a_derivative_inside_is_each_ones_own():
    modules = [nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) for _ in range(MODULES)]
    inputs = draw(MODULES, 4).float()
    expected = torch.stack([jacrev(own)(row) for own, row in zip(modules, inputs, strict=True)])
    found = Stack(modules).map(jacrev(modules[0]), inputs)
    torch.testing.assert_close(found, expected)


def test_the_first_module_is_itself_again_whatever_happens():
    modules = [Twice(seed) for seed in range(MODULES)]
    before = {name: id(own) for name, own in modules[0].named_parameters()}

    def fail(inputs):
        modules[0](inputs)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        Stack(modules).map(fail, draw(MODULES, 6, 4).float())
    assert {name: id(own) for name, own in modules[0].named_parameters()} == before
    assert "forward" not in vars(modules[0].first)


def test_a_layer_that_someone_changed_computes_as_it_was_told():
    modules = [nn.Sequential(nn.Linear(4, 2)) for _ in range(MODULES)]
    modules[0][0].forward = lambda inputs: inputs + 1
    inputs = draw(MODULES, 6, 4)
    torch.testing.assert_close(Stack(modules).map(modules[0], inputs), inputs + 1)
    assert "forward" in vars(modules[0][0])


def test_a_loss_for_which_vmap_has_rules_needs_no_other_use_of_vmap_before():
    program = """
        import torch
        from imitation_lab.training.stacked import Stack

        layers = [torch.nn.Linear(4, 3) for _ in range(2)]
        stack = Stack(layers)
        loss = lambda rows, sides: torch.nn.functional.cross_entropy(layers[0](rows), sides)
        losses = stack.map(loss, torch.randn(2, 6, 4), torch.zeros(2, 6, dtype=torch.long))
        torch.autograd.grad(losses.sum(), stack.parameters.values())
    """
    # Without its rule, cross entropy works too, with a warning, and slowly.
    run = [sys.executable, "-W", "error:There is a performance drop", "-c"]
    subprocess.run([*run, textwrap.dedent(program)], check=True)
