"""Nothing secret reaches the students, whoever would let it through."""

import json
import shutil
from pathlib import Path

import pytest

from tools.build import build
from tools.error import BuildError
from tools.leaks import check_student_folder
from tools.rules import read_course


@pytest.fixture
def student_folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "notebooks", tmp_path / "notebooks"))


def change_cell(folder: Path, containing: str, **changes: object) -> None:
    path = folder / "01_sample.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if containing in "".join(cell["source"]))
    cell.update(changes)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_what_the_build_writes_leaks_nothing(student_folder, sample):
    check_student_folder(student_folder, [sample])


def test_no_secret_of_the_sample_is_in_any_file_for_students(student_folder):
    text = "".join(path.read_text(encoding="utf-8") for path in student_folder.rglob("*.*"))
    for secret in (
        "actions.mean(dim=0)",
        "self.factor",
        "correction=0",
        "one unit from their mean",
        "close together that the mean",
        "minimises_the_squared_error",
        "best_constant__",
        "Scale__",
        "SOLUTION",
        "learns",
    ):
        assert secret not in text


LEAKS = {
    "a solution's line": ("def best_constant", {"source": "    return actions.mean(dim=0)"}),
    "a solution in another cell": ("import torch", {"source": "actions.mean(dim=0)"}),
    "a solution in prose": ("# A sample", {"source": "# A sample\n\n`actions.mean(dim=0)`"}),
    "a placeholder with a remainder": ("def best_constant", {"source": "actions.mean(...)"}),
    "a stretch goal's line": (
        "def spread",
        {"source": "    return actions.std(dim=0, correction=0)"},
    ),
    "a hidden test": ("class Scale", {"source": "def test_Scale_learns(Scale): ..."}),
    "a written answer": ("_Type your", {"source": "When the two modes lie close together."}),
    "an output": (
        "def best_constant",
        {"outputs": [{"output_type": "stream", "name": "stdout", "text": "tensor([0.5])"}]},
    ),
    "a count of executions": ("def best_constant", {"execution_count": 3}),
    "a secret in the metadata": ("def best_constant", {"metadata": {"answer": "the mean"}}),
    "an attachment": ("# A sample", {"attachments": {"a.png": {"image/png": "aaaa"}}}),
}


@pytest.mark.parametrize("containing, changes", LEAKS.values(), ids=LEAKS.keys())
def test_a_leaking_cell_stops_the_build(student_folder, sample, containing, changes):
    change_cell(student_folder, containing, **changes)
    with pytest.raises(BuildError, match=r"01_sample.ipynb: cell 01_sample-\d\d"):
        check_student_folder(student_folder, [sample])


def test_a_secret_that_otter_takes_for_a_name_stops_the_build(course, tmp_path):
    script = course / "01_sample.py"
    answer = "    return actions.mean(dim=0)  # SOLUTION"
    greedy = f"    actions[0] = actions[1] == 2  # SOLUTION\n{answer}"
    text = script.read_text(encoding="utf-8").replace(answer, greedy)
    script.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match="is not what the source shows to students"):
        build(course, tmp_path)


@pytest.mark.parametrize(
    "line, prompt",
    [
        ("total = actions.sum()  # SOLUTION", "total = ..."),
        ("first, second = actions  # SOLUTION", "first, second = ..."),
        ("actions[0]=actions[1]  # SOLUTION", "actions[0]= ..."),
        ("total += actions.sum()  # SOLUTION", "..."),
        ("total: float = actions.sum()  # SOLUTION", "..."),
        ("assert actions.sum() == 3  # SOLUTION", "..."),
    ],
)
def test_the_name_that_an_answer_assigns_to_may_be_shown(course, tmp_path, line, prompt):
    script = course / "01_sample.py"
    answer = "    return actions.mean(dim=0)  # SOLUTION"
    text = script.read_text(encoding="utf-8").replace(answer, f"    {line}\n{answer}")
    script.write_text(text, encoding="utf-8")
    build(course, tmp_path)
    cells = json.loads((tmp_path / "notebooks" / "01_sample.ipynb").read_text("utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "def best_constant" in "".join(cell["source"])]
    assert "".join(cell["source"]).endswith(f"\n    {prompt}\n    ...")


@pytest.mark.parametrize("text", ["# the mean, of course", "def test_best_constant_more(): ..."])
def test_anything_more_in_a_test_file_stops_the_build(student_folder, sample, text):
    path = student_folder / "tests" / "01_sample" / "best_constant.py"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    with pytest.raises(BuildError, match=r"best_constant.py: it is more than"):
        check_student_folder(student_folder, [sample])


def test_the_graders_test_file_in_the_students_place_stops_the_build(built, student_folder, sample):
    grader = built / "autograder" / "tests" / "01_sample" / "best_constant.py"
    shutil.copy(grader, student_folder / "tests" / "01_sample")
    with pytest.raises(BuildError, match="it is more than the question's public tests"):
        check_student_folder(student_folder, [sample])


def test_an_additional_file_stops_the_build(student_folder, sample):
    (student_folder / "01_solved.ipynb").write_text("{}")
    with pytest.raises(BuildError, match=r"01_solved\.ipynb: students would get this file"):
        check_student_folder(student_folder, [sample])


def test_a_lost_file_stops_the_build(student_folder, sample):
    (student_folder / "tests" / "01_sample" / "Scale.py").unlink()
    with pytest.raises(BuildError, match=r"Scale\.py: this file is missing"):
        check_student_folder(student_folder, [sample])


def test_a_lost_cell_stops_the_build(student_folder, sample):
    path = student_folder / "01_sample.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    del notebook["cells"][2]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(BuildError, match="19 cells, where the source makes 20"):
        check_student_folder(student_folder, [sample])


@pytest.mark.parametrize(
    "given_away",
    [
        "# start = torch.tensor(float(factor))\nself.factor = torch.nn.Parameter(start)",
        "best_constant__takes_the_median",
        "test_best_constant_minimises_the_squared_error",
        'print(spread(torch.tensor([[0.0], [2.0]])))\nraise RuntimeError("graders leave stretch goals out")',
    ],
)
def test_an_author_who_gives_a_secret_away_in_another_cell_is_stopped(
    course, built, student_folder, given_away
):
    script = course / "01_sample.py"
    shown = "print(best_constant(torch.ones(2, 2)))"
    text = script.read_text(encoding="utf-8").replace(shown, given_away)
    script.write_text(text, encoding="utf-8")
    change_cell(student_folder, shown, source=given_away)
    with pytest.raises(BuildError, match=r"01_sample.ipynb: it gives away"):
        check_student_folder(student_folder, read_course(course))


def test_a_short_line_of_a_solution_may_stand_elsewhere(course, student_folder):
    script = course / "01_sample.py"
    shown = "print(best_constant(torch.ones(2, 2)))"
    text = script.read_text(encoding="utf-8").replace(shown, "scaled = torch.ones(2)")
    script.write_text(text, encoding="utf-8")
    change_cell(student_folder, shown, source="scaled = torch.ones(2)")
    check_student_folder(student_folder, read_course(course))


# Single lines ------------------------------------------------------------------------------------

LINES = {  # and what they return or assign
    "return actions.mean(dim=0)": "actions.mean(dim=0)",
    "matches = (observations == query).all(dim=1)": "(observations == query).all(dim=1)",
    "self.a[0] += torch.randn(mean.shape, generator=generator)": "torch.randn(mean.shape, generator=generator)",
}
SOLUTION = "    return actions.mean(dim=0)  # SOLUTION"
PROSE, CODE = "It holds one of everything", "print(best_constant(torch.ones(2, 2)))"
HINTS = {
    "a whole line": (PROSE, "Write `{line}`. {prose}"),
    "its value": (PROSE, "Take `{value}`. {prose}"),
    "other white space": (PROSE, "Take `{spread}`. {prose}"),
    "a comment": (CODE, "print(0)  # {value}"),
    "a string": (CODE, 'print("it is {value}, of course")'),
}


@pytest.fixture
def show(course, student_folder):
    """Write a text into the source and into what students get, and look for leaks."""

    def write(old: str, new: str) -> None:
        script, notebook = course / "01_sample.py", student_folder / "01_sample.ipynb"
        for path, text in ((script, new), (notebook, json.dumps(new)[1:-1])):
            path.write_text(path.read_text("utf-8").replace(old, text), encoding="utf-8")
        check_student_folder(student_folder, read_course(course))

    return write


def solve_with(course: Path, line: str) -> None:
    """Let a line stand between two others in the solution of the first question."""
    block = ["# BEGIN SOLUTION", "size = 1", f"{line}  # why", "return size", "# END SOLUTION"]
    script = course / "01_sample.py"
    text = script.read_text(encoding="utf-8").replace(SOLUTION, "    " + "\n    ".join(block))
    script.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("line, value", LINES.items(), ids=LINES.values())
@pytest.mark.parametrize("place, hint", HINTS.values(), ids=HINTS.keys())
def test_a_line_of_a_solution_that_students_could_read_stops_the_build(
    course, show, line, value, place, hint
):
    solve_with(course, line)
    given_away = hint.format(line=line, value=value, spread=value.replace(".", " . "), prose=place)
    with pytest.raises(BuildError) as refusal:
        show(place, given_away)
    message = str(refusal.value)
    assert "01_sample.ipynb: cell 01_sample-" in message
    assert "a line of the solution of question best_constant" in message
    assert value in message


def test_a_line_of_a_solution_in_a_public_test_stops_the_build(course, built, student_folder):
    line = "constant = best_constant(torch.zeros(5, 2))"
    solve_with(course, line)
    with pytest.raises(
        BuildError, match=r"best_constant\.py: it gives away a line of the solution"
    ):
        check_student_folder(student_folder, read_course(course))


def test_a_sentence_of_a_written_answer_in_prose_stops_the_build(course, show):
    sentence = "The mean between two modes is no action that anybody took."
    script = course / "01_sample.py"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("# When the two", f"# {sentence}\n# When the two"), "utf-8")
    with pytest.raises(BuildError, match="a line of the solution of question is_it_luck"):
        show(PROSE, f"{sentence} {PROSE}")


@pytest.mark.parametrize(
    "secret",
    [
        "actions.std(dim=0, correction=0)",
        "Two actions at zero and two lie one unit from their mean.",
    ],
)
def test_a_line_of_a_stretch_goal_that_students_could_read_stops_the_build(show, secret):
    with pytest.raises(BuildError, match="a line of the solution of stretch goal spread"):
        show(PROSE, f"{secret} {PROSE}")


def test_a_line_of_a_solution_may_stand_as_code_in_a_cell(course, show):
    solve_with(course, "start = actions.square().sum()")
    show(CODE, "actions = torch.ones(2, 2)\nprint(actions.square().sum())")


def test_the_head_of_a_block_may_be_named_in_prose(course, show):
    solve_with(course, "with torch.no_grad():\n        size = 2")
    show(PROSE, f"Use `with torch.no_grad():` here. {PROSE}")
