"""The machine in words: what a reader needs to judge times, and nothing that tells whose it is."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import torch


def describe() -> dict[str, Any]:
    """Return processor, cores, memory, system, Python, torch and graphics card."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gigabytes": memory_gigabytes(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def name() -> str:
    """Return a name for a file of results: processor, cores, torch."""
    described = describe()
    parts = f"{described['processor']} {described['cores']} cores torch {described['torch']}"
    return re.sub(r"[^a-z0-9.]+", "-", parts.lower()).strip("-")


def processor() -> str:
    """Return the processor's model name."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        named = re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE)
        if named:
            return named[1].strip()
    return platform.processor() or platform.machine()


def memory_gigabytes() -> int | None:
    """Return the memory, where the system tells."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9)
