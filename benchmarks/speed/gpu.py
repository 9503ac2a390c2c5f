"""The same trainings on a GPU, beside the CPU, and beside the card's own limit. Nothing without a GPU."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.speed.frame import Row, Settings, Timed, in_turns
from benchmarks.speed.training import (
    SAMPLES,
    UNIT,
    flow_training,
    products,
    training_of,
)
from benchmarks.speed.work import demonstrations
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy

GROUP, PAIRS = "gpu", 7
NOTE = "the ratio to the card's products is the share of its own matrix-product rate"
WIDTHS = (64, 128, 256, 1024)


def measure(settings: Settings) -> Iterator[Row]:
    """Yield every row of the group, where there is a GPU."""
    if torch.cuda.is_available():
        yield from on("cuda", settings.pairs(PAIRS))


def on(device: str, pairs: int) -> Iterator[Row]:
    """Yield every row for a device. The works bear the names that they have in the group training."""
    for work, training in trainings().items():
        ours, theirs = in_turns(training(device), training("cpu"), pairs)
        yield Row(GROUP, work, "the CPU", ours, theirs, None, SAMPLES, UNIT)
    for width in WIDTHS:
        work = f"cloning, regression, width {width}"
        ours, theirs = in_turns(
            training_of(partial(RegressionPolicy, 8, 2, width=width), demonstrations(), device),
            partial(products, width, device),
            pairs,
        )
        yield Row(GROUP, work, "the card's products", ours, theirs, None, SAMPLES, UNIT, NOTE)


def trainings() -> dict[str, Callable[[str], Timed]]:
    """Return what is trained, by name: from a device to the training there."""
    return {
        "cloning, a Gaussian": lambda device: training_of(
            lambda: GaussianPolicy(8, 2), demonstrations(), device
        ),
        "cloning, regression": lambda device: training_of(
            lambda: RegressionPolicy(8, 2), demonstrations(), device
        ),
        "flow matching": flow_training,
    }
