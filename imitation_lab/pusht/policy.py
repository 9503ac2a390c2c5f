"""A trained Push-T policy: pixels in, pixels out, and one file that runs no code when it is read."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from imitation_lab.controller import RecedingHorizon
from imitation_lab.files import write_atomically
from imitation_lab.pusht.encoding import (
    ACTION_DIM,
    FEATURE_DIM,
    Range,
    absolute,
    encode,
)
from imitation_lab.pusht.recipe import Recipe
from imitation_lab.types import Actor, Generator, Policy

FORMAT = "imitation-lab push-t policy 1"
LARGEST_FILE = 64 * 2**20  # bytes
LARGEST_HEADER = 64 * 2**10  # bytes, twenty times what the largest recipe needs
LONGEST_WORK = 1e7  # seconds of an expert: four months


@dataclass
class PushTPolicy:
    """A trained policy between its ranges: pixels in, pixels out.

    Attributes:
        recipe: Which policy.
        policy: Its network, in normalised units.
        features: The range of the training features.
        actions: The range of the training actions.
        expert_seconds: How long an expert worked for it, demonstrations and corrections together.
    """

    recipe: Recipe
    policy: Policy
    features: Range
    actions: Range
    expert_seconds: float = 0.0

    @torch.no_grad()
    def sample(
        self, observations: Float[Tensor, "batch stacked_dim"], generator: Generator
    ) -> Float[Tensor, "batch prediction_horizon 2"]:
        """Draw one chunk of targets, in pixels, for every observation.

        Args:
            observations: As many frames side by side as the recipe says, the newest first.
            generator: The source of the draws.
        """
        features = self.features.normalize(encode(observations))
        chunks = self.actions.denormalize(self.policy.sample(features, generator))
        return absolute(chunks, observations)

    def actor(self, execution_horizon: int | None = None) -> "FramesActor":
        """Return the actor that plays this policy's chunks.

        Args:
            execution_horizon: Actions that are played of each chunk; by default the recipe's.
        """
        played = self.recipe.execution_horizon if execution_horizon is None else execution_horizon
        return FramesActor(RecedingHorizon(self, played), self.recipe.frames)

    def to(self, device: torch.device | str) -> "PushTPolicy":
        """Move network and ranges to a device; return itself."""
        for module in (self.policy, self.features, self.actions):
            module.to(device)
        return self


@dataclass
class FramesActor:
    """An actor that shows another one several observations at once, the newest first.

    At an episode's start there is nothing older, and its first observation is shown instead.

    Attributes:
        actor: Acts on stacked observations.
        frames: How many observations it sees.
    """

    actor: Actor
    frames: int = 1

    def __post_init__(self) -> None:
        self._seen: list[Tensor] = []
        self._new = torch.zeros(0, dtype=torch.bool)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Start the episodes of the mask anew."""
        self.actor.reset(mask)
        if mask.all():
            self._seen, self._new = [], torch.zeros_like(mask)
        self._new = self._new | mask

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return every episode's next action."""
        older = [*self._seen, *[observations] * self.frames][: self.frames - 1]
        new = self._new.unsqueeze(1)
        self._seen = [observations, *(torch.where(new, observations, seen) for seen in older)]
        self._new = torch.zeros_like(self._new)
        return self.actor.act(torch.cat(self._seen, dim=1), generator)


def untrained(recipe: Recipe, generator: Generator | None = None) -> PushTPolicy:
    """Return a policy that has learnt nothing yet, with ranges from -1 to 1.

    Args:
        recipe: Which policy.
        generator: The source of the initial weights.
    """
    policy = recipe.policy(generator)
    return PushTPolicy(recipe, policy, Range(recipe.frames * FEATURE_DIM), Range(ACTION_DIM))


def save_policy(path: str | Path, policy: PushTPolicy) -> None:
    """Save a policy as a safetensors file, which replaces an older one in one step."""
    tensors = {name: value.detach().cpu().clone() for name, value in _state(policy).items()}
    facts = {"recipe": asdict(policy.recipe), "expert_seconds": policy.expert_seconds}
    metadata = {"format": FORMAT, **{name: json.dumps(value) for name, value in facts.items()}}
    write_atomically(path, safetensors.torch.save(tensors, metadata))


def load_policy(path: str | Path) -> PushTPolicy:
    """Load what ``save_policy`` wrote. The file may be a stranger's: nothing in it is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is too large, is no such policy, asks for more than the bounds of a
            recipe, or holds tensors of other names, shapes or types, or numbers that no training
            could have left there.
    """
    path = Path(path)
    if not path.is_file():  # nor is a pipe, or a device, which could keep us waiting for ever
        raise FileNotFoundError(
            f"there is no policy {path}: train one and save it with save_policy."
        )
    try:
        _check_size(path)
        with safe_open(path, framework="pt") as file:
            policy = _from_metadata(file.metadata() or {})
            state = _state(policy)
            _check_alike(file, state)
            tensors = {name: file.get_tensor(name) for name in state}
        fixed = {f"policy.{name}" for name, _ in policy.policy.named_buffers()}
        _check_numbers(tensors, {name: state[name] for name in fixed})
    except (SafetensorError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a Push-T policy ({error!s:.100}).") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    for name in state.keys() - fixed:
        state[name].copy_(tensors[name])
    policy.policy.eval()
    return policy


def _state(policy: PushTPolicy) -> dict[str, Tensor]:
    """Return every tensor of a policy by its name in the file."""
    parts = {"policy": policy.policy, "features": policy.features, "actions": policy.actions}
    return {
        f"{part}.{name}": value.detach()
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }


def _check_size(path: Path) -> None:
    """Refuse a file before anything that it says costs time or memory."""
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"it is larger than {LARGEST_FILE // 2**20} MB.")
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > LARGEST_HEADER:
        raise ValueError("it is not a Push-T policy: it does not begin with a safetensors header.")


def _from_metadata(metadata: dict[str, str]) -> PushTPolicy:
    """Return the untrained policy that a file's metadata describes."""
    if metadata.get("format") != FORMAT:
        raise ValueError("it was not written by save_policy.")
    if len(metadata["recipe"]) > 1000 or len(metadata["expert_seconds"]) > 30:
        raise ValueError("its metadata are too long.")
    policy = untrained(Recipe(**json.loads(metadata["recipe"])))
    seconds = json.loads(metadata["expert_seconds"])
    if type(seconds) not in (int, float) or not 0 <= seconds < LONGEST_WORK:
        raise ValueError(f"expert_seconds must be a number of seconds, got {seconds!r:.40}.")
    policy.expert_seconds = float(seconds)
    return policy


def _check_alike(file: Any, state: dict[str, Tensor]) -> None:
    """Refuse a file whose tensors are not, by name, shape and type, those that its recipe needs."""
    names = set(file.keys())
    if names != set(state):
        differing = sorted(names ^ set(state))
        # The names are a stranger's: repr shows control characters instead of sending them.
        raise ValueError(f"tensors do not fit its recipe: {str(differing[:5])!s:.200}.")
    for name, value in state.items():
        found = file.get_slice(name)
        given, wanted = tuple(found.get_shape()), tuple(value.shape)
        if given != wanted or found.get_dtype() != "F32":
            raise ValueError(
                f"{name} is {found.get_dtype()} of shape {given}, its recipe needs F32 of {wanted}."
            )


def _check_numbers(tensors: dict[str, Tensor], fixed: dict[str, Tensor]) -> None:
    """Refuse numbers that are not finite, ranges upside down, and what a recipe fixes if it differs."""
    broken = [name for name, value in tensors.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"it holds NaN or infinite numbers in {broken}: train again.")
    for part in ("features", "actions"):
        if (tensors[f"{part}.low"] > tensors[f"{part}.high"]).any():
            raise ValueError(f"{part}.low is above {part}.high.")
    for name, value in fixed.items():
        if not torch.allclose(tensors[name], value):
            raise ValueError(f"{name} is not what its recipe computes.")
