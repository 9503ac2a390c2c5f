"""Outcome points: a submitted policy judged beside its notebook, whatever the zip holds."""

import csv
import json
import threading
import zipfile

import pytest
import torch

from autograder import policies
from autograder.policies import WEIGHTS, PolicyJudge
from autograder.report import render_feedback, render_report
from autograder.results import PolicyGrade, write_grades
from autograder.submissions import MalformedError, Submission, read_member
from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht.judging import UnfitError
from imitation_lab.pusht.policy import save_policy, untrained
from imitation_lab.pusht.recipe import Recipe
from imitation_lab.pusht.scoring import Points, Score
from tests.grading.test_cli import ASSIGNMENTS, run

POINTS = Points(10.0, 0.2, 0.7)


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_file_nearest_to_the_top_is_read(tmp_path):
    members = {
        f"a/b/{WEIGHTS}": "deep",
        f"z/{WEIGHTS}": "shallow",
        f"__MACOSX/{WEIGHTS}": "Apple's",
    }
    assert read_member(zipped(tmp_path / "s.zip", **members), WEIGHTS, 100) == b"shallow"


def test_a_member_that_unpacks_to_more_than_is_allowed_is_not_unpacked(tmp_path):
    path = zipped(tmp_path / "s.zip", **{WEIGHTS: b"\0" * (8 << 20)})
    assert path.stat().st_size < 100_000
    with pytest.raises(MalformedError, match="larger than 4 MB"):
        read_member(path, WEIGHTS, 4 << 20)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.ipynb", b"{}", "No my_policy.safetensors was handed in"),
        ("s.zip", b"PK no zip", "cannot be read"),
        ("none.zip", None, "cannot be read"),
    ],
)
def test_where_there_are_no_weights_it_is_said_why(name, content, message, tmp_path):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MalformedError, match=message):
        read_member(tmp_path / name, WEIGHTS, 100)


def test_a_zip_without_weights_says_so(tmp_path):
    with pytest.raises(MalformedError, match=r"holds no my_policy\.safetensors"):
        read_member(zipped(tmp_path / "s.zip", **{"other.safetensors": "x"}), WEIGHTS, 100)


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """Return a function that grades a zip whose weights are what a stand-in judge makes of them."""

    def judge(content, trial, stopped):
        if content == b"bad":
            raise UnfitError("this file is bad.")
        return Score(SuccessRate(int(content), trial.num_starts), 0.9, 0.5, 0, 60.0)

    monkeypatch.setattr(policies, "judge", judge)

    def outcome(content):
        path = zipped(tmp_path / "s.zip", **{WEIGHTS: content})
        return PolicyJudge(3, POINTS, 50).grade(Submission("s", path))

    return outcome


def test_points_follow_the_lower_bound(outcome):
    lower = SuccessRate(30, 50).interval[0]
    grade = outcome("30")
    assert grade.score == pytest.approx(10 * (lower - 0.2) / 0.5, abs=0.0051)
    assert grade.max_score == 10
    assert f"30 of 50 episodes succeeded: at least {100 * lower:.1f} %" in grade.message
    assert (outcome("0").score, outcome("50").score) == (0, 10)


def test_a_bad_file_earns_nothing_and_the_student_reads_why(outcome):
    assert outcome("bad") == PolicyGrade(0, 10, f"{WEIGHTS}: this file is bad.")


def test_all_submissions_of_a_grading_have_the_same_starts(tmp_path, monkeypatch):
    trials = []

    def judge(content, trial, stopped):
        trials.append(trial)
        raise UnfitError("seen")

    monkeypatch.setattr(policies, "judge", judge)
    path = zipped(tmp_path / "s.zip", **{WEIGHTS: "x"})
    for seed in (1, 1, 2):
        PolicyJudge(seed, POINTS, 7).grade(Submission("s", path))
    assert trials[0].starts() == trials[1].starts() != trials[2].starts()
    assert trials[0].num_starts == 7


def test_stopping_the_judge_stops_what_is_under_way(tmp_path, monkeypatch):
    begun, judges = threading.Event(), PolicyJudge(1, POINTS, 7)

    def judge(content, trial, stopped):
        begun.set()
        assert stopped.wait(20)
        raise UnfitError("stopped")

    monkeypatch.setattr(policies, "judge", judge)
    submission = Submission("s", zipped(tmp_path / "s.zip", **{WEIGHTS: "x"}))
    thread = threading.Thread(target=judges.grade, args=[submission])
    thread.start()
    assert begun.wait(20)
    judges.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_outcome_points_stand_beside_the_questions_everywhere(grade, right, tmp_path):
    result = grade(right)
    questions = result.max_score
    result.policy = PolicyGrade(7.5, 10, "40 of 50 <b>episodes</b>")
    assert (result.score, result.max_score) == (questions + 7.5, questions + 10)
    data = result.as_gradescope()
    assert data["score"] == sum(test["score"] for test in data["tests"]) == questions + 7.5
    assert data["tests"][-1]["max_score"] == 10
    page = render_feedback(result)
    assert "7.5 of 10" in page and "&lt;b&gt;episodes" in page
    assert "Outcome (10)" in render_report([result])
    write_grades(tmp_path / "grades.csv", [result, grade(right, "other")])
    with (tmp_path / "grades.csv").open(newline="") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["7.5", ""]


def test_without_policies_nothing_speaks_of_them(grade, right, tmp_path):
    result = grade(right)
    write_grades(tmp_path / "grades.csv", [result])
    pages = (
        (tmp_path / "grades.csv").read_text() + render_feedback(result) + render_report([result])
    )
    assert "utcome" not in pages


@pytest.mark.usefixtures("sandbox")
def test_the_command_judges_the_policy_in_a_zip(right, tmp_path):
    policy = untrained(Recipe("regression", 1, 1, width=8, depth=1), torch.Generator())
    save_policy(tmp_path / "weights", policy)
    weights = (tmp_path / "weights").read_bytes()
    zipped(tmp_path / "alice.zip", **{"hw.ipynb": right.text(), f"data/{WEIGHTS}": weights})
    arguments = ["--out", tmp_path / "out", "--tests", ASSIGNMENTS]
    options = ["--outcome", 10, "--outcome-starts", 1]
    done = run("grade", tmp_path / "alice.zip", *arguments, *options)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "alice" / "results.json").read_text())
    assert (result["score"], result["extra_data"]["max_score"]) == (8, 18)
    assert "0 of 1 episodes succeeded: at least 0.0 %" in result["tests"][-1]["output"]


@pytest.mark.parametrize("bounds", [(0.8, 0.3), (0.3, 1.1), (-0.1, 0.5)])
def test_bounds_that_make_no_sense_are_refused_at_once(bounds, tmp_path):
    (tmp_path / "a.ipynb").write_text("{}")
    low, high = bounds
    arguments = ["--outcome", 5, f"--outcome-low={low}", f"--outcome-high={high}"]
    places = ["--out", tmp_path / "out", "--tests", ASSIGNMENTS]
    done = run("grade", tmp_path / "a.ipynb", *places, *arguments)
    assert done.returncode == 2
    assert "--outcome-low must be smaller" in done.stderr
