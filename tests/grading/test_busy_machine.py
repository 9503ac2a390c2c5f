"""A busy machine gives no other grades: what a submission waits for a processor is not its own time."""

import math
import os
import subprocess
import sys
import time

import pytest

from autograder import session as session_module
from autograder.inside.waiting import seconds_waited
from autograder.limits import Limits
from autograder.session import TIMEOUT, Session, WorkerLostError
from benchmarks import busy

SLEEP = "import time\ntime.sleep(1.5)"


def write_process(proc, pid, parent, *waits, name="python"):
    """Write what the kernel tells of a process: its parent, and of each thread how long it waited."""
    for thread, nanoseconds in enumerate(waits):
        folder = proc / str(pid) / "task" / str(pid + 100 * thread)
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text(f"5 {nanoseconds} 1\n")
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 0 0\n")


def test_a_worker_and_all_that_came_from_it_are_looked_at_and_nobody_else(tmp_path):
    write_process(tmp_path, 1, 0, 9_000_000_000)
    write_process(tmp_path, 10, 1, 1_000_000_000, name="a ) S 7")
    write_process(tmp_path, 11, 10, 250_000_000, 2_500_000_000)
    write_process(tmp_path, 12, 11, 0)
    write_process(tmp_path, 20, 1, 8_000_000_000)
    assert seconds_waited(10, tmp_path) == {"10": 1.0, "11": 2.5, "12": 0.0}


def test_a_worker_that_is_gone_has_waited_for_nothing(tmp_path):
    write_process(tmp_path, 1, 0, 9_000_000_000)
    assert seconds_waited(10, tmp_path) == {}


def test_a_worker_beside_another_program_on_one_processor_has_waited(session):
    pin = f"import os\nos.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    other = subprocess.Popen([sys.executable, "-c", pin + "while True: pass"])
    try:
        compute = "import time\nwhile time.process_time() - start < 0.5: pass"
        session.run(f"{pin}import time\nstart = time.process_time()\n{compute}", "cell")
    finally:
        other.kill()
        other.wait()
    waits = session._zygote.waited(session._worker)
    assert 0.1 < max(waits.values()) < 60  # about as long as it computed


@pytest.fixture
def waits_all_the_time(zygote, monkeypatch):
    """Let it look as if a worker waited longer than the clock runs, so that no test of it is a race."""
    monkeypatch.setattr(session_module, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(type(zygote), "waited", lambda *_: {"7": 100 * time.monotonic()})


def test_what_a_worker_waits_for_a_processor_is_not_counted(zygote, waits_all_the_time):
    session = Session(zygote, Limits(wall_seconds=0.5), math.inf)
    session.deadline = time.monotonic() + 0.5  # from here: its start may take long
    session._waited = {"7": 100 * time.monotonic()}
    assert session.run(SLEEP, "cell")["error"] is None
    assert session.deadline > time.monotonic()
    session.close()


def test_there_is_an_end_to_all_waiting(zygote, waits_all_the_time):
    now = time.monotonic()
    session = Session(zygote, Limits(wall_seconds=0.5), now + 0.5, latest=now + 1)
    session._waited = {"7": 100 * now}
    with pytest.raises(WorkerLostError) as lost:
        session.run(SLEEP, "cell")
    assert lost.value.status == TIMEOUT


def test_a_difference_between_two_gradings_is_told():
    quiet, busily = {"a": b"x\nscore 1", "b": b"x"}, {"a": b"x\nscore 0", "b": b"x"}
    assert busy.differences(quiet, busily) == ["a: quiet score 1, busy score 0"]
    assert len(busy.differences(quiet, {})) == 2


@pytest.mark.long
def test_eight_gradings_at_once_beside_other_programs_give_the_same_bytes(sandbox):
    limits = Limits(cpu_seconds=3, wall_seconds=12.0, total_seconds=120.0)
    assert busy.compare(jobs=8, burning=8, seed=1, limits=limits) == []
