"""The memory of a process and of all that it starts, watched from outside."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_EVERY = 0.05  # seconds between two looks


class Peak:
    """The most memory that was seen.

    Attributes:
        megabytes: Of the whole tree at one time. What processes share is counted once where the system
            tells (PSS), and otherwise once in each of them (RSS).
    """

    def __init__(self) -> None:
        self.megabytes = 0.0

    def look(self, process: psutil.Process) -> None:
        """Add up what a process and its descendants hold now."""
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.Error:  # it has just ended
            return
        self.megabytes = max(self.megabytes, sum(map(_held, family)) / 2**20)


def _held(process: psutil.Process) -> float:
    try:
        information = process.memory_full_info()
        return getattr(information, "pss", information.rss)
    except psutil.AccessDenied:
        return process.memory_info().rss
    except psutil.Error:
        return 0.0


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Look at a process and its descendants, again and again, until the block ends."""
    peak, over = Peak(), threading.Event()
    process = psutil.Process(pid)

    def watch() -> None:
        while not over.wait(_EVERY):
            peak.look(process)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
