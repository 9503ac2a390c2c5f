"""course.py: what it says, what it installs, and to whom it hands over."""

import ast
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = ["lab", "test", "setup", "doctor", "build", "grade", "release", "solutions", "book"]
VERBS += ["bench", "check"]


# What it says ------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_without_a_verb_it_tells_what_every_verb_does(bare_door, arguments):
    answer = bare_door.says(*arguments)
    told = re.findall(r"^  (\w+) ", answer.stdout, flags=re.MULTILINE)
    assert (answer.returncode, told) == (0, [*VERBS, "help"])


def test_an_unknown_verb_is_refused_with_the_list_of_those_that_exist(bare_door):
    answer = bare_door.says("tset")
    assert answer.returncode == 2
    assert "'tset'" in answer.stderr
    assert ", ".join(VERBS) in answer.stderr


def test_help_installs_nothing(bare_door):
    bare_door.says("help")
    assert not (bare_door.folder / ".venv").exists()


def test_an_old_python_can_read_the_file_at_least():
    ast.parse((ROOT / "course.py").read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 15)])
def test_a_python_out_of_range_is_told_which_ones_fit(course, version, monkeypatch, capsys):
    monkeypatch.setattr(course.sys, "version_info", (*version, 0))
    with pytest.raises(SystemExit):
        course.check_python()
    message = capsys.readouterr().err
    assert f"this is Python {version[0]}.{version[1]}" in message
    assert "Python 3.11 to 3.14 is needed" in message


def test_a_python_too_new_for_the_capstone_is_told_which_ones_fit(course, monkeypatch, capsys):
    monkeypatch.setattr(course.sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(course, "install", lambda *_, **__: None)
    course.setup([])
    with pytest.raises(SystemExit):
        course.setup(["--capstone"])
    assert "Python 3.11 to 3.13 is needed, this is Python 3.14" in capsys.readouterr().err


def test_the_capstone_asks_for_the_pythons_that_the_door_takes_for_it(course):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (wanted,) = settings["project"]["optional-dependencies"]["capstone"]
    major, newest = course.NEWEST_FOR_CAPSTONE
    assert wanted.endswith(f"python_version < '{major}.{newest + 1}'")


def test_it_takes_the_pythons_that_pyproject_takes(course):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (major, oldest), (_, newest) = course.OLDEST, course.NEWEST
    expected = f">={major}.{oldest},<{major}.{newest + 1}"
    assert settings["project"]["requires-python"] == expected


def test_its_extras_are_those_of_pyproject(course):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"]
    assert set(course.EXTRAS) <= set(extras)
    (everything,) = [text for text in extras["dev"] if text.startswith("imitation-lab[")]
    assert {"capstone", "instructor"} <= set(everything[len("imitation-lab[") : -1].split(","))


def test_setup_refuses_a_flag_that_it_does_not_know(door):
    answer = door.says("setup", "--devv")
    assert answer.returncode == 2
    assert "--devv" in answer.stderr
    assert "--capstone, --dev and --fresh" in answer.stderr


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "no network"),
        ("ERROR: No matching distribution found for torch<=2.13.0", "no torch for this Python"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "folder of your own"),
    ],
)
def test_a_failed_installation_is_explained(course, output, advice):
    explanation = course.explain(f"Collecting torch\n{output}\n")
    assert output in explanation
    assert advice in explanation


def test_an_unknown_failure_is_shown_without_advice(course):
    assert course.explain("first\nlast\n") == "first\nlast"


def test_a_full_disk_is_told_before_anything_is_downloaded(course, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(course.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 2 * 10**9))
    with pytest.raises(SystemExit):
        course.make_environment()
    assert "less than 3 GB are free" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(course, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(course, "make_environment", refuse)
    with pytest.raises(SystemExit):
        course.install("")
    message = capsys.readouterr().err
    assert "Permission denied" in message
    assert "copy the course elsewhere" in message


def test_a_missing_venv_module_is_told(course, monkeypatch, capsys):
    monkeypatch.setattr(course, "run", lambda command, title: "venv" not in command)
    with pytest.raises(SystemExit):
        course.make_environment()
    assert "sudo apt install python3-venv" in capsys.readouterr().err


# What it installs --------------------------------------------------------------------------------


def test_the_first_start_installs_and_the_second_does_not(door):
    door.says("setup")
    assert len(door.installations()) == 1
    door.says("setup")
    assert door.installations() == []


@pytest.mark.parametrize(
    ("verb", "extra"),
    [
        ("lab", ""),
        ("build", "[instructor]"),
        ("grade", "[instructor]"),
        ("test", "[dev]"),
        ("solutions", "[capstone,instructor]"),
        ("book", "[book]"),
        ("bench", "[dev]"),
    ],
)
def test_a_verb_installs_the_extra_that_it_needs(door, verb, extra):
    door.says(verb)
    (command,) = door.installations()
    assert command.endswith(f"--editable {door.folder}{extra}")


def test_setup_for_contributors_adds_the_tools_and_the_git_hooks(door):
    door.says("setup", "--dev")
    commands = door.commands()
    assert any(line.endswith(f"--editable {door.folder}[dev]") for line in commands)
    assert "python -m pre_commit install" in commands


def test_setup_for_the_capstone_adds_what_notebook_09_needs(door):
    door.says("setup", "--capstone")
    (command,) = door.installations()
    assert command.endswith(f"--editable {door.folder}[capstone]")
    door.says("lab")
    assert door.installations() == []


def test_who_grades_keeps_the_capstone_and_who_contributes_has_it(door):
    door.says("setup", "--capstone")
    door.commands()
    door.says("grade")
    (command,) = door.installations()
    assert command.endswith("[capstone,instructor]")
    door.says("setup", "--dev", "--capstone")
    (command,) = door.installations()
    assert command.endswith("[dev]")


def test_a_smaller_extra_installs_nothing_after_a_larger_one(door):
    door.says("test")
    door.commands()
    door.says("lab")
    assert door.installations() == []


def test_a_changed_dependency_is_installed_with_the_largest_extra_so_far(door):
    door.says("test")
    door.commands()
    door.change_pyproject('"tqdm>=4.66,<5"', '"tqdm>=4.67,<5"')
    door.says("lab")
    (command,) = door.installations()
    assert command.endswith("[dev]")


def test_a_change_of_a_tools_settings_installs_nothing(door):
    door.says("setup")
    door.commands()
    door.change_pyproject("line-length = 100", "line-length = 99")
    door.says("setup")
    assert door.installations() == []


def test_a_failed_installation_ends_with_advice_and_is_taken_up_again(door):
    answer = door.says("lab", FAKE_PIP_STATUS="1")
    assert answer.returncode == 1
    assert "course.py setup --fresh" in answer.stderr
    door.commands()
    door.says("setup")
    assert len(door.installations()) == 1


def test_an_upgrade_that_fails_counts_as_unfinished(door):
    door.says("setup")
    door.says("test", FAKE_PIP_STATUS="1")
    door.commands()
    door.says("setup")
    assert len(door.installations()) == 1


def test_an_interrupted_installation_says_how_to_go_on_and_is_taken_up_again(door):
    process = subprocess.Popen(
        door.command("setup"),
        env=door.variables(FAKE_SLEEP="60"),
        stderr=subprocess.PIPE,
        text=True,
        # Shells have programs that they start in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not door.log.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "goes on from here" in message
    door.commands()
    door.says("setup")
    assert len(door.installations()) == 1


def test_a_damaged_stamp_counts_as_none(door):
    door.says("setup")
    door.commands()
    (door.folder / ".venv" / "course-stamp.json").write_text("[half a")
    assert door.says("setup").returncode == 0
    assert len(door.installations()) == 1


def test_uv_installs_where_it_is_present(door):
    door.give_uv()
    door.says("setup")
    (command,) = door.installations()
    assert command.startswith(f"uv pip install --python {door.folder}/.venv/bin/python")


def test_pip_takes_over_where_uv_fails(door):
    door.give_uv()
    answer = door.says("setup", FAKE_UV_STATUS="1")
    assert [line.split()[0] for line in door.installations()] == ["uv", "python"]
    assert answer.returncode == 0
    assert "pip tries" in answer.stdout


@pytest.mark.parametrize(
    ("platform", "driver", "expected"),
    [
        ("linux", False, ["--torch-backend", "cpu"]),
        ("linux", True, []),
        ("darwin", False, []),
        ("win32", False, []),
    ],
)
def test_uv_spares_linux_without_a_driver_the_cuda_build(
    course, monkeypatch, platform, driver, expected
):
    monkeypatch.setattr(course.sys, "platform", platform)
    monkeypatch.setattr(course.shutil, "which", lambda name: name if driver else None)
    monkeypatch.setattr(course.Path, "exists", lambda self: False)
    assert course.torch_backend() == expected


def test_a_folder_that_is_no_environment_is_never_deleted(bare_door):
    thesis = bare_door.folder / ".venv" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    answer = bare_door.says("setup", "--fresh")
    assert answer.returncode == 1
    assert thesis.read_text() == "years of work"


def test_a_real_environment_is_made_from_nothing(bare_door):
    bare_door.give_uv()
    answer = bare_door.says("setup")
    assert answer.returncode == 0, answer.stderr
    assert (bare_door.folder / ".venv" / "bin" / "python").exists()
    assert len(bare_door.installations()) == 1


def test_an_environment_whose_python_vanished_is_made_anew(door):
    door.give_venv()
    door.says("setup")
    python = door.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(door.folder / "gone")
    answer = door.says("setup")
    assert answer.returncode == 0, answer.stderr
    assert Path(python).resolve().exists()


def test_an_environment_copied_from_another_folder_is_made_anew(door, tmp_path):
    door.give_venv()
    door.says("setup")
    left_over = Path("lib") / "left_over"
    (door.folder / ".venv" / "lib").mkdir()
    (door.folder / ".venv" / left_over).touch()
    door.folder = shutil.copytree(door.folder, tmp_path / "copy")
    answer = door.says("setup")
    assert answer.returncode == 0, answer.stderr
    assert not (door.folder / ".venv" / left_over).exists()


def test_a_fresh_start_makes_the_environment_anew_and_keeps_the_extra(door):
    door.give_venv()
    door.says("test")
    old = door.folder / ".venv" / "old"
    old.touch()
    door.commands()
    door.says("setup", "--fresh")
    assert not old.exists()
    (command,) = door.installations()
    assert command.endswith("[dev]")


def test_an_environment_whose_python_changed_its_version_is_unsound(course, door):
    assert course.is_sound({})
    assert course.is_sound({"python": "(3, 11)"})
    assert not course.is_sound({"python": "(3, 12)"})


def test_an_active_conda_environment_of_the_course_is_used(course, monkeypatch, tmp_path):
    prefix = tmp_path / "envs" / "imitation-lab"
    (prefix / "conda-meta").mkdir(parents=True)
    monkeypatch.setattr(course.sys, "prefix", str(prefix))
    assert course.environment() == prefix
    assert course.environment_python() == Path(sys.executable)


def test_a_conda_environment_is_never_removed(course, monkeypatch, tmp_path):
    prefix = tmp_path / "envs" / "imitation-lab"
    (prefix / "conda-meta").mkdir(parents=True)
    monkeypatch.setattr(course.sys, "prefix", str(prefix))
    course.make_environment()
    assert [path.name for path in prefix.iterdir()] == ["conda-meta"]


def test_any_other_conda_environment_is_left_alone(course, monkeypatch, tmp_path):
    prefix = tmp_path / "envs" / "base"
    (prefix / "conda-meta").mkdir(parents=True)
    monkeypatch.setattr(course.sys, "prefix", str(prefix))
    assert course.environment() == course.ROOT / ".venv"


def test_the_lab_settings_lie_in_the_environment(door):
    door.says("setup")
    path = door.folder / ".venv/etc/jupyter/labconfig/default_setting_overrides.json"
    settings = json.loads(path.read_text())
    assert settings["@jupyterlab/apputils-extension:kernels-settings"] == {
        "commsOverSubshells": "disabled"
    }
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_jupyterlab_knows_the_settings_that_are_written(course):
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    for name, values in course.LAB_SETTINGS.items():
        plugin, setting = name.split(":")
        schema = json.loads((schemas / plugin / f"{setting}.json").read_text())
        assert set(values) <= set(schema["properties"])


# To whom it hands over ---------------------------------------------------------------------------


def handed_over(door, *arguments, **options):
    """Return the last command that the environment's Python was given, and where."""
    status = door.says(*arguments, **options).returncode
    command, place, path = door.commands()[-3:]
    return command, place.removeprefix("in "), path, status


def test_lab_opens_on_the_notebooks_and_passes_its_arguments_on(door):
    command, place, _, _ = handed_over(door, "lab", "--no-browser", "--port", "8899")
    assert command.startswith(f"python -m jupyterlab --ServerApp.root_dir={door.folder}/notebooks")
    assert command.endswith("--no-browser --port 8899")
    assert place == f"{door.folder}/notebooks"


def test_lab_lets_the_doctor_look_first_and_starts_whatever_he_says(door):
    door.says("lab", FAKE_STATUS="1")
    programs = [line for line in door.commands() if line.startswith("python -m")]
    assert programs[-2] == "python -m imitation_lab doctor --quick --faults"
    assert programs[-1].startswith("python -m jupyterlab")


def test_the_doctor_installs_nothing_and_gets_its_arguments(door):
    door.says("setup")
    door.commands()
    command, place, _, _ = handed_over(door, "doctor", "--quick")
    assert (command, place) == ("python -m imitation_lab doctor --quick", str(door.folder))
    answer = door.says("doctor")
    assert not door.installations()
    assert "setup" not in answer.stdout


def test_the_doctor_says_where_nothing_or_too_little_is_installed(bare_door):
    answer = bare_door.says("doctor")
    assert answer.returncode == 1
    assert "nothing is installed here yet. Say: python3 course.py setup" in answer.stderr
    bare_door.give_environment()
    assert "unfinished" in bare_door.says("doctor").stdout


def test_missing_notebooks_are_told(door):
    (door.folder / "notebooks").rmdir()
    answer = door.says("lab")
    assert answer.returncode == 1
    assert "course.py build" in answer.stderr


def test_tests_run_in_the_course_and_pass_their_arguments_on(door, tmp_path):
    command, place, _, _ = handed_over(door, "test", "-k", "stamp", cwd=tmp_path)
    assert command.startswith("python -m pytest ")
    assert command.endswith("-k stamp")
    assert place == str(door.folder)


def test_what_takes_long_is_left_out_of_the_tests_unless_marks_are_asked_for(door):
    assert "-m not long" in handed_over(door, "test")[0]
    asked = handed_over(door, "test", "-m", "claims")[0]
    assert asked.endswith("-m claims") and "not long" not in asked


def test_a_strangers_modules_are_not_imported_while_installing(bare_door, tmp_path):
    bare_door.give_venv()
    trap = tmp_path / "submissions"
    trap.mkdir()
    (trap / "venv.py").write_text("raise SystemExit('caught')")
    command, _, _, status = handed_over(bare_door, "grade", cwd=trap)
    assert (command, status) == ("python -P -m autograder grade", 0)


def test_grading_stays_where_the_instructor_stands(door, tmp_path):
    command, place, _, _ = handed_over(door, "grade", "alice.ipynb", "--out", "g", cwd=tmp_path)
    assert command == "python -P -m autograder grade alice.ipynb --out g"
    assert place == str(tmp_path)


def test_building_runs_the_build(door):
    assert handed_over(door, "build")[:2] == ("python -m tools.build", str(door.folder))


def test_the_solved_notebooks_are_kept_where_the_instructor_stands(door, tmp_path):
    command, place, _, _ = handed_over(door, "solutions", "01", "--out", "run", cwd=tmp_path)
    assert command == "python -P -m tools.solutions 01 --out run"
    assert place == str(tmp_path)


def test_the_book_is_written_where_the_instructor_stands(door, tmp_path):
    command, place, _, _ = handed_over(door, "book", "--out", "site", cwd=tmp_path)
    assert command == "python -P -m tools.book --out site"
    assert place == str(tmp_path)


def test_benchmarks_run_in_the_course(door):
    command, place, _, _ = handed_over(door, "bench", "--quick")
    assert (command, place) == ("python -m benchmarks.speed --quick", str(door.folder))


@pytest.mark.parametrize("verb", ["lab", "test", "build", "grade", "solutions", "check"])
def test_the_exit_status_is_handed_back(door, verb):
    assert handed_over(door, verb, FAKE_STATUS="7")[-1] == 7


def test_packages_of_another_project_stay_outside(door):
    assert handed_over(door, "test", PYTHONPATH="/elsewhere")[2] == "PYTHONPATH="
