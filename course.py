#!/usr/bin/env python3
"""The one door of the course: `python3 course.py` tells what it can do.

It needs nothing but Python. It makes the environment `.venv` beside this file, installs the course
into it, and hands the rest to the programs inside. It stays readable to Python 3.8, so that an old
Python gets an explanation and not a syntax error.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 14)
NEWEST_FOR_CAPSTONE = (3, 13)  # no pygame is built for the next one, and Push-T draws with it
FREE_GIGABYTES = 3  # the environment takes 1.6 with torch's CPU build; downloads come on top
EXTRAS = ("capstone", "instructor", "book", "dev")  # of pyproject.toml; the last holds the others
# Students get the course without some folders, and are not offered the verbs that need them.
NEEDS = {
    "test": "tests",
    "build": "tools",
    "grade": "autograder",
    "release": "tools",
    "solutions": "tools",
    "book": "book",
    "bench": "benchmarks",
    "check": "tools",
}

HELP = """\
python3 course.py VERB ...

  lab       open JupyterLab on the notebooks; what follows goes to JupyterLab (--no-browser --port 8899)
  test      run the tests; what follows goes to pytest (tests/house -k stamp)
  setup     only install; --capstone adds notebook 09's Push-T, --dev the contributors' tools and
            git hooks; --fresh starts over
  doctor    look at what the notebooks need, and say what to do; it installs nothing
  build     write notebooks/, solutions/ and autograder/tests/ anew from source/
  grade     grade submissions: grade SUBMISSION ... --out FOLDER
  release   write what students get: release --until 05 --out FOLDER
  solutions run all solved notebooks, or those named (01 05); tell time and memory of each
  book      write the course as a web site: book --out FOLDER; --fast trains shortly, for trials
  bench     time the library beside its peers; --only training,sampling; --quick
  check     what must hold before a commit: style, types, generated files in step
  help      this text

Each verb first installs what is missing. That takes a minute or two once, and nothing afterwards."""

LAB_SETTINGS = {
    # Otherwise widgets call back from a second thread while a cell runs, and figures go wrong.
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

STEPS = ("Collecting", "Downloading", "Using", "Building", "Installing", "Resolved", "Prepared")
HINTS = {
    "No space left on device": "The disk is full. Free a few gigabytes.",
    "Permission denied": "A file can't be written. Copy the course to a folder of your own.",
    "Read-only file system": "A file can't be written. Copy the course to a folder of your own.",
    "name resolution": "There is no network. The first set-up downloads half a gigabyte.",
    "establish a new connection": "There is no network. The first set-up downloads half a gigabyte.",
    "CERTIFICATE_VERIFY_FAILED": "The network's certificate is not trusted. Try another network.",
    "No matching distribution found for torch": "There is no torch for this Python: try 3.12.",
    "Windows Long Path": "The path is too long for Windows. Move the course to C:\\course.",
    "[WinError 206]": "The path is too long for Windows. Move the course to C:\\course.",
}


def main(arguments: list[str]) -> None:
    """Do what the first argument says, with the others."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    for name in ("PYTHONPATH", "PYTHONHOME"):
        os.environ.pop(name, None)  # another project's packages would come before the environment's
    if verb in ("help", "-h", "--help"):
        return print("\n".join(line for line in HELP.split("\n") if is_offered(line)))
    known = (lab, test, setup, doctor, build, grade, release, solutions, book, bench, check)
    verbs = {verb.__name__: verb for verb in known}
    verbs = {name: verb for name, verb in verbs.items() if is_offered(f"  {name}")}
    if verb not in verbs:
        stop(f"there is no verb {verb!r}. There are: {', '.join(verbs)}, help.", status=2)
    return verbs[verb](rest)


def is_offered(line: str) -> bool:
    """Tell whether a line of the help is of use here: students get the course without some folders."""
    verb = line.split()[0] if line.startswith("  ") else ""
    return verb not in NEEDS or (ROOT / NEEDS[verb]).is_dir()


# The verbs ---------------------------------------------------------------------------------------


def lab(arguments: list[str]) -> None:
    """Open JupyterLab on the notebooks."""
    install("")
    notebooks = ROOT / "notebooks"
    if not notebooks.is_dir():
        stop("there is no folder notebooks. To write it: python3 course.py build")
    prefer_own_kernel()
    doctor_quickly = ["-m", "imitation_lab", "doctor", "--quick", "--faults"]
    subprocess.call([str(environment_python()), *doctor_quickly], cwd=ROOT)
    # Jupyter turns root away, but in a container there is often nobody else.
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    root = f"--ServerApp.root_dir={notebooks}"
    hand_over(["-m", "jupyterlab", root, *as_root, *arguments], notebooks)


def test(arguments: list[str]) -> None:
    """Run the tests. `-m long` runs those that are left out otherwise, `-m claims` all about claims."""
    install("dev")
    if "-m" not in arguments:
        arguments = ["-m", "not long", *arguments]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Two processes of one thread each: small tensors gain nothing from more.
    hand_over(["-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments], ROOT)


def setup(arguments: list[str]) -> None:
    """Install, with --capstone what notebook 09 needs, and with --dev what a contributor needs."""
    unknown = set(arguments) - {"--capstone", "--dev", "--fresh"}
    if unknown:
        known = "--capstone, --dev and --fresh"
        stop(f"setup knows {known}, not {' '.join(sorted(unknown))}.", status=2)
    if "--dev" in arguments and not is_offered("  test"):
        stop("--dev is for the whole course. This is a release for students.", status=2)
    if "--capstone" in arguments:
        check_python(NEWEST_FOR_CAPSTONE)
    wanted = [extra for extra in ("capstone", "dev") if f"--{extra}" in arguments]
    install(",".join(wanted), fresh="--fresh" in arguments)
    if "--dev" in arguments:
        run([str(environment_python()), "-m", "pre_commit", "install"], "installing the git hooks")
    say("ready. Next: python3 course.py lab")


def doctor(arguments: list[str]) -> None:
    """Look at what the notebooks need. Nothing is installed, which might hide what is wrong."""
    check_python()
    if not python_version():
        stop("nothing is installed here yet. Say: python3 course.py setup")
    stamp = read_stamp()
    wanted = {"folder": str(ROOT), "dependencies": dependencies(), "python": python_version()}
    if stamp != {**stamp, **wanted}:
        say("the installation is unfinished, or of another time. Say: python3 course.py setup")
    prefer_own_kernel()
    hand_over(["-m", "imitation_lab", "doctor", *arguments], ROOT)


def build(arguments: list[str]) -> None:
    """Write the generated folders anew."""
    install("instructor")
    hand_over(["-m", "tools.build", *arguments], ROOT)


def grade(arguments: list[str]) -> None:
    """Grade submissions. Their paths are relative to where the instructor stands."""
    install("instructor")
    # -P: Python must not import a stranger's random.py when it is started in their folder.
    hand_over(["-P", "-m", "autograder", "grade", *arguments], Path.cwd())


def release(arguments: list[str]) -> None:
    """Write what students get. The folder's path is relative to where the instructor stands."""
    install("instructor")
    hand_over(["-P", "-m", "tools.release", *arguments], Path.cwd())


def solutions(arguments: list[str]) -> None:
    """Run the solved notebooks. The folder of --out is relative to where the instructor stands."""
    install("capstone,instructor")
    hand_over(["-P", "-m", "tools.solutions", *arguments], Path.cwd())


def book(arguments: list[str]) -> None:
    """Write the course as a web site. The folder of --out is relative to where the instructor stands."""
    install("book")
    hand_over(["-P", "-m", "tools.book", *arguments], Path.cwd())


def bench(arguments: list[str]) -> None:
    """Time the library beside its peers."""
    install("dev")
    hand_over(["-m", "benchmarks.speed", *arguments], ROOT)


def check(arguments: list[str]) -> None:
    """Check what must hold before a commit."""
    install("dev")
    hand_over(["-m", "tools.check", *arguments], ROOT)


# The environment ---------------------------------------------------------------------------------


def environment() -> Path:
    """Return the folder of the environment: .venv, or the conda environment of environment.yml."""
    prefix = Path(sys.prefix)
    is_conda = prefix.name == "imitation-lab" and (prefix / "conda-meta").is_dir()
    return prefix if is_conda else ROOT / ".venv"


def environment_python() -> Path:
    """Return the environment's Python."""
    if inside_environment():
        return Path(sys.executable)
    return environment() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside_environment() -> bool:
    """Tell whether this very program runs in the environment."""
    return Path(sys.prefix).resolve() == environment().resolve()


def prefer_own_kernel() -> None:
    """Have the environment's kernel come before one of the same name in the user's home folder."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"


def install(extra: str, fresh: bool = False) -> None:
    """Make sure that the environment stands, with extras of pyproject.toml or more than these."""
    check_python()
    stamp = read_stamp()
    extra = joined(extra, stamp.get("extra", ""))
    wanted = {"extra": extra, "folder": str(ROOT), "dependencies": dependencies()}
    if not fresh and stamp == {**wanted, "python": python_version()}:
        return
    started = time.monotonic()
    try:
        sound = is_sound(stamp) and not fresh
        # From here on it counts as unfinished: an interrupted installation is taken up again.
        stamp_path().unlink(missing_ok=True)
        if not sound:
            make_environment()
        install_course(extra)
        write_lab_settings(environment())
        stamp_path().write_text(json.dumps({**wanted, "python": python_version()}))
    except OSError as error:
        stop(f"{error}. If something else uses .venv, close it. Else copy the course elsewhere.")
    say(f"installed in {time.monotonic() - started:.0f} s")


def joined(first: str, second: str) -> str:
    """Return the extras of both, separated by commas. None is named that another one holds."""
    wanted = {*first.split(","), *second.split(",")} - {""}
    return "dev" if "dev" in wanted else ",".join(sorted(wanted))


def check_python(newest: tuple[int, int] = NEWEST) -> None:
    """Stop, with a way out, when this Python is too old or too new."""
    if OLDEST <= sys.version_info[:2] <= newest:
        return
    this = "{}.{}".format(*sys.version_info)
    names = [f"python3.{minor}" for minor in range(newest[1], OLDEST[1] - 1, -1)]
    found = next((name for name in names if shutil.which(name)), None)
    way_out = f"Say: {found} course.py ..." if found else "Get one from python.org, and try again."
    stop(f"Python 3.{OLDEST[1]} to 3.{newest[1]} is needed, this is Python {this}. {way_out}")


def stamp_path() -> Path:
    """Return the file that tells what was installed."""
    return environment() / "course-stamp.json"


def read_stamp() -> dict[str, str]:
    """Return what was installed, or nothing if that was never finished."""
    try:
        stamp = json.loads(stamp_path().read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(stamp, dict) or not isinstance(stamp.get("extra"), str):
        return {}
    return stamp if set(stamp["extra"].split(",")) <= {"", *EXTRAS} else {}


def dependencies() -> str:
    """Return a hash that changes when pyproject.toml asks for other packages."""
    import tomllib  # not in the Pythons that check_python turns away

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    keys = ("requires-python", "dependencies", "optional-dependencies", "scripts", "entry-points")
    wanted = [settings["build-system"], settings["tool"]["hatch"], *map(project.get, keys)]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def python_version() -> str:
    """Ask the environment's Python for its version. Empty when it doesn't answer."""
    code = "import sys; print(sys.version_info[:2])"
    command = [str(environment_python()), "-I", "-S", "-c", code]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip()


def is_sound(stamp: dict[str, str]) -> bool:
    """Tell whether the environment has a Python with pip, unchanged and in its old place."""
    version = python_version()
    if not version or stamp.get("python", version) != version:
        return False
    if stamp.get("folder", str(ROOT)) != str(ROOT):
        return False  # a copy: its programs would still start the original's
    pip = [str(environment_python()), "-m", "pip", "--version"]
    return subprocess.run(pip, cwd=ROOT, capture_output=True, check=False).returncode == 0


def make_environment() -> None:
    """Make .venv from nothing."""
    folder = environment()
    if folder != ROOT / ".venv":
        return  # conda's: never ours to remove
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "pyvenv.cfg").is_file():
            stop(f"{folder} is no Python environment. Move it away, then try again.")
        say(f"removing {folder}")
        shutil.rmtree(folder)
    if shutil.disk_usage(ROOT).free < FREE_GIGABYTES * 1e9:
        stop(f"less than {FREE_GIGABYTES} GB are free on this disk. Make room, then try again.")
    # From within another environment, take the Python that it was made from.
    python = getattr(sys, "_base_executable", sys.executable)
    if not run([python, "-m", "venv", str(folder)], f"making {folder}"):
        stop("no environment could be made. On Debian and Ubuntu: sudo apt install python3-venv")


# Installing --------------------------------------------------------------------------------------


def install_course(extra: str) -> None:
    """Install the course and what it needs, with uv where that works, else with pip."""
    project = f"{ROOT}[{extra}]" if extra else str(ROOT)
    python = str(environment_python())
    uv = ["uv", "pip", "install", "--python", python, *torch_backend(), "--editable", project]
    # Compiling every module ahead of time would take longer than all the rest.
    pip = [python, "-m", "pip", "install", "--no-compile", "--editable", project]
    if shutil.which("uv"):
        if run(uv, "installing with uv"):
            return
        say("uv could not find everything, so pip tries.")
    if not run(pip, "installing with pip, which takes a minute or more the first time"):
        stop("the installation failed. To start from nothing: python3 course.py setup --fresh")


def torch_backend() -> list[str]:
    """Spare a Linux machine without an NVIDIA driver the gigabytes of CUDA."""
    has_driver = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()
    return ["--torch-backend", "cpu"] if sys.platform == "linux" and not has_driver else []


def run(command: list[str], title: str) -> bool:
    """Run a long command, show how it gets on, and explain a failure. Tell whether it went well."""
    say(title)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            # Not where the user stands: Python would import a stranger's pip.py from there.
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            watch(process, log)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            print(explain(read(log)), file=sys.stderr, flush=True)
    return process.returncode == 0


def watch(process: subprocess.Popen[bytes], log: Path) -> None:
    """Show the seconds and the log's last line until the process ends."""
    pause, start, end = (0.5, "\r", "") if sys.stdout.isatty() else (15, "", "\n")
    started = time.monotonic()
    while True:
        try:
            process.wait(pause)
            return print(end="\r" + " " * 78 + "\r" if start else "", flush=True)
        except subprocess.TimeoutExpired:
            lines = [line.strip() for line in read(log).splitlines()]
            last = next((line for line in reversed(lines) if line.startswith(STEPS)), "")
            line = f"{time.monotonic() - started:6.0f} s  {last:68.68}"
            print(start + line if start else line.rstrip(), end=end, flush=True)


def read(log: Path) -> str:
    """Return a log's text, whatever its bytes."""
    return log.read_text(encoding="utf-8", errors="replace")


def explain(output: str) -> str:
    """Return the end of a failed command's output, and what to do about it where that is known."""
    hints = {hint: None for text, hint in HINTS.items() if text in output}
    return "\n".join([*output.strip().splitlines()[-8:], *hints])


def write_lab_settings(prefix: Path) -> None:
    """Write the two JupyterLab settings into an environment, for whoever starts Lab from it."""
    settings = prefix / "etc" / "jupyter" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(LAB_SETTINGS, indent=2) + "\n")


# Small things ------------------------------------------------------------------------------------


def hand_over(arguments: list[str], folder: Path) -> NoReturn:
    """Become the environment's Python with these arguments, and end with its exit status."""
    command = [str(environment_python()), *arguments]
    os.chdir(folder)
    if os.name != "nt":
        os.execv(command[0], command)
    # Windows can't replace a program: wait for it, and leave Ctrl-C to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(subprocess.call(command))


def say(message: str) -> None:
    """Say one line."""
    print(f"course: {message}", flush=True)


def stop(message: str, status: int = 1) -> NoReturn:
    """Say what is wrong and what to do, and end."""
    print(f"course: {message}", file=sys.stderr, flush=True)
    raise SystemExit(status)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        stop("interrupted. Say the same again, and it goes on from here.", status=130)
