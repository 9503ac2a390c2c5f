"""What several groups work on: demonstrations of the fork, and a policy that was cloned from them."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imitation_lab.collection import demonstrate
from imitation_lab.controller import ChunkPlayer
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork
from imitation_lab.experiment import players
from imitation_lab.experts import ForkDriver
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, train

WIDTH, BATCH = 128, 256


def seeded(seed: int) -> torch.Generator:
    """Return a source of random numbers."""
    return torch.Generator().manual_seed(seed)


@cache
def demonstrations() -> Demonstrations:
    """Return 200 drives past the obstacle on the left: about 5,000 actions."""
    task = Fork()
    return demonstrate(task, {"left": ForkDriver(task, sides=("left",))}, 200, seeded(0))


@cache
def player() -> ChunkPlayer:
    """Return a policy that was cloned from the demonstrations, ready to drive."""
    policy = RegressionPolicy(8, 2, width=WIDTH, generator=seeded(0))
    settings = TrainingSettings(steps=800, batch_size=BATCH)
    return players([train(policy, demonstrations(), settings, progress=False, device="cpu")])[0]


def plain_network() -> nn.Sequential:
    """Return the player's network with its normalizers folded in: physical units in and out."""
    actor = player()
    seen, done = actor.observation_normalizer, actor.action_normalizer
    network: Any = copy.deepcopy(actor.policy.network)
    first, last = network[0], network[-1]
    with torch.no_grad():
        first.bias -= first.weight @ (seen.mean / seen.scale)
        first.weight /= seen.scale
        last.weight *= done.scale.unsqueeze(1)
        last.bias.copy_(last.bias * done.scale + done.mean)
    return network


def plain_policy() -> Callable[[Tensor], Tensor]:
    """Return the player as homework has it: plain torch that normalises, predicts, denormalises."""
    actor = player()
    network: Any = actor.policy.network
    seen, done = actor.observation_normalizer, actor.action_normalizer
    mean, scale, centre, spread = seen.mean, seen.scale, done.mean, done.scale
    return lambda observations: network((observations - mean) / scale) * spread + centre


@contextmanager
def given_to_peers() -> Iterator[str]:
    """Write demonstrations and weights into a file for the peers, and return its path."""
    arrays = {"observations": demonstrations().observations, "actions": demonstrations().actions}
    layers: Any = list(plain_network())[::2]
    for index, layer in enumerate(layers):
        arrays |= {f"weight{index}": layer.weight.detach(), f"bias{index}": layer.bias.detach()}
    named: Any = {name: array.numpy() for name, array in arrays.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "given.npz"
        np.savez(path, **named)
        yield str(path)
