"""The copy of the course's library that submissions see: without what answers their notebook."""

import importlib
import pkgutil
import shutil
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

NAME = "imitation_lab"


@dataclass(frozen=True)
class Library:
    """The whole library, which no submission may see.

    Attributes:
        package: Its folder.
        assets: The folder of small data files that it finds beside its own.
    """

    package: Path
    assets: Path

    def copy(self, withheld: Collection[str], target: Path) -> None:
        """Copy it into a folder, but for some of its files, of which no bytecode is copied either.

        A file that is empty, or may not be read, would tell that it is there. One that was never copied
        can be neither seen nor loaded, and its bytes are in no memory.

        Args:
            withheld: Paths in the package, such as ``"policies/flow.py"``. They need not exist.
            target: An empty folder that gets the package, and a link to the assets.
        """
        (target / self.assets.name).symlink_to(self.assets)
        for path in sorted(self.package.rglob("*")):
            name = path.relative_to(self.package)
            if path.is_file() and _source(name).as_posix() not in withheld:
                copy = target / NAME / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)  # with its time, or bytecode would be taken for stale


def _source(name: Path) -> Path:
    """Return the program that a file of bytecode was made from; any other file is its own."""
    if name.parent.name != "__pycache__":
        return name
    return name.parent.parent / f"{name.name.partition('.')[0]}.py"


def is_of_library(value: Any) -> bool:
    """Tell whether a class, a function or a method is one that the library defines.

    What the library made at the student's request is the student's: a decorated function, an instance, a
    subclass. So it is looked up where the library has it, and must be that very thing.
    """
    try:
        function = getattr(value, "__func__", value)  # of a method
        module, name = function.__module__, function.__qualname__
        if module.partition(".")[0] != NAME:
            return False
        found = reduce(getattr, name.split("."), sys.modules[module])
    except Exception:  # a student's object may do anything while it is looked at
        return False
    return getattr(found, "__func__", found) is function


def load_library(folder: Path) -> None:
    """Import all of the library that there is in a folder, and from nowhere else."""
    sys.path.insert(0, str(folder))
    package = importlib.import_module(NAME)
    for module in pkgutil.walk_packages(package.__path__, f"{NAME}."):
        with suppress(Exception):  # it fails again, with a message, where it is needed
            importlib.import_module(module.name)
