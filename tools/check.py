"""What must hold before a commit: ``python3 course.py check``, or some of its stages by name."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = {
    "lint": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
    "types": ["mypy"],
    "generated": ["tools.build"],
}


def main(names: list[str]) -> str | None:
    """Run the stages in order. Return what is wrong with the first that fails."""
    unknown = set(names) - set(STAGES)
    if unknown:
        return f"check has no stage {', '.join(sorted(unknown))}: there are {', '.join(STAGES)}."
    for name in names or STAGES:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", *STAGES[name]], cwd=ROOT, check=False).returncode:
            return f"check failed at: {name}"
        if name == "generated" and (changed := not_in_step()):
            return f"check failed at: generated. Written anew, so add them: {' '.join(changed)}"
    return None


def not_in_step() -> list[str]:
    """Return the generated files that differ from what git holds, staged or committed."""
    from tools.build import GENERATED  # seconds to import, and only one stage needs it

    command = ["git", "status", "--porcelain", "--untracked-files=all", "--", *GENERATED]
    status = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    # Two columns: staged, and changed since then. Only the second is news.
    return [line[3:] for line in status.splitlines() if line[1] != " "]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
