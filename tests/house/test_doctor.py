"""The doctor: each fault is fed to it, and its sentence says what to do."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, PathDistribution
from pathlib import Path

import pytest

from imitation_lab.doctor import (
    State,
    accelerator,
    examine,
    folder,
    jupyter,
    machine,
    packages,
    report,
)
from imitation_lab.doctor.accelerator import Torch, ask_torch, judge_torch
from imitation_lab.doctor.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OK, LOOK, BROKEN = State.OK, State.LOOK, State.BROKEN


# Python, memory and disk -------------------------------------------------------------------------


def test_the_pythons_that_pyproject_takes_are_well():
    (_, oldest), (_, newest) = machine.OLDEST, machine.NEWEST
    assert PROJECT["requires-python"] == f">=3.{oldest},<3.{newest + 1}"
    assert machine.check_python(machine.OLDEST).state is OK
    assert machine.check_python(machine.NEWEST).state is OK


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_that_is_too_old_or_too_new_is_broken(version):
    found = machine.check_python(version)
    assert found.state is BROKEN
    assert "none of 3.11 to 3.14" in found.sentence


@pytest.mark.parametrize(
    ("free", "state"), [(4000, OK), (1000, LOOK), (200, BROKEN)], ids=["much", "little", "none"]
)
def test_little_memory_is_told_with_what_to_close(free, state):
    found = machine.check_memory(free * machine.MEGABYTE)
    assert found.state is state
    assert ("shut down other kernels" in found.sentence) == (state is not OK)


def test_a_containers_limit_counts_where_it_is_below_the_machines_memory(tmp_path):
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    assert machine.free_memory(tmp_path) == 1_000_000
    # What it holds of files is let go of where programs need the room.
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 3000000\n")
    assert machine.free_memory(tmp_path) == 4_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory(tmp_path) > 1_000_000


@pytest.mark.parametrize(("free", "state"), [(5000, OK), (100, LOOK), (5, BROKEN)])
def test_a_disk_that_is_nearly_full_is_told(tmp_path, free, state):
    found = machine.check_disk(tmp_path, free * machine.MEGABYTE)
    assert found.state is state
    assert ("Make room" in found.sentence) == (state is not OK)


# What is installed -------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path) -> Path:
    """A course's folder with one notebook and its checks."""
    root = tmp_path / "course"
    checks = root / "notebooks" / "tests" / "01_first"
    checks.mkdir(parents=True)
    (checks / "question.py").touch()
    (root / "course.py").touch()
    (root / "imitation_lab").mkdir()
    (root / "imitation_lab" / "__init__.py").write_text('__version__ = "0.3.0"\n')
    write_notebook(root / "notebooks" / "01_first.ipynb")
    return root


def write_notebook(path: Path, name: str = "01_first") -> None:
    path.write_text(json.dumps({"cells": [], "metadata": {"imitation_lab": {"notebook": name}}}))


@pytest.fixture
def install(monkeypatch, tmp_path) -> Callable[..., None]:
    """Install a library: a wheel, or for a folder's address an editable one."""

    def install_version(version: str = "0.3.0", url: str | None = None) -> None:
        record = {"url": url, "dir_info": {"editable": True}} if url else {"url": "file:///w.whl"}
        info = tmp_path / "site" / "imitation_lab.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Name: imitation-lab\nVersion: {version}\n")
        (info / "direct_url.json").write_text(json.dumps(record))
        monkeypatch.setattr(packages, "distribution", lambda _: PathDistribution(info))

    return install_version


def test_a_missing_library_is_broken(monkeypatch, course):
    def refuse(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "distribution", refuse)
    found = packages.check_install(course)
    assert found.state is BROKEN
    assert "course.py setup" in found.sentence


def test_a_library_used_from_its_own_folder_is_well(install, course):
    install(url=course.as_uri())
    assert packages.check_install(course).state is OK


def test_a_library_of_another_folder_is_broken(install, course, tmp_path):
    other = tmp_path / "older course"  # its address has a %20
    (other / "imitation_lab").mkdir(parents=True)
    install(url=other.as_uri())
    found = packages.check_install(course)
    assert found.state is BROKEN
    assert str(other) in found.sentence


def test_a_library_whose_folder_was_moved_is_broken(install, course, tmp_path):
    install(url=(tmp_path / "gone").as_uri())
    found = packages.check_install(course)
    assert found.state is BROKEN
    assert "which is gone" in found.sentence


def test_a_wheel_must_have_the_version_of_the_folder(install, course):
    install()
    assert packages.check_install(course).state is OK
    install(version="0.2.0")
    found = packages.check_install(course)
    assert found.state is BROKEN
    assert "0.2.0 is installed, and 0.3.0 lies in" in found.sentence


def test_packages_that_are_missing_or_of_another_version_are_named():
    found = packages.check_packages(
        ["numpy>=2", "numpy<1", "no-such-package>=1", "jinja9; extra == 'x'"]
    )
    assert found.state is BROKEN
    assert "numpy is 2" in found.sentence and ", not <1" in found.sentence
    assert "no-such-package is missing" in found.sentence
    assert "jinja9" not in found.sentence
    assert packages.check_packages(["numpy>=2"]).state is OK


def test_push_t_is_asked_for_where_its_notebook_lies(course):
    notebooks = course / "notebooks"
    assert packages.check_capstone(notebooks, "no_such_module").state is OK
    (notebooks / "09_push_t.ipynb").touch()
    found = packages.check_capstone(notebooks, "no_such_module")
    assert found.state is LOOK
    assert "setup --capstone" in found.sentence
    assert packages.check_capstone(notebooks, "json").state is OK


# Jupyter -----------------------------------------------------------------------------------------


def write_kernel(data: Path, program: str) -> None:
    file = data / "kernels" / "python3" / "kernel.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"argv": [program, "-m", "ipykernel_launcher"]}))


@pytest.mark.parametrize("program", ["python", "python3", sys.executable])
def test_a_kernel_of_this_environment_is_well(tmp_path, program):
    write_kernel(tmp_path, program)
    assert jupyter.check_kernel([str(tmp_path)]).state is OK


def test_where_no_kernel_is_written_down_jupyter_takes_its_own_python(tmp_path):
    assert jupyter.check_kernel([str(tmp_path)]).state is OK


def test_a_kernel_of_another_python_is_broken_and_named(tmp_path):
    write_kernel(tmp_path / "user", "/opt/other/bin/python")
    write_kernel(tmp_path / "own", sys.executable)
    found = jupyter.check_kernel([str(tmp_path / "user"), str(tmp_path / "own")])
    assert found.state is BROKEN
    assert "/opt/other/bin/python" in found.sentence
    assert str(tmp_path / "user" / "kernels" / "python3" / "kernel.json") in found.sentence


def test_the_doctor_and_jupyter_find_the_same_kernel(tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    write_kernel(tmp_path, "/opt/other/bin/python")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert KernelSpecManager().get_kernel_spec("python3").argv[0] == "/opt/other/bin/python"
    assert jupyter.check_kernel().state is BROKEN


def write_extensions(data: Path, anywidget: str) -> None:
    for name, version in {
        "@jupyter-widgets/jupyterlab-manager": "5.0.0",
        "anywidget": anywidget,
    }.items():
        file = data / "labextensions" / name / "package.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"version": version}))


def test_a_front_end_that_fits_is_well(tmp_path):
    write_extensions(tmp_path, jupyter.version("anywidget"))
    assert jupyter.check_widgets([str(tmp_path)]).state is OK


def test_a_missing_front_end_is_broken(tmp_path):
    found = jupyter.check_widgets([str(tmp_path)])
    assert found.state is BROKEN
    assert "jupyterlab-manager is missing" in found.sentence


def test_a_front_end_of_another_version_comes_first_and_is_broken(tmp_path):
    write_extensions(tmp_path / "user", "0.1.0")
    write_extensions(tmp_path / "own", jupyter.version("anywidget"))
    found = jupyter.check_widgets([str(tmp_path / "user"), str(tmp_path / "own")])
    assert found.state is BROKEN
    assert "version 0.1.0" in found.sentence


def test_a_disabled_front_end_is_broken(tmp_path, monkeypatch):
    write_extensions(tmp_path, jupyter.version("anywidget"))
    config = tmp_path / "labconfig" / "page_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"disabledExtensions": {"anywidget": True}}))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    found = jupyter.check_widgets([str(tmp_path)])
    assert found.state is BROKEN
    assert "anywidget is disabled" in found.sentence


def test_a_missing_package_for_widgets_is_broken(monkeypatch, tmp_path):
    def refuse(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(jupyter, "version", refuse)
    found = jupyter.check_widgets([str(tmp_path)])
    assert found.state is BROKEN
    assert "jupyterlab_widgets is missing" in found.sentence


def test_another_lab_on_the_path_is_told():
    assert jupyter.check_lab("/opt/conda/bin/jupyter-lab").state is LOOK
    assert jupyter.check_lab(str(Path(sys.executable).parent / "jupyter-lab")).state is OK


# Torch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "driver", "state", "words"),
    [
        (Torch("2.9.0+cpu"), False, OK, "on the CPU"),
        (Torch("2.9.0", device="mps"), False, OK, "on the GPU: mps"),
        (Torch("2.9.0", "12.8", "NVIDIA H100"), True, OK, "on the GPU: NVIDIA H100"),
        (Torch("2.9.0+cpu"), True, LOOK, "a build for the CPU"),
        (
            Torch(
                "2.9.0", "12.8", warnings=("The NVIDIA driver on your system is too old (found …)",)
            ),
            True,
            LOOK,
            "too old for torch 2.9.0 and its CUDA 12.8",
        ),
        (Torch("2.9.0", "12.8"), True, LOOK, "finds no GPU"),
        (
            Torch(
                "2.9.0", "12.8", "Old GPU", "CUDA error: no kernel image is available\nCompile …"
            ),
            True,
            BROKEN,
            "set CUDA_VISIBLE_DEVICES to nothing",
        ),
        ("ImportError: libcudart.so.12 is missing", False, BROKEN, "course.py setup --fresh"),
    ],
)
def test_torch_is_judged_by_what_it_says_and_by_the_driver(found, driver, state, words):
    finding = judge_torch(found, driver)
    assert finding.state is state
    assert words in finding.sentence


def write_python(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_torch_that_ends_its_python_is_told_as_one_that_cannot_be_imported(tmp_path):
    crash = write_python(tmp_path / "crash", "kill -ILL $$")
    assert "ended with status" in str(ask_torch(crash))
    refuse = write_python(tmp_path / "refuse", "echo 'OSError: libcudart.so.12' >&2; exit 1")
    assert ask_torch(refuse) == "OSError: libcudart.so.12"


def test_a_torch_that_never_answers_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerator, "PATIENCE", 0.1)
    assert "did not answer" in str(ask_torch(write_python(tmp_path / "sleep", "exec sleep 5")))


# The notebooks' folder ---------------------------------------------------------------------------


def test_the_course_is_found_from_within(course):
    assert folder.find_course(course / "notebooks") == course
    assert folder.find_course(course.parent) is None


def test_a_folder_as_it_should_be_is_well(course):
    notebooks = course / "notebooks"
    (notebooks / "my_helpers.py").touch()
    (notebooks / "mine.ipynb").write_text('{"cells": [], "metadata": {}}')
    checks = (folder.check_writing, folder.check_notebooks, folder.check_shadows)
    assert {check(notebooks).state for check in checks} == {OK}


def test_a_folder_of_somebody_elses_is_broken(course, as_nobody):
    found = as_nobody(course, lambda: print(folder.check_writing(course / "notebooks")))
    assert found.startswith("broken")
    assert "Permission denied" in found and "copy the course into a folder of your own" in found


def test_a_notebook_that_may_not_be_written_to_is_named(course, as_nobody):
    notebooks = course / "notebooks"
    notebooks.chmod(0o777)
    (notebooks / "01_first.ipynb").chmod(0o444)
    found = as_nobody(course, lambda: print(folder.check_writing(notebooks)))
    assert "01_first.ipynb may not be written to" in found


def test_a_renamed_notebook_is_told_its_name(course):
    notebooks = course / "notebooks"
    (notebooks / "01_first.ipynb").rename(notebooks / "01_first-Copy1.ipynb")
    found = folder.check_notebooks(notebooks)
    assert found.state is BROKEN
    assert "01_first-Copy1.ipynb is 01_first.ipynb under another name" in found.sentence


def test_missing_checks_are_told(course):
    (course / "notebooks" / "tests" / "01_first" / "question.py").unlink()
    found = folder.check_notebooks(course / "notebooks")
    assert found.state is BROKEN
    assert "The checks of 01_first are missing" in found.sentence


def test_a_notebook_that_git_merged_is_told_apart_from_other_damage(course):
    path = course / "notebooks" / "01_first.ipynb"
    path.write_text("{\n<<<<<<< HEAD\n  1\n=======\n  2\n>>>>>>> theirs\n}")
    assert (
        "git checkout --ours notebooks/01_first.ipynb"
        in folder.check_notebooks(path.parent).sentence
    )
    path.write_text('{"cells": [')
    assert ".ipynb_checkpoints" in folder.check_notebooks(path.parent).sentence


def test_a_notebook_that_cannot_be_opened_is_told(course):
    (course / "notebooks" / "gone.ipynb").symlink_to("nowhere")
    assert "gone.ipynb cannot be read" in folder.check_notebooks(course / "notebooks").sentence


@pytest.mark.parametrize("name", ["random.py", "torch.py"])
def test_a_file_that_hides_a_module_is_told(course, name):
    (course / "notebooks" / name).touch()
    found = folder.check_shadows(course / "notebooks")
    assert found.state is BROKEN
    assert f"{name} in" in found.sentence


# The report --------------------------------------------------------------------------------------


def test_the_report_tells_each_finding_or_only_the_faults(capsys):
    findings = [Finding(OK, "disk", "Much."), Finding(LOOK, "torch", "Old.")]
    assert report(findings)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "look"]
    assert report(findings, faults_only=True)
    assert "disk" not in capsys.readouterr().out
    assert not report([Finding(BROKEN, "disk", "Full.")])


def test_the_quick_look_loads_no_torch_and_says_what_is_off():
    program = (
        "import sys; from pathlib import Path; from imitation_lab.doctor import examine\n"
        f"print(*examine(Path({str(ROOT)!r}), quick=True), sep='\\n')\n"
        "assert not {'torch', 'numpy', 'IPython'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "kernel" in run.stdout and "torch" not in run.stdout


def test_outside_of_the_course_the_doctor_says_where_to_go(tmp_path):
    told = [finding.sentence for finding in examine(tmp_path, quick=True)]
    assert any("This is not the course's folder" in sentence for sentence in told)


def test_the_command_ends_with_one_where_something_is_broken(course):
    command = [sys.executable, "-m", "imitation_lab", "doctor", "--quick", "--faults"]
    (course / "notebooks" / "scipy.py").touch()
    run = subprocess.run(command, cwd=course / "notebooks", capture_output=True, text=True)
    assert run.returncode == 1
    assert "scipy.py in" in run.stdout
