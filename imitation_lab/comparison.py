"""Policy classes side by side on the fork: same data, same trunk, same number of parameters."""

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.collection import demonstrate
from imitation_lab.controller import ChunkPlayer
from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork
from imitation_lab.evaluation import SuccessRate, evaluate
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.files import write_atomically
from imitation_lab.networks import count_parameters
from imitation_lab.training import (
    TrainingRun,
    TrainingSettings,
    finished,
    one_thread,
    train_ensemble,
)
from imitation_lab.types import Actor, Generator, Policy

MakePolicy = Callable[[int, Generator], Policy]  # from a width and the source of initial weights
SIDES = ("left", "right")
HAND_NOISE = 0.03  # m/s, on every number of a driver's command
DECISION_DISTANCE = 0.8  # m: a little earlier than a driver's default, so one late step is no crash
RECORDED = "recorded_comparison.json"


@dataclass(frozen=True)
class PolicyResult:
    """What one class of policies, or the drivers themselves, did on one road over several seeds.

    Attributes:
        name: Of the class.
        road: Of the road.
        parameters: Numbers that training may change, in one policy.
        successes: Episodes that reached the goal, for each seed.
        episodes: Episodes for each seed.
        nats: Held-out negative log-likelihood of the drivers' actions, in nats per action whose
            numbers are in m/s, for each seed. Empty for a class without a density.
        nats_at_the_choice: The same, where the drivers choose their side.
        sides: Share of samples that go left, right and neither way where the drivers choose. Neither
            is a lateral command of less than half the drivers'.
        milliseconds: Time to choose one action for one observation, the median of many.
    """

    name: str
    road: str
    parameters: int
    successes: list[int]
    episodes: int
    nats: list[float]
    nats_at_the_choice: list[float]
    sides: tuple[float, float, float]
    milliseconds: float

    @property
    def success(self) -> SuccessRate:
        """The success rate over all seeds."""
        return SuccessRate(sum(self.successes), self.episodes * len(self.successes))


def fork_drivers(task: Fork) -> dict[str, NoisyActor]:
    """Return the two drivers of the comparison by name, one for each side."""
    return {
        side: NoisyActor(ForkDriver(task, (side,), DECISION_DISTANCE), HAND_NOISE) for side in SIDES
    }


def compare(
    road: str,
    task: Fork,
    classes: Mapping[str, MakePolicy],
    seeds: Sequence[int],
    settings: TrainingSettings,
    parameters: int,
    num_starts: int = 100,
    episodes: int = 100,
    progress: bool = True,
) -> list[PolicyResult]:
    """Train and judge policy classes on one road. Every seed has demonstrations of its own.

    Args:
        road: The road's name, for tables.
        task: The road.
        classes: How to make a policy of each class.
        seeds: Each fixes demonstrations, initial weights, batches and test drives.
        settings: How long and how fast to train.
        parameters: Every class gets the width that comes closest to this number.
        num_starts: Starts that both drivers demonstrate, for each seed.
        episodes: Test drives for each seed.
        progress: Whether to show a bar for every class.

    Raises:
        KeyboardInterrupt: If somebody stopped a training.
        ValueError: If a class has no width that comes near enough to the number of parameters.
    """
    data = [demonstrate(task, fork_drivers(task), num_starts, _generator(seed)) for seed in seeds]
    held_out = demonstrate(task, fork_drivers(task), num_starts, _generator(min(seeds) - 1))
    results = [_judge_drivers(road, task, seeds, held_out, episodes)]
    for name, make_policy in classes.items():
        width = matching_width(make_policy, parameters)
        policies = [make_policy(width, _generator(seed)) for seed in seeds]
        title = f"{name}, {road}"
        runs = train_ensemble(policies, data, settings, seeds, "cpu", title, progress)
        results.append(judge(name, road, task, finished(runs), seeds, held_out, episodes))
    return results


def judge(
    name: str,
    road: str,
    task: Fork,
    runs: Sequence[TrainingRun],
    seeds: Sequence[int],
    held_out: Demonstrations,
    episodes: int = 100,
) -> PolicyResult:
    """Return what trained policies of one class do on one road."""
    actors = [ChunkPlayer(run.policy, *run.normalizers) for run in runs]
    nats = [per_action_nats(run, held_out) for run in runs if hasattr(run.policy, "log_prob")]
    parameters = count_parameters(runs[0].policy)
    return _result(name, road, parameters, task, actors, nats, seeds, held_out, episodes)


def _judge_drivers(
    road: str, task: Fork, seeds: Sequence[int], held_out: Demonstrations, episodes: int
) -> PolicyResult:
    actors = [NoisyActor(ForkDriver(task, SIDES, DECISION_DISTANCE), HAND_NOISE) for _ in seeds]
    nats = [expert_nats(task, held_out)]
    return _result("expert", road, 0, task, actors, nats, seeds, held_out, episodes)


def _result(
    name: str,
    road: str,
    parameters: int,
    task: Fork,
    actors: Sequence[Actor],
    nats: Sequence[Float[Tensor, "num_actions"]],
    seeds: Sequence[int],
    held_out: Demonstrations,
    episodes: int,
) -> PolicyResult:
    choosing = _choosing(task, held_out.observations)
    drives = [
        evaluate(task, actor, _generator(10_000 + seed), episodes)
        for actor, seed in zip(actors, seeds, strict=True)
    ]
    return PolicyResult(
        name=name,
        road=road,
        parameters=parameters,
        successes=[drive.success.successes for drive in drives],
        episodes=episodes,
        nats=[float(own.mean()) for own in nats],
        nats_at_the_choice=[float(own[choosing].mean()) for own in nats],
        sides=_sides(task, actors, held_out.observations[choosing]),
        milliseconds=_milliseconds_per_action(actors[0], held_out.observations),
    )


def matching_width(make_policy: MakePolicy, parameters: int) -> int:
    """Return the width at which a policy comes closest to a number of parameters.

    Raises:
        ValueError: If it does not come within 5 %.
    """
    low, high = 1, 4096
    while high - low > 1:
        middle = (low + high) // 2
        enough = _parameters(make_policy, middle) > parameters
        low, high = (low, middle) if enough else (middle, high)
    width = min((low, high), key=lambda width: abs(_parameters(make_policy, width) - parameters))
    given = _parameters(make_policy, width)
    if abs(given - parameters) > 0.05 * parameters:
        raise ValueError(
            f"no width comes within 5 % of {parameters:,} parameters: {width} gives {given:,}. "
            "Ask for more."
        )
    return width


@torch.inference_mode()
def per_action_nats(
    run: TrainingRun, demonstrations: Demonstrations
) -> Float[Tensor, "num_actions"]:
    """Return the negative log density of every action, in nats for actions in m/s.

    Args:
        run: Of a policy with ``log_prob`` and a prediction horizon of one.
        demonstrations: Held out from the run's training, on the run's device.
    """
    observations = run.normalizers.observations.normalize(demonstrations.observations)
    actions = run.normalizers.actions.normalize(demonstrations.actions)
    log_prob = run.policy.log_prob(observations, actions.unsqueeze(1))  # type: ignore[operator]
    # A density per normalised unit becomes one per m/s.
    return run.normalizers.actions.scale.log().sum() - log_prob


def expert_nats(task: Fork, demonstrations: Demonstrations) -> Float[Tensor, "num_actions"]:
    """Return the negative log density of every action under the drivers' own distribution.

    Each driver gave half of the data. Before an episode's first action the side is open; after it,
    Bayes' rule weighs both drivers by how well they explain the actions so far.

    No policy that sees only the present observation spends fewer nats on average: this one knows
    the true distribution and the episode's past besides. That holds for the drivers' actions as
    they drove; demonstrations leave failed episodes out, of which these drivers have next to none.
    """
    with torch.no_grad():
        both = torch.stack(
            [_driver_log_prob(task, side, demonstrations) for side in SIDES], dim=1
        ).double()
    nats = []
    for own in both.split([len(trajectory) for trajectory in demonstrations.trajectories]):
        joint = torch.cat([torch.zeros(1, 2), own.cumsum(dim=0)]).logsumexp(dim=1)
        nats.append(joint[:-1] - joint[1:])
    return torch.cat(nats).float()


def _driver_log_prob(
    task: Fork, side: str, demonstrations: Demonstrations
) -> Float[Tensor, "num_actions"]:
    driver = ForkDriver(task, (side,), DECISION_DISTANCE)
    observations = demonstrations.observations
    driver.reset(torch.ones(len(observations), dtype=torch.bool))
    mean = driver.act(observations, _generator(0))
    standardised = (demonstrations.actions - mean) / HAND_NOISE
    log_density = -0.5 * standardised.square() - math.log(HAND_NOISE * math.sqrt(2 * math.pi))
    return log_density.sum(dim=1)


def _choosing(task: Fork, observations: Tensor) -> Tensor:
    return ForkDriver(task, decision_distance=DECISION_DISTANCE).is_deciding(observations)


def _sides(task: Fork, actors: Sequence[Actor], observations: Tensor) -> tuple[float, float, float]:
    lateral = []
    seen = observations.repeat(10, 1)
    for seed, actor in enumerate(actors):
        actor.reset(torch.ones(len(seen), dtype=torch.bool))
        with torch.inference_mode():
            lateral.append(task.to_road(actor.act(seen, _generator(seed)))[:, 1])
    commands, half = torch.cat(lateral), ForkDriver(task).swerve_speed / 2
    left, right = float((commands > half).float().mean()), float((commands < -half).float().mean())
    return left, right, 1 - left - right


def _milliseconds_per_action(actor: Actor, observations: Tensor, repeats: int = 200) -> float:
    generator, times = _generator(0), []
    actor.reset(torch.ones(1, dtype=torch.bool))
    with one_thread(), torch.inference_mode():
        for step in range(repeats):
            row = step % len(observations)
            started = time.perf_counter()
            actor.act(observations[row : row + 1], generator)
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _parameters(make_policy: MakePolicy, width: int) -> int:
    return count_parameters(make_policy(width, _generator(0)))


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed % 2**63)


def write_comparison(results: Sequence[PolicyResult], path: str | Path) -> None:
    """Write results as a JSON file, in place of an older one."""
    rows = ",\n".join(json.dumps(asdict(result)) for result in results)
    write_atomically(path, f"[\n{rows}\n]\n".encode())


def read_comparison(path: str | Path) -> list[PolicyResult]:
    """Read what ``write_comparison`` wrote."""
    return _results(Path(path).read_text(encoding="utf-8"))


def recorded_comparison() -> list[PolicyResult]:
    """Return the results of ``python -m benchmarks.policies`` that come with the library."""
    return _results((resources.files("imitation_lab") / RECORDED).read_text(encoding="utf-8"))


def _results(text: str) -> list[PolicyResult]:
    return [PolicyResult(**{**row, "sides": tuple(row["sides"])}) for row in json.loads(text)]


def comparison_table(results: Sequence[PolicyResult]) -> str:
    """Return results as a table in Markdown."""
    lines = [
        "| road | policy | reaches the goal | nats per action | nats at the choice "
        "| left / neither / right, % | ms per action |",
        "|---|---|--:|--:|--:|:-:|--:|",
    ]
    for result in results:
        left, right, neither = (f"{100 * share:.0f}" for share in result.sides)
        lines.append(
            f"| {result.road} | {result.name} | {result.success} | {_mean(result.nats)} "
            f"| {_mean(result.nats_at_the_choice)} | {left} / {neither} / {right} "
            f"| {result.milliseconds:.2f} |"
        )
    return "\n".join(lines)


def _mean(nats: Sequence[float]) -> str:
    return f"{statistics.mean(nats):.2f}".replace("-", "\N{MINUS SIGN}") if nats else "no density"
