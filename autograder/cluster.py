"""Grading on a cluster: each worker of a Dask scheduler has a judge, and a sandbox, of its own.

The workers need the course in the same version, and no files in common: the tests and the submissions
travel to them. What comes back is text, read as a result on disk is read. Dask gives what a worker that
died was grading to another one.
"""

import asyncio
import concurrent.futures
import json
import secrets
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from distributed import Client, Worker, WorkerPlugin, get_worker

from autograder.assignment import Assignment, load_assignments
from autograder.judge import Judge, Settings
from autograder.restoring import restore
from autograder.results import Result
from autograder.sandbox import Sandbox, open_sandbox
from autograder.selection import guess_assignment
from autograder.submissions import MAX_ZIP, Submission

_SECONDS = 60  # for the scheduler, and for the first worker
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


class ClusterError(Exception):
    """The cluster cannot be used. The message says why."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know, besides the submissions.

    Attributes:
        settings: What all submissions share.
        tests: The assignments' files, by their path in the folder of assignments.
        unsafe: Whether to run submissions without walls.
        backend: The one sandbox to use, or None.
    """

    settings: Settings
    tests: dict[str, bytes]
    unsafe: bool
    backend: str | None


class JudgePlugin(WorkerPlugin):
    """A worker's judge, made when the first submission comes. Workers that join later have it too."""

    def __init__(self, job: Job) -> None:
        self.name = f"imitation-lab-{secrets.token_hex(8)}"
        self._job = job
        self._sandbox: Sandbox | None = None
        self._judge: Judge | None = None

    def setup(self, worker: Worker) -> None:
        """Prepare for many threads."""
        self._lock = threading.Lock()

    def teardown(self, worker: Worker) -> None:
        """End the sandbox, and what runs in it."""
        if self._sandbox:
            self._sandbox.close()

    def judge(self) -> Judge:
        """Return the worker's judge."""
        with self._lock:
            if self._judge is None:
                torch.set_num_threads(1)
                self._sandbox = open_sandbox(self._job.unsafe, backend=self._job.backend)
                self._judge = Judge(self._sandbox, self._assignments(), self._job.settings)
            return self._judge

    def _assignments(self) -> dict[str, Assignment]:
        # The files are gone before any submission runs.
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self._job.tests.items():
                path = Path(folder) / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            return load_assignments(Path(folder))


def grade_there(
    plugin: str, name: str, file: str, content: bytes | None, student: str = ""
) -> tuple[str, float]:
    """Grade a submission in a worker; return ``results.json`` as text, and the seconds it took.

    Args:
        plugin: The name of the plugin that has the judge.
        name: The submission's.
        file: The file's name.
        content: What is in it. None: it cannot be read.
        student: Whose it is, where that is known.
    """
    own: Any = get_worker().plugins[plugin]
    judge: Judge = own.judge()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        if content is not None:
            path.write_bytes(content)
        result = judge.grade(Submission(name, path, student))
    return json.dumps(result.as_gradescope()), result.seconds


class ClusterJudge:
    """Has submissions graded by a cluster, from any number of threads.

    Args:
        address: The scheduler's, such as ``tcp://10.0.0.1:8786``.
        assignments: By the notebook's name.
        job: What the workers need to know.

    Raises:
        ClusterError: If there is no scheduler, or if it has no workers.
    """

    def __init__(self, address: str, assignments: Mapping[str, Assignment], job: Job) -> None:
        self._assignments = assignments
        self._job = job
        self._plugin = JudgePlugin(job)
        self._stopped = False
        try:
            self._client = Client(address, timeout=_SECONDS, set_as_default=False)
            self._client.wait_for_workers(1, timeout=_SECONDS)
        except (OSError, ValueError) as error:
            raise ClusterError(f"no cluster with workers answers at {address}: {error}") from None
        self._client.register_plugin(self._plugin)

    def width(self) -> int:
        """Return how many submissions to hand over at a time: enough for workers that join later."""
        return 4 * sum(self._client.nthreads().values())

    def blank_result(self, submission: Submission) -> Result:
        """Return what stands for a submission until, or unless, its grading ends."""
        settings = self._job.settings
        result = Result(submission.name, str(submission.path))
        result.environment = {
            "seed": settings.seed,
            "backend": "cluster",
            "unsafe": self._job.unsafe,
            "limits": settings.limits.as_dict(),
            "versions": {"torch": str(torch.__version__)},
        }
        result.assignment = guess_assignment(submission, self._assignments, settings.assignment)
        result.fail_everything("Grading has not finished.")
        return result

    def grade(self, submission: Submission) -> Result:
        """Have one submission graded.

        Raises:
            ClusterError: If the grading was stopped.
        """
        path, name = submission.path, submission.name
        given = (name, path.name, _read(path), submission.student)
        task = self._client.submit(grade_there, self._plugin.name, *given, pure=False)
        try:
            text, seconds = task.result()
        except _CANCELLED:
            raise ClusterError("the cluster's grading was stopped.") from None
        result = restore(json.loads(text), self._assignments, name, str(path))
        result.seconds = seconds
        return result

    def stop(self) -> None:
        """Let go of the cluster, and end what it grades."""
        self.close()

    def close(self) -> None:
        """End the workers' sandboxes, and let go of the cluster."""
        if not self._stopped:
            self._stopped = True
            self._client.unregister_worker_plugin(self._plugin.name)
            self._client.close()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_ZIP + 1)  # one more than is allowed, and the worker refuses it
    except OSError:
        return None
