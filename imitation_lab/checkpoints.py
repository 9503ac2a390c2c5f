"""What training learnt, in one file that runs no code when it is read."""

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from imitation_lab.files import write_atomically
from imitation_lab.normalizer import Normalizer
from imitation_lab.training import Normalizers, TrainingRun
from imitation_lab.types import Policy

FORMAT = "imitation-lab checkpoint 1"
PLAIN = (int, float, str, tuple)  # besides dataclasses, what a policy's settings are made of


def save_checkpoint(path: str | Path, run: TrainingRun) -> None:
    """Save a training run: the policy, both normalizers and the losses, as a safetensors file.

    The file replaces an older one in one step.
    """
    tensors = _parts(run.policy, run.normalizers) | {"losses": run.losses}
    # Copies: safetensors refuses tensors that share memory.
    on_cpu = {name: value.detach().cpu().clone() for name, value in tensors.items()}
    facts = {"seconds": run.seconds, "interrupted": run.interrupted}
    metadata = {name: json.dumps(value) for name, value in (_identity(run.policy) | facts).items()}
    write_atomically(path, safetensors.torch.save(on_cpu, {"format": FORMAT, **metadata}))


def load_checkpoint(path: str | Path, policy: Policy) -> TrainingRun:
    """Load what ``save_checkpoint`` wrote into a policy built like the one that was saved.

    Args:
        path: The file.
        policy: Is changed in place, and only if everything fits. The device it is on is where the
            normalizers go too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, or one of another class, shape or setting, or if it
            holds numbers that are not finite.
    """
    tensors, metadata = _read(Path(path))
    _check_identity(path, metadata, policy)
    losses = tensors.pop("losses")
    normalizers = Normalizers(Normalizer(policy.observation_dim), Normalizer(policy.action_dim))
    _check_tensors(path, tensors, _parts(policy, normalizers))
    for prefix, module in _modules(policy, normalizers).items():
        own = {name: tensors[f"{prefix}.{name}"] for name in module.state_dict()}
        module.load_state_dict(own)
    device = next((tensor.device for tensor in policy.state_dict().values()), torch.device("cpu"))
    placed = Normalizers(*(normalizer.to(device) for normalizer in normalizers))
    return TrainingRun(policy.eval(), placed, losses, metadata["seconds"], metadata["interrupted"])


def _modules(policy: Policy, normalizers: Normalizers) -> dict[str, torch.nn.Module]:
    return {
        "policy": policy,
        "observation_normalizer": normalizers.observations,
        "action_normalizer": normalizers.actions,
    }


def _parts(policy: Policy, normalizers: Normalizers) -> dict[str, Tensor]:
    return {
        f"{prefix}.{name}": value
        for prefix, module in _modules(policy, normalizers).items()
        for name, value in module.state_dict().items()
    }


def _identity(policy: Policy) -> dict[str, Any]:
    """Return what a policy must have in common with a saved one besides the shapes of its tensors.

    Settings count: other bins or another floor would give the same weights another meaning.
    """
    own = vars(policy).keys() - vars(torch.nn.Module()).keys()
    settings = {
        name: value if isinstance(value, int) else repr(value)
        for name, value in vars(policy).items()
        if name in own and (isinstance(value, PLAIN) or is_dataclass(value))
    }
    return {"policy": type(policy).__name__, **settings}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no checkpoint {path}: train first, then save_checkpoint."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a checkpoint ({error}).") from error
    if metadata.pop("format", None) != FORMAT or "losses" not in tensors:
        raise ValueError(f"{path} is a safetensors file, but was not written by save_checkpoint.")
    return tensors, {name: json.loads(value) for name, value in metadata.items()}


def _check_identity(path: str | Path, metadata: dict[str, Any], policy: Policy) -> None:
    expected = _identity(policy)
    saved = {name: metadata.get(name) for name in expected}
    if saved != expected:
        differing = [name for name in expected if saved[name] != expected[name]]
        differing = ["policy"] if "policy" in differing else differing
        raise ValueError(
            f"{path} holds {_listed(saved, differing)}, the given policy has "
            f"{_listed(expected, differing)}: build the policy as it was when it was saved."
        )


def _listed(values: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in names)


def _check_tensors(
    path: str | Path, tensors: dict[str, Tensor], expected: dict[str, Tensor]
) -> None:
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(shapes.keys() | expected.keys()):
        wanted = tuple(expected[name].shape) if name in expected else "nothing of that name"
        given = shapes.get(name, "nothing of that name")
        if given != wanted:
            raise ValueError(
                f"{path} has {given} for {name}, the given policy has {wanted}: build the policy "
                "with the width, depth and horizon it was saved with."
            )
    broken = [name for name, value in tensors.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"{path} holds NaN or infinite numbers in {broken}: train again.")
