"""The sandbox: what a submission finds in there, and what it can do to the world. Nothing."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.doctor import names_of_processes
from autograder.limits import Limits
from autograder.sandbox import SandboxError, process
from autograder.sandbox.backends import ROOT
from autograder.session import DIED, TIMEOUT, RemoteError, Session, WorkerLostError

HERE = Path(__file__).resolve().parent


def run(session, source):
    """Return what a cell printed, or the name of the exception that stopped it."""
    result = session.run(source, "cell")
    if result["error"] is None:
        return result["output"].strip()
    return result["error"][0].partition(" on line ")[0]


def test_the_library_and_torch_work_in_there(session):
    source = "import torch, imitation_lab.testing\nprint(torch.ones(2).sum().item())"
    assert run(session, source) == "2.0"


@pytest.mark.parametrize(
    "path",
    [
        *(ROOT / name for name in ("source", "solutions", "tests", "tools", ".git")),
        ROOT / "autograder" / "tests",
        ROOT / "autograder" / "judge.py",
        HERE,
        Path("/etc/passwd"),
        Path("/etc/shadow"),
        Path("/sys"),
        Path("/home"),
    ],
    ids=str,
)
def test_what_it_does_not_need_is_not_there(session, path):
    assert run(session, f"import os\nprint(os.path.exists({str(path)!r}))") == "False"


def test_no_file_in_there_holds_a_hidden_test(session):
    """Search every file of the submission's world outside the interpreter for the test's text."""
    canary = "SECRET-" + "CANARY"
    assert canary in (HERE / "fixtures/assignments/00_sample/best_constant.py").read_text()
    source = f"""
import os
found, seen = [], 0
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if f not in ("proc", "dev", "site-packages", "lib", "lib64")]
    for name in files:
        with open(os.path.join(folder, name), "rb") as file:
            seen += 1
            if {canary!r}.encode() in file.read():
                found.append(os.path.join(folder, name))
print(seen > 5, found)
"""
    assert run(session, source) == "True []"


def test_the_zygotes_memory_holds_no_hidden_test(session):
    """The process is a copy of the zygote: read all of it, through a file that it may open."""
    canary = "SECRET-" + "CANARY"
    source = f"""
import gc
gc.unfreeze()
part = {canary[:3]!r}
whole = part + {canary[3:]!r}
texts = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]
strings = (v for o in texts for v in (o.values() if isinstance(o, dict) else o))
print(sum(isinstance(v, str) and whole in v and v != whole for v in strings), len(texts) > 10**5)
"""
    found = run(session, source).splitlines()[-1]  # torch warns of what is looked at, before that
    assert found == "0 True"


def test_nothing_but_the_scratch_folder_can_be_written_to(session):
    source = """
import os
written = []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if f not in ("proc", "site-packages")]
    for name in (*files[:3], "new"):
        try:
            open(os.path.join(folder, name), "ab").close()
            written.append(os.path.join(folder, name))
        except OSError:
            pass
print(sorted(w for w in written if not w.startswith("/dev/") and w != os.path.abspath('new')))
"""
    assert run(session, source) == "[]"


def test_the_judges_environment_stays_outside(session, monkeypatch):
    output = run(session, "import os\nprint(sorted(os.environ))")
    assert "PYTEST" not in output and "PATH" not in output.split("'")


def test_there_is_no_network(session):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        connect = f"import socket\nsocket.create_connection({address!r}, 2)"
        assert run(session, connect) in ("OSError", "ConnectionRefusedError")
        send = f"import socket\nsocket.socket(2, 2).sendto(b'x', {address!r})"
        assert run(session, send) == "OSError"


def test_it_is_nobody_without_capabilities(session):
    source = """
import os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
print(os.getuid(), *(status[k].strip() for k in ("CapEff", "CapBnd", "NoNewPrivs")))
"""
    assert run(session, source) == "65534 0000000000000000 0000000000000000 1"


def test_it_sees_only_its_own_processes(session):
    source = "import os\nprint(sorted(int(n) for n in os.listdir('/proc') if n.isdigit()))"
    assert run(session, source) == "[1, 2]"


def test_it_can_make_no_namespaces_and_trace_nobody(session):
    source = """
import ctypes
libc = ctypes.CDLL(None)
print(libc.unshare(0x10000000), libc.ptrace(16, 1, 0, 0))
"""
    assert run(session, source) == "-1 -1"


def test_memory_is_limited(session):
    assert run(session, "bytearray(4 << 30)") == "MemoryError"
    assert session.out_of_memory


def test_disk_files_and_processes_are_limited(session):
    fill = "with open('f', 'wb') as f:\n    for _ in range(200): f.write(bytes(1 << 20))"
    assert run(session, fill) == "OSError"
    assert run(session, "files = [open('/dev/null') for _ in range(500)]") == "OSError"
    fork = """
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
"""
    assert run(session, fork) == "BlockingIOError"


def test_a_loop_ends_by_processor_time(zygote):
    session = Session(zygote, Limits(cpu_seconds=1), time.monotonic() + 60)
    with pytest.raises(WorkerLostError) as lost:
        session.run("while True: pass", "cell")
    assert lost.value.status == TIMEOUT


def test_a_loop_that_ignores_the_warning_ends_all_the_same(zygote):
    session = Session(zygote, Limits(cpu_seconds=1), time.monotonic() + 60)
    source = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    with pytest.raises(WorkerLostError) as lost:
        session.run(source, "cell")
    assert lost.value.status == TIMEOUT


def test_a_sleeper_ends_by_wall_time(zygote):
    session = Session(zygote, Limits(wall_seconds=0.5), time.monotonic() + 60)
    with pytest.raises(WorkerLostError) as lost:
        session.run("import time\ntime.sleep(1000)", "cell")
    assert lost.value.status == TIMEOUT


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "os._exit(7)", "os.kill(os.getpid(), 9)", "os.abort()"]
)
def test_a_worker_that_ends_itself_has_died(session, end):
    with pytest.raises(WorkerLostError) as lost:
        session.run(f"import os\n{end}", "cell")
    assert lost.value.status == DIED


def test_nothing_is_alive_after_the_end(zygote, limits):
    """Children of children, in sessions of their own, that ignore every signal."""
    session = Session(zygote, limits, time.monotonic() + 60)
    marker = "marker-of-a-survivor"
    source = f"""
import os, signal, time, ctypes
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    ctypes.CDLL(None).prctl(15, b"{marker[:15]}", 0, 0, 0)
    for number in range(1, 32):
        if number not in (9, 19):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
time.sleep(0.3)
"""
    run(session, source)
    assert marker[:15] in names_of_processes()
    session.close()
    assert marker[:15] not in names_of_processes()


def test_the_judges_end_is_the_sandboxs_end(limits):
    """The zygote's control connection closes with the judge, however the judge ends."""
    from autograder.sandbox import open_sandbox

    sandbox = open_sandbox()
    pid = sandbox._process.pid
    sandbox.without([]).spawn(limits)
    sandbox.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_an_exception_says_is_capped(session):
    error = session.run("raise ValueError('x' * (100 << 20))", "cell")["error"]
    assert error[0] == "ValueError on line 1" and len(error[1]) < 3000


def test_what_is_printed_is_capped(session):
    output = session.run("for _ in range(10**5): print('x' * 1000)", "cell")["output"]
    assert len(output) < 30_000 and "cut off" in output


def test_magics_are_noted_and_the_rest_of_the_cell_runs(session):
    result = session.run("%matplotlib inline\n!rm -rf /\n%time y = 2\nx = 1 + y\nprint(x)", "cell")
    assert result["error"] is None and result["output"] == "3\n"
    assert len(result["notes"]) == 2 and "matplotlib" in result["notes"][0]


def test_a_cell_under_time_is_run_and_under_bash_is_not(session):
    assert run(session, "%%time\nx = 5\nprint(x)") == "5"
    assert session.analyse(["%%time\ndef f(): pass", "%%bash\nls", "def g(:"]) == [["f"], [], None]
    assert "bash" in session.run("%%bash\nls", "cell")["notes"][0]


def test_dataclasses_and_otters_checks_work_in_cells(session):
    source = (
        "from dataclasses import dataclass\nimport otter\n@dataclass\nclass A:\n    x: int\n"
        "grader = otter.Notebook()\ngrader.check('q')\nprint(A(1).x)"
    )
    assert run(session, source) == "1"


def test_a_forged_reply_is_no_reply(session):
    """The submission knows its own connection: what it writes there ends its worker, no more."""
    source = """
import os, struct, json
for number in range(3, 200):
    try:
        header = json.dumps({"id": "x", "kind": "value", "value": ["none"], "buffers": []}).encode()
        os.write(number, struct.pack(">IQ", len(header), 0) + header)
    except OSError:
        pass
"""
    with pytest.raises(WorkerLostError):
        session.run(source, "cell")


def test_a_pickle_that_would_run_code_cannot_be_returned(session):
    source = """
class Bomb:
    def __reduce__(self):
        return print, ("boom",)
def f():
    return Bomb()
"""
    session.run(source, "cell", ["f"])
    with pytest.raises(RemoteError, match="Bomb"):
        session.call("f", (), {})


def test_a_project_below_the_machines_own_tmp_works_too(tmp_path):
    """The sandbox has a /tmp of its own, which must not cover the project."""
    for package in ("autograder", "imitation_lab"):
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    program = "from autograder.sandbox import open_sandbox\nopen_sandbox().close()"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr


def test_a_reply_that_comes_too_late_is_no_answer_to_the_next_request(monkeypatch):
    monkeypatch.setattr(process, "REPLY_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    zygote = process.Zygote(ours, lambda: "it was ended")
    assert zygote.end(7) == "died"
    with contextlib.suppress(OSError):
        theirs.send(b'{"ended": "exited"}')
    with pytest.raises(SandboxError, match="the sandbox is gone"):
        zygote.spawn(Limits())
