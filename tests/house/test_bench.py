"""The benchmark: its arithmetic, its record, its papers. What it measures, it measures elsewhere."""

import re
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement

from benchmarks import dagger, pusht
from benchmarks.speed import __main__ as command
from benchmarks.speed import gpu, machine, record, report, scale, training, work
from benchmarks.speed.frame import Row, Settings, in_turns, timed
from benchmarks.speed.numpy_fork import NumpyFork
from benchmarks.speed.peers import ALONE, REQUIREMENTS, serving
from imitation_lab.envs import Fork
from imitation_lab.training import FAST

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECORDED = sorted(record.RESULTS.glob("*.json"))


def row(**changes):
    usual = {"group": "toys", "work": "counting", "peer": "an abacus"}
    return Row(**{**usual, "ours": (1.0, 2.0, 4.0), "theirs": (3.0, 8.0, 4.0), **changes})


def requirements():
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in (*lines, ALONE) if not line.startswith("#")]


# Rows --------------------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_pairs_and_not_the_ratio_of_medians():
    assert row().ratios == [3.0, 4.0, 1.0]
    assert row().ratio == 3.0  # the medians' would be 4 / 2


@pytest.mark.parametrize(("target", "met"), [(None, None), (3.0, True), (3.1, False)])
def test_a_target_is_met_from_the_ratio_on(target, met):
    assert row(target=target).met is met


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ours": (1.0,)}, "expected pairs"),
        ({"ours": (), "theirs": ()}, "expected pairs"),
        ({"ours": (1.0, 0.0, 1.0)}, "not positive"),
    ],
)
def test_a_row_without_pairs_or_with_impossible_times_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        row(**changes)


def test_sides_take_turns_and_warm_up_once():
    calls = []

    def side(name, seconds):
        return lambda: calls.append(name) or seconds + len(calls)

    ours, theirs = in_turns(side("ours", 0), side("theirs", 10), pairs=2)
    assert calls == ["ours", "theirs"] * 3
    assert (ours, theirs) == ((3, 5), (14, 16))


def test_a_timed_side_measures_its_work():
    assert timed(lambda: time.sleep(0.01))() >= 0.01


def test_a_quick_look_takes_few_pairs_and_never_more_than_the_full_one():
    assert [Settings(quick=True).pairs(full) for full in (1, 9)] == [1, 3]
    assert Settings().pairs(9) == 9


# Record ------------------------------------------------------------------------------------------


def works(path):
    return [(own.group, own.work, own.ratio) for own in record.rows(record.read(path))]


def test_a_row_comes_back_as_it_was_recorded(tmp_path):
    own = row(target=2.0, amount=5, unit="beads", note="mind the frame", extra=(("memory", 1.5),))
    record.write(tmp_path / "m.json", {}, "toys", [own], complete=True)
    assert record.rows(record.read(tmp_path / "m.json")) == [own]


def test_a_group_is_replaced_and_the_others_stay(tmp_path):
    path = tmp_path / "m.json"
    record.write(path, {}, "games", [row(group="games")], complete=True)
    record.write(path, {}, "toys", [row(), row(work="adding")], complete=True)
    record.write(path, {}, "toys", [row(ours=(1.0, 1.0, 1.0))], complete=True)
    assert works(path) == [("games", "counting", 3.0), ("toys", "counting", 4.0)]


def test_what_was_measured_before_an_interrupt_is_recorded_and_older_rows_stay(
    tmp_path, monkeypatch
):
    class Toys:
        @staticmethod
        def measure(settings):
            yield row(ours=(1.0, 1.0, 1.0))
            raise KeyboardInterrupt

    path = tmp_path / "m.json"
    record.write(path, {}, "toys", [row(), row(work="adding")], complete=True)
    monkeypatch.setattr(command.importlib, "import_module", lambda name: Toys)
    with pytest.raises(KeyboardInterrupt):
        command.measure_group("toys", Settings(), path)
    assert sorted(works(path)) == [("toys", "adding", 3.0), ("toys", "counting", 4.0)]


def test_a_quick_look_records_nothing(tmp_path, monkeypatch):
    class Toys:
        @staticmethod
        def measure(settings):
            yield row()

    monkeypatch.setattr(command.importlib, "import_module", lambda name: Toys)
    command.measure_group("toys", Settings(quick=True), tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


def test_an_unknown_group_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        command.parse(["--only", "training,cooking"])
    assert "there is no cooking. There are: training" in capsys.readouterr().err


def test_the_machine_is_told_in_words_that_name_no_host_and_no_folder():
    assert re.fullmatch(r"[a-z0-9.-]+", machine.name())
    assert set(machine.describe()) == {
        *("processor", "cores", "memory_gigabytes", "system", "python", "torch", "gpu")
    }


# Papers ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not RECORDED, reason="nothing is recorded yet")
def test_the_readme_shows_what_is_recorded():
    readme = report.README.read_text(encoding="utf-8")
    for path in RECORDED:
        assert report.section(path.stem, record.read(path)) in readme
        assert (report.README.parent / report.picture(path.stem)).is_file()


def test_a_table_tells_ratio_target_and_that_no_gpu_was_measured():
    rows = [row(target=3.5, amount=100, unit="beads")]
    text = report.table("toys", ["2026-01-01"], rows, {})
    cells = "counting | an abacus | 50 beads/s | 25 beads/s | **3.00** (1.00–4.00) | 3.5: not met"
    assert f"| {cells} | not measured |" in text
    assert "`python3 course.py bench --only toys`" in text


def test_the_figure_has_a_line_for_every_row():
    axes = report.figure([row(), row(work="adding", target=2.0)]).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["adding | an abacus", "counting | an abacus"]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_peer_has_an_upper_bound(requirement):
    assert {specifier.operator for specifier in requirement.specifier} & {"<", "<="}


def test_the_peers_have_the_librarys_torch():
    ours = {Requirement(text).name: Requirement(text) for text in PROJECT["dependencies"]}
    theirs = {requirement.name: requirement for requirement in requirements()}
    assert theirs["torch"].specifier == ours["torch"].specifier


def test_a_courses_cost_is_its_submissions_times_what_one_takes():
    course = scale.Course("a class", students=40, tries=5)
    assert course.submissions == 40 * 9 * 5
    assert course.core_hours(3.6) == pytest.approx(1.8)
    # A tenth of 200 submissions of one notebook in an hour, each three minutes long: one core's hour.
    assert (course.cores(180), course.cores(181)) == (1, 2)
    assert course.gigabytes == pytest.approx(5.4)


def test_what_a_course_costs_follows_from_what_is_recorded():
    seconds = scale.seconds_a_submission()
    paper = scale.PAPER.read_text(encoding="utf-8")
    assert ("Not measured yet." in paper) == (seconds is None)
    if seconds is not None:
        assert scale.table(seconds) in paper


def test_what_is_said_of_a_courses_cost_is_what_is_counted():
    paper = " ".join(scale.PAPER.read_text(encoding="utf-8").split())
    assert f"{scale.CORE_HOUR} US$ an hour" in paper
    assert f"{scale.GIGABYTE_MONTH} US$ for a gigabyte" in paper
    assert len(list((ROOT / "solutions").glob("*.ipynb"))) == scale.NOTEBOOKS
    assert (scale.MEGABYTES, scale.LAST_HOUR) == (3, 0.1)
    assert "Three megabytes a submission" in paper and "A tenth of a notebook's" in paper


def test_a_peer_that_ends_is_quoted():
    dying = "import sys; input(); sys.exit('no such module')"
    with (
        serving([sys.executable, "-c", dying]) as peer,
        pytest.raises(RuntimeError, match="asked for clone:\nno such module"),
    ):
        peer.ask("clone", steps=1)


# Records that the library ships ------------------------------------------------------------------


@pytest.mark.parametrize(("module", "begins_with"), [(dagger, "Experiment"), (pusht, "jobs")])
def test_short_trainings_do_not_become_the_record(module, begins_with, monkeypatch, capsys):
    monkeypatch.setenv(FAST, "1")
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    monkeypatch.setattr(module, begins_with, lambda *_: pytest.fail("it started"))
    with pytest.raises(SystemExit):
        module.main()
    assert f"{FAST} is set: unset it" in capsys.readouterr().err


# What the peers are given ------------------------------------------------------------------------


def test_the_fork_in_numpy_moves_and_ends_as_the_librarys_does():
    task, generator = Fork(), torch.Generator().manual_seed(0)
    endings = set()
    for start in task.initial_states(30, generator):
        fork, state = NumpyFork(), start.unsqueeze(0)
        fork.reset(options={"state": start.numpy()})
        turn, pace = torch.rand(2, generator=generator).tolist()
        ended = truncated = False
        while not (ended or truncated):
            # Past the obstacle and then for the goal: some turn too early, and some are too slow.
            past = state[0, 0] > 0.8 + 0.4 * turn
            aim = state[:, 6:] if past else torch.tensor([[1.3, 0.7]])
            action = (aim - state[:, :2]) * 4 * pace
            seen, reward, ended, truncated, _ = fork.step(action[0].numpy())
            state = task.advance(state, action, generator)
            np.testing.assert_allclose(seen, state[0], atol=1e-5)
            failed, succeeded = bool(task.failed(state)), bool(task.succeeded(state))
            assert (ended, reward) == (failed or succeeded, float(succeeded and not failed))
        endings.add((failed, succeeded, truncated))
    assert len(endings) == 3


def test_what_peers_drive_with_is_the_player(monkeypatch):
    monkeypatch.setenv(FAST, "1")
    work.player.cache_clear()
    observations = work.demonstrations().observations[:50]
    network, policy = work.plain_network(), work.plain_policy()
    with torch.no_grad():
        plain, normalised = network(observations), policy(observations)
        own = work.player().sample(observations, work.seeded(0))[:, 0]
    work.player.cache_clear()
    torch.testing.assert_close(plain, own, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(normalised, own, rtol=1e-4, atol=1e-5)


def test_the_path_of_a_gpu_names_its_works_as_the_cpus_table_does(monkeypatch):
    monkeypatch.setattr(training, "STEPS", 2)
    rows = list(gpu.on("cpu", pairs=1))
    assert {own.peer for own in rows} == {"the CPU", "the card's products"}
    monkeypatch.setattr(training, "beside_imitation", lambda pairs: row(work="cloning, a Gaussian"))
    monkeypatch.setattr(training, "beside_torchcfm", lambda pairs: row(work="flow matching"))
    works = {own.work for own in training.measure(Settings(quick=True))}
    assert works <= {own.work for own in rows}
