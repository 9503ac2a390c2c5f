"""A copy of the door in a folder of its own, with tools that only write down what they were asked."""

import contextlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534  # a user who owns nothing

FAKE_PYTHON = """\
#!/bin/sh
case "$*" in
  *version_info*) echo "(3, 11)" ;;
  *"pip --version"*) ;;
  *) echo "python $*" >> "$FAKE_LOG"; echo "in $PWD" >> "$FAKE_LOG"
     echo "PYTHONPATH=$PYTHONPATH" >> "$FAKE_LOG"
     [ -n "$FAKE_SLEEP" ] && exec /bin/sleep "$FAKE_SLEEP"
     case "$*" in *"pip install"*) exit "${FAKE_PIP_STATUS:-0}" ;; *) exit "${FAKE_STATUS:-0}" ;; esac ;;
esac
"""
# Python finds it in the course's folder before its own.
FAKE_VENV = f"""\
import sys
from pathlib import Path

python = Path(sys.argv[1], "bin", "python")
python.parent.mkdir(parents=True)
python.write_text({FAKE_PYTHON!r})
python.chmod(0o755)
Path(sys.argv[1], "pyvenv.cfg").touch()
"""
FAKE_UV = '#!/bin/sh\necho "uv $*" >> "$FAKE_LOG"\nexit "${FAKE_UV_STATUS:-0}"\n'


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@dataclass
class Door:
    """A copy of course.py and what it did."""

    folder: Path
    programs: Path
    log: Path

    def says(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Start it with these arguments, and with nothing but the fake programs on the path."""
        return subprocess.run(
            self.command(*arguments),
            env=self.variables(**variables),
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def command(self, *arguments: str) -> list[str]:
        """Return how it is started."""
        return [sys.executable, str(self.folder / "course.py"), *arguments]

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment variables that it is started with."""
        return {"PATH": str(self.programs), "FAKE_LOG": str(self.log), **more}

    def commands(self) -> list[str]:
        """Return what the fake programs were asked since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    def installations(self) -> list[str]:
        """Return only the commands that install."""
        return [line for line in self.commands() if "pip install" in line]

    def give_environment(self) -> None:
        """Put an environment there whose Python only writes down what it was asked."""
        write_program(self.folder / ".venv" / "bin" / "python", FAKE_PYTHON)
        (self.folder / ".venv" / "pyvenv.cfg").write_text("version = 3.11\n")

    def give_venv(self) -> None:
        """Let ``python -m venv`` make such an environment."""
        (self.folder / "venv.py").write_text(FAKE_VENV)

    def give_uv(self) -> None:
        """Put a uv on the path."""
        write_program(self.programs / "uv", FAKE_UV)

    def change_pyproject(self, old: str, new: str) -> None:
        """Edit pyproject.toml."""
        path = self.folder / "pyproject.toml"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


@pytest.fixture
def bare_door(tmp_path: Path) -> Door:
    """A door in a fresh folder, where no environment was made yet."""
    if os.name == "nt":
        pytest.skip("the fake programs are shell scripts")
    folder = tmp_path / "course"
    for name in ("notebooks", "tests", "tools", "autograder", "book", "benchmarks"):
        (folder / name).mkdir(parents=True)
    for name in ("course.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (tmp_path / "programs").mkdir()
    return Door(folder, tmp_path / "programs", tmp_path / "log")


@pytest.fixture
def door(bare_door: Door) -> Door:
    """A door whose environment's Python only writes down what it was asked."""
    bare_door.give_environment()
    return bare_door


@pytest.fixture
def course(bare_door: Door) -> ModuleType:
    """The copy's functions."""
    spec = importlib.util.spec_from_file_location("course_copy", bare_door.folder / "course.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[Path, Callable[[], object]], str]:
    """Something that does what it is given as a user who owns nothing: root can write everywhere.

    It takes a folder to stand in and a function, and returns what the function prints.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can try what another user may do")
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)  # may be passed through

    def do(place: Path, function: Callable[[], object]) -> str:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                try:
                    os.chdir(place)
                    os.setuid(NOBODY)
                    function()
                except BaseException as error:
                    print(repr(error))
                finally:
                    os.write(writing, printed.getvalue().encode())
                    os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            return said.read()

    return do
