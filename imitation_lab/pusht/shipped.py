"""What the course brings along for Push-T: the planner's demonstrations, and trained policies."""

from pathlib import Path

from imitation_lab.data import Demonstrations
from imitation_lab.pusht.policy import PushTPolicy, load_policy

PACKAGE = Path(__file__).resolve().parent
# In an installed library, and in a checkout of the course.
FOLDERS = (PACKAGE / "assets", PACKAGE.parents[1] / "assets" / "pusht")


def shipped_demonstrations() -> Demonstrations:
    """Return the planner's demonstrations, in pixels and radians.

    The ``driver`` of a trajectory is the side that it preferred to push from. ``assets/pusht/README.md``
    tells how they were made.

    Raises:
        ValueError: If this copy of the course does not have them.
    """
    return Demonstrations.load(_shipped("demonstrations.npz"))


def shipped_policy(kind: str, seed: int = 0, variant: str = "") -> PushTPolicy:
    """Return a trained policy, pixels in and pixels out.

    Args:
        kind: ``"regression"``, ``"mixture"``, ``"diffusion"`` or ``"flow"``.
        seed: Of its training.
        variant: What is different from the main recipe; empty for the main recipe itself.

    Raises:
        ValueError: If there is no such policy.
    """
    name = f"{kind}_{variant}" if variant else kind
    return load_policy(_shipped(f"{name}_{seed}.safetensors"))


def _shipped(name: str) -> Path:
    found = [folder / name for folder in FOLDERS if (folder / name).is_file()]
    if not found:
        paths = {path.name for folder in FOLDERS for path in folder.glob(f"*{Path(name).suffix}")}
        there = ", ".join(sorted(paths)) or "none of its kind"
        raise ValueError(f"the course brings no {name!r} along for Push-T: there is {there}.")
    return found[0]
