"""When do chunks help? Success over horizons, for tasks, demonstrators, policies, noises and delays."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import resources
from multiprocessing import get_context
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor
from tqdm import tqdm

from imitation_lab.collection import demonstrate, seen_by
from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.evaluation import SuccessRate
from imitation_lab.experts import (
    ForkDriver,
    NoisyActor,
    PausingActor,
    PendulumBalancer,
    RacetrackDriver,
    SwitchingActor,
)
from imitation_lab.files import write_atomically
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.rollout import rollout
from imitation_lab.stack import PolicyStack
from imitation_lab.training import (
    TrainingRun,
    TrainingSettings,
    finished,
    one_thread,
    train_ensemble,
)
from imitation_lab.types import Actor

Environment = Fork | Racetrack | Pendulum
Drivers = dict[str, Actor]
DEMONSTRATORS = ("Markov", "pausing", "mode-switching")
NOISES = ("none", "observation", "actuation")
POLICIES = {"regression": RegressionPolicy, "mixture": MixturePolicy}
DELAYS = (0, 2, 5)
HORIZONS = (1, 2, 4, 8, 16)
FIRST_DRIVE = 1000  # what is added to a seed for its test drives, so that they start elsewhere
RECORDED = "recorded_horizons.json"


def fork_drivers(demonstrator: str, task: Fork) -> Drivers:
    """Return who demonstrates the fork.

    By default all go left. Who pauses stands still where the choice is, for 15 to 30 steps. Mode-
    switching drivers go left and right, each way from every start.
    """
    sides = ("left", "right") if demonstrator == "mode-switching" else ("left",)
    pause = 30 if demonstrator == "pausing" else 0
    drivers = {side: ForkDriver(task, (side,), 0.8, longest_pause=pause) for side in sides}
    return {side: NoisyActor(driver, 0.04) for side, driver in drivers.items()}


def racetrack_drivers(demonstrator: str, task: Racetrack) -> Drivers:
    """Return who demonstrates the racetrack.

    By default in the middle of the lane. Who pauses leaves the wheel where it is for 1 to 3 steps,
    about every other second. Mode-switching drivers change between an inner and an outer line.
    """
    if demonstrator == "pausing":
        return {demonstrator: PausingActor(RacetrackDriver(task), 0.05, 3)}
    if demonstrator == "mode-switching":
        lines = [replace(task, radius=task.radius + aside) for aside in (-0.03, 0.03)]
        return {demonstrator: SwitchingActor([RacetrackDriver(line) for line in lines], 0.05)}
    return {demonstrator: RacetrackDriver(task)}


def pendulum_drivers(demonstrator: str, task: Pendulum) -> Drivers:
    """Return who demonstrates the pendulum.

    Who pauses leaves the torque as it is for 2 to 4 steps, about once a second. Mode-switching
    hands are now soft, now stiff.
    """
    hand: Actor = PendulumBalancer()
    if demonstrator == "pausing":
        hand = PausingActor(hand, 0.05, 4)
    if demonstrator == "mode-switching":
        hand = SwitchingActor([PendulumBalancer(18.0, 6.0), PendulumBalancer(50.0, 12.0)], 0.05)
    return {demonstrator: NoisyActor(hand, 2.0)}


@dataclass(frozen=True)
class Scene:
    """A task of the map: where it is done, who demonstrates it, and how policies learn it.

    Attributes:
        task: The environment, without noise.
        drivers: Who demonstrates, by the demonstrator's name and the environment.
        num_starts: Starts of the demonstrations, for each driver.
        observation_noise: Where the sensor is noisy, in the environment's unit.
        process_noise: Where the actuator is noisy, in the environment's unit.
        settings: How long and how fast policies learn.
        demonstrated: The environment of the demonstrations, where it is another one.
    """

    task: Environment
    drivers: Callable[..., Drivers]
    num_starts: int
    observation_noise: float
    process_noise: float
    settings: TrainingSettings
    demonstrated: Environment | None = None

    def noise(self, kind: str) -> tuple[float, float]:
        """Return the standard deviations of observation noise and process noise."""
        observation = self.observation_noise if kind == "observation" else 0.0
        return observation, self.process_noise if kind == "actuation" else 0.0


SCENES = {
    "fork": Scene(
        task=Fork(goal_radius=0.25, max_steps=100),
        drivers=fork_drivers,
        num_starts=100,
        observation_noise=0.4,
        process_noise=0.2,
        settings=TrainingSettings(steps=600, batch_size=64, learning_rate=1e-2),
    ),
    "racetrack": Scene(
        task=Racetrack(half_width=0.12, start_spread=0.0),
        drivers=racetrack_drivers,
        num_starts=20,
        observation_noise=0.02,
        process_noise=0.02,
        settings=TrainingSettings(steps=300, batch_size=256, learning_rate=2e-3),
    ),
    "pendulum": Scene(
        task=Pendulum(process_noise=0.0),
        drivers=pendulum_drivers,
        num_starts=20,
        observation_noise=0.03,
        process_noise=2.0,
        settings=TrainingSettings(steps=300, batch_size=64, learning_rate=5e-3),
        demonstrated=Pendulum(process_noise=0.0, seconds=5.0),
    ),
}


@dataclass(frozen=True)
class Panel:
    """One heat map: the successes of one class of policies over its horizons.

    Attributes:
        task: A scene's name.
        demonstrator: One of ``DEMONSTRATORS``.
        policy: One of ``POLICIES``.
        noise: One of ``NOISES``.
        delay: Steps that thinking takes.
        episodes: Test drives of every seed.
        successes: By prediction horizon and execution horizon, the successes of every seed.
    """

    task: str
    demonstrator: str
    policy: str
    noise: str
    delay: int
    episodes: int
    successes: dict[tuple[int, int], list[int]]

    def success(self, prediction_horizon: int, execution_horizon: int) -> SuccessRate:
        """Return the success rate over all seeds."""
        counts = self.successes[prediction_horizon, execution_horizon]
        return SuccessRate(sum(counts), self.episodes * len(counts))

    def runs_out(self, prediction_horizon: int, execution_horizon: int) -> bool:
        """Tell whether play comes to a chunk's end before the next one is there."""
        return self.delay + max(self.delay, execution_horizon) > prediction_horizon


@dataclass(frozen=True)
class HorizonMap:
    """Heat maps by what was varied."""

    panels: list[Panel]

    def panel(
        self, task: str, demonstrator: str, policy: str, noise: str = "none", delay: int = 0
    ) -> Panel:
        """Return one heat map.

        Raises:
            KeyError: If the map does not hold it.
        """
        wanted = (task, demonstrator, policy, noise, delay)
        for panel in self.panels:
            if _key(panel) == wanted:
                return panel
        raise KeyError(f"no panel {wanted}: has this part of the map been run?")


def _key(panel: Panel) -> tuple[str, str, str, str, int]:
    return panel.task, panel.demonstrator, panel.policy, panel.noise, panel.delay


@dataclass(frozen=True)
class _Job:
    """What is trained and driven at once: all policies of one class and shape on one task."""

    task: str
    policy: str
    prediction_horizon: int
    demonstrators: Sequence[str]
    noises: Sequence[str]
    delays: Sequence[int]
    horizons: Sequence[int]
    seeds: Sequence[int]
    episodes: int
    device: str

    @property
    def lessons(self) -> list[tuple[str, str, int]]:
        """Demonstrator, noise and seed of every policy."""
        return list(itertools.product(self.demonstrators, self.noises, self.seeds))

    @property
    def plays(self) -> list[tuple[int, int]]:
        """Delay and execution horizon of every way in which a policy is played."""
        executions = [own for own in self.horizons if own <= self.prediction_horizon]
        return list(itertools.product(self.delays, executions))


def run_map(
    tasks: Sequence[str] = tuple(SCENES),
    policies: Sequence[str] = tuple(POLICIES),
    demonstrators: Sequence[str] = DEMONSTRATORS,
    noises: Sequence[str] = NOISES,
    delays: Sequence[int] = DELAYS,
    horizons: Sequence[int] = HORIZONS,
    seeds: Sequence[int] = range(3),
    episodes: int = 50,
    device: str = "cpu",
    processes: int = 1,
    progress: bool = True,
) -> HorizonMap:
    """Train and judge policies for every cell of the map, or of the part that is asked for.

    Seeds, demonstrators and noises are trained together; with delays and execution horizons, they
    drive together.

    Args:
        tasks: Names of ``SCENES``.
        policies: Names of ``POLICIES``.
        demonstrators: Some of ``DEMONSTRATORS``.
        noises: Some of ``NOISES``, in the demonstrations and in the drives.
        delays: Steps that thinking takes.
        horizons: Of prediction, and all of these up to it of execution.
        seeds: Each fixes demonstrations, initial weights and batches.
        episodes: Test drives of every seed in every cell.
        device: Where to train and drive.
        processes: Among which the work is shared out.
        progress: Whether to show a bar.

    Raises:
        KeyboardInterrupt: If somebody stopped a training.
    """
    horizons = sorted(set(horizons))
    jobs = [
        _Job(*job, demonstrators, noises, delays, horizons, tuple(seeds), episodes, device)
        # The longest first, so that no process is left alone with one at the end.
        for job in itertools.product(tasks, policies, reversed(horizons))
    ]
    cells: list[Panel] = []
    with tqdm(total=len(jobs), desc="map", disable=not progress, unit=" jobs") as bar:
        for done in _work(jobs, processes):
            cells += done
            bar.update()
    return HorizonMap(_merged(cells))


def _work(jobs: Sequence[_Job], processes: int) -> Iterator[list[Panel]]:
    if processes == 1:
        yield from map(_run, jobs)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        futures: list[Future] = [pool.submit(_run, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


def _run(job: _Job) -> list[Panel]:
    """Train the policies of a job and drive with them."""
    with one_thread():
        return _drive(job, _train(job))


def _train(job: _Job) -> list[TrainingRun]:
    scene, policy_class = SCENES[job.task], POLICIES[job.policy]
    dimensions = (scene.task.observation_dim, scene.task.action_dim, job.prediction_horizon)
    runs = train_ensemble(
        [policy_class(*dimensions, width=64, generator=_generator(s)) for *_, s in job.lessons],
        [_demonstrations(job.task, *lesson) for lesson in job.lessons],
        scene.settings,
        [seed for *_, seed in job.lessons],
        job.device,
        progress=False,
    )
    return finished(runs)


@lru_cache(maxsize=256)
def _demonstrations(task: str, demonstrator: str, noise: str, seed: int) -> Demonstrations:
    """Return a seed's demonstrations. Drivers know the truth; what is recorded the sensor saw."""
    scene, generator = SCENES[task], _generator(seed)
    observation_noise, process_noise = scene.noise(noise)
    actual = replace(scene.demonstrated or scene.task, process_noise=process_noise)
    drivers = scene.drivers(demonstrator, actual)
    demonstrations = demonstrate(actual, drivers, scene.num_starts, generator)
    return seen_by(demonstrations, replace(actual, observation_noise=observation_noise), generator)


def _drive(job: _Job, runs: Sequence[TrainingRun]) -> list[Panel]:
    """Drive every policy in every way, all in one batch: policies outside, episodes inside."""
    scene, repeats = SCENES[job.task], (len(job.plays), job.episodes)
    stack = PolicyStack([PhysicalPolicy(run.policy, *run.normalizers) for run in runs])

    def rows(numbers: Sequence, shape: tuple[int, ...]) -> Tensor:
        """Spread numbers over the rows of the batch, by the place of their axis in ``shape``."""
        values = torch.tensor(numbers, device=job.device).view(shape)
        return values.expand(len(runs), *repeats).flatten()

    noises = [scene.noise(noise) for _, noise, _ in job.lessons]
    observation_noise, process_noise = (rows(own, (-1, 1, 1)) for own in zip(*noises, strict=True))
    delays, executions = (rows(own, (1, -1, 1)) for own in zip(*job.plays, strict=True))
    task = replace(scene.task, observation_noise=observation_noise, process_noise=process_noise)
    generator = torch.Generator(job.device).manual_seed(FIRST_DRIVE + job.seeds[0])
    actor = RecedingHorizon(stack, executions, delays)
    succeeded = rollout(task, actor, len(delays), generator).succeeded
    return _panels(job, succeeded.view(len(runs), *repeats))


def _panels(job: _Job, succeeded: Bool[Tensor, "policies plays episodes"]) -> list[Panel]:
    """Return the heat maps' columns of this job's prediction horizon."""
    counts = succeeded.sum(dim=2).view(
        len(job.demonstrators), len(job.noises), len(job.seeds), len(job.delays), -1
    )
    executions = sorted({execution for _, execution in job.plays})
    panels = []
    for (i, demonstrator), (j, noise), (k, delay) in itertools.product(
        enumerate(job.demonstrators), enumerate(job.noises), enumerate(job.delays)
    ):
        own = counts[i, j, :, k].T.tolist()
        successes = {(job.prediction_horizon, e): c for e, c in zip(executions, own, strict=True)}
        panels.append(
            Panel(job.task, demonstrator, job.policy, noise, delay, job.episodes, successes)
        )
    return panels


def _merged(parts: Sequence[Panel]) -> list[Panel]:
    """Return whole heat maps from their columns, in the order of the axes."""
    whole: dict[tuple, Panel] = {}
    for part in sorted(parts, key=_place):
        own = whole.setdefault(_key(part), replace(part, successes={}))
        own.successes.update(part.successes)
    return list(whole.values())


def _place(part: Panel) -> tuple[int, ...]:
    return (
        list(SCENES).index(part.task),
        list(POLICIES).index(part.policy),
        DEMONSTRATORS.index(part.demonstrator),
        NOISES.index(part.noise),
        part.delay,
        min(part.successes)[0],
    )


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def write_map(record: HorizonMap, path: str | Path) -> None:
    """Write a map as a JSON file, in place of an older one: a line for every heat map."""
    rows = []
    for panel in record.panels:
        successes = [[*horizons, counts] for horizons, counts in panel.successes.items()]
        rows.append(json.dumps({**asdict(panel), "successes": successes}, separators=(",", ":")))
    write_atomically(path, ("[\n" + ",\n".join(rows) + "\n]\n").encode())


def read_map(path: str | Path) -> HorizonMap:
    """Read what ``write_map`` wrote."""
    return _map(Path(path).read_text(encoding="utf-8"))


def recorded_map() -> HorizonMap:
    """Return the map of ``python -m benchmarks.chunking`` that comes with the library."""
    return _map((resources.files("imitation_lab") / RECORDED).read_text(encoding="utf-8"))


def _map(text: str) -> HorizonMap:
    panels = []
    for row in json.loads(text):
        successes = {(prediction, execution): c for prediction, execution, c in row["successes"]}
        panels.append(Panel(**{**row, "successes": successes}))
    return HorizonMap(panels)
