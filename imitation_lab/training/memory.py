"""Training that runs out of memory says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

ADVICE = (
    "There was too little memory. Restart the kernel, shut down other notebooks' kernels, and run the "
    "cells again from the top. If it happens again, train with a smaller batch: "
    "TrainingSettings(batch_size=64)."
)
# As torch words it for CUDA and MPS, and for the CPU.
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def memory_explained() -> Iterator[None]:
    """Add advice to an error of the block that tells of too little memory. It is raised all the same."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS):
            error.add_note(ADVICE)
        raise
