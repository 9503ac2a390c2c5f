"""Hostile files: what is handed in where a notebook, or a zip with one, is expected."""

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

Maker = Callable[[Path, str], Path]
GIGABYTE = 1 << 30


def raw(content: bytes | str, suffix: str = ".ipynb") -> Maker:
    """Return what writes one file, whatever the honest notebook is."""
    data = content.encode() if isinstance(content, str) else content

    def make(folder: Path, honest: str) -> Path:
        path = folder / f"hostile{suffix}"
        path.write_bytes(data)
        return path

    return make


def changed(change: Callable[[dict], object]) -> Maker:
    """Return what writes the honest notebook with a change."""

    def make(folder: Path, honest: str) -> Path:
        notebook = json.loads(honest)
        change(notebook)
        path = folder / "hostile.ipynb"
        path.write_text(json.dumps(notebook))
        return path

    return make


def zipped(*members: tuple[str, str | None], mode: int = 0o100644) -> Maker:
    """Return what writes a zip; None stands for the honest notebook's text."""

    def make(folder: Path, honest: str) -> Path:
        path = folder / "hostile.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in members:
                member = zipfile.ZipInfo(name)
                member.external_attr = mode << 16
                archive.writestr(member, honest if text is None else text)
        return path

    return make


def zip_bomb(folder: Path, honest: str) -> Path:
    """Write four gigabytes of white space, in four megabytes: a block that says the same again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = once * (4 * GIGABYTE // (1 << 20) - 1) + packer.flush()
    name = b"hostile.ipynb"
    sizes = struct.pack("<III", 0, len(data), 4 * GIGABYTE - (1 << 20))
    local = struct.pack("<IHHHHH", 0x04034B50, 20, 0, 8, 0, 0) + sizes
    local += struct.pack("<HH", len(name), 0) + name
    central = struct.pack("<IHHHHHH", 0x02014B50, 20, 20, 0, 8, 0, 0) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    position = len(local) + len(data)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), position, 0)
    path = folder / "hostile.zip"
    path.write_bytes(local + data + central + end)
    return path


def link_to_secret(folder: Path, honest: str) -> Path:
    path = folder / "hostile.ipynb"
    path.symlink_to("/etc/passwd")
    return path


def _repeat_cells(notebook: dict) -> None:
    notebook["cells"] *= 3


def _claim_another(notebook: dict) -> None:
    notebook["metadata"]["imitation_lab"] = {"notebook": "99_none", "score": 999}


def _wrong_kernel(notebook: dict) -> None:
    notebook["metadata"]["kernelspec"] = {"name": "ir", "language": {"R": ["x"]}}


def _odd_fields(notebook: dict) -> None:
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = [{"tags": 3}, None, {"tags": [[], {}]}][number % 3]
        cell["id"] = [cell["id"], {"x": 1}, "\ud800\x00/../.."][number % 3]


def _two_thousand_cells(notebook: dict) -> None:
    extra = {"cell_type": "code", "metadata": {}, "source": "pass # x"}
    notebook["cells"] += [{**extra, "id": f"x{n}"} for n in range(2000)]


# What each earns at most: the files that hold the honest notebook may earn what it does, 8 points.
FILES: dict[str, tuple[Maker, float]] = {
    "an empty file": (raw(""), 0),
    "half a file": (raw('{"cells": [{"source": "x = 1"'), 0),
    "noise": (raw(bytes(range(256)) * 100), 0),
    "deep JSON": (raw("[" * 10**6), 0),
    "deep JSON in a cell": (raw('{"cells": [{"source": ' + "[" * 10**5 + "]" * 10**5 + "}]}"), 0),
    "an integer of a million digits": (raw('{"cells": [], "x": ' + "1" * 10**6 + "}"), 0),
    "numbers for cells": (raw('{"cells": [1, null, [], {"source": 3}, {"source": [1]}]}'), 0),
    "no course's notebook": (raw('{"cells": [{"cell_type": "code", "source": "x = 1"}]}'), 0),
    "a notebook of an old format": (raw('{"worksheets": [{"cells": []}], "nbformat": 3}'), 0),
    "every cell thrice": (changed(_repeat_cells), 8),
    "another assignment, with a score": (changed(_claim_another), 8),
    "another kernel": (changed(_wrong_kernel), 8),
    "odd fields": (changed(_odd_fields), 8),
    "two thousand cells": (changed(_two_thousand_cells), 8),
    "a link": (link_to_secret, 0),
    "no zip": (raw("PK\x03\x04" + "x" * 1000, ".zip"), 0),
    "a zip without a notebook": (zipped(("readme.txt", "x")), 0),
    "a zip bomb of four gigabytes": (zip_bomb, 0),
    "a zip that shadows the grader": (
        zipped(("otter.py", "raise SystemExit"), ("autograder/judge.py", "x"), ("a.ipynb", None)),
        8,
    ),
    "a zip that climbs": (
        zipped(("../../../../tmp/siege-was-here", "x"), ("/var/tmp/siege-was-here", "x")),
        0,
    ),
    "a notebook that climbs": (zipped(("../../../tmp/siege-was-here.ipynb", None)), 8),
    "a zip of links": (zipped(("a.ipynb", "/etc/passwd"), mode=0o120777), 0),
    "a pickle in the log": (
        zipped(
            (".OTTER_LOG", "cos\nsystem\n(S'touch /var/tmp/siege-was-here'\ntR."), ("a.ipynb", None)
        ),
        8,
    ),
    "a zip in a zip": (zipped(("inner.zip", "PK\x05\x06" + "\x00" * 18)), 0),
    "fifteen thousand members": (zipped(*((f"{n}.txt", "") for n in range(15000))), 0),
}
