"""Torch, and what it computes on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from imitation_lab.doctor.findings import AFRESH, Finding, State

PATIENCE = 60.0  # seconds; importing takes two, and ten on a slow disk
# In a process of its own: a torch that does not fit the machine can end its Python.
PROBE = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import torch
    said = {"version": torch.__version__, "cuda": torch.version.cuda or "", "device": "cpu"}
    if torch.backends.mps.is_available():
        said["device"] = "mps"
    try:
        if torch.cuda.is_available():
            said["device"] = torch.cuda.get_device_name()
            (torch.ones(8, 8, device="cuda") @ torch.ones(8, 8, device="cuda")).cpu()
    except RuntimeError as error:
        said["error"] = str(error)
said["warnings"] = [str(warning.message) for warning in caught]
print(json.dumps(said))
"""


class Torch(NamedTuple):
    """What torch says of itself.

    Attributes:
        version: Its version, such as ``2.9.0+cpu``.
        cuda: The CUDA that it was built with; empty for a CPU build.
        device: ``cpu``, ``mps``, or the name of a GPU.
        error: Why computing on that device failed.
        warnings: What it warned of meanwhile.
    """

    version: str
    cuda: str = ""
    device: str = "cpu"
    error: str = ""
    warnings: tuple[str, ...] = ()


def check_torch() -> Finding:
    """Import torch, which takes seconds, and tell what it computes on."""
    found = ask_torch()
    return judge_torch(found, has_nvidia_driver())


def ask_torch(python: str = sys.executable) -> Torch | str:
    """Return what torch says of itself, or why it could not be asked."""
    command = [python, "-c", PROBE]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer within {PATIENCE:.0f} seconds"
    if asked.returncode:
        lines = asked.stderr.strip().splitlines()
        return lines[-1] if lines else f"Python ended with status {asked.returncode}"
    said = json.loads(asked.stdout.splitlines()[-1])
    return Torch(**{**said, "warnings": tuple(said["warnings"])})


def has_nvidia_driver() -> bool:
    """Tell whether this machine has NVIDIA's driver."""
    return bool(shutil.which("nvidia-smi")) or Path("/proc/driver/nvidia").exists()


def judge_torch(found: Torch | str, has_driver: bool) -> Finding:
    """Tell what to think of a torch.

    Args:
        found: What it said, or why it could not be asked.
        has_driver: Whether there is a driver of NVIDIA's.
    """
    if isinstance(found, str):
        return Finding(State.BROKEN, "torch", f"torch cannot be imported: {found}. {AFRESH}")
    name = f"torch {found.version}"
    if found.error:
        said = f"{name} cannot compute on the {found.device}: {_first_line(found.error)}."
        remedy = "Before Jupyter starts, set CUDA_VISIBLE_DEVICES to nothing: the CPU will do."
        return Finding(State.BROKEN, "torch", f"{said} {remedy}")
    if found.device != "cpu":
        return Finding(State.OK, "torch", f"{name} computes on the GPU: {found.device}.")
    if has_driver:
        return _judge_unused(found, name)
    return Finding(State.OK, "torch", f"{name} computes on the CPU, which all notebooks are for.")


def _judge_unused(found: Torch, name: str) -> Finding:
    """Tell why a GPU is not used although its driver is there. Nothing breaks for it."""
    go_on = "Notebooks run on the CPU all the same."
    if not found.cuda:
        said = f"There is an NVIDIA driver, but {name} is a build for the CPU. {go_on}"
        return Finding(State.LOOK, "torch", f"{said} To use the GPU: {AFRESH[5:]}")
    if any("driver" in warning and "too old" in warning for warning in found.warnings):
        said = f"The NVIDIA driver is too old for {name} and its CUDA {found.cuda}. {go_on}"
        return Finding(State.LOOK, "torch", f"{said} To use the GPU, update the driver.")
    why = f" It says: {_first_line(found.warnings[0])}" if found.warnings else ""
    said = f"{name} finds no GPU, although there is an NVIDIA driver. {go_on}{why}"
    return Finding(State.LOOK, "torch", f"{said} In a terminal, see what nvidia-smi says.")


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0].rstrip(".")
