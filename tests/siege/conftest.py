"""The field of the siege: secrets that must not be found, and a sandbox of each kind."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from autograder.assignment import load_assignments
from autograder.judge import Judge, Settings
from autograder.limits import Limits
from autograder.report import render_feedback
from autograder.sandbox import BACKEND_NAMES, SandboxError, open_sandbox, process
from autograder.sandbox.backends import ROOT
from autograder.submissions import Submission
from tests.grading.conftest import ASSIGNMENTS, FULL, RIGHT, StudentNotebook

# Little processor time, since some loop. More time by the clock: the machine may be busy.
LIMITS = Limits(cpu_seconds=2, wall_seconds=20.0, total_seconds=60.0, memory_mb=512, disk_mb=64)
STATUSES = {"ok", "timeout", "died", "out_of_memory", "malformed"}


class Field:
    """One sandbox under siege, with what may be stolen, broken or left behind.

    Attributes:
        places: What stands for ``@SECRET@`` and the like.
    """

    def __init__(self, sandbox, folder: Path, mark: str, places: dict[str, str]):
        self._mark = mark
        self._folder = folder
        self._secret = Path(places["SECRET"])
        self._before = self._secret_state()
        self.places = places
        self.sandbox = sandbox
        self.assignments = load_assignments(folder / "assignments")
        self.judge = Judge(sandbox, self.assignments, Settings(seed=11, limits=LIMITS))
        sandbox.without(self.assignments["00_sample"].withheld)  # it stays, and is no survivor
        self._alive = self._living()

    def notebook(self, **answers: str) -> StudentNotebook:
        notebook = StudentNotebook(self.assignments["00_sample"])
        for question, source in answers.items():
            notebook.answer(question, self.fill_in(source))
        return notebook

    def fill_in(self, source: str) -> str:
        for name, value in self.places.items():
            source = source.replace(f"@{name}@", value)
        return source

    def grade_text(self, text: str):
        path = self._folder / "submission.ipynb"
        path.write_text(text)
        return self.grade(path)

    def grade(self, path: Path):
        return self.judge.grade(Submission("hostile", path))

    def check(self, result, most: float, status: frozenset | set = frozenset(STATUSES)) -> None:
        """Hold a hostile submission's result, and what it left behind, to all that must be so."""
        text = json.dumps(result.as_gradescope(), ensure_ascii=False)
        assert json.loads(text)["extra_data"]["status"] in status
        assert result.max_score == 8 and len(result.tests) == 6
        assert result.score <= most
        for stolen in (self.places["CANARY"], self.places["WON"], "TREASURE"):
            assert stolen not in text and stolen not in render_feedback(result)
        assert len(text) < 500_000
        assert self._secret_state() == self._before
        assert not self._strays() and self._living() <= self._alive

    def check_next(self) -> None:
        """The next honest submission has its full score."""
        result = self.grade_text(self.notebook(**RIGHT).text())
        scores = {q.name: result.question_score(q) for q in result.assignment.graded}
        assert (result.status, scores) == ("ok", FULL)

    def _secret_state(self) -> tuple:
        found = self._secret.stat()
        return self._secret.read_text(), found.st_mode, found.st_uid, found.st_mtime

    def _strays(self) -> list[str]:
        places = ("/tmp", "/var/tmp", "/dev/shm", "/", str(self._secret.parent))
        names = ("siege-was-here", "siege-was-here.ipynb")
        return [f"{p}/{n}" for p in places for n in names if Path(p, n).exists()]

    def _living(self) -> set[str]:
        """Return the processes that come from this sandbox's zygote, wherever they went."""
        self.judge.close()  # the worker that hints come from is the judge's own
        found = set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in path.read_bytes():
                    found.add(path.parent.name)
        return found


@pytest.fixture(scope="session", params=BACKEND_NAMES)
def field(request):
    mark = f"FIELD-{secrets.token_hex(8)}"
    environment = process._environment()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # What the kernel keeps of a process's start: its descendants are known by it.
        patch.setattr(process, "_environment", lambda: {**environment, "FIELD": mark})
        folder = Path(tempfile.mkdtemp(prefix="siege-"))
        stack.callback(shutil.rmtree, folder)
        places = _prepare(folder, stack)
        try:
            sandbox = open_sandbox(secrets=[str(folder)], backend=request.param)
        except SandboxError as error:
            pytest.skip(f"{request.param} does not work here: {str(error).splitlines()[1]}")
        stack.enter_context(sandbox)
        yield Field(sandbox, folder, mark, places)


def _prepare(folder: Path, stack: contextlib.ExitStack) -> dict[str, str]:
    """Put secrets where every user of the machine can read them, and listeners for all that call."""
    token = f"CANARY-{secrets.token_hex(8)}"
    folder.chmod(0o755)
    shutil.copytree(ASSIGNMENTS, folder / "assignments")
    for test in (folder / "assignments").glob("*/*.py"):
        test.write_text(f"_hidden = {token!r}\n" + test.read_text())
    secret = folder / "secret"
    secret.write_text(token)
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    for address in (str(folder / "socket"), f"\0siege-{token}"):
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        listener.bind(address)
    (folder / "socket").chmod(0o777)
    return {
        "CANARY": token,
        "SECRET": str(secret),
        "TESTS": str(folder / "assignments"),
        "SOCKET": str(folder / "socket"),
        "ABSTRACT": f"\\0siege-{token}",
        "PORT": str(tcp.getsockname()[1]),
        "JUDGE": str(os.getpid()),
        "ANSWER": "imitation_lab.gating",  # what the sample's assignment withholds
        "MARK": "Who_drives_now?_Doubt,_thresholds,_and_hands_on_the_wheel.",  # in it, and nowhere else
        "PROJECT": str(ROOT),
        "LIBRARY": str(ROOT / "imitation_lab"),
        "WON": f"WON-{secrets.token_hex(8)}",
    }
