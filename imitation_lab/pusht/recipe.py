"""Which Push-T policy: everything about it but its numbers."""

from dataclasses import dataclass
from functools import partial

from imitation_lab.policies.diffusion import DiffusionPolicy
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.pusht.encoding import ACTION_DIM, FEATURE_DIM
from imitation_lab.pusht.networks import trunk
from imitation_lab.types import Generator, Policy

KINDS = ("regression", "mixture", "diffusion", "flow")

# About 239,000 parameters each, for the main recipe's horizon: a mixture says more, a flow sees more.
WIDTHS = {"regression": 194, "mixture": 188, "diffusion": 192, "flow": 192}

# The least and the largest of every setting: what a stranger's file may ask of us.
BOUNDS = {
    "prediction_horizon": (1, 32),
    "execution_horizon": (1, 32),
    "frames": (1, 4),
    "width": (8, 1024),
    "depth": (1, 8),
    "num_steps": (1, 100),
}


@dataclass(frozen=True)
class Recipe:
    """Everything about a Push-T policy but its numbers.

    Attributes:
        kind: ``"regression"``, ``"mixture"``, ``"diffusion"`` or ``"flow"``.
        prediction_horizon: Actions per chunk.
        execution_horizon: Actions that are played of each chunk.
        frames: Observations that the network sees: the newest and those before it.
        width: Units per hidden layer.
        depth: Residual blocks of two hidden layers.
        num_steps: Steps from noise to a chunk, for diffusion and flow.

    Raises:
        ValueError: If a setting is out of its bounds.
    """

    kind: str = "flow"
    prediction_horizon: int = 4
    execution_horizon: int = 1
    frames: int = 1
    width: int = 192
    depth: int = 3
    num_steps: int = 10

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {self.kind!r:.40}.")
        for name, (least, largest) in BOUNDS.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= largest:
                raise ValueError(
                    f"{name} must be a whole number from {least} to {largest}, got {value!r:.40}."
                )
        if self.execution_horizon > self.prediction_horizon:
            raise ValueError("execution_horizon must not be greater than prediction_horizon.")

    def policy(self, generator: Generator | None = None) -> Policy:
        """Return an untrained policy of this recipe, in normalised units.

        Args:
            generator: The source of the initial weights.
        """
        features = self.frames * FEATURE_DIM
        shape = (features, ACTION_DIM, self.prediction_horizon)
        chunk = self.prediction_horizon * ACTION_DIM
        build = partial(trunk, width=self.width, depth=self.depth, generator=generator)
        policy: MixturePolicy | RegressionPolicy | FlowPolicy | DiffusionPolicy
        if self.kind == "mixture":
            policy = MixturePolicy(*shape)
            policy.network = build(features, policy.num_components * (1 + 2 * chunk))
            policy.spread_means(generator)
        elif self.kind == "regression":
            policy = RegressionPolicy(*shape)
            policy.network = build(features, chunk)
        else:
            of_kind = FlowPolicy if self.kind == "flow" else DiffusionPolicy
            policy = of_kind(*shape, num_steps=self.num_steps)
            policy.network = build(features + chunk + 1, chunk, time_column=chunk)
        return policy


def main_recipe(kind: str) -> Recipe:
    """Return the recipe with which the kinds of policies are compared: equally many parameters."""
    return Recipe(kind, prediction_horizon=4, execution_horizon=1, width=WIDTHS[kind])
