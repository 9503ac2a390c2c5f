"""The commands: ``python -m imitation_lab doctor``, and ``leaderboard FILE ...``."""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

OK, BROKEN, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that a terminal cannot show must not end it all
            stream.reconfigure(errors="replace")
    parser = argparse.ArgumentParser(prog="python -m imitation_lab")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_doctor, _add_leaderboard):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        code: int = options.command(options)
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return INTERRUPTED
    except _UsageError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return USAGE
    return code


class _UsageError(Exception):
    """The command cannot be carried out as it was given."""


# The doctor --------------------------------------------------------------------------------------


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="look at what the notebooks need, and say what to do",
        description="Looks at what the notebooks need, and says what to do. Nothing is changed. "
        "The exit code is 1 where something is broken.",
    )
    parser.set_defaults(command=_doctor)
    parser.add_argument("--quick", action="store_true", help="leave out what takes seconds")
    parser.add_argument("--faults", action="store_true", help="say nothing of what is well")


def _doctor(options: argparse.Namespace) -> int:
    from imitation_lab.doctor import examine, report

    if not options.quick:
        print("Looking. Importing torch, the last of it, takes a few seconds.", flush=True)
    return OK if report(examine(Path.cwd(), options.quick), options.faults) else BROKEN


# The leaderboard ---------------------------------------------------------------------------------


def _add_leaderboard(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "leaderboard",
        help="judge Push-T policies on starts that nobody knew before",
        description="Judges Push-T policies on starts that nobody knew before. Files are data: "
        "nothing in them is run.",
    )
    parser.set_defaults(command=_leaderboard)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--starts", type=_count, default=100, help="episodes (default: 100)")
    parser.add_argument("--seed", type=_seed, help="repeat the leaderboard that had this seed")
    parser.add_argument("--jobs", type=_count, default=1, help="files at a time (default: 1)")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write a table for a computer"
    )
    points = parser.add_argument_group("outcome points, for the lower bound of success")
    points.add_argument("--points", type=_positive, metavar="N", help="the most that there are")
    points.add_argument("--low", type=_share, default=0.3, help="none up to here (default: 0.3)")
    points.add_argument("--high", type=_share, default=0.8, help="all from here (default: 0.8)")


def _leaderboard(options: argparse.Namespace) -> int:
    # Here, since they load torch: `--help` should not take seconds.
    from imitation_lab.pusht.environment import make_environment
    from imitation_lab.pusht.judging import STOPPED
    from imitation_lab.pusht.leaderboard import judge_files, table, write_csv
    from imitation_lab.pusht.scoring import Points, Trial

    if options.csv and not options.csv.parent.is_dir():
        raise _UsageError(f"there is no folder {options.csv.parent} to write --csv into.")
    try:
        points = Points(options.points, options.low, options.high) if options.points else None
        make_environment()
    except (ImportError, ValueError) as error:
        raise _UsageError(error) from None
    seed = secrets.randbits(32) if options.seed is None else options.seed
    trial = Trial(seed, options.starts)
    entries = judge_files(options.files, trial, options.jobs)
    print(table(entries, trial, points))
    print(f"\nTo repeat it: --seed {seed} --starts {options.starts}")
    if options.csv:
        write_csv(options.csv, entries, trial, points)
    return INTERRUPTED if any(entry.problem == STOPPED for entry in entries) else OK


def _count(text: str) -> int:
    if (number := _whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _seed(text: str) -> int:
    if not 0 <= (number := _whole(text)) < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1, got {number}")
    return number


def _positive(text: str) -> float:
    if not 0 < (number := _number(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"must be greater than 0, got {text}")
    return number


def _share(text: str) -> float:
    if not 0 <= (number := _number(text)) <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text}") from None


if __name__ == "__main__":
    sys.exit(main())
