"""Results as tables and a figure in `benchmarks/README.md`."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from matplotlib.figure import Figure

from benchmarks.speed import record
from benchmarks.speed.frame import Row
from imitation_lab.style import OKABE_ITO

README = record.RESULTS.parent / "README.md"
BEGIN, END = "<!-- results: written by python3 course.py bench -->", "<!-- end of results -->"
HEAD = "| work | beside | ours | the peer's | times as fast | target | on a GPU |"
NOT_MEASURED = "not measured"
GPU = "gpu"  # the group whose rows fill the last column
COLOURS = {True: "bluish_green", False: "vermillion", None: "blue"}


def line(row: Row) -> str:
    """Return a row's outcome in one line, for whoever waits."""
    low, high = min(row.ratios), max(row.ratios)
    aim = "" if row.target is None else f", aimed at {row.target:g}"
    return (
        f"{row.work}, beside {row.peer}: {row.ratio:.2f} times as fast ({low:.2f}–{high:.2f}{aim})"
    )


def write_readme() -> None:
    """Write tables and figures anew from all files of results."""
    parts = []
    for path in sorted(record.RESULTS.glob("*.json")):
        results = record.read(path)
        figure(record.rows(results)).savefig(path.with_suffix(".png"), dpi=110)
        parts.append(section(path.stem, results))
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    text = "\n\n".join([before + BEGIN, *parts, END]) + after
    README.write_text(text, encoding="utf-8")


def section(name: str, results: dict[str, Any]) -> str:
    """Return what the README says of one machine."""
    rows = record.rows(results)
    met = [row.met for row in rows if row.met is not None]
    gpu = results["machine"]["gpu"]
    parts = [
        f"## {described(results['machine'])}",
        f"{sum(met)} of {len(met)} targets are met. GPU: {gpu or 'none was at hand, so its column was not measured'}.",
        f"![How many times as fast as each peer, with the targets]({picture(name)})",
    ]
    on_gpu = {row.work: row for row in rows if row.group == GPU}
    for group, own in groupby(rows, key=lambda row: row.group):
        days = {data["measured"] for data in results["rows"] if data["group"] == group}
        parts.append(table(group, sorted(days), list(own), on_gpu))
    return "\n\n".join(parts)


def picture(name: str) -> str:
    """Return where a machine's figure lies, from the README."""
    return f"results/{name}.png"


def described(machine: dict[str, Any]) -> str:
    """Return a machine in one line."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gigabytes']} GB, "
        f"{machine['system']}, Python {machine['python']}, torch {machine['torch']}"
    )


def table(group: str, days: Sequence[str], rows: Sequence[Row], on_gpu: dict[str, Row]) -> str:
    """Return a group's table with the command that makes it."""
    lines = [
        f"### {group.capitalize()}",
        "",
        f"`python3 course.py bench --only {group}`, measured on {' and '.join(days)}",
        "",
        HEAD,
        "|---|---|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(cells(row, on_gpu))} |" for row in rows),
    ]
    return "\n".join(lines + [f"\n{text}" for text in remarks(rows)])


def cells(row: Row, on_gpu: dict[str, Row]) -> list[str]:
    """Return a row's cells."""
    low, high = min(row.ratios), max(row.ratios)
    there = on_gpu.get(row.work)
    return [
        row.work,
        row.peer,
        speed(row, row.ours),
        speed(row, row.theirs),
        f"**{row.ratio:.2f}** ({low:.2f}–{high:.2f})",
        target(row),
        speed(there, there.ours) if there else NOT_MEASURED,
    ]


def target(row: Row) -> str:
    """Return the target and whether it is met."""
    return "" if row.target is None else f"{row.target:g}: {'met' if row.met else 'not met'}"


def speed(row: Row, seconds: Sequence[float]) -> str:
    """Return how much is done in a second, by the median; seconds where nothing is counted."""
    median = statistics.median(seconds)
    if not row.unit:
        return f"{rounded(median)} s"
    return f"{rounded(row.amount / median)} {row.unit}/s"


def rounded(number: float) -> str:
    """Return a number with three digits that mean something, and commas between thousands."""
    return f"{float(f'{number:.3g}'):,g}" if number < 1000 else f"{float(f'{number:.3g}'):,.0f}"


def remarks(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what a reader must know besides, each once."""
    for note in dict.fromkeys(row.note for row in rows if row.note):
        yield f"{note[0].upper()}{note[1:].rstrip('.')}."
    for row in rows:
        if row.extra:
            figures = "; ".join(f"{name} {rounded(value)}" for name, value in row.extra)
            yield f"- {row.work}, beside {row.peer}: {figures}."


def figure(rows: Sequence[Row]) -> Figure:
    """Return the figure: every pair's ratio, their median, and the targets."""
    drawn = Figure(figsize=(9, 0.9 + 0.26 * len(rows)), layout="constrained")
    axes = drawn.add_subplot()
    for height, row in enumerate(reversed(rows)):
        colour = OKABE_ITO[COLOURS[row.met]]
        axes.plot([min(row.ratios), max(row.ratios)], [height, height], color=colour, alpha=0.4)
        axes.plot(row.ratio, height, "o", color=colour)
        if row.target is not None:
            axes.plot(row.target, height, "|", color="black", markersize=11)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{row.work} | {row.peer}" for row in reversed(rows)])
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("times as fast as the peer:\nmedian, lowest to highest pair; | is the target")
    return drawn
