"""The verb: ``python3 course.py solutions`` runs all solved notebooks and tells what that costs."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

from tools.notebooks import SOLUTIONS, Cost, num_steps, run_solved

# On two cores: what a class can be asked to wait.
TOTAL_SECONDS, CELL_SECONDS = 12 * 60, 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the notebooks, print the table, and return 1 where a budget is broken or a cell fails."""
    options = _parser().parse_args(arguments)
    paths = [path for path in sorted(SOLUTIONS.glob("*.ipynb")) if _is_asked_for(path, options)]
    if not paths:
        print(f"solutions: no notebook begins with {' or '.join(options.notebooks)}.")
        return 2
    costs: dict[str, Cost] = {}
    problem = ""
    started = time.monotonic()
    try:
        _run(paths, options.out, costs)
    except CellExecutionError as error:
        problem = f"{paths[len(costs)].stem} failed.\n{error}"
    except KeyboardInterrupt:
        problem = f"interrupted: {len(costs)} of {len(paths)} notebooks were run."
    print(_total(costs, time.monotonic() - started))
    problems = [*([problem] if problem else []), *broken_budgets(costs)]
    print("\n".join(f"solutions: {problem}" for problem in problems))
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="course.py solutions", description=__doc__)
    parser.add_argument("notebooks", nargs="*", metavar="NN", help="only these, such as 01 05")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the notebooks that were run")
    return parser


def _is_asked_for(path: Path, options: argparse.Namespace) -> bool:
    return not options.notebooks or path.stem.startswith(tuple(options.notebooks))


def _run(paths: Sequence[Path], out: Path | None, costs: dict[str, Cost]) -> None:
    """Run notebooks one after the other, and tell each one's cost as soon as it is known."""
    total = sum(map(num_steps, paths))
    print(f"{'notebook':<32}{'time':>8}{'CPU':>8}{'peak':>9}  longest cell")
    with tqdm(total=total, unit="cell", disable=None, leave=False) as bar:
        for path in paths:
            bar.set_description(path.stem)
            notebook, cost = run_solved(path, bar.update)
            costs[path.stem] = cost
            with bar.external_write_mode():
                print(_line(path.stem, cost), flush=True)
            if out:
                out.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, out / path.name)


def _line(name: str, cost: Cost) -> str:
    """Return a notebook's times, its peak memory, and the cell that took longest."""
    first_line, longest = cost.longest
    times = f"{cost.seconds:6.1f} s{cost.cpu_seconds:6.1f} s"
    return f"{name:<32}{times}{cost.peak_bytes / 2**20:6.0f} MB  {longest:5.1f} s  {first_line:.60}"


def _total(costs: dict[str, Cost], seconds: float) -> str:
    """Return the last line: what all took, starts of the kernels included, and what they trained on."""
    devices = ", ".join(sorted({cost.device for cost in costs.values()})) or "nothing"
    return f"{'all, with starts of kernels':<32}{seconds:6.1f} s, training on: {devices}"


def broken_budgets(costs: dict[str, Cost]) -> list[str]:
    """Return a sentence for each budget that was broken."""
    total = sum(cost.seconds for cost in costs.values())
    broken = [
        f"{name}: a cell took {seconds:.0f} s, and {CELL_SECONDS} s are allowed: {line}"
        for name, cost in costs.items()
        for line, seconds in cost.cells
        if seconds > CELL_SECONDS
    ]
    if total > TOTAL_SECONDS:
        broken.append(f"all took {total:.0f} s, and {TOTAL_SECONDS} s are allowed.")
    return broken


if __name__ == "__main__":
    sys.exit(main())
