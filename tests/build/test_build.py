"""What the build writes, and that it writes the same bytes every time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tools import build as verb
from tools.build import GENERATED, PROJECT, build
from tools.error import BuildError
from tools.master import guard


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in GENERATED
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def archive(built: Path) -> ZipFile:
    return ZipFile(built / "autograder" / "tests" / "01_sample" / "autograder.zip")


def test_the_build_writes_these_files(built):
    assert sorted(files(built)) == [
        "autograder/tests/01_sample/Scale.py",
        "autograder/tests/01_sample/assignment.json",
        "autograder/tests/01_sample/autograder.zip",
        "autograder/tests/01_sample/best_constant.py",
        "notebooks/01_sample.ipynb",
        "notebooks/tests/01_sample/Scale.py",
        "notebooks/tests/01_sample/best_constant.py",
        "solutions/01_sample.ipynb",
    ]


def test_another_process_with_other_hashes_elsewhere_writes_the_same_bytes(built, course):
    destination = course.parent / "elsewhere"
    destination.mkdir()
    program = (
        "import sys; from pathlib import Path; from tools.build import build;"
        "build(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(course), str(destination)],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(PROJECT), "TZ": "Asia/Tokyo"},
        cwd=course,
        check=True,
        capture_output=True,
    )
    assert files(destination) == files(built)


def test_stale_files_vanish(course, tmp_path):
    stale = tmp_path / "notebooks" / "00_old.ipynb"
    stale.parent.mkdir()
    stale.write_text("{}")
    build(course, tmp_path)
    assert not stale.exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        "source",
        "notebooks",
        "solutions",
        "autograder",
    }


def test_a_build_that_fails_leaves_the_old_folders_alone(course, tmp_path):
    build(course, tmp_path)
    before = files(tmp_path)
    (course / "02_broken.py").write_text("x = 1\n")
    with pytest.raises(BuildError):
        build(course, tmp_path)
    assert files(tmp_path) == before


def test_a_leak_leaves_the_old_folders_alone(course, tmp_path, monkeypatch):
    def leak(*_: object) -> None:
        raise BuildError("notebooks", "a leak.", "Stop it.")

    build(course, tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(verb, "check_student_folder", leak)
    with pytest.raises(BuildError, match="a leak"):
        build(course, tmp_path)
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_replaced_is_named_and_left_alone(course, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    build(course, tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(BuildError, match="notebooks: the folder cannot be replaced"):
        build(course, tmp_path)
    assert files(tmp_path) == before


def test_a_refusal_is_printed_without_a_traceback(course, monkeypatch, capsys):
    (course / "01_sample.py").write_text("x = 1\n")
    monkeypatch.setattr(verb, "PROJECT", course.parent)
    assert verb.main() == 1
    assert capsys.readouterr().err.startswith("Not built. 01_sample.py: ")


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_cells_are_numbered_and_carry_no_outputs(built, folder):
    cells = read(built / folder / "01_sample.ipynb")["cells"]
    assert [cell["id"] for cell in cells] == [f"01_sample-{n:02d}" for n in range(len(cells))]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_an_answer_has_the_same_id_in_both_notebooks(built):
    student, solved = (
        read(built / folder / "01_sample.ipynb")["cells"] for folder in ("notebooks", "solutions")
    )
    differing = [cell["id"] for cell, other in zip(student, solved, strict=True) if cell != other]
    questions = read(built / "autograder" / "tests" / "01_sample" / "assignment.json")["questions"]
    opening = "01_sample-01"  # says where the tests lie, which is not the same place
    stretch = ["01_sample-12", "01_sample-13", "01_sample-14"]
    assert differing == [opening, *(question["cell"] for question in questions), *stretch]


def test_students_get_a_stretch_goal_without_its_solution(built):
    student, solved = (
        ["".join(cell["source"]) for cell in read(built / folder / "01_sample.ipynb")["cells"]]
        for folder in ("notebooks", "solutions")
    )
    assert student[11] == solved[11]
    assert student[11].endswith("their mean?\n\n*Not graded, and nothing further on needs it.*")
    assert student[12] == (
        "def spread(actions):\n"
        '    """Return the standard deviation of every action dimension."""\n'
        "    ..."
    )
    assert student[13] == "# Try it on actions of your own.\n..."
    assert student[14] == "_Type your answer here, replacing this text._"
    assert "return actions.std(dim=0, correction=0)" in solved[12]
    assert "spread(torch.tensor([[0.0], [2.0]]))" in solved[13]
    assert solved[14].startswith("Two actions at zero and two lie one unit from their mean.")


def test_a_stretch_goal_is_no_question_and_gives_no_points(built):
    description = read(built / "autograder" / "tests" / "01_sample" / "assignment.json")
    names = [question["name"] for question in description["questions"]]
    assert names == ["best_constant", "Scale", "is_it_luck"]


def test_the_notebook_names_its_assignment(built):
    metadata = read(built / "notebooks" / "01_sample.ipynb")["metadata"]
    assert metadata["imitation_lab"] == {"notebook": "01_sample"}
    assert metadata["kernelspec"]["name"] == "python3"


def test_the_description_lists_every_code_cell_of_the_students_notebook(built):
    cells = read(built / "notebooks" / "01_sample.ipynb")["cells"]
    description = read(built / "autograder" / "tests" / "01_sample" / "assignment.json")
    assert [(cell["id"], cell["source"]) for cell in description["cells"]] == [
        (cell["id"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"
    ]


def test_the_description_says_what_graders_run(built):
    description = read(built / "autograder" / "tests" / "01_sample" / "assignment.json")
    skipped = [cell["source"] for cell in description["cells"] if not cell["run"]]
    assert [source for source in skipped if "grader" not in source] == [
        "def spread(actions):\n"
        '    """Return the standard deviation of every action dimension."""\n'
        "    ...",
        "# Try it on actions of your own.\n...",
        'raise RuntimeError("a cell that trains is skipped")',
    ]
    assert [cell["question"] for cell in description["cells"] if cell["question"]] == [
        "best_constant",
        "Scale",
    ]


def test_the_description_holds_the_questions(built):
    description = read(built / "autograder" / "tests" / "01_sample" / "assignment.json")
    constant, _, luck = description["questions"]
    assert [test["points"] for test in constant["tests"]] == [1, 0.5, 2]
    assert [test["hidden"] for test in constant["tests"]] == [False, False, True]
    assert [wrong["name"] for wrong in constant["wrong"]] == [
        "best_constant__averages_every_axis",
        "best_constant__takes_the_median",
    ]
    assert "def best_constant__takes_the_median" in constant["wrong"][0]["source"]
    assert luck["written"]
    assert luck["tests"] == []


def test_test_files_hold_the_authors_text(built, sample):
    path = built / "autograder" / "tests" / "01_sample" / "best_constant.py"
    hidden = sample.questions[0].hidden[0]
    assert guard(hidden) in path.read_text(encoding="utf-8")


def test_a_check_before_the_answer_was_run_says_so(sample):
    test = sample.questions[0].public[0]
    namespace = {}
    exec(guard(test), namespace)
    with pytest.raises(AssertionError, match="best_constant is not defined yet: run the cell"):
        namespace[test.name](best_constant=None)


def test_test_files_are_ascii_for_machines_with_another_encoding(built):
    for path in (built / "notebooks" / "tests").rglob("*.py"):
        path.read_bytes().decode("ascii")


def test_the_zip_is_sorted_and_has_one_time(built):
    entries = archive(built).infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_the_zip_names_no_folder_of_this_machine(built):
    with archive(built) as zipped:
        for name in zipped.namelist():
            text = zipped.read(name)
            assert str(PROJECT).encode() not in text, name
            assert str(built).encode() not in text, name


def test_the_zip_installs_what_the_project_needs(built):
    environment = archive(built).read("environment.yml").decode()
    assert "- torch>=" in environment
    assert "- otter-grader[grading]>=" in environment


def test_the_zip_holds_what_was_recorded_where_an_installed_library_has_it(built):
    prefix = "files/imitation_lab/recorded/"
    held = {name.removeprefix(prefix) for name in archive(built).namelist() if prefix in name}
    recorded = {path.name for path in (PROJECT / "assets" / "recorded").glob("*.npz")}
    assert recorded
    assert recorded <= held


def test_the_zip_leaves_out_what_the_capstone_ships_for_students(built):
    """Megabytes that no test reads: the grader skips the cells that do."""
    shipped = {path.name for path in (PROJECT / "assets" / "pusht").glob("*.*")} - {"README.md"}
    held = {name.rsplit("/", 1)[-1] for name in archive(built).namelist()}
    assert shipped
    assert not shipped & held


def test_zip_and_sandbox_have_the_library_without_what_is_due_and_what_needs_it(course, tmp_path):
    project = tmp_path / "project"
    library = project / "imitation_lab"
    (library / "policies").mkdir(parents=True)
    shutil.copy(PROJECT / "pyproject.toml", project)
    for name in ("__init__.py", "policies/__init__.py", "policies/early.py", "policies/late.py"):
        (library / name).write_text("")
    (library / "policies" / "user.py").write_text("from imitation_lab.policies.late import answer")
    sample = (course / "01_sample.py").read_text(encoding="utf-8")
    first = sample.replace("answers: []", "answers: [imitation_lab.policies.early]")
    (course / "01_sample.py").write_text(first, encoding="utf-8")
    second = sample.split("# %% [markdown] question")[0].replace("[]", "[policies.late]")
    (course / "02_later.py").write_text(second, encoding="utf-8")

    build(course, tmp_path, project)

    held = {
        name: {Path(entry).name for entry in _names(tmp_path, name) if "policies" in entry}
        for name in ("01_sample", "02_later")
    }
    assert held == {"01_sample": {"__init__.py"}, "02_later": {"__init__.py", "early.py"}}
    withheld = {name: _description(tmp_path, name)["withheld"] for name in held}
    late = ["policies/late.py", "policies/user.py"]
    assert withheld == {"01_sample": ["policies/early.py", *late], "02_later": late}


def _description(folder: Path, notebook: str) -> dict[str, Any]:
    path = folder / "autograder" / "tests" / notebook / "assignment.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _names(folder: Path, notebook: str) -> list[str]:
    return ZipFile(folder / "autograder" / "tests" / notebook / "autograder.zip").namelist()


def test_the_committed_folders_are_in_step_with_the_source(whole_course):
    new, committed = files(whole_course), files(PROJECT)
    stale = {
        name
        for name in new | committed
        if new.get(name) != committed.get(name) and not left_by_use(name)
    }
    assert not stale, f"run `python3 course.py build` and commit what changes: {sorted(stale)}"


def left_by_use(name: str) -> bool:
    """Tell what Jupyter, Otter and Python leave in these folders, and git ignores."""
    hidden = any(part.startswith((".", "__")) for part in name.split("/"))
    return hidden or (name.startswith("notebooks/") and name.endswith(".zip"))
