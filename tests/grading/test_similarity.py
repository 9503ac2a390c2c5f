"""Answers that are alike: which trees are the same, and when that tells anything."""

import dataclasses
import math

import pytest

from autograder.inside.trees import read_trees
from autograder.results import Result, Tree
from autograder.similarity import SMALLEST_TREE, TreeReader, find_alike

ANSWER = """
def draw(count, generator):
    \"\"\"Draw numbers.\"\"\"
    noise = torch.rand(count, generator=generator)  # uniform
    for step in range(3):
        noise = noise * 0.5 + step
    return noise
"""


def tree(source):
    return read_trees({"draw": source})["draw"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("noise", "x").replace("step", "i"),
        lambda text: text.replace("  # uniform", ""),
        lambda text: text.replace('    """Draw numbers."""\n', ""),
        lambda text: text.replace("(count, generator):", "(count: int, generator) -> Tensor:"),
        lambda text: text.replace("    ", "  "),
        lambda text: "import os\n" + text + "\nprint(draw)",
        lambda text: "%matplotlib inline\n" + text,
    ],
    ids=["names", "comment", "docstring", "annotations", "spaces", "other code", "magic"],
)
def test_what_computes_nothing_leaves_a_tree_as_it_is(change):
    assert change(ANSWER) != ANSWER
    assert tree(change(ANSWER)) == tree(ANSWER)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0.5", "0.6"),
        lambda text: text.replace("torch.rand", "torch.randn"),
        lambda text: text.replace("noise * 0.5 + step", "step + noise * 0.5"),
        lambda text: text.replace("noise * 0.5 + step", "noise * 0.5 + count"),
        lambda text: text.replace("range", "reversed"),
    ],
    ids=["constant", "attribute", "order", "another variable", "a name that is not its own"],
)
def test_what_computes_something_else_is_another_tree(change):
    assert change(ANSWER) != ANSWER
    assert tree(change(ANSWER)) != tree(ANSWER)


@pytest.mark.parametrize("text", ["def draw(:", "\0", "x = " + "(" * 500, "é\ud800 = 1"])
def test_a_text_that_is_no_python_has_no_tree(text):
    assert read_trees({"draw": text}) == {}


def test_trees_are_read_behind_the_wall_and_outlive_a_text_too_deep_for_the_parser(sandbox, limits):
    reader = TreeReader(sandbox, limits)
    try:
        deep = "x = " + "-" * 100_000 + "1"
        assert reader.read({"draw": deep}) == {}
        assert reader.read({"draw": ANSWER}) == {"draw": Tree(*tree(ANSWER))}
    finally:
        reader.close()


def test_a_grading_keeps_the_trees_of_what_was_answered(grade, blank):
    blank.answer("draw", ANSWER)
    result = grade(blank)
    assert result.trees == {"draw": Tree(*tree(ANSWER))}
    assert result.as_gradescope()["extra_data"]["trees"] == {"draw": tuple(tree(ANSWER))}


def submissions(*digests, nodes=SMALLEST_TREE):
    """One submission per digest, for one question."""
    return [
        Result(f"student {number}", "", trees={"draw": Tree(digest, nodes)})
        for number, digest in enumerate(digests)
    ]


def test_a_rare_tree_that_two_share_is_pointed_at():
    (group,) = find_alike(submissions("a", "b", "a", "c", "d", "e", "f", "g"))
    assert group.names == ("student 0", "student 2")
    assert math.isclose(group.bits, math.log2(8 / 2))


@pytest.mark.parametrize("digests", ["aaaa", "aabb", "aaab"])
def test_a_tree_that_half_of_a_class_has_tells_nothing(digests):
    assert find_alike(submissions(*digests)) == []


def test_a_small_tree_tells_nothing():
    assert find_alike(submissions(*"abacdefg", nodes=SMALLEST_TREE - 1)) == []


def test_of_two_that_are_as_rare_the_larger_comes_first():
    results = submissions(*"aabbcdef")
    for result in results[2:4]:
        result.trees["draw"] = Tree("b", SMALLEST_TREE + 1)
    assert [group.names[0] for group in find_alike(results)] == ["student 2", "student 0"]


def test_the_same_two_in_two_questions_are_one_group_that_comes_first():
    results = submissions(*"abacdeff")
    for result, digest in zip(results, "xyxzuvwt", strict=True):
        result.trees["loss"] = Tree(digest, SMALLEST_TREE)
    first, second = find_alike(results)
    assert first.names == ("student 0", "student 2") and second.names == ("student 6", "student 7")
    assert [shared.question for shared in first.shared] == ["draw", "loss"]
    assert math.isclose(first.bits, 2 * second.bits)


def test_the_order_of_submissions_changes_no_pointer():
    results = submissions(*"abacdeff")
    groups = {frozenset(group.names): group.bits for group in find_alike(results)}
    turned = [dataclasses.replace(result) for result in reversed(results)]
    assert {frozenset(group.names): group.bits for group in find_alike(turned)} == groups
