"""What somebody else recorded, for those who read without a browser that can be driven in."""

from pathlib import Path

from imitation_lab.data import Demonstrations

LIBRARY = Path(__file__).resolve().parents[1]
# In an installed library, and in a checkout of the course.
FOLDERS = (LIBRARY / "recorded", LIBRARY.parent / "assets" / "recorded")


def recorded_drives(task_name: str) -> Demonstrations:
    """Return drives that were recorded with the recorder, in all three interfaces.

    The ``driver`` of a trajectory is the interface. A scripted hand drove, at 30 Hz.

    Args:
        task_name: ``"fork"`` or ``"racetrack"``.

    Raises:
        ValueError: If there are no drives of such a task.
    """
    return Demonstrations.load(recorded_path(f"{task_name}.npz"))


def recorded_path(name: str) -> Path:
    """Return where a recorded file lies.

    Raises:
        ValueError: If there is no such file.
    """
    found = [folder / name for folder in FOLDERS if (folder / name).is_file()]
    if not found:
        there = sorted(path.name for folder in FOLDERS for path in folder.glob("*.npz"))
        raise ValueError(f"there is no recorded {name!r}: there are {', '.join(there) or 'none'}.")
    return found[0]
