"""The commands for what comes after grading: answers in words, and grades for other services."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.assignment import TESTS, AssignmentError, load_assignments

if TYPE_CHECKING:  # the commands load what they need: grading alone needs none of it
    from autograder.results import Result

USAGE = 2


def add_papers(commands: Any) -> None:
    """Add ``manual`` and ``upload`` to the commands."""
    manual = commands.add_parser(
        "manual", help="gather answers in words, or merge the points that people gave for them"
    )
    steps = manual.add_subparsers(required=True, metavar="{gather,merge}")
    step = _add(steps, "gather", "one page per question, and one table for the points", _gather)
    step.add_argument(
        "--max-points", type=float, default=1.0, metavar="N", help="of one answer (default: 1)"
    )
    _add(steps, "merge", "add the table's points to results, feedback and grades", _merge)
    upload = _add(commands, "upload", "write the grades as Canvas or Gradescope take them", _upload)
    upload.add_argument("--to", required=True, choices=("canvas", "gradescope"))
    upload.add_argument(
        "--roster", required=True, type=Path, metavar="CSV",
        help="Canvas's exported gradebook, or Gradescope's downloaded roster",
    )  # fmt: skip


def _add(
    commands: Any, name: str, what: str, command: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    parser.set_defaults(command=_explained(command))
    parser.add_argument("out", type=Path, metavar="DIR", help="what `grade --out DIR` wrote")
    parser.add_argument(
        "--tests", type=Path, default=TESTS, metavar="DIR", help="the tests that were graded with"
    )
    return parser


def _explained(command: Callable[[argparse.Namespace], int]) -> Callable[..., int]:
    """Return the command such that it explains what it cannot do."""

    def explained(options: argparse.Namespace) -> int:
        from autograder.manual import ManualError
        from autograder.restoring import RestoreError
        from autograder.roster import RosterError

        try:
            return command(options)
        except (AssignmentError, ManualError, RestoreError, RosterError) as error:
            print(f"autograder: {error}", file=sys.stderr)
            return USAGE

    return explained


def _restore(options: argparse.Namespace) -> "list[Result]":
    from autograder.restoring import restore_folder

    return restore_folder(options.out, load_assignments(options.tests))


def _gather(options: argparse.Namespace) -> int:
    from autograder.manual import FOLDER, TABLE, gather

    for page in gather(_restore(options), options.out, options.max_points):
        print(page)
    table = options.out / FOLDER / TABLE
    print(f"Write points and comments into {table}, then run `manual merge`.")
    return 0


def _merge(options: argparse.Namespace) -> int:
    from autograder.manual import merge

    merged = merge(_restore(options), options.out)
    print(f"Answers with points: {merged.graded}.")
    if merged.unread:
        print(f"Without points, which count as 0: {merged.unread}.")
    for question, name in merged.unknown:
        print(f"Not in this grading: {question} of {name}.")
    return 0


def _upload(options: argparse.Namespace) -> int:
    from autograder.roster import read_roster
    from autograder.uploads import write_uploads

    page = write_uploads(_restore(options), read_roster(options.roster), options.to, options.out)
    print(f"Read {page} first: it tells what is in the table, and what is not.")
    return 0
