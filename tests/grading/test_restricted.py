"""The second backend: what its filter says of each call, what Landlock shows, and whose turn it is."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.inside import seccomp
from autograder.sandbox.backends import _around

ROOT = Path(__file__).resolve().parents[2]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, KILLED = 0x7FFF0000, 0x80000000
TABLES = (seccomp._FORBIDDEN, seccomp._PRETENDED, seccomp._UNKNOWN, seccomp._TO_ITSELF)


def decide(machine, number, *arguments, architecture=None):
    """Run the filter as the kernel does; return its answer."""
    data = {0: number, 4: architecture or ARCHITECTURES[machine]}
    data |= {16 + 8 * n: value for n, value in enumerate((*arguments, 0, 0, 0)[:3])}
    program, position, register = seccomp.assemble(machine), 0, 0
    while True:
        code, yes, no, constant = program[position]
        position += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            register = data[constant]
        elif code == 0x54:
            register &= constant
        else:
            holds = {
                0x15: register == constant,
                0x25: register > constant,
                0x45: bool(register & constant),
            }[code]
            position += yes if holds else no


def refused(number):
    return 0x00050000 | number


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_the_filter_forbids_what_it_lists_and_allows_what_it_does_not(machine, column):
    listed = {numbers[column] for table in TABLES for numbers in table.values()}
    special = {getattr(seccomp, name)[column] for name in ("_SOCKET", "_SOCKETPAIR")}
    for numbers in seccomp._FORBIDDEN.values():
        if numbers[column] is not None:
            assert decide(machine, numbers[column]) == refused(errno.EPERM)
    for number in set(range(451)) - listed - special:
        assert decide(machine, number) == ALLOWED
    assert decide(machine, 451) == decide(machine, 1 << 30) == refused(errno.ENOSYS)
    assert decide(machine, 0, architecture=0x40000003) == KILLED


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_the_filter_looks_at_the_arguments_that_matter(machine, column):
    def ask(numbers, *arguments):
        return decide(machine, numbers[column], *arguments)

    pair, cloexec = seccomp._SOCKETPAIR, 0o2000000
    assert ask(pair, 1, 1 | cloexec) == ALLOWED
    assert ask(pair, 1, 2) == ask(pair, 2, 1) == refused(errno.EAFNOSUPPORT)
    assert ask(seccomp._SOCKET, 1, 1) == refused(errno.EAFNOSUPPORT)
    limit = seccomp._TO_ITSELF["prlimit64"]
    assert ask(limit, 0) == ALLOWED and ask(limit, 4711) == refused(errno.EPERM)
    thread, new_user = 0x3D0F00, 0x10000000
    assert ask(seccomp._CLONE, thread) == ALLOWED
    assert ask(seccomp._CLONE, thread | new_user) == refused(errno.EPERM)
    assert ask(seccomp._IOCTL, 3, 0x5401) == ALLOWED
    assert ask(seccomp._IOCTL, 3, 0x5412) == refused(errno.EPERM)


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_the_calls_have_the_kernels_numbers(machine, column):
    if not HEADERS[machine].exists():
        pytest.skip(f"no {HEADERS[machine]} on this machine")
    lines = HEADERS[machine].read_text()
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", lines))
    for table in TABLES:
        for name, numbers in table.items():
            assert known.get(name) in (None, str(numbers[column]))
            assert (numbers[column] is None) or name in known


def test_what_is_hidden_in_a_shown_folder_stays_out(tmp_path):
    for name in ("library/a", "library/b", "grader/tests/question", "grader/inside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "grader" / "judge.py").touch()
    readable, listable = _around([tmp_path], [tmp_path / "grader" / "tests"])
    names = [str(path.relative_to(tmp_path)) for path in readable]
    assert names == ["grader/inside", "grader/judge.py", "library"]
    assert listable == [tmp_path, tmp_path / "grader"]
    assert _around([tmp_path / "library"], [tmp_path]) == ([], [])


FORBID_NAMESPACES = """
import ctypes, os, struct, sys
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (6, 0, 0, 0x50001), (6, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in lines))
program = struct.pack("@HP", len(lines), ctypes.addressof(code))
assert ctypes.CDLL(None).syscall(317, 1, 0, program) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
OPEN = (
    "from autograder.sandbox import open_sandbox\nwith open_sandbox() as s: print(s.backend.name)"
)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the forbidding filter is for x86-64")
def test_where_namespaces_are_forbidden_landlock_takes_their_place():
    """As in a container: ``unshare`` fails."""
    command = [sys.executable, "-c", FORBID_NAMESPACES, "-c", OPEN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if "landlock:" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-3])
    assert done.stdout.strip() == "landlock", done.stderr


@pytest.mark.long
@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"
)
def test_who_is_not_root_lends_a_submission_his_own_user():
    """The one privilege that is left lets this user enter the folder that Python may lie in."""
    right = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    user = ("setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups", *right)
    command = [*user, sys.executable, "-m", "autograder", "doctor", "--backend", "landlock"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if "does not work here" in done.stdout:
        pytest.skip(done.stdout.splitlines()[1])
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout
