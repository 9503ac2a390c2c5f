"""Whose notebook a submission is, and that it is graded with the constants that are its student's."""

import json
import random
import subprocess
import time
from collections import Counter
from dataclasses import replace

import pytest

from autograder.classroom import find_odd
from autograder.judge import Judge, Settings
from autograder.manual import gather
from autograder.report import render_feedback
from autograder.restoring import restore
from autograder.roster import RosterError, read_ids, read_roster
from autograder.selection import EDITED, PRISTINE, make_plan
from autograder.submissions import Submission, parse_notebook
from autograder.variants import Constant, Variant, check_seed, read_values, with_values
from autograder.whose import NOBODY, NOTEBOOK, ROSTER, Dealer, most_are_strange, with_owners
from tests.grading.test_cli import ASSIGNMENTS, run

SEED = "a secret of the instructor's"
ROSTER_TEXT = "Name,SID,Email\nAda,ada,ada@example.org\nBen,ben,ben@example.org\nCy,cy,\n"
CELL = "00_sample-02"
OFFSET = Constant("offset", tuple(number / 4 for number in range(1, 41)))


@pytest.fixture
def varied(assignment):
    return replace(assignment, variant=Variant(CELL, (OFFSET,)))


@pytest.fixture
def dealer():
    return Dealer(SEED, ("ada", "ben", "cy"))


def cell_of(student):
    value = OFFSET.draw(SEED, "00_sample", student)
    return with_values("import torch\n\noffset = 1.0", {"offset": value})


def made_for(notebook, student):
    """Return a notebook as it was handed to a student."""
    notebook.metadata["imitation_lab"]["student"] = student
    notebook.cells[1]["source"] = cell_of(student)
    return notebook


@pytest.fixture
def deal(varied, dealer):
    """Return a function that gives the steps that are run for a notebook, and what was found out."""

    def deal(notebook, owner):
        read = parse_notebook(notebook.text().encode())
        handed_out, hand = dealer.deal(varied, read, owner)
        names = [["offset"] if "offset =" in cell.source else [] for cell in read.code]
        return make_plan(handed_out, read, names).steps, hand

    return deal


# The values --------------------------------------------------------------------------------------


def test_a_students_value_depends_on_all_four_and_on_nothing_else():
    constant = Constant("SEED", range(10**9))
    values = {
        constant.draw(seed, notebook, student)
        for seed in ("a" * 12, "b" * 12)
        for notebook in ("01", "02")
        for student in ("ada", "ben")
    }
    # Eight numbers below 10^9 agree by chance once in 10^7 times; these are what they are.
    assert len(values) == 8
    assert constant.draw(SEED, "01", "Ada") == constant.draw(SEED, "01", "ada")
    other = Constant("OTHER", range(10**9))
    assert other.draw(SEED, "01", "ada") != constant.draw(SEED, "01", "ada")


def test_the_values_of_a_class_are_uniform():
    constant = Constant("WIDTH", (0.7, 0.8, 0.9, 1.0))
    counts = Counter(constant.draw(SEED, "01", f"student {n}") for n in range(4000))
    # A count has the standard deviation (4000 * 3 / 16)^0.5 = 27.4: seven of them in 4 counts, 1e-11.
    assert set(counts) == set(constant.choices)
    assert all(abs(count - 1000) < 7 * 27.4 for count in counts.values())


@pytest.mark.parametrize("choices", [range(3, 9), (0.1, 0.2), ("left", "right")])
def test_a_constant_survives_being_written(choices):
    constant = Constant("SIDE", choices)
    assert Constant.from_json(json.loads(json.dumps(constant.as_json()))) == constant


def test_with_values_changes_the_values_and_leaves_the_words():
    source = "# What differs.\nSEED = 0  # of the data\nSIDE = 'left'"
    changed = with_values(source, {"SEED": 17, "SIDE": "right"})
    assert changed == "# What differs.\nSEED = 17  # of the data\nSIDE = 'right'"
    assert read_values(changed, ["SEED", "SIDE"]) == {"SEED": "17", "SIDE": "'right'"}


@pytest.mark.parametrize(
    "source", ["", "SEED == 3", "SEED = ", "NO_SEED = 3", "SEED = " + "9" * 99]
)
def test_a_cell_that_does_not_name_a_constant_tells_no_value(source):
    assert read_values(source, ["SEED"]) is None


def test_a_cell_of_any_length_is_read_in_no_time():
    """While one thread searches a text, no other runs: a slow search would be the others' timeout."""
    started = time.process_time()
    assert read_values("SEED = 1" + " " * 5_000_000 + "x", ["SEED"]) is None
    assert read_values(" \t" * 2_500_000 + "SEED = 1", ["SEED"]) == {"SEED": "1"}
    assert time.process_time() - started < 5


def test_a_short_seed_is_refused():
    with pytest.raises(ValueError, match="7 characters"):
        check_seed("autumn1")
    check_seed(SEED)


# Whose it is -------------------------------------------------------------------------------------


def test_a_students_own_notebook_is_run_as_it_stands(blank, deal):
    steps, hand = deal(made_for(blank, "ada"), "ada")
    assert (hand.own, hand.made_for, hand.notes, hand.known_by) == (True, (), [], ROSTER)
    assert [step.source for step in steps if "offset =" in step.source] == [cell_of("ada")]


@pytest.mark.parametrize(
    "line", ["offset = 99.0", "offset   =   0.25  # mine", "import math\noffset = -1"]
)
def test_an_edited_variant_cell_gives_way_to_the_recomputed_one(blank, deal, line):
    made_for(blank, "ada").cells[1]["source"] = line
    steps, hand = deal(blank, "ada")
    kinds = [
        (step.origin, step.source)
        for step in steps
        if "offset =" in step.source.replace("   ", " ")
    ]
    # What else is in it may be needed, so it runs, but first.
    assert kinds == [(EDITED, line), (PRISTINE, cell_of("ada"))]
    assert not hand.own and "not those that were made for you." in hand.notes[0]


def test_an_edited_variant_cell_that_was_moved_does_not_have_the_last_word(blank, deal):
    made_for(blank, "ada").cells.append({**blank.cells.pop(1), "source": "offset = 99.0"})
    steps, _ = deal(blank, "ada")
    assert [step.source for step in steps if "offset =" in step.source][-1] == cell_of("ada")


def test_another_students_notebook_is_noticed_and_graded_with_the_own_constants(blank, deal):
    steps, hand = deal(made_for(blank, "ben"), "ada")
    assert hand.made_for == ("ben",)
    assert [s.source for s in steps if s.origin == PRISTINE and "offset =" in s.source] == [
        cell_of("ada")
    ]
    assert "somebody else" in hand.notes[0] and "ben" not in hand.notes[0]


def test_another_students_constants_are_noticed_under_the_own_name(blank, deal):
    made_for(blank, "ben").metadata["imitation_lab"]["student"] = "ada"
    assert deal(blank, "ada")[1].made_for == ("ben",)


def test_where_the_name_tells_nothing_the_notebooks_own_word_counts(blank, deal):
    steps, hand = deal(made_for(blank, "Ben"), "")
    assert (hand.student, hand.known_by) == ("ben", NOTEBOOK)
    assert "read from the notebook itself" in hand.notes[0]
    assert [step.source for step in steps if "offset =" in step.source] == [cell_of("ben")]


@pytest.mark.parametrize("claim", ["mallory", "", None, 7, ["ada"]])
def test_whose_it_is_may_be_known_to_nobody(blank, deal, claim):
    blank.metadata["imitation_lab"]["student"] = claim
    steps, hand = deal(blank, "")
    assert (hand.student, hand.known_by, hand.values) == ("", NOBODY, {})
    assert "import torch\n\noffset = 1.0" in [step.source for step in steps]


def test_who_deleted_the_variant_cell_is_suspected_of_nothing(blank, deal):
    del blank.cells[1]
    steps, hand = deal(blank, "ada")
    assert hand.own and hand.notes == []
    assert [step.source for step in steps if "offset =" in step.source] == [cell_of("ada")]


def test_ids_that_are_lost_do_not_hide_the_variant_cell(blank, deal):
    for cell in made_for(blank, "ben").cells:
        cell["id"] = ""
    assert deal(blank, "ada")[1].made_for == ("ben",)


def test_the_rosters_order_is_of_no_account(varied, blank):
    read = parse_notebook(made_for(blank, "ben").text().encode())
    students = [f"student {n}" for n in range(50)] + ["ada", "ben"]
    hands = []
    for _ in range(3):
        random.Random(len(hands)).shuffle(students)
        hands.append(Dealer(SEED, tuple(students)).deal(varied, read, "ada")[1])
    assert hands[0].values == hands[1].values == hands[2].values
    assert {"ben"} <= set(hands[0].made_for)


def test_a_submissions_student_is_the_one_of_its_name_or_its_folders(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER_TEXT)
    names = {"ada": "ada", "BEN@example.org": "ben", "notebook": "cy", "work": ""}
    places = {name: tmp_path / ("cy" if name == "notebook" else "in") / name for name in names}
    owned = with_owners([Submission(n, p) for n, p in places.items()], read_roster(path))
    assert {item.name: item.student for item in owned} == names
    assert read_ids(path) == ["ada", "ben", "cy"]


@pytest.mark.parametrize("text", ["SID\n", "SID\nada\nADA\n"])
def test_a_roster_without_students_or_with_one_twice_is_refused(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(RosterError):
        read_ids(tmp_path / "roster.csv")


# In a grading ------------------------------------------------------------------------------------


@pytest.fixture
def graded(sandbox, varied, dealer, limits, another, tmp_path):
    """The result of Ada, who handed in what was made for Ben, solved."""
    notebook = made_for(another(), "ben")
    path = tmp_path / "ada.ipynb"
    path.write_text(notebook.text())
    settings = Settings(seed=11, limits=limits, dealer=dealer)
    judge = Judge(sandbox, {"00_sample": varied}, settings)
    yield judge.grade(Submission("ada", path, "ada"))
    judge.close()


def test_a_swapped_notebook_costs_no_points_and_is_pointed_out_to_the_instructor(graded, varied):
    assert graded.score == 8
    written = json.dumps(graded.as_gradescope())
    assert SEED not in written
    again = restore(json.loads(written), {"00_sample": varied}, "ada")
    assert again.variant["values"] == {"offset": OFFSET.draw(SEED, "00_sample", "ada")}
    assert "made for ben" in find_odd([again])[0].reasons[0]
    assert "ben" not in render_feedback(again)


def test_the_page_of_answers_in_words_shows_each_students_constants(graded, tmp_path):
    (page,) = gather([graded], tmp_path / "out", 1.0)
    assert f"offset = {OFFSET.draw(SEED, '00_sample', 'ada')}" in page.read_text()


def test_a_wrong_seed_shows_in_most_notebooks(varied, another):
    def hands(seed):
        dealer = Dealer(seed, ("ada", "ben", "cy"))
        read = {
            student: parse_notebook(made_for(another(), student).text().encode())
            for student in dealer.students
        }
        return [dealer.deal(varied, notebook, one)[1].as_json() for one, notebook in read.items()]

    assert not most_are_strange(hands(SEED))
    assert most_are_strange(hands(SEED.upper()))
    assert not most_are_strange(hands(SEED.upper())[:2])


def test_grading_asks_for_seed_and_roster_together(right, tmp_path):
    path, roster = tmp_path / "ada.ipynb", tmp_path / "roster.csv"
    path.write_text(right.text())
    roster.write_text(ROSTER_TEXT)
    base = ["grade", path, "--out", tmp_path / "out", "--tests", ASSIGNMENTS]
    for options in (["--variant-seed", SEED], ["--roster", roster]):
        done: subprocess.CompletedProcess = run(*base, *options)
        assert (done.returncode, "go together" in done.stderr) == (2, True)
    done = run(*base, "--variant-seed", "short", "--roster", roster)
    assert (done.returncode, "characters" in done.stderr) == (2, True)
