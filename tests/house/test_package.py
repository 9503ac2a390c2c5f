"""The package: what its papers say of it, and what its wheel holds."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

import imitation_lab

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# The papers --------------------------------------------------------------------------------------


def test_the_version_stands_in_one_place():
    assert "version" in SETTINGS["project"]["dynamic"]
    assert SETTINGS["tool"]["hatch"]["version"]["path"] == "imitation_lab/__init__.py"
    assert CITATION["version"] == imitation_lab.__version__


def test_the_citation_has_what_its_format_requires():
    required = {"cff-version": str, "message": str, "title": str, "authors": list}
    assert {key: type(CITATION[key]) for key in required} == required
    assert CITATION["cff-version"] == "1.2.0"
    assert all("name" in author or "family-names" in author for author in CITATION["authors"])
    assert CITATION["license"] == SETTINGS["project"]["license"]


def test_the_changelog_keeps_its_form():
    versions = re.findall(r"^## \[([^\]]+)\](?: - \d{4}-\d\d-\d\d)?$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert len(versions) == len(re.findall(r"^## ", CHANGELOG, re.MULTILINE))
    kinds = set(re.findall(r"^### (\w+)", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_code_and_text_have_a_licence_each_and_the_package_carries_both():
    assert SETTINGS["project"]["license-files"] == ["LICENSE", "LICENSE-TEXT"]
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-TEXT").read_text()


# The wheel ---------------------------------------------------------------------------------------

USE_IT = """
import importlib, json, pkgutil, sys
import imitation_lab
names = [module.name for module in pkgutil.walk_packages(imitation_lab.__path__, "imitation_lab.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
from imitation_lab.pusht.shipped import shipped_demonstrations
from imitation_lab.widgets import DragTheModes, Recorder
from imitation_lab.widgets.recorded import recorded_drives
print(json.dumps({
    "home": imitation_lab.__file__,
    "modules": len(names),
    "html": DragTheModes().to_html(),
    "drives": len(recorded_drives("fork")),
    "demonstrations": len(shipped_demonstrations()),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of a new environment with the wheel, which finds other packages where we do."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)  # the wheel is made from the sdist
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    Path(site, "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.long
def test_the_wheel_brings_all_modules_front_ends_and_data(installed, tmp_path):
    run = subprocess.run(
        [str(installed), "-c", USE_IT], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = json.loads(run.stdout.splitlines()[-1])
    assert Path(told["home"]).is_relative_to(installed.parents[1])
    ours = [path for path in (ROOT / "imitation_lab").rglob("*.py") if path.parent.name != "static"]
    assert told["modules"] == len(ours) - 1  # walk_packages leaves the package itself out
    assert "export default" in told["html"]
    assert told["drives"] > 0
    assert told["demonstrations"] > 0


@pytest.mark.long
def test_the_doctor_is_content_with_the_wheel(installed, tmp_path):
    shares = {"JUPYTER_PATH": str(Path(sys.prefix, "share", "jupyter"))}
    run = subprocess.run(
        [str(installed), "-m", "imitation_lab", "doctor"],
        cwd=tmp_path,
        env={**os.environ, **shares},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert f"Version {imitation_lab.__version__} is installed from a wheel" in run.stdout
