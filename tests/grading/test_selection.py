"""Which cells are run: a right answer is found wherever the student put it."""

import ast
import dataclasses

import pytest

from autograder.selection import (
    ADDED,
    ANSWER,
    BLANK,
    EDITED,
    MISSING,
    MOST_WRITTEN,
    identify,
    make_plan,
)
from autograder.submissions import parse_notebook


def names_of(source):
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.fixture
def plan(assignment):
    def plan(student):
        notebook = parse_notebook(student.text().encode())
        return make_plan(assignment, notebook, [names_of(cell.source) for cell in notebook.code])

    return plan


def answers(plan):
    return {name: step.source for step in plan.steps for name in step.keep}


def sources(plan, origin):
    return [step.source for step in plan.steps if step.origin == origin]


RIGHT = "def best_constant(actions):\n    return actions.mean(dim=0)"
WRONG = "def best_constant(actions):\n    return actions.sum()"


def test_answers_are_taken_from_their_own_cells(plan, right):
    assert answers(plan(right))["best_constant"] == RIGHT
    assert [step.origin for step in plan(right).steps].count(ANSWER) == 3


def test_a_cell_as_it_was_handed_out_is_blank(plan, blank):
    assert set(plan(blank).states.values()) == {BLANK}


def test_training_and_checks_are_never_run(plan, right):
    for cell in right.cells:
        if "training_loop" in str(cell["source"]):
            cell["source"] += "\nmine = 1"
    run = "".join(step.source for step in plan(right).steps)
    assert "training_loop" not in run and "grader" not in run


def test_the_order_of_the_cells_does_not_matter(plan, right):
    steps = plan(right).steps
    right.cells.reverse()
    assert plan(right).steps == steps


def test_deleted_cells_of_the_course_are_restored(plan, right):
    steps = plan(right).steps
    right.cells = [cell for cell in right.cells if "def " in cell["source"]]
    assert plan(right).steps == steps


def test_a_deleted_answer_is_missing_and_leaves_the_others(plan, right):
    del right.cells[right.at("best_constant")]
    found = plan(right)
    assert found.states["best_constant"] == MISSING
    assert set(answers(found)) == {"squared_loss", "draw"}


def test_an_answer_in_a_renamed_cell_is_found(plan, right):
    right.cells[right.at("best_constant")]["id"] = "renamed"
    found = plan(right)
    assert answers(found)["best_constant"] == RIGHT
    assert not found.notes


def test_an_answer_beside_its_own_cell_is_remarked(plan, right, blank):
    stub = blank.cells[blank.at("best_constant")]["source"]
    right.answer("best_constant", stub).insert(1, RIGHT)
    assert "another cell" in plan(right).notes[0]


def test_ids_that_were_all_dropped_do_not_matter(plan, right):
    steps = plan(right).steps
    for cell in right.cells:
        del cell["id"]
    assert plan(right).steps == steps


def test_an_answer_beside_a_blank_cell_is_found(plan, right, blank):
    stub = blank.cells[blank.at("best_constant")]["source"]
    right.answer("best_constant", stub).insert(1, RIGHT)
    assert answers(plan(right))["best_constant"] == RIGHT


def test_of_two_cells_with_one_id_the_answered_one_counts(plan, right, blank):
    stub = blank.cells[blank.at("best_constant")]["source"]
    for position in (0, len(right.cells)):  # one before it, then one on either side
        right.insert(position, stub, cell_id="00_sample-04")
        assert answers(plan(right))["best_constant"] == RIGHT


def test_of_two_attempts_elsewhere_the_later_counts(plan, right):
    del right.cells[right.at("best_constant")]
    right.insert(3, WRONG).insert(6, RIGHT)
    assert answers(plan(right))["best_constant"] == RIGHT


def test_the_questions_own_cell_counts_before_other_attempts(plan, right):
    right.insert(0, WRONG)
    found = plan(right)
    assert answers(found)["best_constant"] == RIGHT
    assert "own cell" in found.notes[0]


def test_a_cell_that_defines_two_answers_serves_both(plan, right):
    both = right.cells[right.at("draw")]["source"] + "\n\n" + RIGHT
    del right.cells[right.at("best_constant")]
    right.answer("draw", both)
    assert answers(plan(right))["best_constant"] == answers(plan(right))["draw"] == both


def test_a_cell_that_is_no_python_is_taken_as_it_is_if_it_is_the_answer(plan, right):
    right.answer("best_constant", "def best_constant(:")
    assert "def best_constant(:" in sources(plan(right), ANSWER)


def test_cells_that_are_no_python_are_otherwise_left_out(plan, right):
    right.insert(2, "this is ( no python")
    assert sources(plan(right), ADDED) == []


def test_added_cells_run_where_they_stood(plan, right):
    right.insert(right.at("best_constant") + 1, "helper = 1")
    steps = plan(right).steps
    position = next(i for i, step in enumerate(steps) if step.origin == ADDED)
    assert steps[position - 1].keep == ("best_constant",)


def test_an_import_added_to_a_cell_of_the_course_runs_after_it(plan, right):
    setup = next(cell for cell in right.cells if cell["id"] == "00_sample-02")
    pristine, setup["source"] = setup["source"], "import math\n" + setup["source"]
    run = [step.source for step in plan(right).steps]
    assert run[:2] == [pristine, setup["source"]]
    assert sources(plan(right), EDITED) == [setup["source"]]


def test_a_helper_in_an_answers_place_still_runs(plan, right):
    right.answer("best_constant", "def helper(x):\n    return x").insert(0, RIGHT)
    found = plan(right)
    assert answers(found)["best_constant"] == RIGHT
    assert any("helper" in source for source in sources(found, EDITED))


def test_cells_tagged_train_by_the_build_are_left_out_under_any_id(plan, right):
    right.insert(2, "slow()", tags=["train"])
    assert sources(plan(right), ADDED) == []


def test_written_answers_are_found_by_id_or_below_their_heading(plan, right):
    assert plan(right).written == {"is_it_luck": "It is luck."}
    heading = {"cell_type": "markdown", "source": "### Question 4 · In your own words\nWhy?"}
    right.cells[-1] = {"cell_type": "markdown", "source": "Because."}
    right.cells.insert(-1, heading)
    assert plan(right).written == {"is_it_luck": "Because."}


def markdown(source, cell_id=""):
    return {"cell_type": "markdown", "source": source, "id": cell_id}


HEADING = markdown("### Question 4 · In your own words\nWhy?")


def test_ids_that_shifted_do_not_make_the_courses_text_an_answer(plan, right):
    right.cells[-1:] = [
        markdown("The course says this.", "00_sample-12"),
        markdown("### Question 3 · In your own words\nWhy?", "00_sample-13"),
        markdown("Because.", "00_sample-14"),
    ]
    assert plan(right).written == {"is_it_luck": "Because."}


def test_a_code_cell_is_no_written_answer(plan, right):
    right.cells[-1] = right.code("x = 1", "00_sample-12")
    assert plan(right).written == {"is_it_luck": ""}
    right.cells.insert(-1, HEADING)
    assert plan(right).written == {"is_it_luck": ""}


@pytest.mark.parametrize(
    "text",
    [" \n", "_Type your answer here, replacing this text._\n", "## Question 1 · The best constant"],
)
def test_what_the_student_did_not_write_is_no_answer(plan, right, text):
    right.cells[-1:] = [HEADING, markdown(text, "00_sample-12")]
    assert plan(right).written == {"is_it_luck": ""}


def test_an_answer_in_words_is_cut_off_where_nobody_would_read_on(plan, right):
    right.cells[-1]["source"] = "x" * MOST_WRITTEN
    assert plan(right).written == {"is_it_luck": "x" * MOST_WRITTEN}
    right.cells[-1]["source"] = "x" * 10**7
    text = plan(right).written["is_it_luck"]
    assert text.endswith("x\n[answer cut off here]") and len(text) < MOST_WRITTEN + 100


def test_text_of_the_pristine_notebook_is_no_answer(assignment, right):
    course = dataclasses.replace(assignment, texts=("It is luck.",))
    notebook = parse_notebook(right.text().encode())
    names = [names_of(cell.source) for cell in notebook.code]
    assert make_plan(course, notebook, names).written == {"is_it_luck": ""}


@pytest.mark.parametrize("evidence", ["claim", "ids", "names", "file"])
def test_the_assignment_is_told_by_any_evidence(assignments, right, evidence):
    other = next(iter(assignments.values()))
    known = {**assignments, "99_other": type(other)("99_other", "", (), ())}
    if evidence != "claim":
        right.metadata = {}
    if evidence in ("names", "file"):
        for cell in right.cells:
            cell["id"] = "x"
    if evidence == "file":
        right.cells = []
    read = parse_notebook(right.text().encode())
    names = [names_of(cell.source) for cell in read.code]
    file = "00_sample_alice" if evidence == "file" else "alice"
    assert identify(read, known, file, names).notebook == "00_sample"


def test_a_strange_notebook_answers_no_assignment(assignments):
    read = parse_notebook(b'{"cells": [{"cell_type": "code", "source": "x = 1"}]}')
    assert identify(read, assignments, "alice", [["x"]]) is None
