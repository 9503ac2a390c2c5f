"""The file of results: every row with all its times and the day on which it was measured."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed.frame import Row

RESULTS = Path(__file__).resolve().parents[1] / "results"


def write(
    path: Path, machine: dict[str, Any], group: str, rows: Sequence[Row], complete: bool
) -> None:
    """Put a group's rows into a file of results; other groups stay as they are.

    Args:
        path: May not exist yet.
        machine: Its description.
        group: Whose rows.
        rows: What was measured.
        complete: Whether these are all rows of the group. If not, older ones stay beside them.
    """
    old = read(path)["rows"] if path.is_file() else []
    new = [_as_data(row) for row in rows]
    replaced = {_key(data) for data in new}
    kept = [
        data
        for data in old
        if (data["group"] != group or not complete) and _key(data) not in replaced
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "rows": sorted(kept + new, key=lambda data: data["group"])}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Return a file of results as it stands."""
    return json.loads(path.read_text(encoding="utf-8"))


def rows(results: dict[str, Any]) -> list[Row]:
    """Return the rows of a file's content."""
    return [_as_row(data) for data in results["rows"]]


def _key(data: dict[str, Any]) -> tuple[str, str, str]:
    return data["group"], data["work"], data["peer"]


def _as_data(row: Row) -> dict[str, Any]:
    data = asdict(row)
    for side in ("ours", "theirs"):
        data[side] = [float(f"{seconds:.4g}") for seconds in data[side]]
    day = datetime.now(UTC).date().isoformat()
    return data | {"extra": dict(row.extra), "measured": day}


def _as_row(data: dict[str, Any]) -> Row:
    sides = {side: tuple(data[side]) for side in ("ours", "theirs")}
    known = {key: value for key, value in data.items() if key != "measured"}
    return Row(**known | sides | {"extra": tuple(data["extra"].items())})
