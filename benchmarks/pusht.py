"""All of notebook 09's policies, trained and judged: `python -m benchmarks.pusht`.

Regression, a mixture, diffusion and flow matching with one trunk, as many parameters and the same
data; then what a flow owes to its chunks, its integration steps, a second look, and longer training.
Three seeds of each (one of the last), the same 200 starts for all. About 40 minutes on two cores.
Stopped, it goes on where it was. The result goes into the library, the policies of `SHIPPED` into
assets/pusht.
"""

import argparse
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from imitation_lab.files import write_atomically
from imitation_lab.networks import count_parameters
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.pusht.environment import drive
from imitation_lab.pusht.policy import load_policy, save_policy
from imitation_lab.pusht.recipe import KINDS, Recipe, main_recipe
from imitation_lab.pusht.record import RECORDED, Judged, as_json, from_json
from imitation_lab.pusht.shipped import shipped_demonstrations
from imitation_lab.pusht.training import SETTINGS, train_policy
from imitation_lab.training import FAST

PROJECT = Path(__file__).resolve().parents[1]
ASSETS = PROJECT / "assets" / "pusht"
SEEDS = range(3)
STARTS = range(1000, 1200)  # of the environment; the demonstrations' begin at 100,000
FLOW = main_recipe("flow")
TWO_FRAMES = replace(FLOW, frames=2)
LONGER = replace(FLOW, width=256)  # and twice the steps: what more of the same gives
SHIPPED = {"": SEEDS, "two_frames": range(1), "longer": range(1)}


def jobs() -> Iterator[tuple[str, Recipe, int]]:
    """Yield (variant, recipe, seed) of everything that is trained."""
    for seed in SEEDS:
        yield from (("", main_recipe(kind), seed) for kind in KINDS)
        yield "two_frames", TWO_FRAMES, seed
    yield "longer", LONGER, 0


def judged_as(recipe: Recipe) -> Iterator[Recipe]:
    """Yield the ways in which a trained policy is judged, its recipe's own first."""
    yield recipe
    if recipe == FLOW:
        yield from (replace(recipe, execution_horizon=length) for length in (2, 4))
        yield from (replace(recipe, num_steps=steps) for steps in (1, 2, 4, 20))


def train_and_judge(job: tuple[str, Recipe, int, Path]) -> list[Judged]:
    """Train one policy and judge it, unless that is done."""
    variant, recipe, seed, folder = job
    torch.set_num_threads(1)
    path = folder / file_name(recipe, variant, seed)
    results = path.with_suffix(".json")
    if not path.is_file():
        started = time.perf_counter()
        settings = replace(SETTINGS, steps=2 * SETTINGS.steps) if variant == "longer" else SETTINGS
        policy = train_policy(
            recipe, shipped_demonstrations(), settings, seed, path, device="cpu", progress=False
        )
        save_policy(path, policy)
        path.with_suffix(".seconds").write_text(str(round(time.perf_counter() - started)))
    if not results.is_file():
        seconds = float(path.with_suffix(".seconds").read_text())
        found = [judge(path, way, seed, seconds) for way in judged_as(recipe)]
        write_atomically(results, as_json(found).encode())
    return from_json(results.read_text())


def judge(path: Path, way: Recipe, seed: int, seconds: float) -> Judged:
    """Let a trained policy push from all starts, with a recipe's horizon and steps."""
    policy = load_policy(path)
    if isinstance(policy.policy, FlowPolicy):
        policy.policy.num_steps = way.num_steps
    actor = policy.actor(way.execution_horizon)
    drives = drive(actor, STARTS, torch.Generator().manual_seed(seed))
    return Judged(way, seed, count_parameters(policy.policy), seconds, drives.coverage)


def file_name(recipe: Recipe, variant: str, seed: int) -> str:
    """Return what a trained policy's file is called."""
    return "_".join(filter(None, (recipe.kind, variant, str(seed)))) + ".safetensors"


def main() -> None:
    """Train, judge, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=PROJECT / ".pusht", help="where policies grow")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if os.environ.get(FAST):
        parser.error(f"{FAST} is set: unset it, or short trainings would be recorded and shipped.")
    arguments.work.mkdir(exist_ok=True)
    todo = [(*job, arguments.work) for job in jobs()]
    results = []
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        for found in tqdm(pool.imap(train_and_judge, todo), total=len(todo), unit=" policies"):
            results += found
            for result in found:
                tqdm.write(
                    f"{result.recipe} {result.seed}: {result.coverage.mean():.3f}, {result.success}"
                )
    (PROJECT / "imitation_lab" / RECORDED).write_text(as_json(results), encoding="utf-8")
    for variant, recipe, seed in jobs():
        if seed in SHIPPED.get(variant, ()):
            name = file_name(recipe, variant, seed)
            shutil.copy(arguments.work / name, ASSETS / name)


if __name__ == "__main__":
    main()
