"""Rollouts: steps of all episodes at once, beside environments that step one vehicle each.

The policy is the same everywhere: a network 8–128–128–2 between its normalizers. Gymnasium's loops have
it as plain torch, and imitation with the normalizers folded into its layers. They drive forks written in
numpy for one vehicle.
"""

from collections.abc import Callable, Iterator

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from torch import Tensor

from benchmarks.speed.frame import Row, Settings, in_turns, timed
from benchmarks.speed.numpy_fork import NumpyFork
from benchmarks.speed.peers import peer
from benchmarks.speed.work import given_to_peers, plain_policy, player, seeded
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate

GROUP, UNIT = "rollouts", "episodes"
EPISODES, MANY, ENVIRONMENTS, PAIRS = 1024, 16_384, 8, 5
Plain = Callable[[Tensor], Tensor]  # from observations to actions, in physical units
VECTOR_ENVIRONMENTS = {"Sync": SyncVectorEnv, "Async": AsyncVectorEnv}


def measure(settings: Settings) -> Iterator[Row]:
    """Yield every row of the group."""
    pairs = settings.pairs(PAIRS)
    yield beside_a_loop(pairs)
    for name in VECTOR_ENVIRONMENTS:
        yield beside_a_vector_environment(name, pairs)
    yield beside_imitation(pairs)
    yield many_beside_some(pairs)


def beside_a_loop(pairs: int) -> Row:
    """Time an evaluation beside a loop over Gymnasium's episodes."""
    policy = plain_policy()
    ours, theirs = in_turns(
        timed(lambda: evaluated(EPISODES)), timed(lambda: one_by_one(policy, EPISODES)), pairs
    )
    work, peer_name = f"evaluating a policy in {EPISODES} episodes", "a Gymnasium loop"
    return Row(GROUP, work, peer_name, ours, theirs, 60, EPISODES, UNIT)


def beside_a_vector_environment(name: str, pairs: int) -> Row:
    """Time an evaluation beside one of Gymnasium's vector environments."""
    policy = plain_policy()
    forks: gymnasium.vector.VectorEnv = VECTOR_ENVIRONMENTS[name]([NumpyFork] * ENVIRONMENTS)
    ours, theirs = in_turns(
        timed(lambda: evaluated(EPISODES)),
        timed(lambda: side_by_side(forks, policy, EPISODES)),
        pairs,
    )
    forks.close()
    work = f"evaluating a policy in {EPISODES} episodes"
    peer_name = f"Gymnasium's {name}VectorEnv, {ENVIRONMENTS} environments"
    return Row(GROUP, work, peer_name, ours, theirs, None, EPISODES, UNIT)


def beside_imitation(pairs: int) -> Row:
    """Time an evaluation beside `imitation`'s rollouts."""
    with given_to_peers() as path, peer("peer_imitation", path) as imitation:
        answers: list[dict[str, float]] = []

        def drive() -> float:
            answers.append(imitation.ask("drive", episodes=EPISODES, number=ENVIRONMENTS))
            return answers[-1]["seconds"]

        ours, theirs = in_turns(timed(lambda: evaluated(EPISODES)), drive, pairs)
    work = f"evaluating a policy in {EPISODES} episodes"
    extra = (("success", evaluated(EPISODES)), ("peer's success", answers[-1]["success"]))
    peer_name = f"imitation, {ENVIRONMENTS} environments"
    return Row(GROUP, work, peer_name, ours, theirs, 20, EPISODES, UNIT, extra=extra)


def many_beside_some(pairs: int) -> Row:
    """Time very many episodes at once, beside as many in calls of 1,024."""
    calls = MANY // EPISODES
    ours, theirs = in_turns(
        timed(lambda: evaluated(MANY)),
        timed(lambda: [evaluated(EPISODES) for _ in range(calls)]),
        pairs,
    )
    work, peer_name = f"evaluating a policy in {MANY} episodes at once", f"{EPISODES} at a time"
    return Row(GROUP, work, peer_name, ours, theirs, None, MANY, UNIT)


def evaluated(episodes: int) -> float:
    """Evaluate the policy in one call, and return its share of successes."""
    return evaluate(Fork(), player(), seeded(0), episodes).success.rate


@torch.no_grad()
def one_by_one(policy: Plain, episodes: int) -> float:
    """Drive one episode after the other, and return the share of successes."""
    fork, successes = NumpyFork(), 0.0
    fork.reset(seed=0)
    for _ in range(episodes):
        observation, _ = fork.reset()
        ended = truncated = False
        while not (ended or truncated):
            action = policy(torch.from_numpy(observation)).numpy()
            observation, reward, ended, truncated, _ = fork.step(action)
            successes += reward
    return successes / episodes


@torch.no_grad()
def side_by_side(forks: gymnasium.vector.VectorEnv, policy: Plain, episodes: int) -> float:
    """Drive several episodes side by side until enough have ended; return the share of successes."""
    observations, _ = forks.reset(seed=0)
    ended, successes = 0, 0.0
    while ended < episodes:
        actions = policy(torch.from_numpy(observations)).numpy()
        observations, rewards, terminated, truncated, _ = forks.step(actions)
        ended += int((terminated | truncated).sum())
        successes += float(np.sum(rewards))
    return successes / ended
