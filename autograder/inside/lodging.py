"""What one submission has for itself where it has no namespaces: a folder, and a user if may be.

Root gives each submission a user that nobody else is, and a second one to the process that watches
over it. Whoever is not root lends the submission his own user; Landlock must then keep signals in.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autograder.inside import landlock, linux

_ENOUGH = (linux.CAP_CHOWN, linux.CAP_KILL, linux.CAP_SETGID, linux.CAP_SETUID)
_HIGHEST_USER = 2_000_000_000  # above what distributions and containers give out
_MOST_USERS = 1000


def can_change_user() -> bool:
    """Tell whether this process may become any user and still end what that user runs."""
    return linux.has_capabilities(*_ENOUGH)


def check_support() -> None:
    """Make sure that the kernel can hold a submission.

    Raises:
        OSError: If it cannot. The message says why.
    """
    needed = 1 if can_change_user() else max(landlock.SIGNALS, landlock.TRUNCATION)
    found = landlock.version()
    if found == 0:
        raise OSError("the kernel has no Landlock, or it is switched off")
    if found < needed:
        raise OSError(
            f"the kernel's Landlock has version {found}. Version {needed} (Linux 6.12) is needed, or"
            " root, who can give each submission a user of its own"
        )


class Lodging:
    """A folder and, where that is possible, a user for one submission.

    Attributes:
        folder: The one folder that it can write to.
        user: Its user. None: the instructor's own.
    """

    def __init__(self, base: Path, keeps_reading: bool) -> None:
        self._keeps_reading = keeps_reading
        self.user: int | None = None
        self._claim: socket.socket | None = None
        if can_change_user():
            self.user, self._claim = _claim_user()
        self.folder = Path(tempfile.mkdtemp(dir=base))
        if self.user is not None:
            os.chown(self.folder, self.user, self.user)

    def move_in(self) -> None:
        """Become the submission's user, without privileges, in its folder."""
        kept = linux.CAP_DAC_READ_SEARCH if self._keeps_reading else None
        if self.user is not None:
            linux.keep_capabilities()
            _become(self.user, self.user)
        linux.drop_capabilities(but=kept)
        os.chdir(self.folder)
        place = str(self.folder)
        os.environ.update(HOME=place, TMPDIR=place, MPLCONFIGDIR=place)
        tempfile.tempdir = None  # it may have been looked up before

    def watch(self) -> None:
        """Become who can signal, and look into, what this submission runs, and nothing else.

        The submission cannot signal in return: its user is not this process's real one.
        """
        if self.user is not None:
            _become(self.user, self.user + 1)
        linux.drop_capabilities()

    def processes(self, limit: int) -> int:
        """Return the limit that ``RLIMIT_NPROC`` needs, which counts all that a user runs."""
        return limit if self.user is not None else limit + _tasks_of(os.getuid())

    def leave(self) -> None:
        """Remove the folder, once nothing of the submission is alive."""
        # By programs: a tree may be deeper than Python's stack, or closed to its own owner.
        subprocess.run(["chmod", "-R", "u+rwX", "--", self.folder], capture_output=True)
        subprocess.run(["rm", "-rf", "--", self.folder], capture_output=True)
        if self._claim:
            self._claim.close()


def must_keep_reading(paths: Sequence[str]) -> bool:
    """Tell whether a submission needs the right to search folders that are closed to others.

    So it is where Python lies in root's own folder. Landlock still bounds what it reads.

    Raises:
        PermissionError: If it needs the right and cannot have it.
    """
    child = os.fork()
    if child == 0:
        os._exit(_cannot_read(paths))
    _, status = os.waitpid(child, 0)
    if status == 0:
        return False
    if not linux.has_capabilities(linux.CAP_DAC_READ_SEARCH):
        raise PermissionError(
            "Python or the course lies in a folder that other users may not enter: "
            "install both elsewhere, or open the folder with `chmod o+x`"
        )
    return True


def _cannot_read(paths: Sequence[str]) -> int:
    try:
        if can_change_user():
            _become(_users()[0], _users()[0])
        linux.drop_capabilities()
        return int(not all(os.access(path, os.R_OK) for path in paths))
    except BaseException:
        return 1


def _become(effective: int, real: int) -> None:
    os.setgroups([])
    os.setresgid(real, real, real)
    os.setresuid(real, effective, real)


def _claim_user() -> tuple[int, socket.socket]:
    """Return a user that no other grading on this machine has, and what holds the claim.

    The claim is a name in the abstract namespace: it goes with the process that holds it.
    """
    for user in _users():
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0imitation-lab-submission-{user}")
        except OSError:
            claim.close()
        else:
            return user, claim
    raise OSError("every user for submissions is taken: are other gradings running?")


def _users() -> range:
    """Return the users that submissions may have. Each leaves the one above it to its watcher."""
    start, _, length = map(int, Path("/proc/self/uid_map").read_text().splitlines()[0].split())
    highest = min(start + length - 10, _HIGHEST_USER)  # nobody is the last but one of 65536
    return range(highest - 2 * _MOST_USERS, highest, 2)


def _tasks_of(user: int) -> int:
    """Count the threads of all that a user runs."""
    count = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == user:
                count += sum(1 for _ in (folder / "task").iterdir())
        except OSError:  # it has just ended
            continue
    return count


def remaining(folder: Path) -> int:
    """Return the free bytes of the file system that holds a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
