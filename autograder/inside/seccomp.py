"""A filter on system calls: what no answer to a question needs, and an attack on the machine does.

Landlock and a user of one's own bound what files and processes a submission can reach. This filter
closes what is left: sockets, the kernel's less travelled roads, and what outlives a process. It is
assembled by hand, since that takes a page and a library would be one more thing to install.

Source:
    https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Sequence

from autograder.inside.linux import check, libc

# Numbers on x86-64 and on 64-bit ARM, from the kernel's unistd.h. None: there is no such call there.
Numbers = tuple[int | None, int | None]
_FORBIDDEN: dict[str, Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "lookup_dcookie": (212, 18),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "truncate": (76, 45),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setgroups": (116, 159),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "capset": (126, 91),
}
# Whoever copies a file sets its mode and times as well. Nothing is done, and nobody is told: a file's
# owner may change these of files that Landlock lets it only read.
_PRETENDED: dict[str, Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
}
# Their arguments lie in memory, where a filter cannot look. The C library has older ways.
_UNKNOWN: dict[str, Numbers] = {
    "clone3": (435, 435),
    "openat2": (437, 437),
}
# A process may do this to itself, whose number is 0, and to no other.
_TO_ITSELF: dict[str, Numbers] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
}
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)
_CLONE, _IOCTL = (56, 220), (16, 29)
_NEWEST = 450  # what came later, its numbers included, was not looked at when this was written

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NEW_NAMESPACES = 0x7E020080  # all of CLONE_NEW…
_UNIX, _STREAM, _TYPE_MASK = 1, 1, 0xF
_TYPE_INTO_TERMINAL = 0x5412  # TIOCSTI

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_SET_MODE_FILTER = 1
_SYS_SECCOMP = (317, 277)

Instruction = tuple[int, int, int, int]


def problem() -> str | None:
    """Return why there can be no filter here, as far as can be told without trying."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return f"needs a processor of {' or '.join(_ARCHITECTURES)}, and this is {machine}."
    return None


def forbid_system_calls() -> None:
    """Install the filter in this process and all that come from it, for ever.

    Needs ``forbid_new_privileges`` before.

    Raises:
        OSError: If the kernel takes no filter.
    """
    column, _ = _ARCHITECTURES[platform.machine()]
    code = b"".join(struct.pack("<HBBI", *line) for line in assemble(platform.machine()))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a length and, aligned, a pointer.
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    call = ctypes.c_long(_SYS_SECCOMP[column])
    check(libc.syscall(call, ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(0), program), "seccomp")


def assemble(machine: str) -> list[Instruction]:
    """Return the filter's instructions: code, jump if true, jump if false, constant."""
    column, architecture = _ARCHITECTURES[machine]
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, _NEWEST),
        _fail(errno.ENOSYS),
    ]
    answers = {errno.EPERM: _FORBIDDEN, 0: _PRETENDED, errno.ENOSYS: _UNKNOWN}
    for number, calls in answers.items():
        for numbers in calls.values():
            lines += _where(numbers[column], [_fail(number)])
    for numbers in _TO_ITSELF.values():
        lines += _where(numbers[column], [_argument(0), (_EQUAL, 1, 0, 0), _fail(errno.EPERM)])
    lines += _where(_SOCKET[column], [_fail(errno.EAFNOSUPPORT)])
    lines += _where(_SOCKETPAIR[column], _only_connected_pairs())
    lines += _where(
        _CLONE[column], [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _fail(errno.EPERM)]
    )
    lines += _where(
        _IOCTL[column], [_argument(1), (_EQUAL, 0, 1, _TYPE_INTO_TERMINAL), _fail(errno.EPERM)]
    )
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def _only_connected_pairs() -> list[Instruction]:
    """Allow pairs of streams. A pair for datagrams could send to any address on the machine."""
    return [
        *(_argument(0), (_EQUAL, 0, 3, _UNIX)),
        *(_argument(1), (_AND, 0, 0, _TYPE_MASK), (_EQUAL, 1, 0, _STREAM)),
        _fail(errno.EAFNOSUPPORT),
    ]


def _where(number: int | None, then: Sequence[Instruction]) -> list[Instruction]:
    """Return what is done for one call. What falls through is allowed."""
    if number is None:
        return []
    body = [*then, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]


def _argument(position: int) -> Instruction:
    """Load the lower half of an argument: all that is looked at are flags and small numbers."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * position)


def _fail(number: int) -> Instruction:
    return (_RETURN, 0, 0, _FAIL | number)
