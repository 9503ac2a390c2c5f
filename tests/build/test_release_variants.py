"""Releases with constants of each student's own: what differs, and what nobody may find."""

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest

from autograder.assignment import load_assignment
from tests.build.test_refusals import GOOD, script
from tools import release_variants as variants
from tools.build import PROJECT, build
from tools.error import BuildError
from tools.release import MANIFEST, release
from tools.release_variants import folder_name, release_variants
from tools.rules import read_course

COURSE = read_course(PROJECT / "source")
SEED = "nobody-guesses-this-9127"
STUDENTS = ["ada@example.org", "ben/../x", "con"]
CELL = '# %% tags=["variant"]\n{}\n\n'
NOTEBOOK = "01_the_mean_is_not_an_action"


# What a mark may be ------------------------------------------------------------------------------


def read(tmp_path: Path, *lines: str):
    (tmp_path / "01_mean.py").write_text(script(CELL.format("\n".join(lines)), *GOOD))
    return read_course(tmp_path)[0].cells[0]


def test_the_marks_become_constants_and_are_not_shown(tmp_path):
    cell = read(
        tmp_path, "# The constants.", "SEED = 3  # of the data  # VARIANT 0..9",
        "WIDTH = 0.5  # VARIANT 0.25, 0.5", "SIDE = 'left'  # VARIANT 'left', 'right'",
    )  # fmt: skip
    assert cell.source == "# The constants.\nSEED = 3  # of the data\nWIDTH = 0.5\nSIDE = 'left'"
    choices = {constant.name: list(constant.choices) for constant in cell.constants}
    assert choices == {"SEED": list(range(10)), "WIDTH": [0.25, 0.5], "SIDE": ["left", "right"]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("SEED = 10  # VARIANT 0..9", "none of its values"),
        ("WIDTH = 1  # VARIANT 1.0, 2.0", "none of its values"),
        ("SEED = 0", "no constant with its values"),
        ("seed = 0  # VARIANT 0..9", "no constant with its values"),
        ("SEED, OTHER = 0, 1  # VARIANT 0..9", "no constant with its values"),
        ("task.SEED = 0  # VARIANT 0..9", "no constant with its values"),
        ("SEED = 1 + 1  # VARIANT 0..9", "no number or text"),
        ("SEED = torch.pi  # VARIANT 0..9", "no number or text"),
        ("WIDTH = .5  # VARIANT .5, 1.0", "no number or text"),
        ("SEED = 0  # VARIANT", "no number or text"),
        ("SEED = 0  # VARIANT 0..0", "fewer than two"),
        ("SEED = 0  # VARIANT 0, 0", "fewer than two"),
        ("SEED = 5  # VARIANT 9..0", "fewer than two"),
        ("SEED = 0  # VARIANT 0..9\nSEED = 1  # VARIANT 0..9", "twice"),
        ("# Nothing.", "without constants"),
    ],
)
def test_a_malformed_mark_is_refused(tmp_path, line, problem):
    with pytest.raises(BuildError, match=problem):
        read(tmp_path, line)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([CELL.format("A = 0  # VARIANT 0..9")] * 2, "second variant cell"),
        ([CELL.format("A = 0  # VARIANT 0..9"), "# %%\nA = 3\n\n"], "takes the name `A`"),
        (['# %% [markdown] tags=["variant"]\n# A = 0  # VARIANT 0..9\n\n'], "of markdown"),
    ],
)
def test_a_notebook_with_two_places_for_a_constant_is_refused(tmp_path, cells, problem):
    (tmp_path / "01_mean.py").write_text(script(*cells, *GOOD))
    with pytest.raises(BuildError, match=problem):
        read_course(tmp_path)


def test_the_grader_learns_of_the_constants(course):
    path = course / "01_sample.py"
    path.write_text(path.read_text() + "\n" + CELL.format("SEED = 0  # data  # VARIANT 0..9"))
    build(course, course.parent)
    assignment = load_assignment(course.parent / "autograder" / "tests" / "01_sample")
    (cell,) = [cell for cell in assignment.cells if cell.id == assignment.variant.cell]
    assert (cell.source, cell.run) == ("SEED = 0  # data", True)
    assert assignment.variant.names == ["SEED"]
    student = (course.parent / "notebooks" / "01_sample.ipynb").read_text()
    assert "VARIANT" not in student


# Releases ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def roster(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("roster") / "roster.csv"
    path.write_text("Name,SID\n" + "".join(f"Somebody,{student}\n" for student in STUDENTS))
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory, roster) -> Path:
    """The releases of three students until 02; to read only."""
    folder = tmp_path_factory.mktemp("release") / "students"
    release_variants("02", folder, SEED, roster)
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def test_each_student_gets_a_release_whose_notebooks_alone_are_their_own(
    out, tmp_path, monkeypatch
):
    monkeypatch.setattr("tools.release.check", lambda *arguments: None)
    release("02", tmp_path / "all")
    common = contents(tmp_path / "all")
    for student in STUDENTS:
        own = contents(out / folder_name(student))
        assert set(own) == set(common)
        differing = {name for name in own if own[name] != common[name]}
        assert differing == {f"notebooks/{book.name}.ipynb" for book in COURSE[:2]}


def test_a_students_notebook_differs_in_its_constants_and_its_note_alone(out):
    plain = nbformat.read(PROJECT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    for student in STUDENTS:
        path = out / folder_name(student) / "notebooks" / f"{NOTEBOOK}.ipynb"
        own = nbformat.read(path, as_version=4)
        nbformat.validate(own)
        assert own.metadata["imitation_lab"].pop("student") == student
        assert own.metadata == plain.metadata
        (cell,) = [a for a, b in zip(own.cells, plain.cells, strict=True) if a != b]
        assert cell.source.startswith("SEED = ")
        # As Jupyter writes it, so that no line changes when it is saved.
        assert nbformat.writes(nbformat.read(path, as_version=4)) + "\n" == path.read_text("utf-8")


@pytest.fixture
def unsearched(monkeypatch):
    """Write releases without searching them: others do that."""
    monkeypatch.setattr(variants, "read_course", lambda source: COURSE)
    monkeypatch.setattr(variants, "check", lambda *arguments: None)
    monkeypatch.setattr(variants, "secrets_of", lambda *arguments: variants.Secrets())


def test_two_students_differ_and_a_second_release_is_the_same(out, roster, tmp_path, unsearched):
    cells = [
        (out / folder_name(one) / "notebooks" / f"{NOTEBOOK}.ipynb").read_bytes()
        for one in STUDENTS
    ]
    assert len(set(cells)) == len(STUDENTS)
    lines = roster.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    release_variants("02", tmp_path / "again", SEED, shuffled)
    assert contents(out) == contents(tmp_path / "again")


def test_no_student_finds_the_seed_or_anybody_elses_id(out):
    for student in STUDENTS:
        own = contents(out / folder_name(student))
        others = [other for other in STUDENTS if other != student and other != "con"]
        for secret in (SEED, *others):
            assert [name for name, data in own.items() if secret.encode() in data] == []


def test_each_zip_holds_what_its_folder_holds(out):
    for student in STUDENTS:
        folder = out / folder_name(student)
        with ZipFile(folder.with_name(f"{folder.name}.zip")) as archive:
            assert archive.testzip() is None
            inside = {name: archive.read(name) for name in archive.namelist()}
        beside = {f"imitation-lab/{name}": data for name, data in contents(folder).items()}
        assert inside == beside


def test_a_later_release_takes_the_place_of_one_that_was_interrupted(
    out, roster, tmp_path, unsearched
):
    folder = tmp_path / "students"
    half = folder / folder_name(STUDENTS[0])
    half.mkdir(parents=True)
    manifest = json.loads((out / folder_name(STUDENTS[0]) / MANIFEST).read_text())
    (half / MANIFEST).write_text(json.dumps(manifest))
    (half / "README.md").write_text("half a file")
    release_variants("02", folder, SEED, roster)
    assert contents(half) == contents(out / folder_name(STUDENTS[0]))


def test_nothing_is_written_where_one_folder_holds_something_else(roster, tmp_path, unsearched):
    thesis = tmp_path / folder_name(STUDENTS[1]) / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    with pytest.raises(BuildError, match="no earlier release"):
        release_variants("02", tmp_path, SEED, roster)
    assert names(tmp_path) == {thesis.relative_to(tmp_path).as_posix()}


def test_a_secret_among_the_constants_is_found(roster, tmp_path, monkeypatch):
    hidden = COURSE[0].questions[0].hidden[0].name
    made = variants._make_templates

    def tell(staging, notebooks):
        return {
            name: replace(one, cell=f"{one.cell}  # {hidden}")
            for name, one in made(staging, notebooks).items()
        }

    monkeypatch.setattr(variants, "_make_templates", tell)
    monkeypatch.setattr(variants, "check", lambda *arguments: None)
    with pytest.raises(BuildError, match="a test of question"):
        release_variants("02", tmp_path / "out", SEED, roster)
    assert not (tmp_path / "out").exists()


def test_a_short_seed_or_a_missing_roster_is_refused(roster, tmp_path):
    with pytest.raises(BuildError, match="--variant-seed"):
        release_variants("02", tmp_path / "out", "2026", roster)
    with pytest.raises(BuildError, match="--roster"):
        release_variants("02", tmp_path / "out", SEED, tmp_path / "none.csv")


def test_folder_names_are_safe_and_differ_where_ids_differ():
    ids = [
        "ada",
        "ada.l@uni.edu",
        "a/b",
        "a_b",
        "..",
        "...",
        "CON",
        "nul.txt",
        "",
        "é",
        "è",
        "x" * 200,
        "x" * 201,
    ]
    found = [folder_name(student) for student in ids]
    assert len({name.casefold() for name in found}) == len(ids)
    assert found[:2] == ids[:2]
    for name in found:
        assert (
            Path(name).name == name
            and len(name) < 100
            and not variants._NOT_ON_WINDOWS.fullmatch(name)
        )
