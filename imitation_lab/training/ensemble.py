"""Train several policies of one class at once: the seeds of an experiment."""

import textwrap
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, zip_longest
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imitation_lab.data import Demonstrations
from imitation_lab.training.capture import recorder_for
from imitation_lab.training.cloning import check_dimensions, fit_normalizers, training_data
from imitation_lab.training.descent import checked_loss, descend
from imitation_lab.training.settings import (
    Normalizers,
    TrainingRun,
    TrainingSettings,
    best_device,
)
from imitation_lab.training.stacked import Stack
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
    generator draws it for all. A loss that cannot be vectorised, or policies that differ in more
    than their tensors, are computed one after the other, and a line says so.

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
        ValueError: If there is no policy or one is given twice, if the numbers of policies, seeds
            and demonstrations differ, if policies differ in their horizons, or if a policy and its
            demonstrations differ in dimensions.
        FloatingPointError: If a loss is no longer finite.
    """
    settings = settings or TrainingSettings()
    device = torch.device(device or best_device())
    seeds = range(len(policies)) if seeds is None else seeds
    if isinstance(demonstrations, Demonstrations):
        demonstrations = [demonstrations] * len(policies)
    _check_fit(policies, seeds, demonstrations)
    distinct = {id(own): own for own in demonstrations}
    fitted = {key: fit_normalizers(own, device) for key, own in distinct.items()}
    normalizers = [fitted[id(own)] for own in demonstrations]
    for policy in policies:
        policy.to(device).train()
    batches = _Batches(policies[0], demonstrations, normalizers, settings.batch_size, seeds)
    started = time.perf_counter()
    together = _vectorised(policies, batches.first(), description)
    noise = torch.Generator(device).manual_seed(seeds[0])
    descent = descend(
        together.parameters,
        lambda: together.losses(batches.draw(), noise),
        settings,
        description,
        progress,
        [*batches.generators, noise],
        recorder_for(device, policies),
    )
    together.hand_back()
    seconds = time.perf_counter() - started
    curves = descent.losses.reshape(-1, len(policies)).T.contiguous()
    return [
        TrainingRun(policy.eval(), own, curve, seconds, descent.interrupted)
        for policy, own, curve in zip(policies, normalizers, curves, strict=True)
    ]


class _Batches:
    """Batches for all policies, (policies, batch_size, ...), each from its own rows and seed.

    Attributes:
        generators: Draw each policy's rows.
    """

    def __init__(
        self,
        policy: Policy,
        sets: Sequence[Demonstrations],
        normalizers: Sequence[Normalizers],
        batch_size: int,
        seeds: Sequence[int],
    ) -> None:
        # A set that serves several policies is stored once.
        own = [id(demonstrations) for demonstrations in sets]
        distinct = {key: at for at, key in enumerate(own)}
        tables = [training_data(policy, sets[at], normalizers[at]) for at in distinct.values()]
        self._rows = tuple(torch.cat(parts) for parts in zip(*tables, strict=True))
        device = self._rows[0].device
        lengths = [len(chunks) for _, chunks in tables]
        starts = dict(zip(distinct, accumulate(lengths, initial=0), strict=False))
        self._lengths = [demonstrations.num_actions for demonstrations in sets]
        self._starts = torch.tensor([starts[key] for key in own], device=device).unsqueeze(1)
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self._shape = (batch_size,)

    def draw(self) -> Batch:
        """Draw the next batches."""
        chosen = [
            torch.randint(length, self._shape, generator=generator, device=generator.device)
            for length, generator in zip(self._lengths, self.generators, strict=True)
        ]
        return self._at(torch.stack(chosen))

    def first(self) -> Batch:
        """Return batches of each policy's first row alone, without drawing."""
        return self._at(self._starts.new_zeros(len(self._lengths), *self._shape))

    def _at(self, chosen: Tensor) -> Batch:
        observations, chunks = self._rows
        rows = (self._starts + chosen).flatten()
        shape = chosen.shape
        return (
            observations.index_select(0, rows).unflatten(0, shape),
            chunks.index_select(0, rows).unflatten(0, shape),
        )


class _Together(NamedTuple):
    """Policies that are trained together.

    Attributes:
        parameters: What the optimizer changes.
        losses: Computes every policy's loss from a batch for each.
        hand_back: Has the policies hold what was learnt.
    """

    parameters: list[Tensor]
    losses: Losses
    hand_back: Callable[[], None]


def _vectorised(policies: Sequence[Policy], batch: Batch, description: str) -> _Together:
    """Return how to train all policies at once if possible, and in turns if not."""
    device = batch[0].device
    difference = next(filter(None, (_difference(policies[0], other) for other in policies[1:])), "")
    # In plain sight first: what is wrong with the loss itself should not look like vmap's fault.
    checked_loss(policies[0].loss(batch[0][0], batch[1][0], torch.Generator(device)))
    try:
        if difference:
            raise ValueError(difference)
        together = _all_at_once(policies)
        trained = [parameter for parameter in together.parameters if parameter.requires_grad]
        total = together.losses(batch, torch.Generator(device)).sum()
        torch.autograd.grad(total, trained, allow_unused=True)
        return together
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = textwrap.shorten(first_line, 100, placeholder=" …")
        print(
            f"{description}: this loss cannot be computed for all {len(policies)} policies at once, "
            f"so they take turns ({reason})"
        )
    return _in_turns(policies)


def _all_at_once(policies: Sequence[Policy]) -> _Together:
    stack = Stack(policies)

    def losses(batch: Batch, generator: Generator) -> Tensor:
        def loss(observations: Tensor, chunks: Tensor) -> Tensor:
            return policies[0].loss(observations, chunks, generator)

        return stack.map(loss, *batch)

    return _Together(list(stack.parameters.values()), losses, stack.hand_back)


def _in_turns(policies: Sequence[Policy]) -> _Together:
    def losses(batch: Batch, generator: Generator) -> Tensor:
        return torch.stack(
            [
                checked_loss(policy.loss(observations, chunks, generator))
                for policy, observations, chunks in zip(policies, *batch, strict=True)
            ]
        )

    parameters: list[Tensor] = [own for policy in policies for own in policy.parameters()]
    return _Together(parameters, losses, lambda: None)


def _difference(policy: nn.Module, other: nn.Module) -> str:
    """Return how policies differ in more than parameters and buffers; empty if they do not.

    vmap runs the first one's code, with its settings, for all.
    """
    for one, another in zip_longest(policy.modules(), other.modules()):
        if type(one) is not type(another):
            return f"a {type(one).__name__} is no {type(another).__name__}"
        for name in (vars(one).keys() | vars(another).keys()) - vars(nn.Module()).keys():
            if not _same(vars(one).get(name), vars(another).get(name)):
                return f"they differ in {name}"
    return ""


def _same(one: Any, other: Any) -> bool:
    try:
        tensors = isinstance(one, Tensor) and isinstance(other, Tensor)
        return bool(torch.equal(one, other) if tensors else one == other)
    except (RuntimeError, ValueError):
        return False  # what cannot be compared may well differ


def _check_fit(
    policies: Sequence[Policy], seeds: Sequence[int], sets: Sequence[Demonstrations]
) -> None:
    if not policies or not len(policies) == len(seeds) == len(sets):
        raise ValueError(
            f"got {len(policies)} policies, {len(seeds)} seeds and {len(sets)} sets of "
            "demonstrations: expected at least one policy, and as many of each."
        )
    if len({id(policy) for policy in policies}) < len(policies):
        raise ValueError(
            "a policy stands in the list more than once: make a policy of its own for every seed."
        )
    horizons = sorted({policy.prediction_horizon for policy in policies})
    if len(horizons) > 1:
        raise ValueError(f"the policies have prediction horizons {horizons}: expected one for all.")
    for policy, own in zip(policies, sets, strict=True):
        check_dimensions(policy, own)
