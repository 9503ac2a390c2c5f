"""A grading that was interrupted goes on where it stopped, and tells the same as one that was not."""

import json
import os
import signal
import subprocess
from dataclasses import replace

import pytest

from autograder.grading import grade_all
from autograder.resuming import RECORD, Records, choose_seed, digest_tests
from autograder.submissions import Submission
from tests.grading.test_cli import ASSIGNMENTS, ROOT, command, run, wait_for

BASIS = {"seed": 11, "tests": "as they are"}


@pytest.fixture
def submission(right, tmp_path):
    path = tmp_path / "ada.ipynb"
    path.write_text(right.text())
    return Submission("ada", path)


@pytest.fixture
def records(assignments, tmp_path):
    """Return a function that gives the records of one folder."""

    def records(basis=BASIS, **options):
        return Records(tmp_path / "out", assignments, basis, **options)

    return records


class CountingJudge:
    """A judge that counts what it grades, and may fail."""

    def __init__(self, judge):
        self._judge = judge
        self.graded = []
        self.fails = False

    def __getattr__(self, name):
        return getattr(self._judge, name)

    def grade(self, submission):
        self.graded.append(submission.name)
        if self.fails:
            raise RuntimeError("the grader's own mistake")
        return self._judge.grade(submission)


@pytest.fixture
def counting(judge):
    return CountingJudge(judge)


def test_what_was_graded_is_taken_as_it_is(counting, submission, records, capsys):
    first = grade_all(counting, [submission], records(), jobs=1)
    second = grade_all(counting, [submission], records(), jobs=1)
    assert counting.graded == ["ada"]
    assert [result.score for result in first.results + second.results] == [8, 8]
    assert second.results[0].seconds == pytest.approx(first.results[0].seconds, abs=0.01)
    assert "taken as they are: 1" in capsys.readouterr().out


def test_a_grading_that_was_cut_off_is_done_again(counting, submission, records):
    grade_all(counting, [submission], records(), jobs=1)
    records().promise(counting.blank_result(submission))  # the last act of one that was killed
    assert grade_all(counting, [submission], records(), jobs=1).results[0].score == 8
    assert counting.graded == ["ada", "ada"]


def test_what_the_grader_failed_in_is_graded_again(counting, submission, records):
    counting.fails = True
    assert grade_all(counting, [submission], records(), jobs=1).failures == 1
    counting.fails = False
    assert grade_all(counting, [submission], records(), jobs=1).results[0].score == 8


@pytest.mark.parametrize(
    "what", ["the file", "the student", "the settings", "--fresh", "the record"]
)
def test_a_result_of_something_else_is_not_taken(judge, submission, records, what):
    result = judge.grade(submission)
    records().keep(result, records().fingerprint(submission))
    assert records().find(submission) is not None
    if what == "the file":
        submission.path.write_text(submission.path.read_text() + "\n")
    if what == "the record":
        (records().out / "ada" / RECORD).write_text("[")
    if what == "the student":
        submission = replace(submission, student="ben")  # whose constants may be others
    changed = records({"seed": 12}) if what == "the settings" else records(fresh=what == "--fresh")
    assert changed.find(submission) is None


def test_a_fresh_run_that_is_interrupted_has_forgotten_the_old_results(judge, submission, records):
    records().keep(judge.grade(submission), records().fingerprint(submission))
    records(fresh=True).find(submission)
    assert records().find(submission) is None


def test_an_interrupted_run_goes_on_with_its_seed(records, tmp_path):
    records().begin(seed=5)
    out = records().out
    assert choose_seed(out, given=None, fresh=False) == 5
    assert choose_seed(out, given=7, fresh=False) == 7
    records().end()
    others = {choose_seed(out, given=None, fresh=False) for _ in range(4)}
    assert len(others) > 1  # by chance once in 2 ** 96


def test_the_tests_digest_changes_with_every_test(tmp_path):
    (tmp_path / "01").mkdir()
    digests = set()
    for name, text in [("assignment.json", "{}"), ("q.py", "a"), ("q.py", "b"), ("r.py", "b")]:
        (tmp_path / "01" / name).write_text(text)
        digests.add(digest_tests(tmp_path))
    assert len(digests) == 4


@pytest.fixture
def folder(another, tmp_path):
    """Submissions: one whose output depends on all that may vary, and one that does not end."""
    folder = tmp_path / "in"
    folder.mkdir()
    varies = another().answer("draw", "def draw(count, generator):\n    return torch.rand(count)")
    varies.insert(2, "print(hash('x'), {'a', 'b', 'c'}, object(), torch.rand(1))")
    (folder / "a.ipynb").write_text(varies.text())
    (folder / "b.ipynb").write_text(another().insert(1, "while True: pass").text())
    return folder


def test_a_killed_run_loses_nothing_and_another_run_gives_the_same_bytes(folder, another, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    options = ["--tests", ASSIGNMENTS, "--cpu-seconds", 500, "--wall-seconds", 500]
    with subprocess.Popen(
        command("grade", folder, "--out", out, *options), cwd=ROOT, stdout=subprocess.DEVNULL
    ) as process:
        wait_for(out / "a" / RECORD)
        os.kill(process.pid, signal.SIGKILL)
    before = (out / "a" / "results.json").stat()
    (folder / "b.ipynb").write_text(another().text())
    done = run("grade", folder, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    assert "taken as they are: 1" in done.stdout and "[2/2] b: 8/8" in done.stdout
    assert (out / "a" / "results.json").stat().st_mtime_ns == before.st_mtime_ns
    results = [json.loads((out / name / "results.json").read_text()) for name in "ab"]
    assert len({result["extra_data"]["seed"] for result in results}) == 1
    seed = results[0]["extra_data"]["seed"]
    assert run("grade", folder, "--out", other, *options, "--seed", seed).returncode == 0
    for name in "ab":
        same = [(place / name / "results.json").read_bytes() for place in (out, other)]
        assert same[0] == same[1]
