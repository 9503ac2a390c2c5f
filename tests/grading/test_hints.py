"""Wrong answers beside a student's calls: which give the same, whatever the others do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autograder.assignment import WrongAnswer
from autograder.hints import Misconceptions, same
from autograder.limits import Limits

SUM = "def best_constant(actions):\n    return actions.sum(dim=0)"


def wrong(name, body):
    return WrongAnswer(name, f"the hint of {name}", f"def {name}(actions):\n    {body}")


@pytest.fixture
def hints_of(session, sandbox, assignment):
    """Return a function that gives the hints for an answer that sums, by these wrong answers."""
    session.run(SUM, "cell", ["best_constant"])
    session.begin(0)
    calls = [session.call("best_constant", (torch.rand(3, 2),), {}) for _ in range(2)]
    session.finish()
    misconceptions = Misconceptions(sandbox, assignment, Limits(cpu_seconds=1))

    def hints_of(*answers):
        return [answer.hint for answer in misconceptions.matching(answers, calls)]

    yield hints_of
    misconceptions.close()


def test_all_that_give_the_same_are_found(hints_of):
    first, last = wrong("first", "return actions.sum(dim=0)"), wrong("last", "return sum(actions)")
    assert hints_of(first, wrong("other", "return actions"), last) == [first.hint, last.hint]


def test_one_that_loops_ends_or_raises_hides_no_other(hints_of):
    odd = ["while True: pass", "import os; os._exit(0)", "raise ValueError"]
    answers = [wrong(f"odd{number}", body) for number, body in enumerate(odd)]
    fits = [wrong(f"fits{number}", "return actions.sum(dim=0)") for number in range(3)]
    mixed = [answer for pair in zip(fits, answers, strict=True) for answer in pair]
    assert hints_of(*mixed) == [answer.hint for answer in fits]


def test_each_has_the_time_of_a_test_however_many_came_before(hints_of):
    slow = (
        "import time\n    start = time.process_time()\n"
        "    while time.process_time() - start < 0.3: pass\n    return actions.sum(dim=0)"
    )
    answers = [wrong(f"slow{number}", slow) for number in range(3)]  # twice 0.3 s each, of 1 s
    assert hints_of(*answers) == [answer.hint for answer in answers]


def test_each_finds_the_random_numbers_as_if_it_were_the_first(hints_of):
    heard = (
        "import torch\nheard = torch.rand(())\n"
        "wanted = torch.rand((), generator=torch.Generator().manual_seed(0))\n"
    )
    answers = [wrong(name, "return actions.sum(dim=0) + heard - wanted") for name in ("a", "b")]
    answers = [replace(answer, source=heard + answer.source) for answer in answers]
    assert hints_of(*answers) == [answer.hint for answer in answers]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1.5, 1.5 + 1e-7),
        (2, np.array(2.0)),
        (1 << 70, 1 << 70),
        ({"a": [torch.ones(2), None]}, {"a": (torch.ones(2), None)}),
    ],
    ids=str,
)
def test_results_of_the_same_structure_and_close_values_are_the_same(first, second):
    assert same(first, second) and same(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1.5, 1.6),
        (1.5, 1 << 70),
        (np.zeros(2), 1 << 70),
        (torch.ones(2), torch.ones(1, 2)),
        ([torch.ones(2)], [torch.ones(2), None]),
        ({"a": 1}, {"b": 1}),
        ("1", 1),
    ],
    ids=str,
)
def test_results_that_differ_in_structure_or_value_are_not_the_same(first, second):
    assert not same(first, second) and not same(second, first)
