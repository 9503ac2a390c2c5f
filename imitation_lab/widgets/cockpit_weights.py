"""Trained policies as the browser takes them: their shape, and all their numbers in one row."""

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.training import TrainingRun
from imitation_lab.widgets.base import as_bytes


def as_physical(policies: Sequence[PhysicalPolicy | TrainingRun]) -> tuple[PhysicalPolicy, ...]:
    """Return trained runs, or policies that already speak physical units, as the latter.

    Raises:
        ValueError: If there is none, or if one is no regression, or of another shape than the first.
    """
    physical = tuple(
        one if isinstance(one, PhysicalPolicy) else PhysicalPolicy(one.policy, *one.normalizers)
        for one in policies
    )
    if not physical:
        raise ValueError("the cockpit needs at least one trained policy, got none.")
    strangers = {type(one.policy).__name__ for one in physical if not _is_regression(one)}
    if strangers:
        raise ValueError(
            "the cockpit runs its policies in the browser, and knows the RegressionPolicy only, got "
            f"{', '.join(sorted(strangers))}."
        )
    shapes = [layer_sizes(one) for one in physical]
    if len(set(map(tuple, shapes))) > 1:
        raise ValueError(f"the cockpit's policies must be of one shape, got layers of {shapes}.")
    return physical


def _is_regression(physical: PhysicalPolicy) -> bool:
    # Here, not above: a release of the course leaves this module out while it is an answer due.
    from imitation_lab.policies.regression import RegressionPolicy

    return isinstance(physical.policy, RegressionPolicy)


def layer_sizes(physical: PhysicalPolicy) -> list[int]:
    """Return the numbers that go in, those of each hidden layer, and those that come out."""
    layers = _layers(physical)
    return [layers[0].in_features, *[layer.out_features for layer in layers]]


def pack_weights(policies: Sequence[PhysicalPolicy]) -> bytes:
    """Return every number of every policy, one policy after the other, as float32.

    A policy's numbers come in the order in which acting needs them: mean and scale of the
    observations, every layer's weights (output by output) and biases, mean and scale of the actions.
    """
    parts = [part.flatten() for policy in policies for part in _parts(policy)]
    return as_bytes(torch.cat(parts).detach().cpu().float())


def name_weights(weights: bytes) -> str:
    """Return a short name for weights: the same for the same numbers."""
    return hashlib.sha256(weights).hexdigest()[:12]


def _parts(physical: PhysicalPolicy) -> Iterator[Tensor]:
    before, after = physical.observation_normalizer, physical.action_normalizer
    yield from (before.mean, before.scale)
    for layer in _layers(physical):
        yield from (layer.weight, layer.bias)
    yield from (after.mean, after.scale)


def _layers(physical: PhysicalPolicy) -> list[nn.Linear]:
    return [layer for layer in physical.policy.modules() if isinstance(layer, nn.Linear)]
