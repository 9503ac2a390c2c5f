"""What Gradescope runs: grades the one submission that lies there, as the ``grade`` command does.

Where the grader itself fails, no result is left. Gradescope then tells so, and gives no false zero.
"""

import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from autograder import cli
from autograder.assignment import TESTS, load_assignments
from autograder.gradescope.build import ROOT, ROSTER, SEED

NAME = "submission"
SECONDS = 480  # Gradescope ends a grading after ten minutes, unless it is told otherwise
_TAKEN = (".ipynb", ".safetensors")


def main(arguments: Sequence[str] = ()) -> int:
    """Grade what was handed in, and return an exit code.

    Args:
        arguments: More options of ``grade``.
    """
    base = Path(os.environ["AUTOGRADER"])
    (notebook,) = load_assignments(TESTS)
    with tempfile.TemporaryDirectory() as work:
        # A submission belongs to the student whose name its folder bears.
        place = Path(work) / (owner(base) or "nobody")
        place.mkdir()
        handed_in = pack(base / NAME, place / f"{NAME}.zip")
        out = Path(work) / "out"
        settings = ["--assignment", notebook, "--total-seconds", str(SECONDS), *arguments]
        if (ROOT / SEED).exists():
            seed = (ROOT / SEED).read_text(encoding="utf-8")
            settings += ["--variant-seed", seed, "--roster", str(ROOT / ROSTER)]
        code = cli.main(["grade", str(handed_in), "--out", str(out), *settings])
        if code == cli.OK:
            results = base / "results" / "results.json"
            shutil.copy(out / NAME / "results.json", results)
    return code


def owner(base: Path) -> str:
    """Return the email address of whoever handed in, as Gradescope tells it, or nothing.

    Of a group, the first one's: a group has one notebook.

    Source:
        https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/
    """
    try:
        told = json.loads((base / "submission_metadata.json").read_text(encoding="utf-8"))
        email = str(told["users"][0]["email"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return "" if "/" in email or email.startswith(".") else email


def pack(folder: Path, archive: Path) -> Path:
    """Return an archive of what was handed in: Gradescope has unpacked it.

    Links are left out, since they may point at any file of root's.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    archives = [path for path in paths if path.suffix.lower() == ".zip"]
    if archives and not any(path.suffix.lower() == ".ipynb" for path in paths):
        return Path(shutil.copy(archives[0], archive))
    # A file may be older than any date that a zip can hold.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        for path in paths:
            if path.suffix.lower() in _TAKEN:
                packed.write(path, path.relative_to(folder))
    return archive


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
