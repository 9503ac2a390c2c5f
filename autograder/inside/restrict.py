"""Locking one submission in where namespaces are forbidden: its own user, Landlock, a filter.

Runs in a process that the zygote has just forked, before a line of the submission is read.
"""

import contextlib
import errno
import os
import resource
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.inside import landlock, linux, seccomp, worker
from autograder.inside.confine import keep_only, prefer_to_die, set_limits
from autograder.inside.ending import DIED, EXIT_CODES, how_ended
from autograder.inside.lodging import Lodging, remaining
from autograder.limits import Limits

_LOOK_EVERY = 0.2  # seconds between two looks at the folder
_MOST_FILES = 4096
_DEVICES = ("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FACTS = ("/proc/cpuinfo", "/proc/meminfo")
_WATCHED = {signal.SIGCHLD, signal.SIGTERM}


@dataclass(frozen=True)
class Sight:
    """What a submission may look at.

    Attributes:
        readable: Files and folders with all that is in them.
        listable: Folders of which no more than the names may be seen.
    """

    readable: Sequence[str]
    listable: Sequence[str]


def run_restricted(
    limits: Limits, report: int, connection: socket.socket, lodging: Lodging, sight: Sight
) -> None:
    """Serve a submission, wait until nothing of it is left, and exit.

    Two processes take part. The child runs the submission. This one watches: every orphan of the
    submission's becomes its child, it can signal all of them, and none of them can signal it.

    Args:
        limits: What the submission may use.
        report: A pipe on which the id of this process is told, for the zygote to end it by SIGTERM.
        connection: Where the judge's requests come from.
        lodging: The submission's folder and user.
        sight: What it may look at.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    linux.adopt_orphans()
    linux.forbid_new_privileges()
    landlock.keep_signals_in()
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    ready, locked_in = os.pipe()
    submission = os.fork()
    if submission == 0:
        os.close(report)
        _become_submission(limits, locked_in, connection, lodging, sight)
    linux.forbid_inspection()  # not before: what cannot be inspected cannot set its own limits
    os.close(locked_in)
    connection.close()
    with os.fdopen(ready) as told:
        failure = told.read()
    if failure:
        os.waitpid(submission, 0)
        raise OSError(failure)
    lodging.watch()
    linux.die_with_parent(signal.SIGTERM)
    os.write(report, str(os.getpid()).encode())
    os.close(report)
    os._exit(_watch(submission, lodging.folder, limits))


def _become_submission(
    limits: Limits, locked_in: int, connection: socket.socket, lodging: Lodging, sight: Sight
) -> None:
    """Give everything up, serve, and exit."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        prefer_to_die()
        with landlock.ruleset() as rules:
            _allow(rules, lodging, sight)
            most = lodging.processes(limits.processes)
            lodging.move_in()
            linux.forbid_inspection()
            linux.die_with_parent()
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
            set_limits(limits)
            landlock.restrict(rules)
        seccomp.forbid_system_calls()
        keep_only(connection)
    except BaseException as error:
        os.write(locked_in, str(error).encode())
        os._exit(EXIT_CODES[DIED])
    try:
        worker.serve(connection, kill_survivors=True)
    finally:
        os._exit(0)


def _allow(rules: int, lodging: Lodging, sight: Sight) -> None:
    for path in (*sight.readable, *_DEVICES, *_FACTS):
        landlock.allow(rules, path, landlock.READ)
    for path in sight.listable:
        landlock.allow(rules, path, landlock.LIST)
    landlock.allow(rules, os.devnull, landlock.USE_DEVICE)
    landlock.allow(rules, str(lodging.folder), landlock.WRITE)


def _watch(submission: int, folder: Path, limits: Limits) -> int:
    """Wait for the submission's end, or bring it about, and return the code that tells it.

    There is no file system of the submission's own that could be full: so the folder is looked at.
    A file that was removed while it is open cannot be seen, but the disk's free space can.
    """
    free = remaining(folder)
    code = None
    while code is None:
        told = signal.sigtimedwait(_WATCHED, _LOOK_EVERY)
        code = _reap(submission)
        ended = told is not None and told.si_signo == signal.SIGTERM
        if ended or remaining(folder) < free // 2 or _is_too_large(folder, limits.disk_mb << 20):
            code = code or EXIT_CODES[DIED]
    _end_everything()
    return code


def _reap(submission: int) -> int | None:
    """Take leave of all that has ended; return the code if the submission's own process has."""
    while True:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == submission:
            return EXIT_CODES[how_ended(status, usage)]
        if pid == 0:
            return None


def _is_too_large(folder: Path, limit: int) -> bool:
    """Tell whether there is too much in a folder, or too many things, or too deep down."""
    size, count, waiting = 0, 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if size > limit or count > _MOST_FILES:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as error:  # most often, something was removed meanwhile
            if error.errno == errno.ENAMETOOLONG:
                return True
    return False


def _end_everything() -> None:
    """Kill all that this process may signal, until none of its descendants is left."""
    while True:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return
