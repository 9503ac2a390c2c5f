"""The doors on the web: what hangs on the public address, and what each service finds here."""

import ast
import json
import os
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path

import pytest
from nbformat import NotebookNode

from imitation_lab import colab
from tools import doors
from tools.error import BuildError
from tools.master import with_machinery
from tools.rules import read_course

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = read_course(ROOT / "source")[0]
EXAMPLE = "https://github.com/example/course"


@pytest.fixture
def set_address(tmp_path, monkeypatch):
    """Let pyproject.toml name an address."""

    def write(address: str) -> None:
        file = tmp_path / "pyproject.toml"
        file.write_text(f'[project]\nname = "x"\nurls = {{ Repository = "{address}" }}\n')
        monkeypatch.setattr(doors, "PROJECT_FILE", file)

    return write


def cells() -> list[str]:
    """Return the title, the first cell and the last one, as they are built."""
    parts = list(with_machinery(NOTEBOOK))
    machinery = [part.source for part in parts if isinstance(part, NotebookNode)]
    return [parts[0].source, machinery[0], machinery[-1]]


# The address -------------------------------------------------------------------------------------


def test_without_an_address_there_are_no_buttons_and_the_first_cell_says_so(set_address):
    set_address("")
    title, opening, _ = cells()
    assert title == NOTEBOOK.parts[0].source
    assert "google.colab" not in opening
    assert "it has no public address yet" in opening
    assert doors.buttons() == ""


def test_an_address_puts_a_button_for_each_service_below_the_title(set_address):
    set_address(EXAMPLE)
    title, _, _ = cells()
    place = f"notebooks/{NOTEBOOK.name}.ipynb"
    assert title.startswith(NOTEBOOK.parts[0].source)
    for page in (
        f"https://colab.research.google.com/github/example/course/blob/main/{place}",
        f"https://mybinder.org/v2/gh/example/course/main?urlpath=lab/tree/{place}",
        "https://codespaces.new/example/course?quickstart=1",
    ):
        assert f"]({page})" in title


def test_an_address_brings_colabs_set_up_before_the_first_import(set_address):
    set_address(EXAMPLE)
    _, opening, last = cells()
    tree = ast.parse(opening)
    kinds = [type(node) for node in tree.body]
    assert kinds.index(ast.If) < kinds.index(ast.Try)
    assert f'"git", "clone", "--depth=1", "{EXAMPLE}"' in opening
    assert "Download .ipynb" in last  # otter packs nothing on Colab
    ast.parse(last)


@pytest.mark.parametrize(
    "address", ["https://example.org/course", "github.com/a/b", EXAMPLE + "/", EXAMPLE + ".git"]
)
def test_an_address_that_the_services_cannot_open_is_refused(set_address, address):
    set_address(address)
    with pytest.raises(BuildError, match="OWNER/NAME"):
        doors.address()


def test_the_readme_has_the_buttons_between_its_marks_and_keeps_the_rest(set_address):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert doors.with_buttons(readme) == readme  # as it was built
    set_address(EXAMPLE)
    (added,) = set(doors.with_buttons(readme).split("\n")) - set(readme.split("\n"))
    assert added.count("[![Open in") == 3
    set_address("")
    assert doors.with_buttons(readme).count("[![Open in") == 0


# Colab -------------------------------------------------------------------------------------------


@pytest.fixture
def google_colab(monkeypatch) -> list[str]:
    """A Colab that writes down what it was asked, and pip with it."""
    asked: list[str] = []
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append("widgets")
    package = types.ModuleType("google.colab")
    package.output = output
    for name, module in {"google": types.ModuleType("google"), "google.colab": package}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    monkeypatch.setattr(colab, "requires", lambda _: ["tornado==6.5.1", "no-such-package"])

    def run(command: list[str], check: bool) -> None:
        if "--constraint" in command:
            constraints = Path(command[command.index("--constraint") + 1])
            asked.extend(f"keep {line}" for line in constraints.read_text().splitlines())
        asked.append(" ".join(command[4:]))

    monkeypatch.setattr(colab.subprocess, "run", run)
    return asked


def test_colab_keeps_its_torch_and_all_that_its_own_package_wants(google_colab):
    colab.install(ROOT)
    kept = [line for line in google_colab if line.startswith("keep")]
    assert kept == [f"keep {name}=={version(name)}" for name in ("numpy", "torch", "tornado")]


def test_colab_is_given_what_it_lacks_and_the_course_from_its_folder(google_colab):
    colab.install(ROOT)
    packages, course = [line for line in google_colab if line.startswith("--quiet")]
    assert "anywidget" in packages and "otter-grader" in packages
    assert not any(f" {name}" in packages for name in colab.KEPT)
    assert course == f"--quiet --no-deps --editable {ROOT}"


def test_colab_stands_beside_the_checks_and_shows_widgets(google_colab, monkeypatch):
    monkeypatch.chdir(ROOT)  # and back again in the end
    colab.prepare(ROOT)
    assert Path.cwd() == ROOT / "notebooks"
    assert google_colab == ["widgets"]  # otter is here: nothing to install


# Binder and dev containers -----------------------------------------------------------------------


def test_binder_gives_jupyterlab_the_courses_settings(tmp_path):
    script = ROOT / "postBuild"
    assert os.access(script, os.X_OK)
    program = script.read_text().split("<<'PROGRAM'\n")[1].removesuffix("PROGRAM\n")
    program = f"import sys; sys.prefix = {str(tmp_path)!r}\n{program}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    (settings,) = tmp_path.rglob("default_setting_overrides.json")
    assert "commsOverSubshells" in settings.read_text()


def test_the_dev_container_sets_the_course_up_and_points_at_its_environment(course):
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("python3 course.py setup")
    minor = int(container["image"].rpartition("3.")[2])
    assert course.OLDEST[1] <= minor <= course.NEWEST_FOR_CAPSTONE[1]
    settings = container["customizations"]["vscode"]["settings"]
    interpreter = settings["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"
