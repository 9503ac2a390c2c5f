"""Judging a stranger's policy file, in a process of its own that can be stopped."""

import contextlib
import json
import multiprocessing
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from imitation_lab.evaluation import SuccessRate
from imitation_lab.networks import count_parameters
from imitation_lab.pusht.policy import PushTPolicy, load_policy
from imitation_lab.pusht.scoring import Score, Trial, score

MOST_WORK = 50e6  # multiplications for one action; the policies of notebook 09 need two million
MEMORY = 8 * 2**30  # bytes of address space; torch alone takes a quarter of it
MESSAGE_SIZE = 10_000  # bytes
STOPPED = "not judged: stopped before the end."
PATIENCE = 10  # a busy machine's seconds for one of computing


class UnfitError(ValueError):
    """A file that could not be judged. The message is one line without control characters."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message)[:300])


def plain(text: str) -> str:
    """Return text without what would move a terminal's cursor or turn its words around."""
    return "".join(character if character.isprintable() else "?" for character in text)


def judge(
    content: bytes,
    trial: Trial,
    tick: Callable[[], None] = lambda: None,
    stopped: threading.Event | None = None,
) -> Score:
    """Put the policy in a file's bytes on trial.

    The file is data and nothing in it is run. All the same it is read in another process, which has
    limits on time and memory, so that no file can hold up or end the program that asks.

    Args:
        content: What ``save_policy`` wrote, or what a stranger says it did.
        trial: The same for all files that are to be compared.
        tick: Called before each action.
        stopped: Set by another thread to end the trial.

    Raises:
        UnfitError: If it is no policy, asks for too much, or did not come to an end.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "this file"  # as messages call it
        path.write_bytes(content)
        return _judge_elsewhere(path, trial, tick, stopped or threading.Event())


def judge_here(path: Path, trial: Trial, tick: Callable[[], None] = lambda: None) -> Score:
    """Put the policy in a file on trial, in this process and for as long as it takes.

    Args:
        path: The file.
        trial: The same for all files that are to be compared.
        tick: Called before each action.

    Raises:
        ValueError: If it is no policy, or one that computes more than ``MOST_WORK``.
        FloatingPointError: If its numbers overflow in a way that leaves no action.
    """
    policy = load_policy(path)
    if (work := work_per_action(policy)) > MOST_WORK:
        raise ValueError(
            f"it needs {work / 1e6:.0f} million multiplications for an action; "
            f"{MOST_WORK / 1e6:.0f} million are allowed: fewer steps, or a smaller network."
        )
    return score(policy.actor(), trial, policy.expert_seconds, tick)


def cpu_seconds(trial: Trial) -> int:
    """Return how long one file may compute: 270 seconds in a trial of 100 starts."""
    actions = trial.num_starts * trial.max_steps
    actions += trial.num_mode_starts * trial.num_attempts * trial.mode_steps
    return round(60 + 0.005 * actions)


def work_per_action(policy: PushTPolicy) -> float:
    """Return about how many multiplications one action takes."""
    recipe = policy.recipe
    passes = recipe.num_steps if recipe.kind in ("flow", "diffusion") else 1
    return count_parameters(policy.policy) * passes / recipe.execution_horizon


def _judge_elsewhere(
    path: Path, trial: Trial, tick: Callable[[], None], stopped: threading.Event
) -> Score:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, path, trial), daemon=True)
    process.start()
    theirs.close()
    deadline = time.monotonic() + PATIENCE * cpu_seconds(trial)
    try:
        for message in _messages(ours, deadline, stopped):
            if "score" in message:
                return _from_message(message["score"])
            if "problem" in message:
                raise UnfitError(message["problem"].removeprefix(f"{path.name}: "))
            tick()
        raise UnfitError(_ending(process, trial, deadline, stopped))
    finally:
        process.kill()
        process.join()
        ours.close()


def _messages(
    connection: Connection, deadline: float, stopped: threading.Event
) -> Iterator[dict[str, Any]]:
    """Yield what the other process says, until it ends, or time is up, or somebody stops it."""
    while not stopped.is_set() and time.monotonic() < deadline:
        try:
            if not connection.poll(0.2):  # on Windows, this too fails where nobody is left
                continue
            # Bytes: ``recv`` would unpickle, and pickles are programs.
            content = connection.recv_bytes(MESSAGE_SIZE)
        except (EOFError, OSError):
            return
        yield json.loads(content)


def _from_message(facts: dict[str, Any]) -> Score:
    return Score(**facts | {"success": SuccessRate(**facts["success"])})


def _ending(process: SpawnProcess, trial: Trial, deadline: float, stopped: threading.Event) -> str:
    """Say why the other process has said no more."""
    if stopped.is_set():
        return STOPPED
    process.join(0 if time.monotonic() > deadline else 5)
    out_of_time = process.exitcode is None or process.exitcode == -getattr(signal, "SIGXCPU", 0)
    if out_of_time:
        return f"it took more than {cpu_seconds(trial)} seconds of computing."
    return f"the process that judged it died ({process.exitcode})."


def _serve(connection: Connection, path: Path, trial: Trial) -> None:
    """Judge a file, in the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asked
    _limit(cpu_seconds(trial))
    tqdm.set_lock(threading.RLock())  # its own one is the system's, and outlives who is killed
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # numbers so small that a processor takes a hundred times longer

    def say(**message: Any) -> None:
        connection.send_bytes(json.dumps(message).encode())

    try:
        say(score=asdict(judge_here(path, trial, tick=lambda: say(acted=True))))
    except (ValueError, FloatingPointError) as error:
        say(problem=str(error)[:1000])
    except Exception as error:
        say(problem=f"{type(error).__name__}: {error}"[:1000])


def _limit(seconds: int) -> None:
    """Limit this process's time and memory, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_CPU: (seconds, seconds + 5),
        resource.RLIMIT_AS: (MEMORY, MEMORY),
    }
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):  # where a stricter limit holds already
            resource.setrlimit(kind, limit)
