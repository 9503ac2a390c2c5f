"""The papers at the root agree with each other and with the project."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.build import GENERATED
from tools.check import STAGES

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [
    Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts
]


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str:
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="replace")


# pyproject.toml and environment.yml --------------------------------------------------------------


def conda_requirements() -> dict[str, SpecifierSet]:
    lines = [line for line in CONDA["dependencies"] if isinstance(line, str) and line != "pip"]
    (pip_lines,) = [line["pip"] for line in CONDA["dependencies"] if isinstance(line, dict)]
    lines += [line for line in pip_lines if not line.startswith("-")]
    requirements = map(Requirement, lines)
    return {requirement.name: requirement.specifier for requirement in requirements}


def test_the_conda_route_asks_for_what_pyproject_asks_for():
    wanted = {CONDA_NAMES.get(core.name, core.name): core.specifier for core in CORE}
    wanted["python"] = SpecifierSet(PROJECT["requires-python"])
    assert conda_requirements() == wanted


def test_the_conda_route_installs_the_course_itself():
    assert {"pip": ["otter-grader >=7.0,<7.1", "-e ."]} in CONDA["dependencies"]


def test_the_door_recognises_the_conda_environment_by_its_name():
    assert f'prefix.name == "{CONDA["name"]}"' in (ROOT / "course.py").read_text()


@pytest.mark.parametrize("requirement", [*CORE, *EXTRAS], ids=str)
def test_every_dependency_has_an_upper_bound(requirement):
    operators = {specifier.operator for specifier in requirement.specifier}
    assert operators & {"<", "<=", "=="} or requirement.name == PROJECT["name"]


@pytest.mark.parametrize("requirement", [*CORE, *EXTRAS], ids=str)
def test_the_tests_run_with_what_pyproject_asks_for(requirement):
    assert requirement.specifier.contains(version(requirement.name), prereleases=True)


# README.md and CONTRIBUTING.md -------------------------------------------------------------------


def shell_lines(paper: str) -> list[str]:
    text = (ROOT / paper).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line] + re.findall(r"`(python3? [^`]+)`", text)


COMMANDS = sorted({*shell_lines("README.md"), *shell_lines("CONTRIBUTING.md")})
VERBS = re.findall(
    r"^  (\w+) ",
    subprocess.run(
        [sys.executable, ROOT / "course.py"], capture_output=True, text=True, check=True
    ).stdout,
    flags=re.MULTILINE,
)


def test_the_readme_shows_the_two_commands():
    assert {"python3 course.py lab", "python3 course.py test"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [line for line in COMMANDS if "course.py " in line])
def test_a_verb_in_the_papers_exists(command):
    assert command.split("course.py ")[1].split()[0] in [*VERBS, "VERB"]


@pytest.mark.parametrize("command", [line for line in COMMANDS if " check " in line])
def test_a_stage_in_the_papers_exists(command):
    assert set(command.split(" check ")[1].split()) <= set(STAGES)


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md"])
def test_every_picture_and_link_in_the_papers_leads_somewhere(paper):
    text = (ROOT / paper).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)", text)
    missing = [target for target in targets if ":" not in target and not (ROOT / target).exists()]
    assert not missing


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md"])
def test_every_picture_in_the_papers_has_alternative_text(paper):
    pictures = re.findall(r"!\[([^\]]*)\]", (ROOT / paper).read_text(encoding="utf-8"))
    assert all(len(alternative) > 20 for alternative in pictures)


def test_contributing_describes_every_folder_of_tests_and_no_other():
    described = re.findall(r"^\| `tests/(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    folders = {path.relative_to(ROOT).parts[1] for path in tracked_files() if is_nested_test(path)}
    assert sorted(described) == sorted(folders)


def is_nested_test(path: Path) -> bool:
    return path.parent.is_relative_to(ROOT / "tests") and path.parent != ROOT / "tests"


# CI and commit hooks -----------------------------------------------------------------------------


def test_every_stage_of_check_is_a_commit_hook():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    entries = {hook["id"]: hook["entry"] for hook in repository["hooks"]}
    assert entries == {stage: f"python3 course.py check {stage}" for stage in STAGES}


READ_BY_THE_BUILD = ["source/otter.yml", "tools/build.py", "imitation_lab/envs/fork.py"]


@pytest.mark.parametrize(
    "name", [*READ_BY_THE_BUILD, "pyproject.toml", *(f"{folder}/01" for folder in GENERATED)]
)
def test_a_change_of_what_the_build_reads_or_writes_wakes_the_hook_that_builds(name):
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (hook,) = [hook for hook in config["repos"][0]["hooks"] if hook["id"] == "generated"]
    assert re.search(hook["files"], name)
    assert not re.search(hook["files"], f"assets/{name}")


def test_ci_runs_every_stage_of_check_and_ends_with_the_test_command():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    stages = [line.split("check ")[-1] for line in lines if "course.py check" in line]
    assert {*stages, "generated"} == set(STAGES)
    assert any("course.py build" in line for line in lines)
    assert lines[-1].endswith("python3 course.py test")


def test_ci_makes_sure_of_a_sandbox_before_the_grading_tests_could_skip():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    titles = [line.split('"')[1] for line in lines if line.startswith("stage ")]
    assert "autograder doctor" in next(line for line in lines if line.startswith('stage "sandbox"'))
    assert titles.index("set-up") < titles.index("sandbox") < titles.index("tests")


def test_check_finds_a_generated_file_that_was_edited_by_hand(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    generated = tmp_path / GENERATED[0] / "01.ipynb"
    generated.parent.mkdir()
    generated.write_text("as built")
    git("init", "--quiet")
    git("add", ".")
    monkeypatch.setattr("tools.check.ROOT", tmp_path)
    from tools.check import not_in_step

    assert not_in_step() == []
    generated.write_text("edited")
    assert not_in_step() == [f"{GENERATED[0]}/01.ipynb"]


# What no file may name ---------------------------------------------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:tmp/[a-z]|work/|root/|home/[a-z]+/|Users/[a-z]+/)")
# The hosts of registries, in pieces: this file is tracked as well.
REGISTRIES = re.compile(
    "|".join(["pypi" + r"\.org", "python" + "hosted", "download" + r"\.pytorch"])
)


@pytest.mark.parametrize(
    ("pattern", "what"), [(MACHINE_PATH, "path of a machine"), (REGISTRIES, "registry's host")]
)
def test_no_tracked_file_names_a_machine_or_a_registry(pattern, what):
    guilty = {
        str(path.relative_to(ROOT)): match.group()
        for path in tracked_files()
        if (match := pattern.search(text_of(path))) and path != Path(__file__)
    }
    assert not guilty, f"these files name a {what}"


def test_no_generated_notebook_holds_outputs():
    notebooks = [path for path in tracked_files() if path.suffix == ".ipynb"]
    assert not [path.name for path in notebooks if '"output_type"' in text_of(path)]
