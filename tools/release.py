"""What students get while the course runs: ``python3 course.py release --until 05 --out FOLDER``.

A release holds the notebooks up to one, their public tests, and the library without what answers a
notebook that is still due: the last one that is released, and those that follow. It stands in a staging
folder until everything in it was searched for secrets. A release that would leak is not written.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from tools.build import PROJECT
from tools.doors import DOORS, DOORS_END, with_buttons
from tools.error import BuildError
from tools.leaks import check_student_folder
from tools.library import due_modules, withheld
from tools.release_check import find_leaks, secrets_of
from tools.rules import read_course
from tools.source import Notebook
from tools.write import zip_entry

MANIFEST = "release.json"
CAPSTONE = "09"
AS_THEY_ARE = (
    *("LICENSE", "LICENSE-TEXT", "course.py", "environment.yml", ".gitignore", ".gitattributes"),
    *("postBuild", ".devcontainer/devcontainer.json"),
)
EXTRAS_FOR_STUDENTS = {"capstone", "lerobot", "minari"}
LIBRARY_FILES = (".py", ".js", ".css", ".html", ".json", ".mplstyle")

_TEMPLATE = Path(__file__).parent / "student" / "README.md"


def release(until: str, out: Path, project: Path = PROJECT) -> Path:
    """Write a release, and a zip of it beside its folder.

    Args:
        until: The beginning of the last notebook's name, such as ``"05"``.
        out: The folder of the release: a new one, an empty one, a git checkout with nothing else in it,
            or an earlier release, whose files are replaced. What else lies there stays.
        project: The whole course, built.

    Returns:
        The zip.

    Raises:
        BuildError: If there is no such notebook, the folder holds something else, or students would get
            something that they must not have.
    """
    notebooks = read_course(project / "source")
    last = find_last(notebooks, until)
    old = files_of_an_earlier_release(out)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        staging = Path(folder)
        collect(staging, notebooks, last, project)
        check(staging, notebooks, last)
        replace_release(out, old, staging)
        return _write_zip(out)


def collect(
    staging: Path, notebooks: tuple[Notebook, ...], last: Notebook, project: Path = PROJECT
) -> None:
    """Put everything that students get into an empty folder."""
    released = [notebook for notebook in notebooks if notebook.name <= last.name]
    for name in AS_THEY_ARE:
        (staging / name).parent.mkdir(exist_ok=True)
        shutil.copy(project / name, staging / name)
    for notebook in released:
        _copy_notebook(notebook, project / "notebooks", staging / "notebooks")
    due = due_modules(notebooks, last)
    _copy_library(project / "imitation_lab", staging / "imitation_lab", due)
    has_capstone = last.name >= CAPSTONE
    _copy_assets(project / "assets", staging / "assets", released, has_capstone)
    _write(staging / "pyproject.toml", _student_pyproject(project, has_capstone))
    _write(staging / "README.md", _student_readme(project, released))
    files = file_names(staging)
    _write(staging / MANIFEST, json.dumps({"until": last.name, "files": files}, indent=1) + "\n")


def check(staging: Path, notebooks: tuple[Notebook, ...], last: Notebook) -> None:
    """Refuse a release that is not in step with the source, or gives something away."""
    released = [notebook for notebook in notebooks if notebook.name <= last.name]
    check_student_folder(staging / "notebooks", released)
    if leaks := find_leaks(staging, secrets_of(notebooks, last)):
        problem = f"students would find {len(leaks)} things that they must not have yet:"
        listed = "".join(f"\n  {leak}" for leak in leaks)
        remedy = (
            "\nNothing was written. Name the module in the notebook's `answers`, or rewrite it."
        )
        raise BuildError(f"release until {last.name}", problem + listed, remedy)


def find_last(notebooks: Sequence[Notebook], until: str) -> Notebook:
    """Return the last notebook of a release.

    Raises:
        BuildError: If none, or more than one, has a name that begins so.
    """
    found = [notebook for notebook in notebooks if until and notebook.name.startswith(until)]
    if len(found) != 1:
        names = ", ".join(notebook.name for notebook in notebooks)
        problem = f"{len(found)} notebooks begin with {until!r}."
        raise BuildError("--until", problem, f"Name one of {names}; its number is enough.")
    return found[0]


# What goes in ------------------------------------------------------------------------------------


def _copy_notebook(notebook: Notebook, built: Path, target: Path) -> None:
    path, tests = built / f"{notebook.name}.ipynb", built / "tests" / notebook.name
    if not path.is_file() or not tests.is_dir():
        raise BuildError(path.name, "it was not built.", "Say: python3 course.py build")
    (target / "tests" / notebook.name).mkdir(parents=True)
    shutil.copy(path, target)
    for test in sorted(tests.glob("*.py")):
        shutil.copy(test, target / "tests" / notebook.name)


def _copy_library(library: Path, target: Path, due: Sequence[str]) -> None:
    left_out = withheld(library, due)
    for path in sorted(library.rglob("*")):
        if path.suffix in LIBRARY_FILES and path.is_file() and path not in left_out:
            copy = target / path.relative_to(library)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def _copy_assets(
    assets: Path, target: Path, released: Sequence[Notebook], has_capstone: bool
) -> None:
    target.mkdir()
    for folder in ("recorded", "pusht") if has_capstone else ("recorded",):
        hidden = shutil.ignore_patterns(".*")  # such as episodes that are being made
        shutil.copytree(assets / folder, target / folder, ignore=hidden)
    for picture in (assets / f"{notebook.name}.png" for notebook in released):
        if picture.is_file():
            shutil.copy(picture, target)


def _student_pyproject(project: Path, has_capstone: bool) -> str:
    """Return pyproject.toml without the grader, its dependencies and the contributors' tools."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    extras = settings["project"]["optional-dependencies"]
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    for name in set(extras) - EXTRAS_FOR_STUDENTS:
        del extras[name]
    wheel["packages"] = ["imitation_lab"]
    if not has_capstone:
        del wheel["force-include"]["assets/pusht"]
    kept = {name: settings[name] for name in ("build-system", "project")}
    return "\n".join(_toml({**kept, "tool": {"hatch": settings["tool"]["hatch"]}})) + "\n"


def _toml(table: dict[str, Any], name: str = "") -> list[str]:
    """Return the lines of a table of texts, lists of texts, and tables. JSON writes texts as TOML does."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"\n[{name}]"] if plain and name else []
    lines += [f"{json.dumps(key)} = {json.dumps(value, indent=1)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _toml(value, f"{name}.{key}" if name else key)
    return lines


def _student_readme(project: Path, released: Sequence[Notebook]) -> str:
    """Return the students' README. What it shares with the course's own is taken from there."""
    text = (project / "README.md").read_text(encoding="utf-8")
    numbers = [notebook.name.partition("_")[0] for notebook in released]
    rows = [line for line in text.split("\n") if line.replace("*", "")[2:4] in numbers]
    times = [time_for(notebook) for notebook in released]
    pictures = [
        _between(text, rf"^!\[[^\]]*\]\(assets/{notebook.name}\.png\)", r"\n\n(?!\*\d\d:)")
        for notebook in released
        if f"assets/{notebook.name}.png" in text
    ]
    troubles = _between(text, r"(?<=^## When something goes wrong\n\n)", r"\n\n")
    if len(rows) != len(released) or not troubles:
        problem = "its table of notebooks or its section `When something goes wrong` is not found."
        raise BuildError(
            "README.md", problem, "The students' README is made of both: see tools/release.py."
        )
    template = _TEMPLATE.read_text(encoding="utf-8")
    timed = "\n".join(f"{row} {time} |" for row, time in zip(rows, times, strict=True))
    filled = {"notebooks": timed, "pictures": "\n\n".join(pictures), "troubles": troubles}
    filled["buttons"] = with_buttons(f"{DOORS}\n{DOORS_END}")
    return re.sub(r"\{(\w+)\}", lambda match: filled[match[1]], template)


def time_for(notebook: Notebook) -> str:
    """Return how long a notebook takes, such as ``"about two hours"``: the last sentence of its first cell says so.

    Raises:
        BuildError: If it does not.
    """
    found = re.search(r"\bTime: (about [a-z ]+ hours)\.$", notebook.cells[0].source)
    if found is None:
        remedy = "End it with such a sentence: Time: about two and a half hours."
        raise BuildError(notebook.name, "its first cell does not say how long it takes.", remedy)
    return found[1]


def _between(text: str, start: str, end: str) -> str:
    match = re.search(f"{start}.*?(?={end})", text, flags=re.DOTALL | re.MULTILINE)
    return match.group() if match else ""


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def file_names(folder: Path) -> list[str]:
    """Return the files of a folder, and of those inside of it, by their paths in it, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


# Where it goes -----------------------------------------------------------------------------------


def files_of_an_earlier_release(out: Path) -> list[Path]:
    """Return what an earlier release wrote into a folder.

    Raises:
        BuildError: If the folder holds something else, which must not be lost, or handed out.
    """
    if out.is_file():
        raise BuildError(str(out), "it is a file.", "Name a new folder.")
    manifest = out / MANIFEST
    if manifest.is_file():
        names = [*json.loads(manifest.read_text(encoding="utf-8"))["files"], MANIFEST]
        return [
            out / name for name in names if (out / name).resolve().is_relative_to(out.resolve())
        ]
    if out.exists() and [path for path in out.iterdir() if path.name != ".git"]:
        problem = "it is not empty, and no earlier release."
        raise BuildError(str(out), problem, "Name a new folder.")
    return []


def replace_release(
    out: Path, old: Sequence[Path], staging: Path, own: Mapping[str, str] | None = None
) -> None:
    """Put a release into its folder.

    Args:
        out: The folder.
        old: What an earlier release left there.
        staging: The release.
        own: Texts that take the place of some of its files, by their names.
    """
    for path in old:
        path.unlink(missing_ok=True)
    # The list of files comes first: by it, whoever was interrupted here may begin anew.
    for name in sorted(file_names(staging), key=lambda name: name != MANIFEST):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if own and name in own:
            _write(out / name, own[name])
        else:
            shutil.copy(staging / name, out / name)


def _write_zip(out: Path) -> Path:
    """Write a zip of the release, whose bytes depend on its contents alone."""
    names = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["files"]
    path = out.with_name(f"{out.name}.zip")
    with ZipFile(path, "w") as archive:
        add_to_zip(archive, {name: (out / name).read_bytes() for name in [*names, MANIFEST]})
    return path


def add_to_zip(archive: ZipFile, files: Mapping[str, bytes]) -> None:
    """Add files to a release's zip, sorted by their names."""
    for name, content in sorted(files.items()):
        archive.writestr(zip_entry(f"imitation-lab/{name}"), content, ZIP_DEFLATED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a release as the command line asks for it. Return 1, and say why, where it is refused."""
    parser = argparse.ArgumentParser(prog="course.py release", description=__doc__)
    parser.add_argument("--until", required=True, metavar="NN", help="the last notebook, as 05")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="the release")
    parser.add_argument(
        "--variant-seed", metavar="TEXT",
        help="a secret of yours: each student gets a release with constants of their own",
    )  # fmt: skip
    parser.add_argument(
        "--roster", type=Path, metavar="CSV", help="Canvas's gradebook, or Gradescope's roster"
    )
    options = parser.parse_args(arguments)
    if (options.variant_seed is None) != (options.roster is None):
        parser.error("--variant-seed and --roster go together")
    try:
        if options.variant_seed is not None:
            return _release_variants(options)
        archive = release(options.until, options.out.resolve())
    except BuildError as error:
        print(f"No release. {error}", file=sys.stderr)
        return 1
    print(f"For git: {options.out}\nFor download: {archive}")
    return 0


def _release_variants(options: argparse.Namespace) -> int:
    from tools.release_variants import release_variants  # which needs this module

    out = options.out.resolve()
    zips = release_variants(options.until, out, options.variant_seed, options.roster)
    print(f"{len(zips)} releases, a folder and a zip for each student: {options.out}")
    print("Keep the variant seed and the roster: grading needs both.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
