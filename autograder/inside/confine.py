"""Locking one submission in: namespaces of its own, limits, and no privileges.

Runs in a process that the zygote has just forked, before a line of the submission is read.
"""

import os
import resource
import socket
import sys
import tempfile
from pathlib import Path

from autograder.inside import linux, seccomp, worker
from autograder.inside.ending import DIED, EXIT_CODES, how_ended
from autograder.limits import Limits

_HIGHEST_FILE = 4096  # the zygote holds a dozen


def enter_namespace_of_mounts() -> None:
    """Be able to mount what no other process sees, as nobody, until capabilities are given up."""
    user, group = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    linux.map_to_nobody(user, group)
    linux.make_mounts_private()


def give_up_capabilities() -> None:
    """Have no capability any more, here or in any program that is started from here."""
    linux.forbid_capabilities()
    linux.drop_capabilities()
    # A process that changed its user owns nothing in /proc, and its children could not map theirs.
    linux.allow_inspection()


def run_in_namespaces(limits: Limits, report: int, connection: socket.socket) -> None:
    """Serve a submission in new namespaces, wait until nothing of them is left, and exit.

    Three processes take part. This one stays outside and waits. Its child is the first process of
    the new process namespace: when it ends, the kernel kills every other process in there, however
    well hidden. The grandchild runs the submission.

    Args:
        limits: What the submission may use.
        report: A pipe on which the id of the first process is told, for the zygote to kill it by.
        connection: Where the judge's requests come from.
    """
    linux.unshare(linux.CLONE_NEWUSER | linux.ISOLATED)
    linux.map_to_nobody(os.getuid(), os.getgid())
    ready, locked_in = os.pipe()
    first = os.fork()
    if first == 0:
        linux.die_with_parent()
        os.close(report)
        os.close(ready)
        os._exit(_run_first_process(limits, locked_in, connection))
    os.close(locked_in)
    connection.close()
    with os.fdopen(ready) as told:
        failure = told.read()
    os.write(report, (failure or str(first)).encode())
    os.close(report)
    _, status = os.waitpid(first, 0)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else EXIT_CODES[DIED])


def _run_first_process(limits: Limits, locked_in: int, connection: socket.socket) -> int:
    """Fork the submission's process, wait for its end, and return the code that tells it."""
    try:
        prefer_to_die()
        linux.forbid_inspection()
        _build_scratch(limits)
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    except OSError as error:
        os.write(locked_in, str(error).encode())
        return EXIT_CODES[DIED]
    submission = os.fork()
    if submission == 0:
        _become_submission(limits, locked_in, connection)
    os.close(locked_in)
    connection.close()
    while True:  # adopted orphans end here too
        pid, status, usage = os.wait4(-1, 0)
        if pid == submission:
            return EXIT_CODES[how_ended(status, usage)]


def _become_submission(limits: Limits, locked_in: int, connection: socket.socket) -> None:
    """Give everything up, serve, and exit."""
    try:
        linux.forbid_inspection()
        linux.forbid_capabilities()
        linux.drop_capabilities()
        linux.forbid_new_privileges()
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
        set_limits(limits)
        seccomp.forbid_system_calls()
        keep_only(connection)
    except BaseException as error:
        os.write(locked_in, str(error).encode())
        os._exit(EXIT_CODES[DIED])
    try:
        worker.serve(connection, kill_survivors=True)
    finally:
        os._exit(0)


def run_in_the_open(limits: Limits, report: int, connection: socket.socket) -> None:
    """Serve a submission with limits but without walls: for ``--unsafe`` alone."""
    os.setsid()
    os.write(report, str(os.getpid()).encode())
    os.close(report)
    with tempfile.TemporaryDirectory(prefix="unsafe-grading-") as folder:
        os.chdir(folder)
        keep_only(connection)
        if sys.platform == "linux":
            prefer_to_die()
        set_limits(limits)
        worker.serve(connection, kill_survivors=False)


def _build_scratch(limits: Limits) -> None:
    """Mount the only place that can be written to, and a /proc that shows this submission alone."""
    linux.make_mounts_private()
    flags = linux.MS_NOSUID | linux.MS_NODEV
    size = f"size={limits.disk_mb}m,nr_inodes=4096,mode=700"
    linux.mount("tmpfs", linux.SCRATCH, "tmpfs", flags, size)
    linux.mount("proc", "/proc", "proc", flags | linux.MS_NOEXEC)
    # A namespace within this one would give its maker capabilities, and the kernel's bugs to try.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.chdir(linux.SCRATCH)


def prefer_to_die() -> None:
    """Ask the kernel to end this process first when the machine's memory is used up."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def set_limits(limits: Limits) -> None:
    """Set the limits that need no namespace."""
    if sys.platform == "linux":  # elsewhere this limit is not kept
        memory = _address_space() + (limits.memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for kind, amount in [
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.disk_mb << 20),
        (resource.RLIMIT_CORE, 0),
    ]:
        resource.setrlimit(kind, (amount, amount))
    # One second between the signal that names the reason and the one that cannot be ignored.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))


def _address_space() -> int:
    """Return the bytes of address space in use: most of it is torch's libraries."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def keep_only(connection: socket.socket) -> None:
    """Close every file but the connection, and send what is printed past Python nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = connection.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, _HIGHEST_FILE)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
