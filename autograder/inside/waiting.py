"""How long processes were ready to run and got no processor: what a busy machine costs a submission."""

import os
from pathlib import Path

_NANOSECONDS = 1e9


def seconds_waited(worker: int, proc: Path = Path("/proc")) -> dict[str, float]:
    """Return, of a worker's process and all that came from it, how long each has waited by now.

    Args:
        worker: The number of the first process.
        proc: Where the kernel tells of processes. Without it, as on macOS, nothing is known.

    Source:
        https://docs.kernel.org/scheduler/sched-stats.html, ``/proc/<pid>/schedstat``.
    """
    parents = {}
    for folder in proc.glob("[0-9]*"):
        if (fields := _after_name(folder / "stat")) is not None:
            parents[int(folder.name)] = int(fields[1])
    family = {pid for pid in parents if _comes_from(pid, worker, parents)}
    return {str(pid): _longest_wait(proc / str(pid) / "task") for pid in sorted(family)}


def _after_name(path: Path) -> list[str] | None:
    """Return the fields behind a program's name, which may hold anything; None if it is gone."""
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _comes_from(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    seen = set()
    while pid != ancestor:
        if pid in seen or pid not in parents:
            return False
        seen.add(pid)
        pid = parents[pid]
    return True


def _longest_wait(tasks: Path) -> float:
    """Return how long that thread of a process has waited which has waited longest."""
    waits = [0.0]
    for task in os.scandir(tasks) if tasks.is_dir() else ():
        try:
            waits.append(int(Path(task.path, "schedstat").read_text().split()[1]) / _NANOSECONDS)
        except (OSError, IndexError, ValueError):  # it ended, or the kernel does not tell
            continue
    return max(waits)
