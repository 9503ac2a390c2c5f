"""The leaderboard: what is measured, what is said of it, and whom a bad file may bother."""

import csv
import itertools
import math
import multiprocessing
import os
import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import imitation_lab.__main__ as command
from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht import judging, leaderboard, scoring
from imitation_lab.pusht.demonstrations import FIRST_START
from imitation_lab.pusht.judging import (
    MOST_WORK,
    STOPPED,
    UnfitError,
    cpu_seconds,
    judge,
    judge_here,
    plain,
    work_per_action,
)
from imitation_lab.pusht.leaderboard import (
    NAME_WIDTH,
    Entry,
    judge_files,
    rank,
    read_submission,
    table,
    write_csv,
)
from imitation_lab.pusht.policy import LARGEST_FILE, save_policy, untrained
from imitation_lab.pusht.recipe import KINDS, Recipe
from imitation_lab.pusht.scoring import STARTS, Points, Score, Trial, mean_entropy, score

TRIAL = Trial(5, num_starts=2, num_mode_starts=1, num_attempts=2, max_steps=3, mode_steps=2)
ESCAPES = "\x1b[2Jevil\r\n\u202e"


def made(path, kind="flow", seed=0, seconds=60.0):
    """Write a policy that has learnt nothing."""
    recipe = Recipe(kind, 2, 1, width=8, depth=1, num_steps=2)
    policy = untrained(recipe, torch.Generator().manual_seed(seed))
    policy.expert_seconds = seconds
    save_policy(path, policy)
    return path


def scored(successes=50, entropy=0.5, seconds=100.0, trials=100, idle=0):
    return Score(SuccessRate(successes, trials), 0.9, entropy, idle, seconds)


# What is measured --------------------------------------------------------------------------------


class Still:
    """An actor that stays where it is."""

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        return observations[:, :2]


def test_who_stays_still_pushes_nothing_and_has_no_entropy():
    done = score(Still(), replace(TRIAL, num_mode_starts=3), expert_seconds=7.0)
    assert (done.success.successes, done.success.trials) == (0, 2)
    assert (done.idle_attempts, done.mode_entropy, done.expert_seconds) == (6, 0.0, 7.0)


def test_without_starts_for_the_modes_nothing_is_said_of_them():
    done = score(Still(), replace(TRIAL, num_mode_starts=0))
    assert (done.success.trials, done.idle_attempts, done.mode_entropy) == (2, 0, 0.0)


class Recorded:
    """Stands for ``drive``: what it was asked for, and first pushes from the left at even starts."""

    def __init__(self):
        self.asked = []

    def __call__(self, actor, seeds, generator, max_steps):
        seeds = list(seeds)
        self.asked.append((seeds, max_steps, generator.initial_seed()))
        turns = itertools.cycle(["left", "right", "right", ""])
        sides = ["left" if seed == seeds[0] else next(turns) for seed in seeds]
        coverage = torch.linspace(0.5, 1.0, len(seeds))
        return SimpleNamespace(success=SuccessRate(3, 4), coverage=coverage, sides=sides)


def test_attempts_are_grouped_by_their_start(monkeypatch):
    drive = Recorded()
    monkeypatch.setattr(scoring, "drive", drive)
    trial = Trial(9, num_starts=4, num_mode_starts=2, num_attempts=4, max_steps=30, mode_steps=20)
    done = score(Still(), trial, 3.0)
    starts, mode_starts = trial.starts()
    first, second = mode_starts
    assert drive.asked == [(starts, 30, 9), ([first] * 4 + [second] * 4, 20, 9)]
    # From the first start always from the left; from the second once left, twice right, once not.
    divided = -(1 / 3 * math.log2(1 / 3) + 2 / 3 * math.log2(2 / 3))
    assert done.mode_entropy == pytest.approx(divided / 2)
    assert (done.idle_attempts, done.coverage) == (1, pytest.approx(0.75))
    assert done.success == SuccessRate(3, 4)


@pytest.mark.parametrize(
    ("sides", "bits"),
    [
        ([["left"] * 5, ["right"] * 5], 0.0),  # always the same from the same start
        ([["left", "right"] * 3], 1.0),
        ([["left", "left", "left", "right"]], 2 - 0.75 * math.log2(3)),
        ([["", "", "right", "left"]], 1.0),  # who never pushed says nothing
        ([["", ""], ["left", "right"]], 0.5),  # a start from which nobody pushed counts 0
        ([[""]], 0.0),
    ],
)
def test_entropy_is_that_of_the_side_from_each_start(sides, bits):
    assert mean_entropy(sides) == pytest.approx(bits, abs=1e-12)


def test_starts_come_from_the_seed_and_are_nobody_elses():
    many = Trial(1, num_starts=500, num_mode_starts=100)
    starts, mode_starts = many.starts()
    assert (len(starts), len(mode_starts)) == (500, 100)
    assert (starts, mode_starts) == many.starts() != Trial(2, 500, 100).starts()
    assert min(starts + mode_starts) >= STARTS[0] > FIRST_START + 100_000
    assert max(starts + mode_starts) < 2**32  # what the environment can be seeded with
    assert len({*starts, *mode_starts}) == 600


def test_the_lower_bound_is_wilsons():
    z, p, n = 1.959963984540054, 0.85, 100
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert scored(85).lower_bound == pytest.approx((centre - half) / (1 + z * z / n), rel=1e-9)


def test_points_rise_in_proportion_between_two_bounds():
    points = Points(20.0, 0.3, 0.8)
    for successes in range(0, 101, 5):
        low = scored(successes).lower_bound
        expected = 0 if low <= 0.3 else 20 if low >= 0.8 else 20 * (low - 0.3) / 0.5
        assert points.of(scored(successes)) == pytest.approx(expected, abs=0.0051)
    assert points.of(scored(0)) == points.of(None) == 0
    assert points.of(scored(100)) == 20
    assert 0 < points.of(scored(60)) < points.of(scored(70)) < 20


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.8, 0.3), (math.nan, 0.8)])
def test_points_that_do_not_rise_are_refused(low, high):
    with pytest.raises(ValueError, match="the first must be smaller"):
        Points(20.0, low, high)


# Files -------------------------------------------------------------------------------------------


def test_a_file_is_judged_elsewhere_as_it_is_here(tmp_path):
    path = made(tmp_path / "p.safetensors")
    ticks = []
    assert judge(path.read_bytes(), TRIAL, lambda: ticks.append(1)) == judge_here(path, TRIAL)
    assert len(ticks) == 5  # three actions for success, two for the modes


def test_a_bad_file_is_refused_in_words_that_do_not_name_it():
    with pytest.raises(UnfitError, match=r"^it is not a Push-T policy"):
        judge(b"\x80\x04 a pickle", TRIAL)


def test_the_same_seed_gives_the_same_score_and_another_one_other_starts(tmp_path):
    path = made(tmp_path / "p.safetensors")
    trial = replace(TRIAL, num_starts=3)
    first, again, other = (judge_here(path, replace(trial, seed=seed)) for seed in (4, 4, 5))
    assert first == again
    assert first.coverage != other.coverage


def test_a_child_that_dies_is_said_to_have_died(monkeypatch, capfd):
    monkeypatch.setattr(judging, "_serve", os.abort)  # fails at once: it takes no arguments
    with pytest.raises(UnfitError, match=r"the process that judged it died \(1\)"):
        judge(b"", TRIAL)
    capfd.readouterr()


def test_a_file_that_takes_too_long_is_stopped(monkeypatch, tmp_path):
    content = made(tmp_path / "p.safetensors").read_bytes()
    monkeypatch.setattr(judging, "cpu_seconds", lambda trial: 0)
    with pytest.raises(UnfitError, match="it took more than 0 seconds"):
        judge(content, TRIAL)


def test_a_stricter_limit_on_time_leaves_the_one_on_memory(monkeypatch):
    resource = pytest.importorskip("resource")
    kept = {}

    def set_limit(kind, limits):
        if kind == resource.RLIMIT_CPU:
            raise ValueError("not allowed to raise maximum limit")
        kept[kind] = limits

    monkeypatch.setattr(resource, "setrlimit", set_limit)
    judging._limit(100)
    assert kept == {resource.RLIMIT_AS: (judging.MEMORY, judging.MEMORY)}


def test_a_pipe_that_breaks_while_nothing_comes_ends_the_messages(monkeypatch):
    def broken(timeout):
        raise BrokenPipeError  # as Windows has it

    ours, theirs = multiprocessing.Pipe(duplex=False)
    monkeypatch.setattr(ours, "poll", broken)
    with ours, theirs:
        assert list(judging._messages(ours, math.inf, threading.Event())) == []


def test_the_time_for_a_file_is_below_five_minutes():
    assert 60 < cpu_seconds(Trial(0)) < 300


def test_a_trial_that_somebody_stops_ends(tmp_path):
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(UnfitError, match="stopped before the end"):
        judge(made(tmp_path / "p.safetensors").read_bytes(), TRIAL, stopped=stopped)


def test_work_is_counted_in_multiplications_for_an_action():
    recipe = Recipe("flow", 8, 4, width=64, depth=2, num_steps=12)
    flow, regression = (
        untrained(recipe),
        untrained(replace(recipe, kind="regression")),
    )
    numbers = [sum(p.numel() for p in policy.policy.parameters()) for policy in (flow, regression)]
    assert work_per_action(flow) == numbers[0] * 12 / 4
    assert work_per_action(regression) == numbers[1] / 4


def test_a_policy_that_computes_too_much_is_refused_before_it_computes(tmp_path):
    heavy = untrained(Recipe("diffusion", 4, 1, width=512, depth=3, num_steps=100))
    assert work_per_action(heavy) > MOST_WORK
    save_policy(tmp_path / "p.safetensors", heavy)
    with pytest.raises(ValueError, match="50 million are allowed"):
        judge_here(tmp_path / "p.safetensors", TRIAL)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["policy", "features", "actions"])
def test_numbers_that_overflow_are_failures_and_no_crash(kind, part, tmp_path):
    policy = untrained(Recipe(kind, 2, 1, width=8, depth=1, num_steps=2))
    if part == "policy":
        with torch.no_grad():
            for parameter in policy.policy.parameters():
                parameter.fill_(3e38)
    else:
        getattr(policy, part).low.fill_(-3e38)
        getattr(policy, part).high.fill_(3e38)
    save_policy(tmp_path / "p.safetensors", policy)
    try:
        done = judge_here(tmp_path / "p.safetensors", TRIAL)
    except FloatingPointError:  # a mixture without a largest weight draws nothing
        assert kind == "mixture"
    else:
        assert done.success.successes == 0
        assert math.isfinite(done.coverage) and math.isfinite(done.mode_entropy)


def links(tmp_path):
    (tmp_path / "link").symlink_to(made(tmp_path / "p.safetensors"))
    return tmp_path / "link"


def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def large(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    return tmp_path / "large"


@pytest.mark.skipif(os.name == "nt", reason="these kinds of files are Unix's")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (links, "it is a link"),
        (pipe, "it is no file"),
        (large, "larger than 64 MB"),
        (lambda folder: folder, "it is no file"),
        (lambda folder: folder / "none", "there is no such file"),
        (lambda folder: folder / ("x" * 5000), "it cannot be read|there is no such file"),
        (lambda folder: Path("/dev/zero"), "it is no file"),
    ],
)
def test_what_is_no_ordinary_file_is_not_read(make, message, tmp_path):
    with pytest.raises(UnfitError, match=message):
        read_submission(make(tmp_path))


def test_messages_are_one_short_line_without_escapes():
    message = str(UnfitError(ESCAPES + "x" * 10_000))
    assert message.isprintable() and len(message) <= 300
    assert plain("José's ünïcode\t") == "José's ünïcode?"


# The table ---------------------------------------------------------------------------------------


@pytest.fixture
def by_content(monkeypatch):
    """Judge by a file's content: the number of successes, or a problem."""

    def judge(content, trial, tick, stopped):
        for _ in range(10):
            tick()
        if not content.isdigit():
            raise UnfitError(f"it says {content.decode()}")
        return scored(int(content), entropy=0.25, seconds=9.0)

    monkeypatch.setattr(leaderboard, "judge", judge)


@pytest.fixture
def files(tmp_path):
    """A class's files: good, better, a copy, one bad, one with a wild name, and one of nobody."""
    given = {"a": "40", "=b": "80", "copy": "40", f"bad{ESCAPES}": "oh\x1b[31m\n", "c": "60"}
    for name, content in given.items():
        (tmp_path / name).write_text(content)
    return [*(tmp_path / name for name in given), tmp_path / "nobody"]


def judged(files, **options):
    return judge_files(files, Trial(3), progress=False, **options)


def names(standings):
    return [Path(standing.entry.name).name for standing in standings]


def test_bad_files_do_not_stop_the_others(by_content, files):
    entries = judged(files)
    assert [bool(entry.score) for entry in entries] == [True, True, True, False, True, False]
    assert [entry.problem for entry in entries if not entry.score] == [
        "it says oh?[31m?",
        "there is no such file.",
    ]
    assert names(rank(entries)) == ["=b", "c", "a", "copy"]


def test_more_jobs_change_nothing(by_content, files):
    assert judged(files) == judged(files, jobs=4)


def test_the_same_file_twice_is_said_to_be_the_same(by_content, files):
    entries = judged(files)
    assert [bool(entry.same_as) for entry in entries] == [False, False, True, False, False, False]
    assert entries[2].same_as == entries[0].short_name
    assert f"is the same file as {entries[0].short_name}" in table(entries, Trial(3))
    assert [standing.place for standing in rank(entries)] == [1, 2, 3, 3]


def test_nothing_in_a_table_moves_the_cursor(by_content, files):
    shown = table(judged(files), Trial(3))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "evil" in shown


def test_a_long_name_is_shown_by_its_end():
    entry = Entry("x" * 500 + "/alice/my_policy.safetensors")
    assert len(entry.short_name) == NAME_WIDTH
    assert entry.short_name.endswith("/alice/my_policy.safetensors")


def test_every_line_of_the_table_is_as_wide_as_its_head():
    entries = [
        Entry("alice/my_policy.safetensors", "1", scored(7, 0.0, 0.0)),
        Entry("b", "2", scored(1000, 1.0, 9_999_999.0, trials=1000)),
    ]
    for points in (None, Points(100.0)):
        head, *lines = table(entries, Trial(3), points).split("\n")[:3]
        assert {len(line) for line in lines} == {len(head)}


def test_no_other_may_be_as_good_in_all_and_better_in_one():
    entries = {
        "best": scored(90, 0.5, 100.0),
        "varied": scored(50, 0.9, 100.0),
        "cheap": scored(50, 0.5, 10.0),
        "worse than best": scored(90, 0.5, 101.0),
        "worse than varied": scored(49, 0.9, 100.0),
        "as cheap": scored(50, 0.5, 10.0),
    }
    standings = rank([Entry(name, name, value) for name, value in entries.items()])
    unbeaten = {standing.entry.name for standing in standings if standing.unbeaten}
    assert unbeaten == {"best", "varied", "cheap", "as cheap"}
    assert [standing.place for standing in standings] == [1, 2, 3, 4, 4, 6]


def test_idle_attempts_are_told():
    assert "a: 7 of 200 attempts pushed nothing" in table(
        [Entry("a", "1", scored(idle=7))], Trial(3)
    )


def test_a_spreadsheet_finds_every_file_and_no_formula(by_content, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = judged([Path(file.name) for file in files])
    write_csv(tmp_path / "o.csv", entries, Trial(3), Points(10.0))
    with (tmp_path / "o.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows][:2] == ["'=b", "c"]
    assert len(rows) == 6 and {row["seed"] for row in rows} == {"3"}
    assert float(rows[0]["points"]) == Points(10.0).of(scored(80))
    assert [row["problem"] for row in rows[4:]] == ["it says oh?[31m?", "there is no such file."]
    assert all(value.isprintable() for row in rows for value in row.values())


def test_after_an_interruption_the_files_judged_so_far_are_kept(monkeypatch, files):
    done = threading.Event()

    def judge(content, trial, tick, stopped):
        if done.is_set():
            assert stopped.wait(20)
            raise UnfitError(STOPPED)
        done.set()
        return scored(50)

    def interrupted(futures):
        assert done.wait(20)
        futures[0].result()
        raise KeyboardInterrupt

    monkeypatch.setattr(leaderboard, "judge", judge)
    monkeypatch.setattr(leaderboard, "wait", interrupted)
    entries = judged(files)
    assert entries[0].score
    assert {entry.problem for entry in entries[1:]} == {STOPPED}


# The command -------------------------------------------------------------------------------------


@pytest.fixture
def run(by_content, capsys):
    """Return a function that runs the command, and gives its exit code and what it printed."""

    def run(*arguments):
        code = command.main(["leaderboard", *map(str, arguments)])
        return code, capsys.readouterr()

    return run


def seed_of(printed):
    return int(re.search(r"To repeat it: --seed (\d+) --starts \d+", printed.out)[1])


def test_every_leaderboard_has_a_seed_of_its_own_and_says_it(run, files):
    seeds = {seed_of(run(files[0])[1]) for _ in range(3)}
    assert len(seeds) == 3  # two of three random 32-bit numbers agree once in a billion


def test_a_leaderboard_can_be_repeated(run, files):
    code, first = run(*files)
    assert code == 0
    assert run(*files, "--seed", seed_of(first))[1].out == first.out


def test_points_are_given_if_they_are_asked_for(run, files, tmp_path):
    _, printed = run(files[0], files[1], "--points", 10, "--csv", tmp_path / "o.csv")
    earned = [float(line.split()[-1]) for line in printed.out.splitlines()[1:3]]
    assert earned == [Points(10.0).of(scored(80)), Points(10.0).of(scored(40))]
    assert "0 up to a lower bound of 30 %, 10 from 80 % on" in printed.out
    assert (tmp_path / "o.csv").exists()
    assert "Points" not in run(files[0])[1].out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "/no/such/folder/o.csv"], "there is no folder"),
        (["--points", "10", "--low", "0.8", "--high", "0.3"], "the first must be smaller"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_judged(arguments, message, run, files):
    code, printed = run(files[0], *arguments)
    assert code == 2
    assert message in printed.err and not printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--starts", "0"], "must be at least 1, got 0"),
        (["--seed", "-1"], "must be from 0 to 2^63 - 1, got -1"),
        (["--points", "nan"], "must be greater than 0, got nan"),
        (["--points", "0"], "must be greater than 0, got 0"),
        (["--points", "ten"], "must be a number, got ten"),
        (["--low", "30"], "must be from 0 to 1, got 30"),
        (["--jobs", "1.5"], "must be a whole number, got 1.5"),
    ],
)
def test_arguments_without_a_meaning_are_refused(arguments, message, run, files, capsys):
    with pytest.raises(SystemExit) as ending:
        run(files[0], *arguments)
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_package_is_named(run, files, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gym_pusht", None)
    code, printed = run(files[0])
    assert code == 2
    assert 'pip install "imitation-lab[capstone]"' in printed.err
