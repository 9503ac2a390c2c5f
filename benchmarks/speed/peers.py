"""The peers that clash with the library: an environment of their own, and a process for each."""

import contextlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".peers"
REQUIREMENTS = Path(__file__).with_name("peers.txt")
ALONE = "torchcfm>=1.0.7,<1.1"  # without what it says that it needs


class Peer:
    """A process that holds a peer, warm, and times it when asked.

    Args:
        process: Reads questions and writes answers, one JSON object a line.
        words: The file into which all else goes that it says.
    """

    def __init__(self, process: subprocess.Popen[str], words: Path) -> None:
        self._process, self._words = process, words

    def ask(self, work: str, **arguments: Any) -> dict[str, float]:
        """Have the peer do some work, and return its figures: ``seconds`` and what else it tells.

        Raises:
            RuntimeError: If the peer has ended, with its last words.
        """
        streams = self._process.stdin, self._process.stdout
        assert streams[0] and streams[1]
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            streams[0].write(json.dumps({"work": work, **arguments}) + "\n")
            streams[0].flush()
        answer = streams[1].readline()
        if not answer:
            words = self._words.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"the peer ended when it was asked for {work}:\n{words}")
        return json.loads(answer)


@contextmanager
def peer(module: str, *arguments: str) -> Iterator[Peer]:
    """Start a module of this folder in the peers' environment.

    Args:
        module: Calls ``serving.serve``.
        arguments: Of its command line.
    """
    with serving([str(python()), "-m", f"benchmarks.speed.{module}", *arguments]) as served:
        yield served


@contextmanager
def serving(command: list[str]) -> Iterator[Peer]:
    """Start a program that calls ``serving.serve``, and let it end afterwards."""
    with TemporaryDirectory() as folder, (Path(folder) / "words").open("w") as words:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=surroundings(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        )
        try:
            yield Peer(process, Path(words.name))
        finally:
            process.communicate()  # the end of its questions, upon which it ends


def surroundings() -> dict[str, str]:
    """Return a peer's environment variables: one thread, as on our side."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads}


def python() -> Path:
    """Return the Python of the peers' environment, which is made the first time."""
    found = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = ENVIRONMENT / "stamp"
    wanted = REQUIREMENTS.read_text(encoding="utf-8") + ALONE
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("installing the peers into .peers: a minute or two, once", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install(found, "--requirement", str(REQUIREMENTS))
        install(found, "--no-deps", ALONE)
        stamp.write_text(wanted, encoding="utf-8")
    return found


def install(python: Path, *what: str) -> None:
    """Install with pip, and stop with its words if that fails."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the peers could not be installed:\n{done.stderr[-2000:]}")
