"""What ``python -m benchmarks.pusht`` measured, as it comes with the library."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import resources

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht.recipe import Recipe

RECORDED = "recorded_pusht.json"
SUCCESS = 0.95  # of the goal covered


@dataclass(frozen=True)
class Judged:
    """A trained policy on a number of starts, the same ones for all.

    Attributes:
        recipe: Which policy, with the horizon and the steps that it was judged with.
        seed: Of its training.
        parameters: Numbers that training changed.
        seconds: Training time on one core of the machine that measured.
        coverage: The largest share of the goal that the T ever covered, per start.
    """

    recipe: Recipe
    seed: int
    parameters: int
    seconds: float
    coverage: Float[Tensor, "starts"]

    @property
    def success(self) -> SuccessRate:
        """From how many starts the T covered 95 % of the goal."""
        return SuccessRate(int((self.coverage > SUCCESS).sum()), len(self.coverage))


def as_json(results: Iterable[Judged]) -> str:
    """Return results as text, one line for each."""
    lines = []
    for result in results:
        facts = asdict(result) | {"coverage": [round(x, 6) for x in result.coverage.tolist()]}
        lines.append(json.dumps(facts))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def from_json(text: str) -> list[Judged]:
    """Return the results that ``as_json`` wrote."""
    return [
        Judged(
            Recipe(**facts["recipe"]),
            facts["seed"],
            facts["parameters"],
            facts["seconds"],
            torch.tensor(facts["coverage"]),
        )
        for facts in json.loads(text)
    ]


def recorded_pusht() -> list[Judged]:
    """Return the results of ``python -m benchmarks.pusht`` that come with the library."""
    return from_json((resources.files("imitation_lab") / RECORDED).read_text(encoding="utf-8"))
