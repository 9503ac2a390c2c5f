"""What one submission may use."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """The resources of one submission.

    Time is limited twice. Processor time is what a slow answer spends, and it is the same on a quiet
    and on a busy machine. Wall time catches what sleeps. What a submission waits for a processor, while
    others have them, is not counted there, up to five times the whole.

    Attributes:
        cpu_seconds: Processor time of one process: all cells together have it once, then each test.
        wall_seconds: The longest wait for one cell or one call.
        total_seconds: The longest wait for a submission.
        memory_mb: Memory of one process beyond what the warm start already holds.
        disk_mb: Size of the private file system in memory.
        processes: Processes and threads at one time.
        open_files: Open files of one process.
    """

    cpu_seconds: int = 15
    wall_seconds: float = 60.0
    total_seconds: float = 600.0
    memory_mb: int = 2048
    disk_mb: int = 64
    processes: int = 32
    open_files: int = 128

    def as_dict(self) -> dict[str, Any]:
        """Return the limits as plain data, to send or to record."""
        return asdict(self)
