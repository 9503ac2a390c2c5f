"""What a grading leaves on disk, so that one which was interrupted goes on where it stopped.

Beside each finished ``results.json`` lies a record: what was graded by which settings, and how long it
took. The record is written last. So where there is none, the grading was not finished.
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment, read_tests
from autograder.report import render_feedback
from autograder.restoring import RECORD, RestoreError, restore_one
from autograder.results import Result, write_json, write_text
from autograder.submissions import UNFINISHED, Submission

_RESULTS, _FEEDBACK = "results.json", "feedback.html"


class Records:
    """The results in a folder.

    Args:
        out: The folder.
        assignments: By the notebook's name.
        basis: All that a grade depends on besides the submission, as plain data.
        fresh: Take nothing as it is.

    Attributes:
        out: The folder.
    """

    def __init__(
        self,
        out: Path,
        assignments: Mapping[str, Assignment],
        basis: Mapping[str, Any],
        fresh: bool = False,
    ) -> None:
        self.out = out
        self._assignments = assignments
        self._basis = json.dumps(basis, sort_keys=True).encode()
        self._fresh = fresh

    def begin(self, seed: int) -> None:
        """Note that the folder's grading is under way, and by which seed."""
        write_json(self.out / UNFINISHED, {"seed": seed})

    def end(self) -> None:
        """Note that nothing is left to grade."""
        (self.out / UNFINISHED).unlink(missing_ok=True)

    def fingerprint(self, submission: Submission) -> str:
        """Return what tells this submission, graded like this, from all else."""
        digest = hashlib.sha256(self._basis)
        told = [submission.name, submission.path.suffix.lower(), submission.student]
        digest.update(json.dumps(told).encode())
        try:
            with submission.path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            digest.update(secrets.token_bytes(16))  # what cannot be read is graded every time
        return digest.hexdigest()

    def find(self, submission: Submission) -> Result | None:
        """Return the result of a submission that was graded already by the same settings."""
        path = self.out / submission.name / RECORD
        if self._fresh:
            path.unlink(missing_ok=True)  # now: else it would count where this run is interrupted
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["fingerprint"] != self.fingerprint(submission):
                return None
            return restore_one(self.out, submission.name, str(submission.path), self._assignments)
        except (OSError, ValueError, KeyError, TypeError, RestoreError):
            return None

    def promise(self, result: Result) -> None:
        """Write what stands for a result until the result itself is kept."""
        folder = self.out / result.name
        (folder / RECORD).unlink(missing_ok=True)
        write_json(folder / _RESULTS, result.as_gradescope())

    def keep(self, result: Result, fingerprint: str = "") -> None:
        """Write a result, and the page for its student.

        Args:
            result: The result.
            fingerprint: Of the submission. Empty: this is no grade, and the next run is to try anew.
        """
        folder = self.out / result.name
        write_json(folder / _RESULTS, result.as_gradescope())
        write_text(folder / _FEEDBACK, render_feedback(result))
        if fingerprint:
            record = {"fingerprint": fingerprint, "seconds": round(result.seconds, 2)}
            write_json(folder / RECORD, record)

    def remove(self, name: str) -> None:
        """Remove a result, such as the feedback of an earlier grading: it would belong to no grade."""
        folder = self.out / name
        for file in (RECORD, _RESULTS, _FEEDBACK):
            (folder / file).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # where there is more in it
            folder.rmdir()


def choose_seed(out: Path, given: int | None, fresh: bool) -> int:
    """Return the seed of a grading: the one given, the interrupted run's, or a new one."""
    if given is not None:
        return given
    if not fresh:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads((out / UNFINISHED).read_text(encoding="utf-8"))["seed"])
    return secrets.randbits(32)


def digest_tests(folder: Path) -> str:
    """Return a digest of all that a folder of assignments says."""
    digest = hashlib.sha256()
    for name, content in read_tests(folder).items():
        digest.update(name.encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
