"""Huge pages for what a zygote has loaded: a copy of it then takes half the time, and so does its end.

A process is copied by copying its table of pages. Torch and what comes with it are 300 MB: 75,000 entries
as small pages, 150 as huge ones.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

from autograder.inside.linux import check, libc

_HUGE = 2 << 20
_COLLAPSE = 25  # MADV_COLLAPSE, since Linux 6.1; see madvise(2)


def use_huge_pages(maps: Path = Path("/proc/self/maps")) -> None:
    """Ask the kernel to hold this process's own memory in huge pages, as far as it can."""
    for start, end in _own_memory(maps):
        for address in range(-(-start // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
            with contextlib.suppress(OSError):  # there are holes, and other kernels
                place = ctypes.c_void_p(address), ctypes.c_size_t(_HUGE)
                check(libc.madvise(*place, ctypes.c_int(_COLLAPSE)), "madvise")


def _own_memory(maps: Path) -> Iterator[tuple[int, int]]:
    """Yield start and end of what is written to and is no part of a file."""
    try:
        lines = maps.read_text().splitlines()
    except OSError:  # there are none on macOS
        return
    for line in lines:
        place, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
        if rights == "rw-p" and name in ("", "[heap]"):
            start, end = (int(number, 16) for number in place.split("-"))
            yield start, end
