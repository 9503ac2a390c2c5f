"""How demonstrations of Push-T are made, and those that the course brings along."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from imitation_lab.data import Demonstrations
from imitation_lab.evaluation import SuccessRate
from imitation_lab.lerobot_format import load_lerobot, save_lerobot
from imitation_lab.minari_format import load_minari, save_minari
from imitation_lab.pusht import shipped
from imitation_lab.pusht.demonstrations import (
    FIRST_START,
    SIDES,
    Stumbles,
    collect,
    demonstrate_once,
)
from imitation_lab.pusht.environment import RATE, first_side, make_environment
from imitation_lab.pusht.policy import save_policy, untrained
from imitation_lab.pusht.recipe import Recipe
from imitation_lab.pusht.shipped import shipped_demonstrations, shipped_policy
from imitation_lab.types import Ending, Trajectory
from tools import pusht as tool

ROOT = Path(__file__).resolve().parents[2]
NUM_STARTS = 500  # of the file that ships


def same(first, second):
    return (
        torch.equal(first.observations, second.observations)
        and torch.equal(first.actions, second.actions)
        and (first.driver, first.ending) == (second.driver, second.ending)
    )


def all_same(first, second):
    return len(first) == len(second) and all(map(same, first.trajectories, second.trajectories))


@pytest.fixture(scope="module")
def data():
    return shipped_demonstrations()


# The hand that slips -----------------------------------------------------------------------------


def slips(count, seed=0, **settings):
    """Return by how much each of some actions was changed."""
    hand = Stumbles(torch.Generator().manual_seed(seed), **settings)
    return torch.cat([hand(torch.zeros(1, 2)) for _ in range(count)])


def test_slips_begin_at_their_rate():
    """Between slips, the number of free steps is geometric: its mean and variance are known."""
    rate, count = 0.2, 1000
    hand = Stumbles(torch.Generator().manual_seed(0), rate=rate, steps=1)
    free, waited = [], 0
    while len(free) < count:
        waited += 1
        if hand(torch.zeros(1, 2)).any():
            free.append(waited)
            waited = 0
    sigma = np.sqrt((1 - rate) / rate**2 / count)
    assert abs(np.mean(free) - 1 / rate) < 6 * sigma


def test_a_slip_lasts_its_steps_in_one_direction():
    changed = slips(12, rate=1.0, steps=4)
    for slip in changed.split(4):
        assert torch.equal(slip, slip[:1].expand(4, 2))
    assert len(changed[:, 0].unique()) == 3


def test_slips_are_as_large_as_they_should_be():
    size, count = 25.0, 2000
    offsets = slips(count, rate=1.0, steps=1, size=size)
    variance = offsets.double().square().mean()  # of 2 * count independent Gaussians
    assert abs(variance / size**2 - 1) < 6 * np.sqrt(2 / (2 * count))
    assert (offsets.mean(dim=0).abs() < 6 * size / np.sqrt(count)).all()


def test_a_hand_that_never_slips_does_what_it_is_told(generator):
    actions = torch.rand(7, 2, generator=generator)
    assert torch.equal(Stumbles(torch.Generator(), rate=0.0)(actions), actions)


# Collecting --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """Return three starts, collected by two processes, and the folder of their episodes."""
    folder = tmp_path_factory.mktemp("episodes")
    return collect(3, workers=2, progress=False, folder=folder), folder


def test_two_processes_collect_what_one_does(collected):
    assert all_same(collect(3, workers=1, progress=False), collected[0])


def test_what_is_collected_is_how_the_shipped_file_begins(collected, data):
    demonstrations, _ = collected
    assert demonstrations.task == data.task == "push-t"
    begun = data.trajectories[: len(demonstrations)]
    for made, expected in zip(demonstrations.trajectories, begun, strict=True):
        assert_made_again(made, expected)


def test_an_episode_from_the_middle_of_the_shipped_file_is_made_again(data):
    index = min(range(len(data)), key=lambda i: len(data.trajectories[i]))
    start = tool.starts_of(data, NUM_STARTS)[index]
    expected = data.trajectories[index]
    assert_made_again(demonstrate_once(expected.driver, start), expected)


def assert_made_again(made, expected):
    """Bit by bit where the file was made. Another processor may round otherwise."""
    assert (len(made), made.driver, made.ending) == (
        len(expected),
        expected.driver,
        expected.ending,
    )
    torch.testing.assert_close(made.observations, expected.observations, rtol=0, atol=1e-2)
    torch.testing.assert_close(made.actions, expected.actions, rtol=0, atol=1e-2)


def test_collecting_goes_on_with_the_episodes_that_are_there_and_keeps_successes_only(
    collected, tmp_path
):
    """Of two starts, one episode is missing, one is marked, and one did not succeed."""
    demonstrations, folder = collected
    begun = shutil.copytree(folder, tmp_path / "begun")
    missing = begun / f"right_{FIRST_START}.npz"
    missing.unlink()
    first = demonstrations.trajectories[0]
    for name, ending in (("left_100000", Ending.SUCCESS), ("left_100001", Ending.CUT_OFF)):
        marked = Trajectory(first.observations, first.actions, f"marked {name}", ending)
        Demonstrations((marked,)).save(begun / f"{name}.npz")
    again = collect(2, progress=False, folder=begun).trajectories
    assert [t.driver for t in again] == ["marked left_100000", "right", "right"]
    assert same(again[1], demonstrations.trajectories[1])
    assert missing.is_file()


def test_the_tool_keeps_episodes_in_a_hidden_folder_until_the_file_is_there(tmp_path, monkeypatch):
    seen = []

    def fake(num_starts, workers, folder):
        seen.append((num_starts, workers, folder))
        assert folder.is_dir() and folder.parent == tmp_path and folder.name.startswith(".")
        if len(seen) == 1:
            raise KeyboardInterrupt
        return shipped_demonstrations()

    monkeypatch.setattr(tool, "collect", fake)
    with pytest.raises(KeyboardInterrupt):
        tool.make(tmp_path, 3, 2)
    assert not (tmp_path / tool.DATA).exists()
    tool.make(tmp_path, 3, 2)
    assert seen[0] == seen[1] == (3, 2, seen[0][2])
    assert [path.name for path in tmp_path.iterdir()] == [tool.DATA]


def test_the_tool_makes_the_data_and_the_card_and_the_card_alone(collected, tmp_path, monkeypatch):
    demonstrations, _ = collected
    asked = []
    monkeypatch.setattr(tool, "FOLDER", tmp_path / "pusht")
    monkeypatch.setattr(tool, "collect", lambda *given, **_: asked.append(given) or demonstrations)
    monkeypatch.setattr(sys, "argv", ["pusht", "--starts", "3", "--workers", "1"])
    tool.main()
    card = tmp_path / "pusht" / tool.CARD
    text = card.read_text(encoding="utf-8")
    assert f"| {len(demonstrations)} of 6 that were tried |" in text
    card.unlink()
    monkeypatch.setattr(sys, "argv", ["pusht", "--starts", "3", "--card-only"])
    tool.main()
    assert card.read_text(encoding="utf-8") == text
    assert asked == [(3, 1)]
    assert all_same(Demonstrations.load(tmp_path / "pusht" / tool.DATA), demonstrations)


def test_a_file_of_more_starts_than_were_named_has_no_card(data):
    with pytest.raises(ValueError, match=r"none of the 3 starts from 100000 on: say with --starts"):
        tool.starts_of(data, 3)


@pytest.mark.long
def test_an_interrupted_tool_loses_no_episode(tmp_path):
    """Ctrl-C in a real process, after its first episode."""
    code = (
        "from pathlib import Path; from tools.pusht import make\n"
        f"if __name__ == '__main__': make(Path({str(tmp_path)!r}), 30, 1)"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    process = start_in_foreground([sys.executable, str(script)])
    try:
        wait_for(lambda: list(tmp_path.glob(".episodes-*/*.npz")), process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    kept = list(tmp_path.glob(".episodes-*/*.npz"))
    assert kept and all(len(Demonstrations.load(path)) == 1 for path in kept)
    assert not (tmp_path / tool.DATA).exists()
    assert process.returncode != 0


def start_in_foreground(command):
    """Start a program that heeds Ctrl-C: shells have those in the background ignore it."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(condition, process):
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


# What ships --------------------------------------------------------------------------------------


def test_the_file_is_small_and_holds_a_few_hundred_successes_of_both_styles(data):
    path = ROOT / "assets" / "pusht" / tool.DATA
    assert path.stat().st_size < 5_000_000
    assert {t.ending for t in data.trajectories} == {Ending.SUCCESS}
    assert min(len(data.by_driver(side)) for side in SIDES) > 300
    assert {t.driver for t in data.trajectories} == set(SIDES)


def test_every_episode_begins_at_a_start_of_its_own_in_each_style(data):
    starts = tool.starts_of(data, NUM_STARTS)
    episodes = [(t.driver, start) for t, start in zip(data.trajectories, starts, strict=True)]
    assert len(set(episodes)) == len(episodes)
    assert set(starts) <= set(range(FIRST_START, FIRST_START + NUM_STARTS))


def test_every_episode_ends_with_the_goal_covered(data):
    """Up to the rounding of the file's single precision."""
    assert min(map(tool.final_coverage, data.trajectories)) > 0.95 - 1e-4


def test_the_styles_differ_in_their_first_push(data):
    """If both pushed first from the left equally often, their shares differed by 6 sigma once in 5e8."""
    left, right = (data.by_driver(side).trajectories for side in SIDES)
    shares = [np.mean([first_side(t) == "left" for t in style]) for style in (left, right)]
    sigma = np.sqrt(0.25 / len(left) + 0.25 / len(right))
    assert shares[0] - shares[1] > 6 * sigma


def test_the_card_is_what_the_file_says():
    """All but the line of versions, which tells what was installed when the file was made."""
    folder = ROOT / "assets" / "pusht"
    shipped_card = (folder / tool.CARD).read_text(encoding="utf-8")
    computed = tool.card(folder / tool.DATA, NUM_STARTS)
    assert without_versions(shipped_card) == without_versions(computed)


def without_versions(text):
    kept = [line for line in text.splitlines() if not line.startswith(tool.MADE_WITH)]
    assert len(kept) == len(text.splitlines()) - 1
    return kept


def test_the_cards_numbers_are_the_datas(data):
    """Counted here once more, in another way."""
    card = (ROOT / "assets" / "pusht" / tool.CARD).read_text(encoding="utf-8")
    assert f"| episodes | {len(data)} of {2 * NUM_STARTS} that were tried |" in card
    minutes, seconds = map(int, re.search(r"(\d+) minutes and (\d+) seconds", card).groups())
    steps = sum(len(t.actions) for t in data.trajectories)
    assert 60 * minutes + seconds == round(steps / RATE)
    for side in SIDES:
        lengths = sorted(len(t) for t in data.trajectories if t.driver == side)
        (row,) = re.findall(rf"^\| {side} \|.*", card, flags=re.MULTILINE)
        assert f"| {SuccessRate(len(lengths), NUM_STARTS)} | {sum(lengths):,} |" in row
        assert f"| {lengths[0]}, {np.median(lengths):g}, {lengths[-1]} |" in row
    for name, unit, column in (("agent x", "pixels", 0), ("T y", "pixels", 3)):
        values = np.concatenate([t.observations[:, column].numpy() for t in data.trajectories])
        row = f"| observation | {name} | {unit} | {values.min():.2f} | {values.max():.2f} |"
        assert row in card
    missing = re.search(r"^Not solved .*", card, flags=re.MULTILINE).group()
    assert len(re.findall(r"\b1\d{5}\b", missing)) == 2 * NUM_STARTS - len(data)


def test_the_final_coverage_is_the_environments():
    world = make_environment()
    covered = []
    for seed in range(12):
        world.reset(seed=seed)
        world.unwrapped.block.position = (240 + seed, 250)
        world.unwrapped.block.angle = 0.6 + 0.03 * seed
        tee = (*world.unwrapped.block.position, world.unwrapped.block.angle)
        episode = torch.tensor([[0.0, 0.0, *tee]])
        trajectory = Trajectory(episode.repeat(2, 1), torch.zeros(1, 2))
        covered.append(world.unwrapped._get_coverage())
        assert tool.final_coverage(trajectory) == pytest.approx(covered[-1], abs=1e-5)
    assert max(covered) > min(covered) + 0.1


# Where it is found -------------------------------------------------------------------------------


def test_an_installed_library_finds_its_assets_inside_itself(tmp_path, monkeypatch, data):
    inside = tmp_path / "assets"
    inside.mkdir()
    shutil.copy(ROOT / "assets" / "pusht" / tool.DATA, inside)
    monkeypatch.setattr(shipped, "FOLDERS", (inside, tmp_path / "elsewhere"))
    assert all_same(shipped_demonstrations(), data)


def test_the_wheel_puts_the_assets_where_an_installed_library_looks():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert ROOT / included["assets/pusht"] == shipped.FOLDERS[0]
    assert shipped.FOLDERS[1] == ROOT / "assets" / "pusht"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("flow",), "flow_0.safetensors"),
        (("mixture", 2), "mixture_2.safetensors"),
        (("flow", 1, "two_frames"), "flow_two_frames_1.safetensors"),
    ],
)
def test_a_shipped_policy_is_found_by_its_kind_variant_and_seed(
    tmp_path, monkeypatch, arguments, name
):
    policy = untrained(Recipe(arguments[0], width=8, depth=1), torch.Generator().manual_seed(3))
    policy.expert_seconds = 7.0
    save_policy(tmp_path / name, policy)
    monkeypatch.setattr(shipped, "FOLDERS", (tmp_path,))
    found = shipped_policy(*arguments)
    assert (found.recipe, found.expert_seconds) == (policy.recipe, 7.0)
    for given, expected in zip(found.policy.parameters(), policy.policy.parameters(), strict=True):
        assert torch.equal(given, expected)


def test_what_does_not_ship_is_told_with_what_does(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDERS", (tmp_path,))
    with pytest.raises(ValueError, match=r"no 'demonstrations\.npz'.*none of its kind"):
        shipped_demonstrations()
    (tmp_path / "flow_0.safetensors").touch()
    (tmp_path / "mixture_1.safetensors").touch()
    with pytest.raises(
        ValueError, match=r"no 'flow_9\.safetensors'.*flow_0\.safetensors, mixture_1\.safetensors"
    ):
        shipped_policy("flow", 9)


# Formats of others -------------------------------------------------------------------------------


@pytest.fixture
def a_few(data):
    """Return the shortest episodes of both styles."""
    chosen = [sorted(data.by_driver(side).trajectories, key=len)[:3] for side in SIDES]
    return Demonstrations((*chosen[0], *chosen[1]), data.task)


def test_shipped_demonstrations_survive_minari(a_few, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("h5py")
    minari = pytest.importorskip("minari")
    save_minari(a_few, "push-t/planner-v0", "gym_pusht/PushT-v0")
    loaded = load_minari("push-t/planner-v0")
    assert all_same(loaded, a_few) and loaded.task == a_few.task
    assert minari.load_dataset("push-t/planner-v0").total_steps == a_few.num_actions


def test_shipped_demonstrations_survive_lerobot(a_few, tmp_path):
    pytest.importorskip("pyarrow")
    save_lerobot(a_few, tmp_path / "push_t", RATE)
    loaded = load_lerobot(tmp_path / "push_t")
    assert all_same(loaded, a_few) and loaded.task == a_few.task
