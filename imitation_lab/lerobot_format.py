"""Demonstrations as data sets of LeRobot, the format in which robots' demonstrations are published.

Since its version 3.0, a data set is a folder laid out like this::

    meta/info.json                              rate, counts, type and shape of every feature
    meta/stats.json                             statistics of every feature
    meta/tasks.parquet                          the tasks' names
    meta/episodes/chunk-000/file-000.parquet    one row per episode
    data/chunk-000/file-000.parquet             one row per action

Source:
    What LeRobot 0.6.1 writes and reads (``lerobot.datasets``).
"""

import io
import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.files import write_atomically
from imitation_lab.types import Ending, Trajectory

OBSERVATION, ACTION, SUCCESS = "observation.state", "action", "next.success"
# What LeRobot has no place for. It passes over columns that it does not know.
DRIVER, ENDING = "imitation_lab/driver", "imitation_lab/ending"
FINAL_OBSERVATION = "imitation_lab/final_observation"
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
CHUNK_AND_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
FIRST_FILE = CHUNK_AND_FILE.format(chunk_index=0, file_index=0)

Rows = dict[str, np.ndarray]  # every feature's values, each (rows, numbers per row)


def save_lerobot(demonstrations: Demonstrations, folder: str | Path, fps: int | float) -> None:
    """Save demonstrations as a LeRobot data set of version 3.0, whole or not at all.

    One row per action: what was seen is ``observation.state``, what was done is ``action``.
    ``next.done`` holds in the last row of every episode. If the episode succeeded, ``next.success``
    holds there too and ``next.reward`` is 1, and 0 elsewhere. No row has a place for what was seen
    after the last action: it is kept in the metadata of its episode, beside driver and ending.

    As in LeRobot, a quantile is the least value that enough rows reach, and those of the whole are
    the averages of those of the episodes, weighted by length.

    Args:
        demonstrations: In physical units.
        folder: Where to. It must not exist yet; the folders above it need not either.
        fps: Steps per second, a whole number: ``1 / task.time_step``.

    Raises:
        ImportError: If pyarrow is missing.
        FileExistsError: If there is a folder or file of that name already.
        ValueError: If ``fps`` is not a whole number.
    """
    arrow = _import_pyarrow()
    folder, rate = Path(folder), _whole_rate(fps)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: choose another name, or delete it first.")
    episodes = _episodes(demonstrations, rate)
    with _whole_folder(folder) as unfinished:
        _write_json(unfinished / "meta" / "info.json", _info(episodes, rate))
        _write_json(unfinished / "meta" / "stats.json", _overall_statistics(episodes))
        _write_tables(
            arrow, unfinished / "meta" / "tasks.parquet", [_tasks(arrow, demonstrations.task)]
        )
        metadata = arrow.Table.from_pylist(_metadata(demonstrations, episodes))
        _write_tables(arrow, unfinished / "meta" / "episodes" / FIRST_FILE, [metadata])
        # One row group per episode, so that LeRobot can fetch one without the others.
        tables = [_table(arrow, rows) for rows in episodes]
        _write_tables(arrow, unfinished / "data" / FIRST_FILE, tables)


def load_lerobot(folder: str | Path) -> Demonstrations:
    """Load a LeRobot data set of version 3, of this course or of anyone else, as demonstrations.

    In data sets of others, nobody knows what was seen after an episode's last action. So that
    action is left out, and its row's observation is the last. Such an episode counts as a success
    if its last row does in ``next.success``, and as cut off otherwise: ``next.done`` does not tell
    failures from those whose time ran out. Nobody's name is known. The same holds for data sets of
    this course from which LeRobot's tools have deleted or split off episodes, since these tools
    drop what they do not know. Merging keeps it.

    The task is the data set's if it has one, and empty if it has several. Images and all other
    features are left out.

    Args:
        folder: The one that holds ``meta`` and ``data``.

    Raises:
        ImportError: If pyarrow is missing.
        FileNotFoundError: If there is no LeRobot data set.
        ValueError: If it is of another version, its ``observation.state`` or ``action`` are not
            plain rows of numbers, or an episode of others has a single row.
    """
    arrow = _import_pyarrow()
    folder = Path(folder)
    widths = _checked_widths(folder)
    columns = ("episode_index", DRIVER, ENDING, FINAL_OBSERVATION)
    metadata = _read_tables(arrow, folder / "meta" / "episodes", columns).to_pylist()
    facts = {record["episode_index"]: record for record in metadata}
    trajectories = tuple(
        _trajectory(index, rows, facts.get(index, {}))
        for index, rows in _read_episodes(arrow, folder / "data", widths)
    )
    return Demonstrations(trajectories, _read_task(arrow, folder))


def _import_pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            'the LeRobot format needs one more package: pip install "imitation-lab[lerobot]"'
        ) from error
    return pyarrow


def _whole_rate(fps: int | float) -> int:
    rate = round(fps) if math.isfinite(fps) else 0
    # Close to it is enough: 1 / (1 / 49) is not quite 49.
    if rate < 1 or not math.isclose(fps, rate, rel_tol=1e-6):
        raise ValueError(
            f"fps is {fps}: LeRobot counts whole frames per second. Give 1 / task.time_step, of a "
            "task that takes a whole number of steps per second."
        )
    return rate


def _episodes(demonstrations: Demonstrations, rate: int) -> list[Rows]:
    episodes, first = [], 0
    for index, trajectory in enumerate(demonstrations.trajectories):
        episodes.append(_rows(trajectory, index, first, rate))
        first += len(trajectory)
    return episodes


def _rows(trajectory: Trajectory, episode_index: int, first_index: int, rate: int) -> Rows:
    steps = np.arange(len(trajectory), dtype=np.int64)
    last = steps == len(trajectory) - 1
    succeeded = last & (trajectory.ending is Ending.SUCCESS)
    rows = {
        OBSERVATION: trajectory.observations[:-1].cpu().numpy(),
        ACTION: trajectory.actions.cpu().numpy(),
        "next.reward": succeeded.astype(np.float32),
        "next.done": last,
        SUCCESS: succeeded,
        "timestamp": (steps / rate).astype(np.float32),
        "frame_index": steps,
        "episode_index": np.full_like(steps, episode_index),
        "index": first_index + steps,
        "task_index": np.zeros_like(steps),
    }
    return {name: values.reshape(len(trajectory), -1) for name, values in rows.items()}


def _info(episodes: list[Rows], rate: int) -> dict[str, Any]:
    return {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": len(episodes),
        "total_frames": sum(len(rows[ACTION]) for rows in episodes),
        "total_tasks": 1,
        # Where LeRobot would begin new files, had it to add episodes.
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": rate,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": f"data/{CHUNK_AND_FILE}",
        "video_path": None,
        "features": {
            name: {"dtype": str(values.dtype), "shape": [values.shape[1]], "names": None}
            for name, values in episodes[0].items()
        },
    }


def _statistics(values: Shaped[np.ndarray, "rows width"]) -> dict[str, Any]:
    # LeRobot's statistics are floats, also those of truths and whole numbers.
    values = values.astype(np.float64)
    shares = list(QUANTILES.values())
    quantiles = np.quantile(values, shares, axis=0, method="inverted_cdf")
    return {
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0).tolist(),
        "std": values.std(axis=0).tolist(),
        "count": [len(values)],
        **dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    }


def _overall_statistics(episodes: list[Rows]) -> dict[str, dict[str, Any]]:
    lengths = [len(rows[ACTION]) for rows in episodes]
    statistics = {}
    for feature in episodes[0]:
        parts = [_statistics(rows[feature]) for rows in episodes]
        whole = _statistics(np.concatenate([rows[feature] for rows in episodes]))
        for name in QUANTILES:
            averaged = np.average([part[name] for part in parts], axis=0, weights=lengths)
            whole[name] = averaged.tolist()
        statistics[feature] = whole
    return statistics


def _metadata(demonstrations: Demonstrations, episodes: list[Rows]) -> list[dict[str, Any]]:
    return [
        {
            "episode_index": index,
            "tasks": [demonstrations.task],
            "length": len(trajectory),
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": int(rows["index"][0, 0]),
            "dataset_to_index": int(rows["index"][-1, 0]) + 1,
            **_flat_statistics(rows),
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            DRIVER: trajectory.driver,
            ENDING: str(trajectory.ending),
            FINAL_OBSERVATION: trajectory.observations[-1].tolist(),
        }
        for index, (trajectory, rows) in enumerate(
            zip(demonstrations.trajectories, episodes, strict=True)
        )
    ]


def _flat_statistics(rows: Rows) -> dict[str, Any]:
    return {
        f"stats/{feature}/{name}": value
        for feature, values in rows.items()
        for name, value in _statistics(values).items()
    }


def _tasks(arrow: ModuleType, task: str) -> Any:
    table = arrow.table({"task_index": [0], "task": [task]})
    # LeRobot reads this table with pandas, and looks for the names in its index.
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype}
        for name, kind, dtype in [("task_index", "int64", "int64"), ("task", "unicode", "object")]
    ]
    layout = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    layout |= {"pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(layout)})


def _table(arrow: ModuleType, rows: Rows) -> Any:
    return arrow.table({name: _column(arrow, values) for name, values in rows.items()})


def _column(arrow: ModuleType, values: Shaped[np.ndarray, "rows width"]) -> Any:
    numbers, width = arrow.array(values.ravel()), values.shape[1]
    # LeRobot keeps a feature of shape (1,) as plain numbers.
    return numbers if width == 1 else arrow.FixedSizeListArray.from_arrays(numbers, width)


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to be filled, which gets its name once it is full."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, since a folder can only be renamed at once within one file system.
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield unfinished
        unfinished.chmod(0o755)  # mkdtemp's folders are for their owner only
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write(path, json.dumps(content, indent=4, ensure_ascii=False).encode())


def _write_tables(arrow: ModuleType, path: Path, tables: Sequence[Any]) -> None:
    buffer = io.BytesIO()
    with arrow.parquet.ParquetWriter(buffer, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    _write(path, buffer.getvalue())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def _checked_widths(folder: Path) -> dict[str, int]:
    """Return how many numbers an observation and an action have, once it is sure that they do."""
    path = folder / "meta" / "info.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no LeRobot data set: it has no meta/info.json.")
    info = json.loads(path.read_text(encoding="utf-8"))
    version = info.get("codebase_version")
    if not str(version).startswith("v3."):
        raise ValueError(
            f"{folder} has LeRobot's format {version}, expected v3.0: LeRobot's own "
            "lerobot.scripts.convert_dataset_v21_to_v30 brings v2.1 up to date."
        )
    return {name: _checked_width(folder, name, info["features"]) for name in (OBSERVATION, ACTION)}


def _checked_width(folder: Path, name: str, features: dict[str, Any]) -> int:
    if name not in features:
        raise ValueError(f"{folder} has no feature {name}: it has {sorted(features)}.")
    dtype, shape = features[name]["dtype"], features[name]["shape"]
    if not dtype.startswith(("float", "int", "uint")) or len(shape) != 1:
        raise ValueError(
            f"the feature {name} of {folder} is {dtype} of shape {tuple(shape)}: expected numbers "
            "along one axis."
        )
    return shape[0]


def _read_tables(arrow: ModuleType, folder: Path, wanted: Sequence[str]) -> Any:
    """Return those of the wanted columns that there are, of all files of a folder."""
    tables = []
    for path in sorted(folder.glob("*/*.parquet")):
        names = arrow.parquet.read_schema(path).names
        there = [name for name in wanted if name in names]
        tables.append(arrow.parquet.read_table(path, columns=there))
    if not tables:
        raise FileNotFoundError(f"{folder} has no files such as {FIRST_FILE}.")
    # Permissive: a file without one of the columns gets empty fields there.
    return arrow.concat_tables(tables, promote_options="permissive")


def _read_episodes(
    arrow: ModuleType, folder: Path, widths: dict[str, int]
) -> Iterator[tuple[int, Rows]]:
    """Yield every episode's number and rows, in order."""
    names = ("episode_index", "frame_index", *widths, SUCCESS)
    table = _read_tables(arrow, folder, names)
    columns = {
        name: _numbers(arrow, table[name], widths.get(name, 1)) for name in table.column_names
    }
    episode_index = columns["episode_index"][:, 0]
    order = np.lexsort((columns["frame_index"][:, 0], episode_index))
    indices, starts = np.unique(episode_index[order], return_index=True)
    for index, chosen in zip(indices.tolist(), np.split(order, starts[1:]), strict=True):
        yield index, {name: values[chosen] for name, values in columns.items()}


def _numbers(arrow: ModuleType, column: Any, width: int) -> np.ndarray:
    nested = arrow.types.is_nested(column.type)
    flat = arrow.compute.list_flatten(column) if nested else column
    return flat.to_numpy().reshape(len(column), width)


def _trajectory(index: int, rows: Rows, facts: dict[str, Any]) -> Trajectory:
    observations, actions = _tensor(rows[OBSERVATION]), _tensor(rows[ACTION])
    final_observation = facts.get(FINAL_OBSERVATION)
    if final_observation is not None:
        observations = torch.cat([observations, _tensor(np.array([final_observation]))])
    elif len(actions) > 1:
        actions = actions[:-1]
    else:
        raise ValueError(
            f"episode {index} has a single row, and what followed its action is not known: delete "
            "it with LeRobot's own delete_episodes."
        )
    return Trajectory(observations, actions, facts.get(DRIVER) or "", _ending(rows, facts))


def _ending(rows: Rows, facts: dict[str, Any]) -> Ending:
    if facts.get(ENDING):
        return Ending(facts[ENDING])
    succeeded = SUCCESS in rows and bool(rows[SUCCESS][-1, 0])
    return Ending.SUCCESS if succeeded else Ending.CUT_OFF


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _read_task(arrow: ModuleType, folder: Path) -> str:
    table = arrow.parquet.read_table(folder / "meta" / "tasks.parquet")
    # Pandas calls an index by its name, or else by one of its own.
    column = next(name for name in table.column_names if name != "task_index")
    return table[column][0].as_py() if len(table) == 1 else ""
