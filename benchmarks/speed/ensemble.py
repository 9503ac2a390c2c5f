"""The seeds of an experiment: all at once, beside one after the other."""

import time
from collections.abc import Callable, Iterator

from benchmarks.speed.frame import Row, Settings, in_turns
from benchmarks.speed.work import demonstrations, seeded
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, train, train_ensemble
from imitation_lab.types import Policy

GROUP, UNIT = "ensemble", "samples"
SEEDS, PAIRS, STEPS = 5, 7, 300
# Five in twice the time of one: two and a half times as fast as one after the other.
SMALL, MIDDLE, LARGE = (32, 32, 2.5), (64, 64, None), (128, 256, None)


def measure(settings: Settings) -> Iterator[Row]:
    """Yield a row for every class and size."""
    pairs = settings.pairs(PAIRS)
    for name, kind in (("regression", RegressionPolicy), ("flow", FlowPolicy)):
        for width, batch, target in (SMALL, MIDDLE, LARGE):
            yield together(name, kind, width, batch, target, pairs)


def together(
    name: str,
    kind: Callable[..., Policy],
    width: int,
    batch: int,
    target: float | None,
    pairs: int,
) -> Row:
    """Time the training of five policies of one class, both ways."""
    settings = TrainingSettings(steps=STEPS, batch_size=batch)

    def policies() -> list[Policy]:
        return [kind(8, 2, width=width, generator=seeded(seed)) for seed in range(SEEDS)]

    def at_once() -> float:
        made, started = policies(), time.perf_counter()
        train_ensemble(made, demonstrations(), settings, device="cpu", progress=False)
        return time.perf_counter() - started

    def in_sequence() -> float:
        made, started = policies(), time.perf_counter()
        for seed, policy in enumerate(made):
            train(policy, demonstrations(), settings, seed, "cpu", progress=False)
        return time.perf_counter() - started

    ours, theirs = in_turns(at_once, in_sequence, pairs)
    work = f"{SEEDS} seeds of {name} at once, width {width}, batch {batch}"
    amount = SEEDS * STEPS * batch
    return Row(GROUP, work, "one after the other", ours, theirs, target, amount, UNIT)
