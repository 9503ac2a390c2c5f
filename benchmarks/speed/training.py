"""Training: gradient steps of the library beside those of peers, of homework code, and the limit.

Only steps are timed, not what comes before: data, networks, optimisers are ready.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from flow_matching.path import CondOTProbPath
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed import shapes
from benchmarks.speed.frame import Row, Settings, Timed, in_turns
from benchmarks.speed.peers import peer
from benchmarks.speed.work import BATCH, demonstrations, given_to_peers
from imitation_lab.data import Demonstrations
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, train
from imitation_lab.types import Policy, Trajectory

GROUP, UNIT = "training", "samples"
STEPS, PAIRS = 400, 9
SAMPLES = STEPS * BATCH


def measure(settings: Settings) -> Iterator[Row]:
    """Yield every row of the group."""
    pairs = settings.pairs(PAIRS)
    yield beside_imitation(pairs)
    yield beside_a_dataloader(pairs)
    yield beside_torchcfm(pairs)
    yield beside_flow_matching(pairs)
    for width, target in ((64, None), (128, 0.6), (256, None)):
        yield beside_the_limit(width, target, pairs)


def beside_imitation(pairs: int) -> Row:
    """Time cloning with a Gaussian, beside `imitation`."""
    with given_to_peers() as path, peer("peer_imitation", path) as imitation:
        ours, theirs = in_turns(
            training_of(lambda: GaussianPolicy(8, 2), demonstrations()),
            lambda: imitation.ask("clone", steps=STEPS, batch=BATCH)["seconds"],
            pairs,
        )
    return Row(GROUP, "cloning, a Gaussian", "imitation", ours, theirs, 6, SAMPLES, UNIT)


def beside_a_dataloader(pairs: int) -> Row:
    """Time cloning by regression, beside the loop that homework has."""
    ours, theirs = in_turns(
        training_of(lambda: RegressionPolicy(8, 2), demonstrations()), homework, pairs
    )
    peer_name = "the loop that homework has, with a DataLoader"
    return Row(GROUP, "cloning, regression", peer_name, ours, theirs, 2.5, SAMPLES, UNIT)


def beside_torchcfm(pairs: int) -> Row:
    """Time flow matching, beside torchcfm's loop on tensors."""
    with peer("peer_torchcfm") as torchcfm:
        ours, theirs = in_turns(
            flow_training(), lambda: torchcfm.ask("learn", steps=STEPS)["seconds"], pairs
        )
    return Row(GROUP, "flow matching", "torchcfm, on tensors", ours, theirs, 1.2, SAMPLES, UNIT)


def beside_flow_matching(pairs: int) -> Row:
    """Time flow matching, beside flow_matching's loop on tensors."""
    ours, theirs = in_turns(flow_training(), by_flow_matching, pairs)
    peer_name = "flow_matching, on tensors"
    return Row(GROUP, "flow matching", peer_name, ours, theirs, 1.2, SAMPLES, UNIT)


def beside_the_limit(width: int, target: float | None, pairs: int) -> Row:
    """Time cloning by regression, beside the matrix products of its steps and nothing else."""
    ours, theirs = in_turns(
        training_of(lambda: RegressionPolicy(8, 2, width=width), demonstrations()),
        lambda: products(width),
        pairs,
    )
    work = f"cloning, regression, width {width}"
    note = "the ratio is the share of the machine's own matrix-product rate that a step reaches"
    return Row(GROUP, work, "its matrix products alone", ours, theirs, target, SAMPLES, UNIT, note)


def training_of(
    make_policy: Callable[[], Policy], data: Demonstrations, device: str = "cpu"
) -> Timed:
    """Return the library's training of a fresh policy."""
    settings = TrainingSettings(steps=STEPS, batch_size=BATCH)
    return lambda: train(make_policy(), data, settings, device=device, progress=False).seconds


def flow_training(device: str = "cpu") -> Timed:
    """Return the library's flow matching, on as much data as its peers have."""
    observations = torch.randn(shapes.ROWS + 1, shapes.CONDITION)
    data = Demonstrations((Trajectory(observations, torch.randn(shapes.ROWS, 2)),), "noise")
    policy = partial(FlowPolicy, 8, 2, prediction_horizon=8, width=shapes.WIDTH)
    return training_of(policy, data, device)


def homework() -> float:
    """Return the seconds of a loop as homework has it: Adam, and a DataLoader that shuffles."""
    data = TensorDataset(demonstrations().observations, demonstrations().actions)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
    network = RegressionPolicy(8, 2).network
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    started, done = time.perf_counter(), 0
    while done < STEPS:
        for observations, actions in loader:
            loss = nn.functional.mse_loss(network(observations), actions)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
    # The last pass over the data may make more steps than were asked for.
    return (time.perf_counter() - started) * STEPS / done


def by_flow_matching() -> float:
    """Return the seconds of flow_matching's steps, as its examples have them, on tensors."""
    conditions = torch.randn(shapes.ROWS, shapes.CONDITION)
    chunks, velocity = torch.randn(shapes.ROWS, shapes.CHUNK), shapes.network()
    optimizer = torch.optim.AdamW(velocity.parameters())
    path = CondOTProbPath()
    started = time.perf_counter()
    for _ in range(STEPS):
        rows = torch.randint(shapes.ROWS, (BATCH,))
        chunk = chunks[rows]
        sample = path.sample(torch.randn_like(chunk), chunk, torch.rand(BATCH))
        inputs = torch.cat([sample.x_t, sample.t.unsqueeze(1), conditions[rows]], dim=1)
        loss = (velocity(inputs) - sample.dx_t).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def products(width: int, device: str = "cpu") -> float:
    """Return the seconds of all matrix products in the steps of a network 8–width–width–2.

    Forward one a layer; backward one for the weights and, but for the first layer, one for the inputs.
    """
    layers = [layer_of(*sizes, device) for sizes in ((8, width), (width, width), (width, 2))]
    started = time.perf_counter()
    for _ in range(STEPS):
        for index, (inputs, weights, gradients) in enumerate(layers):
            inputs @ weights.T
            last = gradients.T @ inputs
            if index:
                gradients @ weights
    last.cpu()  # a GPU has only been told what to do until somebody asks for the result
    return time.perf_counter() - started


def layer_of(fan_in: int, fan_out: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return a layer's inputs, its weights, and the gradients of its outputs."""
    sizes = (BATCH, fan_in), (fan_out, fan_in), (BATCH, fan_out)
    inputs, weights, gradients = (torch.randn(size, device=device) for size in sizes)
    return inputs, weights, gradients
