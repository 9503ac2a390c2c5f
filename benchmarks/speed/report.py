"""Results as a table and a figure in `benchmarks/README.md`."""

from benchmarks.speed.frame import Row


def line(row: Row) -> str:
    """Return a row's outcome in one line, for whoever waits."""
    low, high = min(row.ratios), max(row.ratios)
    aim = "" if row.target is None else f", aimed at {row.target:g}"
    return (
        f"{row.work}, beside {row.peer}: {row.ratio:.2f} times as fast ({low:.2f}–{high:.2f}{aim})"
    )


def write_readme() -> None:
    """Write the table and the figure anew from all files of results."""
