"""A release for students: what is in it, what is not, and that it works by itself."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from tools import release_check
from tools.build import PROJECT
from tools.error import BuildError
from tools.library import withheld
from tools.master import INSTRUCTOR_TESTS, STUDENT_TESTS
from tools.notebooks import read_to_run, run
from tools.release import MANIFEST, check, collect, release, time_for
from tools.release_check import KNOWN, Secrets, find_leaks, secrets_of
from tools.rules import read_course
from tools.source import Question

COURSE = read_course(PROJECT / "source")
RELEASED = [notebook for notebook in COURSE if notebook.name < "06"]
LAST, NEXT = RELEASED[-1], COURSE[len(RELEASED)]
LIBRARY = PROJECT / "imitation_lab"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The release until 05; to read only."""
    out = tmp_path_factory.mktemp("release") / "until-05"
    release("05", out)
    return out


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# What is in it -----------------------------------------------------------------------------------


def test_it_holds_the_notebooks_up_to_the_one_that_was_named_and_their_public_tests(folder):
    expected = {f"{notebook.name}.ipynb" for notebook in RELEASED} | {
        f"tests/{notebook.name}/{question.name}.py"
        for notebook in RELEASED
        for question in notebook.questions
        if not question.written
    }
    assert names(folder / "notebooks") == expected


def test_it_holds_nothing_that_only_instructors_have(folder):
    top = {name.split("/")[0] for name in names(folder)}
    papers = {"README.md", "LICENSE", "LICENSE-TEXT", "pyproject.toml", "course.py", MANIFEST}
    doors = {"environment.yml", "postBuild", ".devcontainer"}
    hidden = {".gitignore", ".gitattributes"}
    assert top == {"notebooks", "imitation_lab", "assets", *papers, *doors, *hidden}


def test_the_zip_holds_what_the_folder_holds(folder):
    with ZipFile(folder.with_name("until-05.zip")) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    beside = {f"imitation-lab/{name}": (folder / name).read_bytes() for name in names(folder)}
    assert inside == beside


def test_the_library_is_whole_but_for_the_answers_that_are_due_and_what_needs_them(folder):
    modules = {path.relative_to(LIBRARY).as_posix() for path in LIBRARY.rglob("*.py")}
    missing = modules - names(folder / "imitation_lab")
    due = [name for notebook in COURSE if notebook.name >= "05" for name in notebook.answers]
    answers = {f"{name.replace('.', '/')}.py" for name in due}
    assert answers <= missing
    assert {"flows.py", "policies/flow.py", "chunking.py", "gating.py"} <= answers
    for name in missing - answers:
        imports = re.findall(r"^from imitation_lab\.([\w.]+)", (LIBRARY / name).read_text(), re.M)
        assert {f"{module.replace('.', '/')}.py" for module in imports} & missing, name


def test_what_needs_a_module_that_is_left_out_is_left_out_too(tmp_path):
    library = tmp_path / "library"
    (library / "deep").mkdir(parents=True)
    sources = {
        "answer.py": "",
        "user.py": "from library.answer import solve",
        "users_user.py": "import library.user",
        "deep/__init__.py": "from library import user",
        "deep/leaf.py": "",
        "when_called.py": "def solve():\n    from library.answer import solve",
        "apart.py": "import torch",
    }
    for name, source in sources.items():
        (library / name).write_text(source)
    left_out = names_of(withheld(library, ["answer"]), library)
    kept = {"when_called.py", "apart.py"}
    assert left_out == set(sources) - kept


def names_of(paths: set[Path], folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in paths}


def test_an_answer_that_the_library_does_not_have_is_refused(tmp_path):
    (tmp_path / "tmp_library").mkdir()
    with pytest.raises(BuildError, match=r"no tmp_library\.solved"):
        withheld(tmp_path / "tmp_library", ["solved"])


def test_its_dependencies_are_those_of_a_student(folder):
    student = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    course = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert student["project"]["dependencies"] == course["project"]["dependencies"]
    assert student["build-system"] == course["build-system"]
    assert set(student["project"]["optional-dependencies"]) == {"capstone", "lerobot", "minari"}
    wheel = student["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["imitation_lab"]
    assert all((folder / path).exists() for path in wheel["force-include"])


def test_its_readme_lists_its_notebooks_and_no_other(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \*{0,2}(\d\d)\*{0,2} \|", text, re.M) == ["01", "02", "03", "04", "05"]
    assert [line for line in text.split("\n") if "setup --fresh" in line]
    assert not re.search(r"\{\w+\}|nstructor|autograder|course\.py (test|build|grade)", text)


def test_its_readme_tells_the_time_that_each_notebook_tells_itself(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    times = re.findall(r"^\| \*{0,2}\d\d\*{0,2} \|.*\| ([^|]+) \|$", text, re.M)
    assert [f"Time: {time}." for time in times] == [
        re.split(r"(?<=\.)\s", notebook.cells[0].source)[-1] for notebook in RELEASED
    ]


def test_a_notebook_that_does_not_tell_its_time_is_refused():
    first, *rest = LAST.parts
    silent = replace(LAST, parts=(replace(first, source="# Five"), *rest))
    with pytest.raises(BuildError, match=f"{LAST.name}.*how long it takes"):
        time_for(silent)


def test_every_picture_and_link_of_its_readme_leads_somewhere(folder):
    targets = re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text(encoding="utf-8"))
    paths = [target for target in targets if ":" not in target]
    assert len(paths) > len(RELEASED)
    assert [target for target in paths if not (folder / target).is_file()] == []


def test_its_door_offers_what_works_there(folder):
    command = [sys.executable, str(folder / "course.py")]
    told = subprocess.run([*command, "help"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  (\w+) ", told, re.M) == ["lab", "setup", "doctor", "help"]
    for arguments, said in ((["grade"], "no verb 'grade'"), (["setup", "--dev"], "for students")):
        refused = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False
        )
        assert (refused.returncode, said in refused.stderr) == (2, True)


# That it works by itself -------------------------------------------------------------------------

BLANK = [
    pytest.param(notebook, id=notebook.name, marks=[] if notebook is LAST else pytest.mark.long)
    for notebook in RELEASED
]


def run_in(folder: Path, notebook, monkeypatch, tmp_path):
    """Run a notebook in a release with the release's own library, and return its cells."""
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("IMITATION_LAB_FAST", "1")
    notebook.cells.append(new_code_cell("import imitation_lab; print(imitation_lab.__file__)"))
    cells = run(notebook, folder / "notebooks").cells
    assert cells.pop().outputs[0].text.strip() == str(folder / "imitation_lab" / "__init__.py")
    return cells


def verdict(cell) -> str:
    return cell.outputs[0].data["text/plain"]


@pytest.mark.parametrize("notebook", BLANK)
def test_a_blank_notebook_runs_to_its_first_question_and_says_what_is_missing(
    folder, notebook, monkeypatch, tmp_path
):
    document = read_to_run(folder / "notebooks" / f"{notebook.name}.ipynb")
    checks = [n for n, cell in enumerate(document.cells) if cell.source.startswith("grader.check(")]
    document.cells = document.cells[: checks[0] + 1]
    cells = run_in(folder, document, monkeypatch, tmp_path)
    assert "replace" in verdict(cells[-1]) and "..." in verdict(cells[-1])


@pytest.mark.long
@pytest.mark.parametrize("notebook", COURSE, ids=lambda notebook: notebook.name)
def test_a_solved_notebook_runs_in_the_release_until_it_and_passes_its_public_checks(
    notebook, monkeypatch, tmp_path
):
    """No later release lacks more of the library. So each notebook runs in all of them."""
    folder = tmp_path / "release"
    folder.mkdir()
    collect(folder, COURSE, notebook)
    document = read_to_run(PROJECT / "solutions" / f"{notebook.name}.ipynb")
    for cell in document.cells:
        cell.source = cell.source.replace(INSTRUCTOR_TESTS, STUDENT_TESTS)
    cells = run_in(folder, document, monkeypatch, tmp_path)
    verdicts = [verdict(cell) for cell in cells if cell.source.startswith("grader.check(")]
    assert len(verdicts) == len([one for one in notebook.questions if not one.written])
    assert [text for text in verdicts if "passed" not in text] == []


# Where it goes -----------------------------------------------------------------------------------


@pytest.fixture
def fast_release(monkeypatch):
    """Write releases without searching them: other tests do that."""
    monkeypatch.setattr("tools.release.read_course", lambda source: COURSE)
    monkeypatch.setattr("tools.release.check", lambda *arguments: None)
    return release


def test_a_later_release_takes_the_place_of_an_earlier_one_and_leaves_the_rest(
    fast_release, tmp_path
):
    out = tmp_path / "students"
    (out / ".git").mkdir(parents=True)
    (out / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    fast_release("05", out)
    fast_release("04", out)
    assert (out / ".git" / "HEAD").is_file()
    assert not (out / "notebooks" / f"{LAST.name}.ipynb").exists()
    assert not (out / "imitation_lab" / "policies" / "autoregressive.py").exists()
    assert json.loads((out / MANIFEST).read_text())["until"] == RELEASED[-2].name


def test_a_file_where_the_folder_should_be_is_left_alone(fast_release, tmp_path):
    (tmp_path / "thesis.txt").write_text("all I have")
    with pytest.raises(BuildError, match="it is a file"):
        fast_release("01", tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "all I have"


def test_a_folder_with_something_else_in_it_is_left_alone(fast_release, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(BuildError, match="not empty, and no earlier release"):
        fast_release("05", tmp_path)
    assert names(tmp_path) == {"thesis.tex"}


def test_a_forged_list_of_files_deletes_nothing_outside_of_the_release(fast_release, tmp_path):
    out, outside = tmp_path / "students", tmp_path / "precious"
    outside.write_text("mine")
    out.mkdir()
    (out / MANIFEST).write_text(json.dumps({"files": ["../precious", str(outside)]}))
    fast_release("01", out)
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("until", ["", "0", "12"])
def test_a_notebook_that_is_not_named_clearly_is_refused(fast_release, tmp_path, until):
    with pytest.raises(BuildError, match=r"--until.*Name one of 01_the_mean"):
        fast_release(until, tmp_path / "out")


# What it must not hold ---------------------------------------------------------------------------


def test_a_release_that_gives_something_away_is_not_written(monkeypatch, tmp_path):
    def collect(staging: Path, *arguments: object) -> None:
        shutil.copy(LIBRARY / "gating.py", staging)

    monkeypatch.setattr("tools.release.read_course", lambda source: COURSE)
    monkeypatch.setattr("tools.release.collect", collect)
    monkeypatch.setattr("tools.release.check_student_folder", lambda *arguments: None)
    monkeypatch.setattr("tools.release.secrets_of", lambda *arguments: secrets_of_one("gate"))
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=r"\n  gating\.py, line \d+: .*question gate"):
        release("05", out)
    assert not out.exists()


QUESTIONS = {question.name: (book, question) for book in COURSE for question in book.questions}


def question(name: str) -> Question:
    return QUESTIONS[name][1]


def secrets_of_one(name: str) -> Secrets:
    """Return the secrets of a single question, in a release until 05."""
    notebook, question = QUESTIONS[name]
    return secrets_of([replace(notebook, parts=(question,))], LAST)


def leaks(tmp_path: Path, name: str, path: str, text: str) -> list[str]:
    """Return which secrets of a question are found in a release with one file of this text."""
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return find_leaks(tmp_path, secrets_of_one(name))


def solved(name: str) -> str:
    """Return a question's solution without marks, and under another name."""
    text = question(name).solution.source
    lines = [line for line in text.split("\n") if not re.fullmatch(r"\s*# (BEGIN|END) .*", line)]
    return "\n".join(lines).replace("  # SOLUTION", "").replace(name, "helper")


def test_a_solution_of_a_later_notebook_is_found_in_the_library_with_its_line(tmp_path):
    found = leaks(tmp_path, "gate", "imitation_lab/x.py", "import math\n\n" + solved("gate"))
    line = 2 + next(n for n, text in enumerate(solved("gate").split("\n"), 1) if "return" in text)
    what = "the solution of question gate (notebook 08_interventions)"
    assert f"imitation_lab/x.py, line {line}: {what}" in found


@pytest.mark.parametrize("path", ["imitation_lab/x.py", "notebooks/01.ipynb", "course.py"])
def test_a_solution_with_other_names_comments_and_spaces_is_found(tmp_path, path):
    text = solved("gate").replace("score", "s").replace("high", "h").replace("low", "l")
    text = text.replace(" > ", ">  ").replace("\n    return", "\n    # my own\n    return")
    assert text != solved("gate")
    if path.endswith(".ipynb"):
        notebook = nbformat.v4.new_notebook(cells=[new_code_cell(text)])
        text = nbformat.writes(notebook)
    assert leaks(tmp_path, "gate", path, text)


def test_a_wrong_answer_is_found_by_its_statements_alone(tmp_path):
    answer = max(question("gate").wrong, key=lambda answer: len(answer.cell.source))
    text = answer.cell.source.replace(answer.name, "helper").replace(answer.hint, "Words.")
    found = leaks(tmp_path, "gate", "imitation_lab/x.py", text.replace("score", "value"))
    assert any("answer of question gate" in leak for leak in found)


def test_a_hidden_test_is_found_under_another_name(tmp_path):
    test = question("gate").hidden[0]
    text = test.source.replace(test.name, "try_it").replace(test.description, "Words.")
    found = leaks(tmp_path, "gate", "imitation_lab/x.py", text)
    assert any("a hidden test of question gate" in leak for leak in found)


@pytest.mark.parametrize("path", ["assets/notes.md", "imitation_lab/widgets/static/x.js"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        (lambda: question("gate").hidden[0].name, "a test of question gate"),
        (lambda: question("gate").public[0].name, "a test of question gate"),
        (lambda: question("gate").wrong[0].name, "a wrong answer of question gate"),
        (lambda: question("gate").right[0].name, "a right answer of question gate"),
        (lambda: question("gate").wrong[0].hint.replace(" ", "\n"), "a wrong answer of"),
        (lambda: "// (score > high) | (engaged & (score >= low))", "the solution of question gate"),
    ],
    ids=["hidden test", "later public test", "wrong", "right", "hint", "line"],
)
def test_a_secret_is_found_in_every_kind_of_text(tmp_path, path, text, what):
    found = leaks(tmp_path, "gate", path, text())
    assert any(what in leak for leak in found), found


def test_a_written_answer_is_found_in_a_docstring(tmp_path):
    written = next(one for one in COURSE[0].questions if one.written)
    sentence = max(re.split(r"(?<=[.!?])\s+", written.solution.source), key=len)
    text = f'"""{sentence}"""\n'.replace("\\", "\\\\")
    (leak,) = leaks(tmp_path, written.name, "imitation_lab/x.py", text)
    assert f"the solution of question {written.name}" in leak


def test_a_secret_inside_of_a_data_file_is_found(tmp_path):
    (tmp_path / "assets").mkdir()
    with ZipFile(tmp_path / "assets" / "drives.npz", "w", compression=8) as archive:
        archive.writestr("notes", question("gate").hidden[0].name * 50)
    assert leaks(tmp_path, "gate", "empty.md", "")


def test_a_library_function_called_as_a_question_that_is_due_is_found(tmp_path):
    text = "def gate(score):\n    return compute(score)\n"
    (leak,) = leaks(tmp_path, "gate", "imitation_lab/x.py", text)
    assert "an answer to question gate, which is still due" in leak


def test_what_answers_a_notebook_that_is_over_may_stand_where_its_header_says(
    tmp_path,
):
    text = solved("mixture_log_prob")
    name = "mixture_log_prob"
    assert leaks(tmp_path, name, "imitation_lab/policies/mixture.py", text) == []
    assert leaks(tmp_path, name, "imitation_lab/elsewhere.py", text)


def test_code_that_is_not_a_secret_is_not_taken_for_one(tmp_path):
    text = "def mean(values):\n    return values.mean(dim=0)\n"
    assert leaks(tmp_path, "best_constant", "imitation_lab/x.py", text) == []


@pytest.mark.parametrize(("path", "name"), KNOWN, ids=str)
def test_what_the_library_may_hold_all_the_same_is_still_there(path, name, tmp_path, monkeypatch):
    text = (PROJECT / path).read_text(encoding="utf-8")
    assert leaks(tmp_path, name, path, text) == []
    monkeypatch.setattr(release_check, "KNOWN", {})
    assert leaks(tmp_path, name, path, text)


def test_a_notebook_that_is_not_as_built_is_not_released(folder, tmp_path):
    # Without what Otter writes where a notebook was run.
    ignored = shutil.ignore_patterns(".OTTER_LOG")
    copy = Path(shutil.copytree(folder, tmp_path / "copy", ignore=ignored))
    path = copy / "notebooks" / f"{LAST.name}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("# 5 ·", "# Five ·"), encoding="utf-8")
    with pytest.raises(BuildError, match=f"{LAST.name}.*is not what the source shows"):
        check(copy, COURSE, LAST)
