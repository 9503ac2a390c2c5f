"""The command line: `python3 course.py bench`, or `.venv/bin/python -m benchmarks.speed`."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.speed import machine, record, report, scale
from benchmarks.speed.frame import Row, Settings

# Each is a module here, with `measure(settings)` that yields rows of this group.
GROUPS = ("training", "ensemble", "dagger", "rollouts", "sampling", "grading", "gpu")


def main() -> None:
    """Measure, record and report. Ctrl-C keeps what was measured."""
    arguments = parse(sys.argv[1:])
    path = record.RESULTS / f"{arguments.machine}.json"
    try:
        measure_all(arguments.only, Settings(arguments.quick), path)
    except KeyboardInterrupt:
        print("stopped; what was measured is kept")
    if arguments.quick:
        print("a quick look: nothing is recorded.")
        return
    report.write_readme()
    scale.write()
    print(f"recorded in benchmarks/results/{path.name}, shown in benchmarks/README.md")


def measure_all(groups: Sequence[str], settings: Settings, path: Path) -> None:
    """Measure groups one after the other, and record each."""
    # One thread, as the library trains: more only slow small networks down.
    torch.set_num_threads(1)
    bar = tqdm(groups, disable=not sys.stdout.isatty(), file=sys.stdout, unit=" groups")
    for group in bar:
        bar.set_description(group)
        measure_group(group, settings, path)


def measure_group(group: str, settings: Settings, path: Path) -> None:
    """Measure a group, tell every row, and record them, also those before a Ctrl-C."""
    module = importlib.import_module(f"benchmarks.speed.{group}")
    rows: list[Row] = []
    complete = False
    try:
        for row in module.measure(settings):
            tqdm.write(report.line(row))
            rows.append(row)
        complete = True
    finally:
        if rows and not settings.quick:
            record.write(path, machine.describe(), group, rows, complete)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python3 course.py bench", description=__doc__)
    parser.add_argument(
        "--only",
        type=groups,
        default=GROUPS,
        metavar="GROUP,GROUP",
        help=f"some of {', '.join(GROUPS)}",
    )
    parser.add_argument("--quick", action="store_true", help="three pairs of each, not recorded")
    parser.add_argument("--machine", default=machine.name(), help="what the results are called")
    return parser.parse_args(arguments)


def groups(text: str) -> tuple[str, ...]:
    """Return the groups of a list with commas.

    Raises:
        argparse.ArgumentTypeError: If there is no such group.
    """
    wanted = tuple(text.split(","))
    unknown = [group for group in wanted if group not in GROUPS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no {', '.join(unknown)}. There are: {', '.join(GROUPS)}."
        )
    return wanted


if __name__ == "__main__":
    main()
