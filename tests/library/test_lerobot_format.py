"""Demonstrations as LeRobot data sets, read by pyarrow and pandas alone as well."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.data import Demonstrations
from imitation_lab.envs.fork import Fork
from imitation_lab.experts import ForkDriver
from imitation_lab.lerobot_format import load_lerobot, save_lerobot
from imitation_lab.types import Ending, Trajectory

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FIRST_FILE = "chunk-000/file-000.parquet"
PROBABILITIES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


@pytest.fixture
def demonstrations(generator):
    task = Fork()
    drivers = {side: ForkDriver(task, (side,)) for side in ("left", "right")}
    driven = demonstrate(task, drivers, 2, generator)
    first = driven.trajectories[0]
    endings = [
        Trajectory(first.observations[: n + 1], first.actions[:n], "anna", ending)
        for n, ending in zip((1, 4, 5), Ending, strict=True)
    ]
    return driven + Demonstrations(tuple(endings))


@pytest.fixture
def folder(tmp_path, demonstrations):
    save_lerobot(demonstrations, tmp_path / "fork", 10)
    return tmp_path / "fork"


def rows_of(folder):
    return parquet.read_table(folder / "data" / FIRST_FILE)


def episodes_of(folder):
    return parquet.read_table(folder / "meta" / "episodes" / FIRST_FILE).to_pylist()


def json_of(folder, name):
    return json.loads((folder / "meta" / name).read_text(encoding="utf-8"))


def write_foreign(folder, rows, tasks=("push the block",), features=None, version="v3.0"):
    """Write a data set as others do: no column of ours, lists of any length, several files."""
    shapes = features or {
        "observation.state": {"dtype": "float64", "shape": [3]},
        "action": {"dtype": "float32", "shape": [2]},
    }
    half = len(rows["index"]) // 2
    for number, part in enumerate((slice(half, None), slice(0, half))):
        path = folder / "data" / f"chunk-{number:03d}" / "file-000.parquet"
        path.parent.mkdir(parents=True)
        parquet.write_table(arrow.table({name: v[part] for name, v in rows.items()}), path)
    (folder / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    indices = sorted(set(rows["episode_index"]))
    parquet.write_table(
        arrow.table({"episode_index": indices}), folder / "meta" / "episodes" / FIRST_FILE
    )
    named = {"task_index": list(range(len(tasks))), "__index_level_0__": list(tasks)}
    parquet.write_table(arrow.table(named), folder / "meta" / "tasks.parquet")
    info = {"codebase_version": version, "fps": 10, "features": shapes}
    (folder / "meta" / "info.json").write_text(json.dumps(info), encoding="utf-8")


def foreign_rows(lengths, generator):
    """Return rows of random numbers, the last of every second episode a success."""
    count = sum(lengths)
    steps = [step for length in lengths for step in range(length)]
    episode_index = [index for index, length in enumerate(lengths) for _ in range(length)]
    last = [step == lengths[index] - 1 for step, index in zip(steps, episode_index, strict=True)]
    return {
        "observation.state": torch.rand(count, 3, generator=generator).double().tolist(),
        "action": torch.rand(count, 2, generator=generator).tolist(),
        "next.success": [
            at_end and index % 2 == 0 for at_end, index in zip(last, episode_index, strict=True)
        ],
        "frame_index": steps,
        "episode_index": episode_index,
        "index": list(range(count)),
    }


def test_demonstrations_survive_lerobot(folder, demonstrations):
    loaded = load_lerobot(folder)
    assert loaded.task == "fork"
    assert len(loaded) == len(demonstrations)
    for given, expected in zip(loaded.trajectories, demonstrations.trajectories, strict=True):
        assert torch.equal(given.observations, expected.observations)
        assert torch.equal(given.actions, expected.actions)
        assert (given.driver, given.ending) == (expected.driver, expected.ending)


def test_single_numbers_survive_without_a_list_around_them(tmp_path, generator):
    observations = torch.rand(8, 1, generator=generator)
    trajectory = Trajectory(observations, torch.rand(7, 1, generator=generator))
    save_lerobot(Demonstrations((trajectory,)), tmp_path / "toy", 20)
    schema = rows_of(tmp_path / "toy").schema
    assert schema.field("observation.state").type == schema.field("action").type == arrow.float32()
    loaded = load_lerobot(tmp_path / "toy")
    assert loaded.task == ""
    assert torch.equal(loaded.trajectories[0].observations, trajectory.observations)
    assert torch.equal(loaded.actions, trajectory.actions)


def test_every_action_has_a_row_beside_what_was_seen_before_it(folder, demonstrations):
    rows = rows_of(folder)
    seen = torch.tensor(rows["observation.state"].to_pylist())
    assert torch.equal(seen, demonstrations.observations)
    assert torch.equal(torch.tensor(rows["action"].to_pylist()), demonstrations.actions)


def test_rows_are_counted_and_timed(folder, demonstrations):
    rows = rows_of(folder)
    lengths = [len(trajectory) for trajectory in demonstrations.trajectories]
    frames = np.concatenate([np.arange(length) for length in lengths])
    np.testing.assert_array_equal(rows["index"], np.arange(sum(lengths)))
    np.testing.assert_array_equal(rows["frame_index"], frames)
    np.testing.assert_array_equal(rows["episode_index"], np.repeat(np.arange(7), lengths))
    np.testing.assert_allclose(rows["timestamp"], frames * Fork().time_step, rtol=1e-6)
    assert rows["task_index"].to_pylist() == [0] * sum(lengths)


def test_only_the_last_row_of_an_episode_tells_how_it_ended(folder, demonstrations):
    rows, lengths = rows_of(folder), [len(t) for t in demonstrations.trajectories]
    last = np.cumsum(lengths) - 1
    ends = [trajectory.ending is Ending.SUCCESS for trajectory in demonstrations.trajectories]
    successes = np.zeros(sum(lengths))
    successes[last] = ends
    assert np.flatnonzero(rows["next.done"]).tolist() == last.tolist()
    np.testing.assert_array_equal(rows["next.success"], successes)
    np.testing.assert_array_equal(rows["next.reward"], successes)


def test_the_features_are_announced_as_they_are_stored(folder, demonstrations):
    rows, features = rows_of(folder), json_of(folder, "info.json")["features"]
    assert list(features) == rows.column_names
    for name, feature in features.items():
        kind = arrow.type_for_alias(feature["dtype"])
        (width,) = feature["shape"]
        assert rows.schema.field(name).type == (kind if width == 1 else arrow.list_(kind, width))
    assert features["observation.state"]["shape"] == [demonstrations.observation_dim]
    assert features["action"]["shape"] == [demonstrations.action_dim]


def test_the_information_counts_what_there_is(folder, demonstrations):
    info = json_of(folder, "info.json")
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 10)
    assert (info["total_episodes"], info["total_tasks"]) == (len(demonstrations), 1)
    assert info["total_frames"] == demonstrations.num_actions
    assert info["splits"] == {"train": f"0:{len(demonstrations)}"}
    written = info["data_path"].format(chunk_index=0, file_index=0)
    assert (folder / written).is_file()


def test_every_episode_knows_its_rows_and_its_file(folder, demonstrations):
    rows, metadata = rows_of(folder), parquet.ParquetFile(folder / "data" / FIRST_FILE)
    assert metadata.num_row_groups == len(demonstrations)
    for index, (episode, trajectory) in enumerate(
        zip(episodes_of(folder), demonstrations.trajectories, strict=True)
    ):
        first, end = episode["dataset_from_index"], episode["dataset_to_index"]
        assert set(rows["episode_index"][first:end].to_pylist()) == {index}
        assert end - first == episode["length"] == len(trajectory)
        assert metadata.read_row_group(index).num_rows == len(trajectory)
        assert (episode["data/chunk_index"], episode["data/file_index"]) == (0, 0)
        assert episode["tasks"] == ["fork"]


def test_pandas_finds_the_task_in_the_index_as_lerobot_expects(folder):
    pandas = pytest.importorskip("pandas")
    tasks = pandas.read_parquet(folder / "meta" / "tasks.parquet")
    assert tasks.index.tolist() == ["fork"]
    assert tasks.loc["fork"].to_dict() == {"task_index": 0}


def test_statistics_are_those_of_all_rows(folder, demonstrations):
    statistics = json_of(folder, "stats.json")
    assert list(statistics) == rows_of(folder).column_names
    features = {"observation.state": demonstrations.observations, "action": demonstrations.actions}
    for name, values in features.items():
        given = {key: torch.tensor(value) for key, value in statistics[name].items()}
        assert given["count"].tolist() == [len(values)]
        torch.testing.assert_close(given["min"], values.amin(0))
        torch.testing.assert_close(given["max"], values.amax(0))
        torch.testing.assert_close(given["mean"], values.double().mean(0).float())
        torch.testing.assert_close(given["std"], values.double().std(0, correction=0).float())


def test_statistics_of_truths_and_counts_are_numbers_with_a_point_as_lerobots_are(folder):
    statistics = json_of(folder, "stats.json")
    for name in ("next.done", "episode_index"):
        for key, values in statistics[name].items():
            assert {type(value) for value in values} == {int if key == "count" else float}


@pytest.mark.parametrize(("name", "probability"), PROBABILITIES.items())
def test_an_episodes_quantile_is_the_least_value_that_enough_rows_reach(
    name, probability, folder, demonstrations
):
    for episode, trajectory in zip(episodes_of(folder), demonstrations.trajectories, strict=True):
        quantile = torch.tensor(episode[f"stats/action/{name}"])
        below = (trajectory.actions < quantile).double().mean(0)
        reached = (trajectory.actions <= quantile).double().mean(0)
        assert (below < probability).all() and (reached >= probability).all()


@pytest.mark.parametrize("name", PROBABILITIES)
def test_the_quantiles_of_the_whole_average_those_of_the_episodes(name, folder):
    episodes = episodes_of(folder)
    weighted = [
        episode["length"] * np.array(episode[f"stats/action/{name}"]) for episode in episodes
    ]
    expected = sum(weighted) / sum(episode["length"] for episode in episodes)
    np.testing.assert_allclose(json_of(folder, "stats.json")["action"][name], expected)


def test_a_rate_is_taken_as_the_time_step_gives_it(tmp_path, demonstrations):
    assert 1 / (1 / 49) != 49
    save_lerobot(demonstrations, tmp_path / "fork", 1 / (1 / 49))
    assert json_of(tmp_path / "fork", "info.json")["fps"] == 49


@pytest.mark.parametrize("fps", [12.5, 0, -10, 0.01, float("nan"), float("inf")])
def test_a_rate_that_lerobot_cannot_count_is_refused(fps, tmp_path, demonstrations):
    with pytest.raises(ValueError, match=r"whole frames per second.*1 / task\.time_step"):
        save_lerobot(demonstrations, tmp_path / "fork", fps)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_never_overwritten(folder, demonstrations):
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="fork exists already: choose another name"):
        save_lerobot(demonstrations, folder, 10)
    assert (folder / "mine.txt").read_text() == "mine"
    assert load_lerobot(folder).num_actions == demonstrations.num_actions


def test_a_failure_half_way_leaves_nothing_behind(tmp_path, demonstrations, monkeypatch):
    written = []

    def full_disk(path, content):
        written.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imitation_lab.lerobot_format.write_atomically", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_lerobot(demonstrations, tmp_path / "fork", 10)
    assert written
    assert not list(tmp_path.iterdir())


def test_folders_above_are_made_and_all_may_read(tmp_path, demonstrations):
    save_lerobot(demonstrations, str(tmp_path / "data" / "fork"), 10)
    folder = tmp_path / "data" / "fork"
    assert load_lerobot(str(folder)).task == "fork"
    assert [path.name for path in folder.parent.iterdir()] == ["fork"]
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o755


def test_of_others_the_action_whose_outcome_is_unknown_is_left_out(tmp_path, generator):
    rows = foreign_rows([4, 3, 2], generator)
    write_foreign(tmp_path / "others", rows)
    loaded = load_lerobot(tmp_path / "others")
    starts = np.cumsum([0, 4, 3])
    for start, length, trajectory in zip(starts, (4, 3, 2), loaded.trajectories, strict=True):
        seen = torch.tensor(rows["observation.state"][start : start + length])
        done = torch.tensor(rows["action"][start : start + length - 1])
        assert torch.equal(trajectory.observations, seen.float())
        assert torch.equal(trajectory.actions, done)


def test_of_others_the_last_row_tells_who_succeeded(tmp_path, generator):
    write_foreign(tmp_path / "others", foreign_rows([4, 3, 2], generator))
    loaded = load_lerobot(tmp_path / "others")
    endings = [trajectory.ending for trajectory in loaded.trajectories]
    assert endings == [Ending.SUCCESS, Ending.CUT_OFF, Ending.SUCCESS]
    assert {trajectory.driver for trajectory in loaded.trajectories} == {""}


def test_of_others_without_a_word_on_success_all_are_cut_off(tmp_path, generator):
    rows = foreign_rows([4, 3], generator)
    del rows["next.success"]
    write_foreign(tmp_path / "others", rows)
    endings = {trajectory.ending for trajectory in load_lerobot(tmp_path / "others").trajectories}
    assert endings == {Ending.CUT_OFF}


def test_a_success_that_did_not_last_is_none(tmp_path, generator):
    rows = foreign_rows([4, 3], generator)
    rows["next.success"] = [True, True, True, False, False, False, True]
    write_foreign(tmp_path / "others", rows)
    endings = [trajectory.ending for trajectory in load_lerobot(tmp_path / "others").trajectories]
    assert endings == [Ending.CUT_OFF, Ending.SUCCESS]


@pytest.mark.parametrize(
    ("tasks", "expected"), [(("push the block",), "push the block"), (("push", "pull"), "")]
)
def test_the_task_is_named_if_there_is_but_one(tasks, expected, tmp_path, generator):
    write_foreign(tmp_path / "others", foreign_rows([4, 3], generator), tasks)
    assert load_lerobot(tmp_path / "others").task == expected


def test_episodes_that_others_added_to_ours_lose_only_their_own_last_action(folder, demonstrations):
    path = folder / "meta" / "episodes" / FIRST_FILE
    table = parquet.read_table(path)
    ours = [name for name in table.column_names if name.startswith("imitation_lab/")]
    parquet.write_table(table[:5], path)
    parquet.write_table(table[5:].drop_columns(ours), path.with_name("file-001.parquet"))
    loaded = load_lerobot(folder)
    kept = [len(trajectory) for trajectory in demonstrations.trajectories]
    kept[5:] = [length - 1 for length in kept[5:]]
    assert [len(trajectory) for trajectory in loaded.trajectories] == kept
    assert [trajectory.driver for trajectory in loaded.trajectories][4:] == ["anna", "", ""]


def test_a_single_row_of_others_is_refused(tmp_path, generator):
    write_foreign(tmp_path / "others", foreign_rows([4, 1], generator))
    with pytest.raises(ValueError, match=r"episode 1 has a single row.*delete_episodes"):
        load_lerobot(tmp_path / "others")


@pytest.mark.parametrize("version", ["v2.1", "v4.0"])
def test_other_versions_of_the_format_are_refused(version, tmp_path, generator):
    write_foreign(tmp_path / "others", foreign_rows([4, 3], generator), version=version)
    with pytest.raises(ValueError, match=rf"LeRobot's format {version}, expected v3\.0"):
        load_lerobot(tmp_path / "others")


@pytest.mark.parametrize(
    ("observation", "complaint"),
    [
        ({"dtype": "video", "shape": [96, 96, 3]}, r"is video of shape \(96, 96, 3\)"),
        ({"dtype": "string", "shape": [1]}, r"is string of shape \(1,\)"),
        ({"dtype": "float32", "shape": [4, 3]}, r"is float32 of shape \(4, 3\)"),
    ],
)
def test_what_is_not_a_row_of_numbers_is_refused(observation, complaint, tmp_path, generator):
    features = {"observation.state": observation, "action": {"dtype": "float32", "shape": [2]}}
    write_foreign(tmp_path / "others", foreign_rows([4, 3], generator), features=features)
    with pytest.raises(ValueError, match=f"observation.state of .*others {complaint}"):
        load_lerobot(tmp_path / "others")


def test_a_data_set_without_states_is_refused(tmp_path, generator):
    features = {"observation.image": {"dtype": "video", "shape": [96, 96, 3]}}
    write_foreign(tmp_path / "others", foreign_rows([4, 3], generator), features=features)
    with pytest.raises(ValueError, match=r"no feature observation\.state: .*observation\.image"):
        load_lerobot(tmp_path / "others")


def test_a_folder_of_something_else_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no LeRobot data set: it has no meta/info\.json"):
        load_lerobot(tmp_path)


def test_a_data_set_without_its_rows_is_not_found(folder):
    shutil.rmtree(folder / "data")
    with pytest.raises(FileNotFoundError, match=r"data has no files such as chunk-000/file-000"):
        load_lerobot(folder)


@pytest.mark.parametrize("missing", ["pyarrow", "pyarrow.parquet"])
def test_without_pyarrow_the_message_says_what_to_install(missing, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'pip install "imitation-lab\[lerobot\]"'):
        load_lerobot(tmp_path)
