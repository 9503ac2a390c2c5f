"""Landlock: a process gives up the files that it does not need, and needs no privilege for it.

Source:
    https://docs.kernel.org/userspace-api/landlock.html
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator

from autograder.inside.linux import check, libc

# The same numbers on every architecture.
_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446
_ASK_FOR_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MAKE_SYM, _REFER, _TRUNCATE = 1 << 12, 1 << 13, 1 << 14
# How many rights on files, on the network, and on other processes a version knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_NETWORK_RIGHTS = {1: 0, 4: 2}
_SCOPES = {1: 0, 6: 2}  # abstract sockets, signals
SIGNALS = 6  # the version that keeps signals in
TRUNCATION = 3  # the version that keeps files from being emptied

READ = _READ_FILE | _READ_DIR
LIST = _READ_DIR
USE_DEVICE = _READ_FILE | _WRITE_FILE
_CHANGE_FOLDERS = _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER
WRITE = READ | _WRITE_FILE | _TRUNCATE | _CHANGE_FOLDERS
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE


def version() -> int:
    """Return the kernel's version of Landlock, 0 where there is none."""
    return max(0, _call(_SYS_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_FOR_VERSION))


@contextlib.contextmanager
def ruleset() -> Iterator[int]:
    """Make an empty set of rules, by which nothing on disk may be touched, and close it after all.

    Raises:
        OSError: If the kernel has no Landlock, or it is switched off.
    """
    fields = [_latest(table) for table in (_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES)]
    file = _create(*((1 << count) - 1 for count in fields))
    try:
        yield file
    finally:
        os.close(file)


def allow(rules: int, path: str, rights: int) -> None:
    """Allow something below a folder, or with a file. A path that does not exist is left out."""
    wanted = rights & ((1 << _latest(_FILE_RIGHTS)) - 1)
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            wanted &= _OF_FILES
        rule = struct.pack("=Qi", wanted, place)
        result = _call(_SYS_ADD_RULE, ctypes.c_int(rules), _RULE_PATH_BENEATH, rule, 0)
        check(result, f"landlock rule for {path}")
    finally:
        os.close(place)


def restrict(rules: int) -> None:
    """Live by the rules from now on. Needs ``forbid_new_privileges`` before."""
    check(_call(_SYS_RESTRICT_SELF, ctypes.c_int(rules), 0), "landlock")


def keep_signals_in() -> None:
    """Be able to signal no process but those that come from here, as far as the kernel can."""
    if version() >= SIGNALS:
        file = _create(0, 0, (1 << _latest(_SCOPES)) - 1)
        try:
            restrict(file)
        finally:
            os.close(file)


def _create(files: int, network: int, scopes: int) -> int:
    attributes = struct.pack("=QQQ", files, network, scopes)
    # An older kernel knows fewer fields, and wants the others to be zero: they are.
    file = _call(_SYS_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    check(min(file, 0), "landlock")
    return file


def _latest(table: dict[int, int]) -> int:
    return max(value for since, value in table.items() if since <= max(version(), 1))


def _call(number: int, *arguments: object) -> int:
    return int(libc.syscall(ctypes.c_long(number), *arguments))
