"""Who pushes best? Submitted policy files side by side, on starts that nobody knew before."""

import csv
import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from imitation_lab.files import write_atomically
from imitation_lab.pusht.judging import STOPPED, UnfitError, judge, plain
from imitation_lab.pusht.policy import LARGEST_FILE
from imitation_lab.pusht.scoring import Points, Score, Trial

NAME_WIDTH = 40
FORMULA_SIGNS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Entry:
    """One file of a leaderboard.

    Attributes:
        name: The file's path, in printable characters.
        digest: The SHA-256 of its content. Empty where it could not be read.
        score: What it did. None where it could not be judged.
        problem: Why it could not be judged.
        same_as: The short name of an earlier file with the same content.
    """

    name: str
    digest: str = ""
    score: Score | None = None
    problem: str = ""
    same_as: str = ""

    @property
    def short_name(self) -> str:
        """The end of its path, which holds the file's name and often the student's."""
        return self.name if len(self.name) <= NAME_WIDTH else "..." + self.name[3 - NAME_WIDTH :]


@dataclass(frozen=True)
class Standing:
    """An entry among the others.

    Attributes:
        place: From 1. Those who are alike share one.
        unbeaten: Whether no other is at least as good on all three axes and better on one.
        entry: The entry.
        score: Its score.
    """

    place: int
    unbeaten: bool
    entry: Entry
    score: Score


def judge_files(
    paths: Sequence[Path], trial: Trial, jobs: int = 1, progress: bool = True
) -> list[Entry]:
    """Put every file on the same trial. A file that cannot be judged does not stop the others.

    Args:
        paths: Policy files, of strangers.
        trial: What all have to do.
        jobs: Files at a time. They change nothing but the time it takes.
        progress: Whether to show a bar.

    Returns:
        An entry for each, in the order given. After Ctrl-C, those that were not judged say so.
    """
    stopped = threading.Event()
    bar = _Bar(len(paths), trial.max_steps + trial.mode_steps, progress)
    with bar, ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_judge_file, path, trial, bar, stopped) for path in paths]
        try:
            wait(futures)
        except KeyboardInterrupt:
            stopped.set()
    return _with_twins([future.result() for future in futures])


def read_submission(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        UnfitError: If it is no ordinary file, is too large, or cannot be read.
    """
    try:
        if path.is_symlink():
            raise UnfitError("it is a link: hand in the file itself.")
        if not path.exists():
            raise UnfitError("there is no such file.")
        if not path.is_file():  # a folder; or a pipe or a device, which could be read without end
            raise UnfitError("it is no file.")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UnfitError(f"it cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise UnfitError(f"it is larger than {LARGEST_FILE // 2**20} MB.")
    return content


def _judge_file(path: Path, trial: Trial, bar: "_Bar", stopped: threading.Event) -> Entry:
    entry = Entry(plain(str(path)))
    with bar.share() as tick:
        try:
            if stopped.is_set():
                raise UnfitError(STOPPED)
            content = read_submission(path)
            entry = replace(entry, digest=hashlib.sha256(content).hexdigest())
            return replace(entry, score=judge(content, trial, tick, stopped))
        except UnfitError as error:
            return replace(entry, problem=str(error))


def _with_twins(entries: list[Entry]) -> list[Entry]:
    """Return the entries, each with the name of the first one of the same content."""
    first: dict[str, Entry] = {}
    return [
        entry
        if not entry.digest or (twin := first.setdefault(entry.digest, entry)) is entry
        else replace(entry, same_as=twin.short_name)
        for entry in entries
    ]


class _Bar:
    """A bar that several threads fill, an equal part for each file."""

    def __init__(self, num_files: int, actions: int, shown: bool) -> None:
        self._actions = actions
        self._lock = threading.Lock()
        self._bar = tqdm(
            desc="judging", total=num_files * actions, disable=not shown, mininterval=0.5,
            bar_format="{desc} {percentage:3.0f} % |{bar}| {elapsed}, {remaining} to go",
        )  # fmt: skip

    @contextmanager
    def share(self) -> Iterator[Callable[[], None]]:
        """Give what one file calls before each action. In the end its part is full."""
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            self._update(1)

        try:
            yield tick
        finally:
            self._update(self._actions - done)

    def _update(self, amount: int) -> None:
        with self._lock:
            self._bar.update(amount)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def rank(entries: Sequence[Entry]) -> list[Standing]:
    """Return the entries that were judged, the best first.

    The lower bound of success decides, then the entropy of the modes, then the expert's seconds. The
    three axes are not put into one number: who is beaten on none of them is marked.
    """
    judged = [(entry, entry.score) for entry in entries if entry.score]
    keys = [score.key for _, score in judged]
    return [
        Standing(
            place=1 + sum(other > score.key for other in keys),
            unbeaten=not any(other.beats(score) for _, other in judged),
            entry=entry,
            score=score,
        )
        for entry, score in sorted(judged, key=lambda pair: pair[1].key, reverse=True)
    ]


def table(entries: Sequence[Entry], trial: Trial, points: Points | None = None) -> str:
    """Return the leaderboard as people read it."""
    standings = rank(entries)
    names = [standing.entry.short_name for standing in standings]
    width = max([len("policy"), *map(len, names)])
    head = f"place   {'policy':<{width}}  {'success at least':<19}  coverage     sides      expert"
    lines = [head + ("   points" if points else "")]
    lines += [_line(standing, width, points) for standing in standings]
    unfit = [entry for entry in entries if not entry.score]
    if unfit:
        lines += ["", f"Not judged{', no points' if points else ''}:"]
        lines += [f"  {entry.short_name}: {entry.problem}" for entry in unfit]
    return "\n".join([*lines, "", *_remarks(standings, trial, points)])


def _line(standing: Standing, width: int, points: Points | None) -> str:
    score = standing.score
    success = f"{100 * score.lower_bound:5.1f} % ({score.success.successes}/{score.success.trials})"
    line = (
        f"{standing.place:>4} {'*' if standing.unbeaten else ' '} "
        f" {standing.entry.short_name:<{width}}  {success:<19}  {score.coverage:>8.3f}"
        f"  {score.mode_entropy:.2f} bit  {score.expert_seconds:>8.0f} s"
    )
    return line + (f"  {points.of(score):>7g}" if points else "")


def _remarks(standings: Sequence[Standing], trial: Trial, points: Points | None) -> list[str]:
    attempts = trial.num_mode_starts * trial.num_attempts
    lines = [
        "Ordered by the lower end of success's 95 % interval (Wilson). *: no other is as good on all of",
        "success, sides and expert, and better on one. Expert seconds are declared by the file, not checked.",
        f"Coverage is the mean of the largest; sides: entropy of the first push, {trial.num_attempts} attempts"
        f" from each of {trial.num_mode_starts} starts.",
    ]
    for standing in standings:
        name, idle = standing.entry.short_name, standing.score.idle_attempts
        if idle:
            lines.append(f"{name}: {idle} of {attempts} attempts pushed nothing, and are left out.")
        if standing.entry.same_as:
            lines.append(f"{name} is the same file as {standing.entry.same_as}.")
    return [*lines, *([str(points)] if points else [])]


def write_csv(
    path: Path, entries: Sequence[Entry], trial: Trial, points: Points | None = None
) -> None:
    """Write the leaderboard for a spreadsheet: a line per file, those that were not judged last."""
    text = io.StringIO(newline="")
    standings = rank(entries)
    rows = [_row(standing.entry, standing, trial, points) for standing in standings]
    rows += [_row(entry, None, trial, points) for entry in entries if not entry.score]
    columns = list(_row(Entry(""), None, trial, points))
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode("utf-8"))


def _row(
    entry: Entry, standing: Standing | None, trial: Trial, points: Points | None
) -> dict[str, Any]:
    """Return a line of the CSV file, by column."""
    score = entry.score
    return {
        "place": standing.place if standing else "",
        "file": _harmless(entry.name),
        "points": points.of(score) if points else "",
        "problem": _harmless(entry.problem),
        "success_lower_bound": score.lower_bound if score else "",
        "successes": score.success.successes if score else "",
        "starts": trial.num_starts,
        "mean_coverage": score.coverage if score else "",
        "mode_entropy_bits": score.mode_entropy if score else "",
        "idle_attempts": score.idle_attempts if score else "",
        "expert_seconds_declared": score.expert_seconds if score else "",
        "unbeaten": standing.unbeaten if standing else "",
        "same_as": _harmless(entry.same_as),
        "sha256": entry.digest,
        "seed": trial.seed,
    }


def _harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: a file may be called ``=HYPERLINK(...)``."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
