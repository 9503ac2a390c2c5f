"""The commands: ``grade`` submissions, handle what people add, or ask the ``doctor`` of this machine."""

import argparse
import dataclasses
import importlib
import importlib.util
import math
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING

from autograder.assignment import TESTS, Assignment, AssignmentError, load_assignments, read_tests
from autograder.limits import Limits
from autograder.papers import add_papers
from autograder.roster import RosterError, read_ids, read_roster
from autograder.sandbox import BACKEND_NAMES, Sandbox, SandboxError, open_sandbox
from autograder.selection import guess_assignment
from autograder.submissions import Submission, count_others, find_submissions, printable
from autograder.variants import check_seed
from autograder.whose import Dealer, most_are_strange, with_owners

if TYPE_CHECKING:  # they load torch
    from autograder.grading import Outcome
    from autograder.judge import Settings
    from autograder.policies import PolicyJudge
    from autograder.resuming import Records

OK, GRADER_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = options.command(options)
    except _UsageError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("autograder: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return code


class _UsageError(Exception):
    """The command cannot be carried out as it was given."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description=__doc__)
    commands = parser.add_subparsers(
        required=True, metavar="{grade,manual,upload,gradescope,doctor}"
    )
    grade = commands.add_parser("grade", help="grade notebooks, zips and folders of them")
    grade.set_defaults(command=_grade)
    grade.add_argument("submissions", nargs="+", type=Path, metavar="SUBMISSION")
    grade.add_argument("--out", required=True, type=Path, metavar="DIR", help="for the results")
    grade.add_argument("--seed", type=int, help="repeat the grading that had this seed")
    grade.add_argument(
        "--fresh", action="store_true", help="grade anew what was graded by the same settings"
    )
    grade.add_argument(
        "--cluster", metavar="ADDRESS", help="grade on the workers of this Dask scheduler"
    )
    grade.add_argument("--jobs", type=_positive, default=1, help="submissions at a time")
    grade.add_argument("--assignment", default="", help="the notebook that all submissions answer")
    grade.add_argument(
        "--tests", type=Path, metavar="DIR", help="folder of assignments (default: the built ones)"
    )
    grade.add_argument(
        "--unsafe", action="store_true", help="run submissions without walls, with your own rights"
    )
    _add_variant(grade)
    _add_outcome(grade)
    limits = grade.add_argument_group("limits of one submission")
    for name, value in Limits().as_dict().items():
        kind = _positive if isinstance(value, int) else _seconds
        limits.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value, metavar="N")
    add_papers(commands)
    _add_gradescope(commands)
    doctor = commands.add_parser("doctor", help="tell which sandbox this machine gives, and try it")
    doctor.set_defaults(command=_doctor)
    for command in (grade, doctor):
        command.add_argument(
            "--backend", choices=BACKEND_NAMES, help="use this sandbox and no other (see doctor)"
        )
    return parser


def _add_gradescope(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    zipped = commands.add_parser("gradescope", help="write the zip of a notebook for Gradescope")
    zipped.set_defaults(command=_gradescope)
    zipped.add_argument("notebook", metavar="NOTEBOOK", help="such as 01_the_mean_is_not_an_action")
    zipped.add_argument("--out", required=True, type=Path, metavar="FILE.zip")
    zipped.add_argument("--tests", type=Path, default=TESTS, metavar="DIR")
    _add_variant(zipped)


def _add_variant(command: argparse.ArgumentParser) -> None:
    variant = command.add_argument_group(
        "constants that differ from student to student, as `release --variant-seed` made them"
    )
    variant.add_argument("--variant-seed", metavar="TEXT", help="the release's secret")
    variant.add_argument(
        "--roster", type=Path, metavar="CSV", help="Canvas's gradebook, or Gradescope's roster"
    )


def _add_outcome(grade: argparse.ArgumentParser) -> None:
    outcome = grade.add_argument_group(
        "outcome points, for the Push-T policy my_policy.safetensors in a submission's zip",
        "It is judged as `python -m imitation_lab leaderboard` does: points rise with the lower end of "
        "the 95 %% interval of its success.",
    )
    outcome.add_argument("--outcome", type=_positive, metavar="N", help="the most that there are")
    outcome.add_argument(
        "--outcome-low", type=float, default=0.3, metavar="X", help="none up to here"
    )
    outcome.add_argument(
        "--outcome-high", type=float, default=0.8, metavar="X", help="all from here"
    )
    outcome.add_argument(
        "--outcome-starts", type=_positive, default=100, metavar="N", help="episodes"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0 and have an end, got {number:g}")
    return number


def _grade(options: argparse.Namespace) -> int:
    submissions, dealer = _deal(options, _find(options))
    assignments = _load(options)
    _check_outcome(options)
    _make_folder(options.out)
    if options.cluster:
        return _grade_on_cluster(options, submissions, assignments, dealer)
    likely = guess_assignment(submissions[0], assignments, options.assignment)
    sandbox, grading = _start(options, likely)
    with sandbox:
        settings = _settings(options, dealer)
        records = _records(options, settings, assignments)
        judge = grading.Judge(sandbox, assignments, settings)
        policies = _policy_judge(options, settings.seed) if options.outcome else None
        outcome = grading.grade_all(judge, submissions, records, options.jobs, policies)
    return _code(outcome)


def _code(outcome: "Outcome") -> int:
    if most_are_strange([result.variant for result in outcome.results if result.variant]):
        print("Most notebooks hold other constants than these: is the variant seed the release's?")
    if outcome.interrupted:
        return INTERRUPTED
    return GRADER_FAILED if outcome.failures else OK


def _grade_on_cluster(
    options: argparse.Namespace,
    submissions: list[Submission],
    assignments: dict[str, Assignment],
    dealer: Dealer | None,
) -> int:
    if options.outcome:
        raise _UsageError("--outcome is judged here: give those points in a run without --cluster.")
    if importlib.util.find_spec("distributed") is None:
        raise _UsageError("--cluster needs Dask: pip install 'distributed>=2025.1'")
    from autograder.cluster import ClusterError, ClusterJudge, Job
    from autograder.grading import grade_all

    settings = _settings(options, dealer)
    job = Job(settings, read_tests(options.tests or TESTS), options.unsafe, options.backend)
    try:
        judge = ClusterJudge(options.cluster, assignments, job)
    except ClusterError as error:
        raise _UsageError(error) from None
    records = _records(options, settings, assignments)
    return _code(grade_all(judge, submissions, records, max(options.jobs, judge.width())))


def _settings(options: argparse.Namespace, dealer: Dealer | None) -> "Settings":
    from autograder.judge import Settings
    from autograder.resuming import choose_seed

    limits = Limits(**{name: getattr(options, name) for name in Limits().as_dict()})
    seed = choose_seed(options.out, options.seed, options.fresh)
    return Settings(seed, limits, options.assignment, dealer)


def _records(
    options: argparse.Namespace, settings: "Settings", assignments: dict[str, Assignment]
) -> "Records":
    """Return the records of the folder, in which this grading is now under way."""
    from autograder.resuming import Records, digest_tests

    basis = {
        **dataclasses.asdict(settings),
        "tests": digest_tests(options.tests or TESTS),
        "unsafe": options.unsafe,
        "outcome": {key: value for key, value in vars(options).items() if "outcome" in key},
    }
    records = Records(options.out, assignments, basis, options.fresh)
    records.begin(settings.seed)
    return records


def _find(options: argparse.Namespace) -> list[Submission]:
    try:
        submissions = find_submissions(options.submissions)
    except FileNotFoundError as error:
        raise _UsageError(error) from None
    if not submissions:
        raise _UsageError("there is no .ipynb and no .zip in what was given.")
    if others := count_others(options.submissions):
        endings = printable(", ".join(ending for ending, _ in others.most_common(5)))
        print(f"Not looked at: {others.total()} files ({endings}).")
    return submissions


def _deal(
    options: argparse.Namespace, submissions: list[Submission]
) -> tuple[list[Submission], Dealer | None]:
    """Return the submissions with their owners, and who knows each student's constants."""
    if not _has_variants(options):
        return submissions, None
    try:
        check_seed(options.variant_seed)
        owned = with_owners(submissions, read_roster(options.roster))
        return owned, Dealer(options.variant_seed, tuple(read_ids(options.roster)))
    except (RosterError, ValueError) as error:
        raise _UsageError(error) from None


def _has_variants(options: argparse.Namespace) -> bool:
    if (options.variant_seed is None) != (options.roster is None):
        raise _UsageError("--variant-seed and --roster go together: give those of the release.")
    return options.variant_seed is not None


def _load(options: argparse.Namespace) -> dict[str, Assignment]:
    try:
        assignments = load_assignments(options.tests or TESTS)
    except AssignmentError as error:
        raise _UsageError(error) from None
    if options.assignment and options.assignment not in assignments:
        known = ", ".join(assignments)
        raise _UsageError(f"there is no assignment {options.assignment}; there are {known}.")
    return assignments


def _check_outcome(options: argparse.Namespace) -> None:
    if not 0 <= options.outcome_low < options.outcome_high <= 1:
        raise _UsageError("--outcome-low must be smaller than --outcome-high, both from 0 to 1.")
    if options.outcome and importlib.util.find_spec("gym_pusht") is None:
        raise _UsageError("--outcome needs Push-T: python3 course.py setup --capstone")


def _policy_judge(options: argparse.Namespace, seed: int) -> "PolicyJudge":
    from autograder.policies import PolicyJudge
    from imitation_lab.pusht.scoring import Points

    points = Points(float(options.outcome), options.outcome_low, options.outcome_high)
    return PolicyJudge(seed, points, options.outcome_starts)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _UsageError(f"--out {out} cannot be written to: {error.strerror}.") from None


def _start(options: argparse.Namespace, likely: Assignment | None) -> tuple[Sandbox, ModuleType]:
    """Open the sandbox, and load the judge's torch while the sandbox loads another one.

    Args:
        options: Of the command line.
        likely: The assignment that will be needed first. Others are opened when they are.
    """
    hidden = [str(folder) for folder in (options.tests, options.out) if folder]
    with ThreadPoolExecutor(1) as loader:
        loading = loader.submit(importlib.import_module, "autograder.grading")
        try:
            sandbox = open_sandbox(options.unsafe, hidden, options.backend)
            if likely:
                sandbox.without(likely.withheld)
            return sandbox, loading.result()
        except SandboxError as error:
            raise _UsageError(error) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _gradescope(options: argparse.Namespace) -> int:
    from autograder.gradescope.build import GradescopeError, Variants, write_zip

    has = _has_variants(options)
    variants = Variants(options.variant_seed, options.roster) if has else None
    try:
        write_zip(options.notebook, options.tests, options.out, variants)
    except (GradescopeError, RosterError, ValueError, OSError) as error:
        raise _UsageError(error) from None
    print(f"{options.out}: upload it as the assignment's autograder, with 1.5 GB.")
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from autograder.doctor import examine_machine

    return OK if examine_machine(options.backend) else GRADER_FAILED
