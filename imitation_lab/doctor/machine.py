"""Python, memory and disk."""

import shutil
import sys
from pathlib import Path

from imitation_lab.doctor.findings import Finding, State

OLDEST, NEWEST = (3, 11), (3, 14)
MEGABYTE = 1 << 20
LITTLE_MEMORY, NO_MEMORY = 1500 * MEGABYTE, 700 * MEGABYTE  # a notebook's kernel takes up to 900
LITTLE_DISK, NO_DISK = 500 * MEGABYTE, 20 * MEGABYTE  # saving a notebook with figures takes a few


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Tell whether this Python is one that the course takes."""
    name, program = f"Python {version[0]}.{version[1]}", sys.executable
    if OLDEST <= version <= NEWEST:
        return Finding(State.OK, "Python", f"{name} runs here: {program}")
    wanted = f"3.{OLDEST[1]} to 3.{NEWEST[1]}"
    remedy = f"Start course.py with Python {wanted}, as in: python3.12 course.py setup --fresh"
    return Finding(State.BROKEN, "Python", f"{name} is none of {wanted}. {remedy}")


def check_memory(free: int | None = None) -> Finding:
    """Tell whether a notebook has the memory that it needs.

    Args:
        free: Bytes that programs may still take. None: what this machine says.
    """
    free = free_memory() if free is None else free
    said = f"{free / MEGABYTE:,.0f} MB of memory are free."
    if free >= LITTLE_MEMORY:
        return Finding(State.OK, "memory", said)
    state = State.LOOK if free >= NO_MEMORY else State.BROKEN
    remedy = "A notebook needs 1,500 MB: shut down other kernels, and close other programs."
    return Finding(state, "memory", f"Only {said} {remedy}")


def free_memory(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many bytes programs may still take: the machine's, or fewer in a container.

    Args:
        group: Where Linux tells the limit of the container's group.
    """
    import psutil  # Jupyter brings it along

    free = int(psutil.virtual_memory().available)
    try:
        limit, taken = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        return min(free, int(limit) - int(taken) + _cached(group))
    except (OSError, ValueError):  # not in a group, or one whose limit is the word `max`
        return free


def _cached(group: Path) -> int:
    """Return the bytes of files that the group's memory holds, and gives back to whoever needs it."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


def check_disk(folder: Path, free: int | None = None) -> Finding:
    """Tell whether there is room on the disk to save notebooks.

    Args:
        folder: A folder of the course.
        free: Free bytes. None: what the disk says.
    """
    free = shutil.disk_usage(folder).free if free is None else free
    said = f"{free / MEGABYTE:,.0f} MB are free on the disk."
    if free >= LITTLE_DISK:
        return Finding(State.OK, "disk", said)
    state = State.LOOK if free >= NO_DISK else State.BROKEN
    return Finding(state, "disk", f"Only {said} Make room, or saving your work will fail.")
