"""Grade on a quiet and on a busy machine, and compare every byte: `python -m benchmarks.busy`.

The same submissions are graded by one seed twice: one after the other, and then eight at a time while
other programs compute. Half of them are honest. The others loop, sleep, end themselves, or compute for
nearly as long as they may, and get the same status and the same score both times.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autograder.limits import Limits
from benchmarks.submissions import as_handed_in, course, graded, write_submission
from tools.build import PROJECT

NOTEBOOK = "01_the_mean_is_not_an_action"
# In the place of `@SECONDS@`: three quarters of what a test may compute.
_COMPUTES = """\
import time as _time

def _computing(function):
    def computes_first(*args, **kwargs):
        start = _time.process_time()
        while _time.process_time() - start < @SECONDS@:
            pass
        return function(*args, **kwargs)
    return computes_first

best_constant = _computing(best_constant)
"""
_LOOPS = "def best_constant(actions):\n    while True: pass"
_SLEEPS = "def best_constant(actions):\n    import time\n    time.sleep(10**6)"
_ENDS = "def best_constant(actions):\n    import os\n    os._exit(0)"


def make_submissions(limits: Limits) -> dict[str, str]:
    """Return notebooks by the names of their files."""
    notebook = course()[NOTEBOOK]
    questions = graded(notebook)
    wrong = [
        {question.name: as_handed_in(question, question.wrong[number]) for question in questions}
        for number in range(4)
    ]
    solved = {question.name: question.solution.source for question in questions}
    computes = _COMPUTES.replace("@SECONDS@", str(0.75 * limits.cpu_seconds))
    odd = {
        "loops": {"best_constant": _LOOPS},
        "sleeps": {"best_constant": _SLEEPS},
        "ends": {"best_constant": _ENDS},
        "computes": {"best_constant": f"{solved['best_constant']}\n\n\n{computes}"},
    }
    texts = {f"wrong-{n}": write_submission(NOTEBOOK, answers) for n, answers in enumerate(wrong)}
    texts |= {f"right-{n}": write_submission(NOTEBOOK, {}) for n in range(4)}
    for name, answers in odd.items():
        texts |= {f"{name}-{n}": write_submission(NOTEBOOK, answers) for n in range(2)}
    texts["cell-loops"] = write_submission(NOTEBOOK, {}, "while True: pass")
    texts["cell-sleeps"] = write_submission(NOTEBOOK, {}, "import time\ntime.sleep(10**6)")
    return texts


def grade(folder: Path, out: Path, jobs: int, seed: int, limits: Limits) -> dict[str, bytes]:
    """Grade a folder by the command that instructors use; return each ``results.json``."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in limits.as_dict().items()]
    command = [sys.executable, "-m", "autograder", "grade", str(folder), "--out", str(out)]
    command += [f"--jobs={jobs}", f"--seed={seed}", *options]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return {path.parent.name: path.read_bytes() for path in out.glob("*/results.json")}


@contextmanager
def burners(count: int) -> Iterator[None]:
    """Let other programs compute as well."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def differences(quiet: dict[str, bytes], busy: dict[str, bytes]) -> list[str]:
    """Return a line for every result that is not the same, with the first line in which it differs."""
    lines = []
    for name in sorted(quiet.keys() | busy.keys()):
        if quiet.get(name) != busy.get(name):
            pairs = zip(_lines(quiet.get(name)), _lines(busy.get(name)), strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
            lines.append(f"{name}: quiet {first[0]}, busy {first[1]}")
    return lines


def _lines(result: bytes | None) -> list[str]:
    return [line.strip() for line in (result or b"").decode().splitlines()]


def compare(jobs: int, burning: int, seed: int, limits: Limits) -> list[str]:
    """Grade twice, tell how long it took, and return what differs."""
    with tempfile.TemporaryDirectory(prefix="busy-") as name:
        folder = Path(name, "submissions")
        folder.mkdir()
        for stem, text in make_submissions(limits).items():
            (folder / f"{stem}.ipynb").write_text(text, encoding="utf-8")
        started = time.monotonic()
        quiet = grade(folder, Path(name, "quiet"), 1, seed, limits)
        between = time.monotonic()
        with burners(burning):
            busy = grade(folder, Path(name, "busy"), jobs, seed, limits)
        seconds = f"{between - started:.0f} s quietly, {time.monotonic() - between:.0f} s busily"
        print(f"{len(quiet)} submissions: {seconds}", flush=True)
        return differences(quiet, busy)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and return 1 where a result differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("--jobs", type=int, default=8, help="gradings at a time")
    parser.add_argument("--burners", type=int, default=8, help="other programs that compute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpu-seconds", type=int, default=Limits().cpu_seconds)
    options = parser.parse_args(arguments)
    # All limits on time in proportion: a shorter run that tells the same.
    share = options.cpu_seconds / Limits().cpu_seconds
    limits = Limits(
        cpu_seconds=options.cpu_seconds,
        wall_seconds=share * Limits().wall_seconds,
        total_seconds=share * Limits().total_seconds,
    )
    found = compare(options.jobs, options.burners, options.seed, limits)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(found)} results differ.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
