"""The few system calls of Linux that Python 3.11 does not offer."""

import ctypes
import os
import signal
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
ISOLATED = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

CAP_CHOWN, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SETGID, CAP_SETUID = 0, 2, 5, 6, 7

NOBODY = 65534
SCRATCH = "/scratch"  # the one folder of the sandbox that can be written to
LIBRARY = "/library"  # where a zygote has its part of the course's library

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise the ``OSError`` that a call of the C library has left behind."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces that ``flags`` names for new ones."""
    check(libc.unshare(ctypes.c_int(flags)), "unshare")


def map_to_nobody(user: int, group: int) -> None:
    """In a new user namespace: appear as nobody, and be nobody else."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system."""
    result = libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    check(result, f"mount {kind or 'bind'} on {target}")


def make_mounts_private() -> None:
    """Keep what is mounted from now on from spreading to the rest of the machine."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def make_read_only(path: str, recursive: bool = True) -> None:
    """Make a mount, and all mounts below it, read-only without devices and set-uid programs."""

    class Attributes(ctypes.Structure):
        _fields_ = [
            (name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns")
        ]

    attributes = Attributes(attr_set=MS_RDONLY | MS_NOSUID | MS_NODEV)
    result = libc.syscall(
        *(ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), path.encode()),
        *(ctypes.c_uint(_AT_RECURSIVE * recursive), ctypes.byref(attributes)),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    check(result, f"make {path} read-only")


def change_root(path: str, old: str) -> None:
    """Make ``path``, a mount, the root of the file system; the old root appears at ``old``."""
    Path(path + old).mkdir()
    check(libc.pivot_root(path.encode(), (path + old).encode()), "pivot_root")
    os.chdir("/")


def forget(path: str) -> None:
    """Detach a mount and everything below it for ever."""
    check(libc.umount2(path.encode(), ctypes.c_int(MNT_DETACH)), f"umount {path}")
    Path(path).rmdir()


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Be sent a signal when the parent ends. A change of user cancels it."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_inspection() -> None:
    """Let no other process of this user read this one's memory; write no core file."""
    _prctl(_PR_SET_DUMPABLE, 0)


def allow_inspection() -> None:
    """Own this process's files in /proc again, after a change of user."""
    _prctl(_PR_SET_DUMPABLE, 1)


def forbid_new_privileges() -> None:
    """Make set-uid programs powerless."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    result = libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero)
    check(result, f"prctl {option}")


def forbid_capabilities() -> None:
    """Make sure that no program started from here can gain a capability."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        _prctl(_PR_CAPBSET_DROP, capability)


def has_capabilities(*wanted: int) -> bool:
    """Tell whether this process may use all of these capabilities now."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff:")
    )
    held = int(line.split()[1], 16)
    return all(held >> capability & 1 for capability in wanted)


def keep_capabilities() -> None:
    """Let the capabilities that are permitted stay so through a change of user."""
    _prctl(_PR_SET_KEEPCAPS, 1)


def drop_capabilities(but: int | None = None) -> None:
    """Give up the capabilities that this process has, all ``but`` one."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    kept = 0 if but is None else 1 << but
    check(libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept)), "capset")
