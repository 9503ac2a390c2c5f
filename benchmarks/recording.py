"""The command line of benchmarks that write a record into the library."""

import argparse
import os
from pathlib import Path

from imitation_lab.training import FAST

LIBRARY = Path(__file__).resolve().parents[1] / "imitation_lab"


def record_parser(document: str | None, record: Path, seeds: int) -> argparse.ArgumentParser:
    """Return a command line that knows how many seeds to take, from which on, and where the record goes.

    Args:
        document: The module's docstring.
        record: Where the record goes if nobody says otherwise.
        seeds: And how many are taken.
    """
    parser = argparse.ArgumentParser(description=(document or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=seeds, help=f"how many (default: {seeds})")
    parser.add_argument("--first-seed", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument("--out", type=Path, default=record, help="where the record goes")
    return parser


def parse(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, range]:
    """Read such a command line, and return the seeds too.

    The library's record is refused to short trainings, and to what another setting than the record's gives.
    """
    arguments, usual = parser.parse_args(), parser.parse_args([])
    to_library = arguments.out == usual.out
    if os.environ.get(FAST) and to_library:
        parser.error(f"{FAST} is set: unset it, or write this quick look elsewhere with --out.")
    if to_library and arguments != usual:
        parser.error(
            "the library's record has other settings: write this one elsewhere with --out."
        )
    return arguments, range(arguments.first_seed, arguments.first_seed + arguments.seeds)
