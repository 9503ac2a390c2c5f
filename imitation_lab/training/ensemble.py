"""Train several policies of one class at once: the seeds of an experiment."""

import time
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from imitation_lab.data import Demonstrations
from imitation_lab.training.cloning import fit_normalizers, training_data
from imitation_lab.training.descent import checked_loss, descend
from imitation_lab.training.settings import TrainingRun, TrainingSettings, best_device
from imitation_lab.types import Generator, Policy

Batch = tuple[Tensor, Tensor]
Losses = Callable[[Batch, Generator], Float[Tensor, "policies"]]


def train_ensemble(
    policies: Sequence[Policy],
    demonstrations: Demonstrations | Sequence[Demonstrations],
    settings: TrainingSettings | None = None,
    seeds: Sequence[int] | None = None,
    device: torch.device | str | None = None,
    description: str = "training",
    progress: bool = True,
) -> list[TrainingRun]:
    """Train policies of one class and shape at once, each as ``train`` would.

    A small network leaves a machine idle between its operations. Here every operation runs for all
    policies together (``torch.func.vmap``), several times faster than one policy after the other.
    Batches are those that ``train`` draws for the same seed. Noise inside a loss is not: one
    generator draws it for all. A loss that cannot be vectorised is computed for one policy after
    the other, and a line says so.

    Args:
        policies: Are moved to the device and changed in place.
        demonstrations: In physical units: one set for all, or one for each.
        settings: How long and how fast.
        seeds: Fix the batches of each; by default 0, 1, 2, …
        device: Where to train; by default the fastest.
        description: Stands before the progress bar.
        progress: Whether to show the bar.

    Returns:
        One training run for each policy.

    Raises:
        ValueError: If there is no policy, if the numbers of policies, seeds and demonstrations
            differ, or if a policy and its demonstrations differ in dimensions.
        FloatingPointError: If a loss is no longer finite.
    """
    settings = settings or TrainingSettings()
    device = torch.device(device or best_device())
    seeds = range(len(policies)) if seeds is None else seeds
    if isinstance(demonstrations, Demonstrations):
        demonstrations = [demonstrations] * len(policies)
    _check_counts(policies, seeds, demonstrations)
    normalizers = [fit_normalizers(own, device) for own in demonstrations]
    tables = [
        training_data(policy, own, normalizer)
        for policy, own, normalizer in zip(policies, demonstrations, normalizers, strict=True)
    ]
    for policy in policies:
        policy.to(device).train()
    batches = _Batches(tables, settings.batch_size, seeds)
    started = time.perf_counter()
    parameters, losses = _vectorised(policies, batches.first(), description)
    noise = torch.Generator(device).manual_seed(seeds[0])
    descent = descend(
        parameters, lambda: losses(batches.draw(), noise), settings, description, progress
    )
    _hand_back(policies, parameters)
    seconds = time.perf_counter() - started
    curves = descent.losses.reshape(-1, len(policies)).T.contiguous()
    return [
        TrainingRun(policy.eval(), own, curve, seconds, descent.interrupted)
        for policy, own, curve in zip(policies, normalizers, curves, strict=True)
    ]


class _Batches:
    """Batches for all policies, (policies, batch_size, ...), each from its own rows and seed."""

    def __init__(self, tables: list[Batch], batch_size: int, seeds: Sequence[int]) -> None:
        observations, chunks = zip(*tables, strict=True)
        device = observations[0].device
        self._rows = (torch.cat(observations), torch.cat(chunks))
        self._lengths = [len(own) for own in chunks]
        self._starts = torch.tensor([0, *self._lengths[:-1]], device=device).cumsum(0)[:, None]
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self._shape = (batch_size,)

    def draw(self) -> Batch:
        """Draw the next batches."""
        chosen = [
            torch.randint(length, self._shape, generator=generator, device=generator.device)
            for length, generator in zip(self._lengths, self._generators, strict=True)
        ]
        return self._at(torch.stack(chosen))

    def first(self) -> Batch:
        """Return batches of each policy's first row alone, without drawing."""
        return self._at(self._starts.new_zeros(len(self._lengths), *self._shape))

    def _at(self, chosen: Tensor) -> Batch:
        observations, chunks = self._rows
        return observations[self._starts + chosen], chunks[self._starts + chosen]


class _Loss(nn.Module):
    """A policy's loss as a module's forward, which is what ``functional_call`` calls."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(
        self, observations: Tensor, chunks: Tensor, generator: Generator
    ) -> Float[Tensor, ""]:
        return self.policy.loss(observations, chunks, generator)


def _vectorised(
    policies: Sequence[Policy], batch: Batch, description: str
) -> tuple[list[Tensor], Losses]:
    """Return the parameters to train and the losses of all policies, at once if possible."""
    device = batch[0].device
    # In plain sight first: what is wrong with the loss itself should not look like vmap's fault.
    checked_loss(policies[0].loss(batch[0][0], batch[1][0], torch.Generator(device)))
    try:
        parameters, losses = _all_at_once(policies)
        torch.autograd.grad(losses(batch, torch.Generator(device)).sum(), parameters)
        return parameters, losses
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:100]
        print(
            f"{description}: this loss cannot be computed for all {len(policies)} policies at once, "
            f"so they take turns ({reason})"
        )
    own: list[Tensor] = [parameter for policy in policies for parameter in policy.parameters()]
    return own, lambda batch, generator: torch.stack(
        [
            checked_loss(policy.loss(observations, chunks, generator))
            for policy, observations, chunks in zip(policies, *batch, strict=True)
        ]
    )


def _all_at_once(policies: Sequence[Policy]) -> tuple[list[Tensor], Losses]:
    modules = [_Loss(policy) for policy in policies]
    parameters, buffers = stack_module_state(modules)

    def losses(batch: Batch, generator: Generator) -> Tensor:
        def loss(parameters: dict, buffers: dict, observations: Tensor, chunks: Tensor) -> Tensor:
            inputs = (observations, chunks, generator)
            return functional_call(modules[0], (parameters, buffers), inputs)

        return vmap(loss, randomness="different")(parameters, buffers, *batch)

    return list(parameters.values()), losses


def _hand_back(policies: Sequence[Policy], parameters: list[Tensor]) -> None:
    """Copy stacked parameters into their policies, unless they are the policies' own."""
    trained = list(policies[0].parameters())
    if parameters[0] is trained[0]:
        return
    with torch.no_grad():
        for index, policy in enumerate(policies):
            for own, stacked in zip(policy.parameters(), parameters, strict=True):
                own.copy_(stacked[index])


def _check_counts(
    policies: Sequence[Policy], seeds: Sequence[int], sets: Sequence[Demonstrations]
) -> None:
    if not policies or not len(policies) == len(seeds) == len(sets):
        raise ValueError(
            f"got {len(policies)} policies, {len(seeds)} seeds and {len(sets)} sets of "
            "demonstrations: expected at least one policy, and as many of each."
        )
