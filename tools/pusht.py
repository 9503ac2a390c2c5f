"""``assets/pusht``: ``python -m tools.pusht`` lets the planner demonstrate Push-T anew, and describes the data.

About ten minutes on two cores. Interrupted, the same command goes on where it was.
"""

import argparse
import hashlib
import shutil
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shapely
import torch

from imitation_lab.data import Demonstrations
from imitation_lab.evaluation import SuccessRate
from imitation_lab.pusht import demonstrations, environment, geometry, planner
from imitation_lab.pusht.demonstrations import FIRST_START, SIDES, Stumbles, collect
from imitation_lab.pusht.environment import MAX_STEPS, RATE, first_side, make_environment
from imitation_lab.pusht.geometry import GOAL, TABLE, corners
from imitation_lab.types import Trajectory

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "pusht"
DATA, CARD = "demonstrations.npz", "README.md"
MADE_WITH = "Made with"  # the one line of the card that hangs on what is installed
PACKAGES = ("gym-pusht", "pymunk", "shapely", "numpy", "torch")
COLUMNS = (
    ("observation", "agent x", "pixels"),
    ("observation", "agent y", "pixels"),
    ("observation", "T x", "pixels"),
    ("observation", "T y", "pixels"),
    ("observation", "T angle", "radians in [0, 2π)"),
    ("action", "target x of the agent", "pixels"),
    ("action", "target y of the agent", "pixels"),
)


def main() -> None:
    """Make the data, unless only the card is asked for, and write the card."""
    parser = argparse.ArgumentParser(prog="python -m tools.pusht", description=__doc__)
    parser.add_argument("--starts", type=int, default=500, help="each is solved from both sides")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--card-only", action="store_true", help="describe the data that is there")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not arguments.card_only:
        make(FOLDER, arguments.starts, arguments.workers)
    (FOLDER / CARD).write_text(card(FOLDER / DATA, arguments.starts), encoding="utf-8")
    print(f"{FOLDER / DATA}: {(FOLDER / DATA).stat().st_size / 1e6:.2f} MB")


def make(folder: Path, num_starts: int, workers: int) -> None:
    """Make the data. Episodes wait in a hidden folder until all are there."""
    waiting = folder / f".episodes-{_fingerprint()}"
    waiting.mkdir(exist_ok=True)
    collect(num_starts, workers, folder=waiting).save(folder / DATA)
    shutil.rmtree(waiting)


def _fingerprint() -> str:
    """Return what changes with the code that makes the data: old episodes do not mix with new ones."""
    modules = (demonstrations, environment, geometry, planner)
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(code).hexdigest()[:12]


def starts_of(data: Demonstrations, num_starts: int) -> list[int]:
    """Return the start of every episode, found by its first observation.

    Raises:
        ValueError: If an episode begins elsewhere.
    """
    world = make_environment()
    known = {}
    for start in range(FIRST_START, FIRST_START + num_starts):
        observation, _ = world.reset(seed=start)
        known[observation.astype(np.float32).tobytes()] = start
    found = [known.get(t.observations[0].numpy().tobytes()) for t in data.trajectories]
    if None in found:
        raise ValueError(
            f"episode {found.index(None)} begins at none of the {num_starts} starts from {FIRST_START} "
            "on: say with --starts how many the file was made of."
        )
    return [start for start in found if start is not None]


def final_coverage(trajectory: Trajectory) -> float:
    """Return the share of the goal that the T covers at an episode's end."""
    goal = torch.tensor([0.0, 0.0, *GOAL], dtype=torch.float64)
    tee = trajectory.observations[-1].double()
    goal_area, tee_area = (shapely.Polygon(corners(pose).numpy()) for pose in (goal, tee))
    return float(goal_area.intersection(tee_area).area / goal_area.area)


def card(path: Path, num_starts: int) -> str:
    """Return what there is to say about a file of demonstrations, for those who train on it."""
    data = Demonstrations.load(path)
    starts = starts_of(data, num_starts)
    minutes, seconds = divmod(round(data.num_actions / RATE), 60)
    slip = {item.name: item.default for item in fields(Stumbles)}
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    last = FIRST_START + num_starts - 1
    return f"""\
# Demonstrations of Push-T

A planner made these {len(data)} episodes of `gym_pusht/PushT-v0`. **No person drove.** They are under the
repository's licence ([MIT](../../LICENSE)), like the code that made them.

```python
from imitation_lab.pusht.shipped import shipped_demonstrations

demonstrations = shipped_demonstrations()
one_style = demonstrations.by_driver("left")
```

`python -m tools.pusht` makes `{DATA}` and this card anew, in about ten minutes on two cores.
`--card-only` writes the card alone. All numbers below are computed from the file.

| | |
|---|---|
| episodes | {len(data)} of {len(SIDES) * num_starts} that were tried |
| actions | {data.num_actions:,}, at {RATE} Hz: {minutes} minutes and {seconds} seconds of pushing |
| size | {path.stat().st_size:,} bytes |
| SHA-256 | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |

{MADE_WITH} {versions}.

## How they were made

`PushPlanner` sees what a policy sees: where the agent and the T are. It tries short pushes in a copy of the
environment's physics, takes the one that leaves the T nearest to its goal, walks there, pushes for
{planner.PUSH_STEPS} steps, and plans again. An episode ends when the T covers more than 95 % of the goal, or after
{MAX_STEPS} steps. Only successes were kept.

**Styles.** Each start was solved twice: by a planner that prefers to push from the *left* of the T, turned so
that it reads as a letter, and by one that prefers the *right*. The preference gives way where the other side is
much better, and near the goal. `driver` says which planner it was.

**Starts.** The environment's seeds {FIRST_START} to {last}. Evaluate on others.

**Slips.** At every step, with probability {slip["rate"]}, the hand begins to slip: for {slip["steps"]} steps the agent is sent
somewhere else, off by a Gaussian of {slip["size"]:.0f} pixels per axis. What is recorded is the action that the planner asked
for, not the slip. So the data show how to come back. The start's seed also fixes the slips.

## Statistics

{_styles(data, num_starts)}

{_both_styles(data, starts)}

{_lost(data, starts, num_starts)}

## Columns

`observations` has one row more per episode than `actions`: the last one shows how it ended. `lengths` counts each
episode's actions. The table's sides are {TABLE:.0f} pixels, y points down, and the T's place is the middle of its bar's
outer edge. The goal is x {GOAL[0]:.0f}, y {GOAL[1]:.0f}, angle π/4.

{_columns(data)}

## Known limits

- The planner knows the physics. A person does not, and pushes otherwise: published results on human data are
  not comparable.
- It has a memory: which push it is about. A policy that sees one observation has to guess.
- It stands still nowhere. An episode ends at 95 %, so nothing shows how to go on from there.
- Failures are missing. They are few, and listed above.
- The same starts occur in both styles: hold out by start, not by episode, if you want to measure what is new.
- There are no pictures, only states.
- Another version of the physics may end some episodes differently.
"""


def _styles(data: Demonstrations, num_starts: int) -> str:
    rows = [
        "| style | kept of tried (95 % interval) | actions | shortest, median, longest episode "
        "| first push from the left, from the right | median, least coverage at the end |",
        "|---|---|---|---|---|---|",
    ]
    for side in SIDES:
        episodes = data.by_driver(side)
        kept = SuccessRate(len(episodes), num_starts)
        lengths = np.array([len(t) for t in episodes.trajectories])
        firsts = [first_side(t) for t in episodes.trajectories]
        coverage = np.array([final_coverage(t) for t in episodes.trajectories])
        rows.append(
            f"| {side} | {kept} | {episodes.num_actions:,} "
            f"| {lengths.min()}, {np.median(lengths):g}, {lengths.max()} "
            f"| {firsts.count('left')}, {firsts.count('right')} "
            f"| {np.median(coverage):.3f}, {coverage.min():.4f} |"
        )
    return "\n".join(rows)


def _both_styles(data: Demonstrations, starts: list[int]) -> str:
    """Tell how different the styles are."""
    firsts: dict[int, list[str]] = {}
    for start, trajectory in zip(starts, data.trajectories, strict=True):
        firsts.setdefault(start, []).append(first_side(trajectory))
    pairs = [sides for sides in firsts.values() if len(sides) == len(SIDES)]
    differ = sum(len(set(sides)) > 1 for sides in pairs)
    share = differ / max(1, len(pairs))
    return (
        f"{len(pairs)} starts were solved in both styles. From {differ} of them ({share:.0%}) the first "
        "pushes came from different sides."
    )


def _lost(data: Demonstrations, starts: list[int], num_starts: int) -> str:
    """Tell which episodes are not in the data."""
    kept = {(t.driver, start) for t, start in zip(data.trajectories, starts, strict=True)}
    everything = range(FIRST_START, FIRST_START + num_starts)
    lost = {side: [str(n) for n in everything if (side, n) not in kept] for side in SIDES}
    told = [f"{side} {', '.join(numbers)}" for side, numbers in lost.items() if numbers]
    return f"Not solved within {MAX_STEPS} steps: {'; '.join(told) or 'none'}."


def _columns(data: Demonstrations) -> str:
    states = torch.cat([t.observations for t in data.trajectories])
    values = [*states.unbind(1), *data.actions.unbind(1)]
    rows = ["| array | column | unit | least | largest |", "|---|---|---|---|---|"]
    for (array, name, unit), column in zip(COLUMNS, values, strict=True):
        rows.append(f"| {array} | {name} | {unit} | {column.min():.2f} | {column.max():.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
