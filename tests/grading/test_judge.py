"""Whole submissions before the judge: right ones, wrong ones, and hostile ones."""

import dataclasses
import json

import pytest
import torch

from autograder.assignment import derive_seed
from autograder.judge import Judge, Settings
from autograder.run import MOST_WORDS
from autograder.session import Session
from autograder.submissions import Submission
from imitation_lab.testing import fresh_generator, grading_seed
from tests.grading.conftest import LIMITS, RIGHT


def text_of(result):
    return json.dumps(result.as_gradescope(), ensure_ascii=False)


def test_right_answers_have_full_marks(grade, right, scores, full):
    result = grade(right)
    assert (result.status, scores(result)) == ("ok", full)


def test_a_blank_notebook_has_nothing_and_is_told_so(grade, blank):
    result = grade(blank)
    assert (result.status, result.score, result.max_score) == ("ok", 0, 8)
    assert all("replace the `...`" in test.message for test in result.tests)


def test_right_answers_in_another_style_have_full_marks(grade, right, scores, full):
    right.answer("best_constant", "import numpy as np\nbest_constant = lambda a: a.numpy().mean(0)")
    right.answer(
        "squared_loss",
        "class Loss:\n    def __call__(self, policy, observations, actions):\n"
        "        return sum(((policy(observations) - actions)[i] ** 2).sum()"
        " for i in range(len(actions))) / len(actions)\nsquared_loss = Loss()",
    )
    right.answer(
        "draw",
        "def draw(count, generator):\n"
        "    return torch.empty(count).uniform_(1, 2, generator=generator)",
    )
    assert scores(grade(right)) == full


def test_a_wrong_answer_loses_its_hidden_points_and_reads_its_hint(grade, right, scores, full):
    right.answer(
        "best_constant",
        "def best_constant(actions):\n    return torch.quantile(actions, 0.5, dim=0)",
    )
    result = grade(right)
    assert scores(result) == full | {"best_constant": 1}
    assert result.hints == {
        "best_constant": ["The median minimises the absolute error, not the squared error."]
    }


def test_a_wrong_answer_of_another_kind_reads_no_hint(grade, right):
    right.answer("best_constant", "def best_constant(actions):\n    return actions.amax(dim=0)")
    result = grade(right)
    assert result.score == 6 and result.hints == {}


def test_an_answer_that_raises_in_the_end_reads_no_hint(grade, right):
    right.answer(
        "best_constant",
        "def best_constant(actions):\n    if len(actions) > 10:\n        raise KeyError('typo')\n"
        "    return torch.quantile(actions, 0.5, dim=0)",
    )
    assert grade(right).hints == {}


def test_a_hint_is_found_through_generators_and_gradients(grade, right):
    right.answer(
        "draw",
        "def draw(count, generator):\n    generator.manual_seed(0)\n"
        "    return torch.rand(count, generator=generator) + 1.0",
    )
    right.answer(
        "squared_loss",
        "def squared_loss(policy, o, a):\n    return ((policy(o) - a) ** 2).sum()",
    )
    assert set(grade(right).hints) == {"draw", "squared_loss"}


def test_a_helper_defined_later_is_found(grade, right, scores, full):
    right.answer("best_constant", "def best_constant(actions):\n    return average(actions)")
    right.insert(len(right.cells), "def average(x):\n    return x.mean(dim=0)")
    right.answer(
        "draw",
        "@twice\ndef draw(count, generator):\n    return offset + torch.rand(count, generator=generator)",
    )
    right.insert(len(right.cells), "def twice(f):\n    return f")
    assert scores(grade(right)) == full


def test_one_broken_answer_leaves_the_others(grade, right, scores, full):
    right.answer("best_constant", "def best_constant(actions:\n")
    result = grade(right)
    assert (result.status, scores(result)) == ("ok", full | {"best_constant": 0})
    assert result.tests[0].message.startswith("SyntaxError on line 1: ")
    assert "best_constant was not found" in result.tests[0].message


def test_a_question_without_a_cell_is_told_the_name(grade, right, scores, full):
    del right.cells[right.at("draw")]
    result = grade(right)
    assert scores(result) == full | {"draw": 0}
    assert all("draw was not found" in test.message for test in result.tests[-2:])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(0)", "died"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died"),
        ("return bytearray(16 << 30)", "out_of_memory"),
        ("return torch.zeros(1 << 33)", "out_of_memory"),
        ("import sys; sys.exit()", "ok"),
        ("raise Exception('x' * (50 << 20))", "ok"),
        ("return best_constant(actions)", "ok"),
        ("print('x' * (50 << 20))", "ok"),
        ("return input()", "ok"),
    ],
    ids=lambda value: value.split("; ")[-1],
)
def test_a_function_that_misbehaves_costs_its_own_question_alone(
    grade, right, scores, full, body, status
):
    right.answer("best_constant", f"def best_constant(actions):\n    {body}")
    result = grade(right)
    assert (result.status, scores(result)) == (status, full | {"best_constant": 0})
    assert len(text_of(result)) < 100_000


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("while True: pass", "timeout"),
        ("import os\nos._exit(0)", "died"),
        ("import os\nos.kill(os.getppid(), 9)\nos.kill(os.getpid(), 9)", "died"),
        ("x = bytearray(16 << 30)", "out_of_memory"),
        ("raise SystemExit", "ok"),
        ("raise Exception('x' * (50 << 20))", "ok"),
        (
            "import threading\nthreading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",
            "ok",
        ),
    ],
    ids=lambda value: value.split("\n")[-1][:40],
)
def test_a_cell_that_misbehaves_is_left_out_and_the_rest_is_graded(
    grade, right, scores, full, source, status
):
    right.insert(2, source)
    result = grade(right)
    assert (result.status, scores(result)) == (status, full)


def test_a_sleeping_function_ends_by_wall_time(sandbox, assignments, grade, right, limits):
    quick = dataclasses.replace(limits, wall_seconds=1.0)
    judge = Judge(sandbox, assignments, Settings(1, quick))
    right.answer("draw", "import time\ndef draw(count, generator):\n    time.sleep(10**6)")
    result = grade(right, judge=judge)
    judge.close()
    assert result.status == "timeout" and result.score == 6
    first, second = result.tests[-2:]
    assert "used up its time" in first.message and first.status == "timeout"
    assert second.message == "not run: draw had already run out of time."
    assert second.status == "timeout"


def test_an_answer_that_is_like_a_wrong_one_by_chance_reads_no_hint(grade, another, monkeypatch):
    test = ("00_sample", "best_constant", "test_best_constant_is_the_mean")
    with grading_seed(derive_seed(11, "test", *test)):
        first = torch.randn(17, 3, generator=fresh_generator())[0, 0].item()
    chance = (
        "def best_constant(actions):\n"
        f"    alike = abs(actions[0, 0] - {first!r}) < 1e-6\n"
        "    return actions.median(dim=0).values if alike else actions.sum(dim=0)"
    )
    assert grade(another().answer("best_constant", chance)).hints == {}
    monkeypatch.setattr("autograder.judge._MORE_TRIES", ())
    assert grade(another().answer("best_constant", chance)).hints


def test_the_time_of_a_whole_submission_is_limited(sandbox, assignments, grade, right, limits):
    quick = dataclasses.replace(limits, total_seconds=0.01)
    judge = Judge(sandbox, assignments, Settings(1, quick))
    result = grade(right, judge=judge)
    judge.close()
    assert (result.status, result.score, len(result.tests)) == ("timeout", 0, 6)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"cells": 3}', "\x00" * 100])
def test_what_is_no_notebook_has_none_of_all_points(grade, content):
    result = grade(content)
    assert (result.status, result.score, result.max_score) == ("malformed", 0, 8)
    assert len(result.tests) == 6
    assert text_of(result).count(result.notes[0]) <= 2  # the summary and the remarks


def test_a_source_that_crashes_the_parser_costs_nothing_else(grade, right, scores, full):
    right.insert(2, "x = " + "(" * 5000 + ")" * 5000).insert(2, "-" * 100_000 + "1")
    assert scores(grade(right)) == full


TAMPERING = [
    "torch.allclose = torch.isclose = torch.equal = lambda *a, **k: True",
    "import builtins\nbuiltins.AssertionError = builtins.Exception = type('E', (BaseException,), {})",
    "import imitation_lab.testing as t\nfor n in dir(t):\n    if n.startswith('check'): setattr(t, n, lambda *a, **k: None)",
    "import sys\nfor n in list(sys.modules):\n    if 'autograder' in n or 'testing' in n: sys.modules[n] = None",
    "import autograder.wire as w\nw.encode = lambda v: (['bool', True], [], b'')",
    "import autograder.inside.worker as w\nw.Server._do_call = lambda *a: {'passed': True}",
    "import gc\nfrom autograder.inside.worker import Server\nfor o in gc.get_objects():\n    if isinstance(o, Server): o._answers.clear()",
    "class Yes(torch.Tensor):\n    __eq__ = __ne__ = lambda *a: True\n    def __torch_function__(*a, **k): return True\n"
    "def best_constant(a): return torch.zeros(2).as_subclass(Yes)",
    "import os\nfor n in range(3, 100):\n    try: os.write(n, b'\\x00' * 64)\n    except OSError: pass",
    "import os\nfor n in range(3, 100):\n    try: os.close(n)\n    except OSError: pass",
    "import atexit, os, signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass",
]


@pytest.mark.parametrize("source", TAMPERING, ids=range(len(TAMPERING)))
def test_tampering_wins_no_points(grade, blank, source):
    blank.insert(2, "import torch\n" + source)
    blank.answer("best_constant", "def best_constant(actions):\n    return torch.zeros(2)")
    result = grade(blank)
    assert result.score <= 1  # the shape, which is honestly right
    assert len(result.tests) == 6


def test_the_next_submission_is_graded_as_if_there_had_been_none(grade, another, full, scores):
    hostile = another().insert(
        2, "import torch\ntorch.randn = torch.mean = None\nopen('trace', 'w')"
    )
    hostile.insert(
        3, "import os\nfor _ in range(5):\n    if os.fork() == 0:\n        while True: pass"
    )
    grade(hostile, "hostile")
    after = another().insert(2, "import os\nassert not os.path.exists('trace')\nprint('clean')")
    result = grade(after, "after")
    assert scores(result) == full
    assert any(cell["output"] == "clean\n" for cell in result.cells)


def test_a_test_leaves_no_trace_on_the_next(grade, right, scores, full):
    right.answer(
        "draw",
        "state = []\ndef draw(count, generator):\n    state.append(1)\n"
        "    assert len(state) <= 2, 'an earlier test was here'\n"
        "    return offset + torch.rand(count, generator=generator)",
    )
    assert scores(grade(right)) == full


@pytest.mark.parametrize(
    "mischief",
    [
        "torch.rand = None",
        "torch.set_default_dtype(torch.float64)",
        "torch.Tensor.mean = None",
        "import os, threading; threading.Timer(0.05, os._exit, [3]).start()",
        "import time; time.sleep(0.2); import os; os.fork() or time.sleep(10**6)",
    ],
)
def test_what_one_answer_does_to_its_process_costs_the_others_nothing(
    grade, right, scores, full, mischief
):
    right.answer(
        "best_constant",
        "def best_constant(actions):\n    mean = actions.mean(dim=0)\n"
        f"    {mischief}\n    return mean",
    )
    result = grade(right)
    others = {"squared_loss", "draw"}
    assert {name: scores(result)[name] for name in others} == {name: full[name] for name in others}


def test_each_test_has_all_the_processor_time(sandbox, assignments, grade, right, scores, full):
    """Six calls of two fifths of the limit each, no more than two of them in a test."""
    limits = dataclasses.replace(LIMITS, cpu_seconds=2)
    judge = Judge(sandbox, assignments, Settings(1, limits))
    for question in ("best_constant", "draw"):
        slow = RIGHT[question].replace("return", "wait()\n    return")
        right.answer(question, slow)
    right.insert(
        2,
        "import time\ndef wait():\n    end = time.process_time() + 0.8\n"
        "    while time.process_time() < end: pass",
    )
    result = grade(right, judge=judge)
    judge.close()
    assert (result.status, scores(result)) == ("ok", full)


def test_public_tests_share_a_process_and_each_hidden_one_has_its_own(
    grade, right, scores, full, monkeypatch
):
    asked = []
    for how in ("begin", "go_on"):
        method = getattr(Session, how)

        def counted(session, seed, how=how, method=method):
            asked.append(how)
            method(session, seed)

        monkeypatch.setattr(Session, how, counted)
    result = grade(right)
    public, hidden = ([t for t in result.tests if t.test.hidden is kind] for kind in (False, True))
    assert scores(result) == full
    # Before the first test, the reader of the answers' trees has had a copy of its own.
    assert asked[1:] == ["begin"] + ["go_on"] * (len(public) - 1) + ["begin"] * len(hidden)


HEDGES = [
    # What is known of an earlier attempt: a file, shared memory, nothing at all.
    "import os\nopen('tried', 'a').write('x')\ntries = os.path.getsize('tried')",
    "shared[0] += 1\ntries = shared[0]",
    "global tries\ntries += 1",
]


@pytest.mark.parametrize("count", HEDGES)
@pytest.mark.parametrize("after", range(2, 5))
def test_a_hidden_test_is_not_asked_again_with_another_answer(
    grade, right, full, scores, count, after
):
    """The public test asks once before it. Whoever is wrong until the second question fails."""
    body = (count + f"\nreturn actions.mean(0) if tries > {after} else actions.sum(0)").split("\n")
    right.answer(
        "best_constant",
        "import mmap\nshared, tries = mmap.mmap(-1, 64), 0\ndef best_constant(actions):\n    "
        + "\n    ".join(body),
    )
    assert scores(grade(right))["best_constant"] < full["best_constant"]


def test_a_hidden_test_tells_only_the_authors_words(grade, right):
    leak = (
        "def best_constant(actions):\n"
        "    if actions.shape[0] == 5: return actions[0]\n"
        "    raise type('LEAK' + str(actions.shape[1]), (Exception,), {})('LEAK' + str(actions))"
    )
    result = grade(right.answer("best_constant", leak))
    assert "LEAK" not in text_of(result)
    assert result.tests[1].message == "your function raised an exception."


def test_a_public_test_shows_the_students_own_words(grade, right):
    right.answer("best_constant", "def best_constant(actions):\n    raise ValueError('MINE')")
    assert grade(right).tests[0].message == "your function raised ValueError: MINE."


def test_hidden_inputs_cannot_travel_to_a_public_test_by_file(grade, right):
    """``best_constant`` is tested, hidden test included, before ``draw`` in the notebook's order."""
    right.answer(
        "best_constant",
        "def best_constant(actions):\n    open('seen', 'a').write(f'rows {len(actions)} ')",
    )
    right.answer("draw", "def draw(count, generator):\n    raise ValueError(open('seen').read())")
    result = grade(right)
    assert "rows 5" in text_of(result)
    assert "rows 17" not in text_of(result)


def test_what_the_hidden_tests_print_is_not_shown(grade, right):
    right.answer("best_constant", "def best_constant(actions):\n    print('SEEN', len(actions))")
    assert "SEEN" not in text_of(grade(right))


def test_many_cells_that_print_much_make_no_large_result(grade, right, scores, full):
    for _ in range(40):
        right.insert(2, "print('x' * 10**6)")
    result = grade(right)
    assert (result.status, scores(result)) == ("ok", full)
    assert MOST_WORDS < len(text_of(result)) < MOST_WORDS + 50_000


def test_the_same_seed_gives_the_same_bytes(grade, another):
    def grade_once():
        student = another().answer(
            "squared_loss",
            "def squared_loss(policy, o, a):\n    return torch.rand(()) * policy(o).sum()",
        )
        student.insert(2, "print(hash('x'), {'a', 'b', 'c'}, object(), torch.rand(1))")
        return text_of(grade(student))

    assert grade_once() == grade_once()


def test_another_seed_gives_other_inputs(sandbox, assignments, grade, right, limits):
    right.answer(
        "best_constant",
        "def best_constant(actions):\n    return actions.mean(0) + 1e-3 * actions[0]",
    )
    messages = set()
    for seed in (1, 2):
        judge = Judge(sandbox, assignments, Settings(seed, limits))
        messages.add(grade(right, judge=judge).tests[1].message)
        judge.close()
    assert len(messages) == 2


def test_written_answers_are_kept_and_give_no_points(grade, right):
    result = grade(right)
    assert result.written == {"is_it_luck": "It is luck."}
    assert result.max_score == 8


def test_a_result_has_gradescopes_form(sandbox, grade, right):
    data = grade(right).as_gradescope()
    assert {"score", "output", "visibility", "tests", "extra_data"} <= set(data)
    assert data["score"] == sum(test["score"] for test in data["tests"]) == 8
    for test in data["tests"]:
        assert set(test) == {"name", "score", "max_score", "status", "output", "visibility"}
        assert test["name"].split()[0] in ("best_constant", "squared_loss", "draw")
        assert test["status"] in ("passed", "failed")
    hidden = [test["visibility"] for test in data["tests"]]
    assert hidden == ["visible", "after_published"] * 3
    extra = data["extra_data"]
    assert extra["status"] == "ok" and extra["seed"] == 11 and not extra["unsafe"]
    assert extra["versions"]["torch"] and extra["backend"] == sandbox.backend.name


def test_a_file_that_vanishes_is_malformed(judge, tmp_path):
    result = judge.grade(Submission("gone", tmp_path / "gone.ipynb"))
    assert result.status == "malformed"
