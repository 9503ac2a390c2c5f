"""Compare the policy classes on the fork: `python -m benchmarks.policies`.

Ten seeds of each class on the straight road and on the road turned by 45 degrees, everything equal
but the way in which the network represents a distribution. The result goes into the library, from
where notebooks 04 and 05 show it.
"""

import math
import time
from collections.abc import Sequence

from benchmarks.recording import LIBRARY, parse, record_parser
from imitation_lab.comparison import (
    RECORDED,
    MakePolicy,
    PolicyResult,
    compare,
    comparison_table,
    write_comparison,
)
from imitation_lab.envs import Fork
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import CategoricalPolicy
from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings
from imitation_lab.types import Policy

RECORD = LIBRARY / RECORDED
ROADS = {"straight": Fork(), "turned by 45°": Fork(angle=math.pi / 4)}
SETTINGS = TrainingSettings(steps=2000, batch_size=128, learning_rate=1e-2)
PARAMETERS = 12_700  # an autoregressive policy of width 64


def _maker(policy_class: type[Policy]) -> MakePolicy:
    return lambda width, generator: policy_class(8, 2, width=width, generator=generator)  # type: ignore[call-arg]


CLASSES = {
    "regression": _maker(RegressionPolicy),
    "gaussian": _maker(GaussianPolicy),
    "categorical": _maker(CategoricalPolicy),
    "mixture": _maker(MixturePolicy),
    "autoregressive": _maker(AutoregressivePolicy),
    "flow": _maker(FlowPolicy),
    "diffusion": _maker(DiffusionPolicy),
}


def run(seeds: Sequence[int]) -> list[PolicyResult]:
    """Return the results of every class on both roads."""
    results = []
    for road, task in ROADS.items():
        results += compare(road, task, CLASSES, seeds, SETTINGS, PARAMETERS)
    return results


def main() -> None:
    """Run the comparison, print its table and record it."""
    arguments, seeds = parse(record_parser(__doc__, RECORD, seeds=10))
    started = time.perf_counter()
    results = run(seeds)
    print(comparison_table(results))
    write_comparison(results, arguments.out)
    print(f"{time.perf_counter() - started:.0f} s; written to {arguments.out.name}")


if __name__ == "__main__":
    main()
