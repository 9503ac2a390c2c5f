"""imitation 1.0 as a peer: cloning, DAgger and rollouts, as its documentation has them.

Runs in the peers' environment: `.peers/bin/python -m benchmarks.speed.peer_imitation GIVEN.npz`. Its
networks have the library's widths, layers and activation, and no layers for a critic, which cloning
would not use.
"""

import sys
import tempfile
import time

import numpy as np
import torch
from imitation.algorithms.bc import BC
from imitation.algorithms.dagger import SimpleDAggerTrainer
from imitation.data import rollout
from imitation.data.types import Transitions
from imitation.data.wrappers import RolloutInfoWrapper
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmarks.speed.numpy_fork import NumpyFork
from benchmarks.speed.serving import serve
from imitation_lab.envs.fork import Fork
from imitation_lab.experts.fork import ForkDriver

WIDTH, NEVER = 128, 10**9
GIVEN = np.load(sys.argv[1])
SPACES = NumpyFork().observation_space, NumpyFork().action_space
DRIVER = ForkDriver(Fork(), sides=("left",))


class Expert(BasePolicy):
    """The library's simulated driver, as imitation asks its experts."""

    def __init__(self) -> None:
        super().__init__(*SPACES)

    def _predict(self, observation: torch.Tensor, deterministic: bool = False) -> torch.Tensor:
        DRIVER.reset(torch.ones(len(observation), dtype=torch.bool))
        return DRIVER.act(observation, torch.default_generator)


def network() -> ActorCriticPolicy:
    """Return an untrained policy."""
    return ActorCriticPolicy(
        *SPACES,
        lr_schedule=lambda _: 3e-3,
        net_arch={"pi": [WIDTH, WIDTH], "vf": []},
        activation_fn=torch.nn.ReLU,
    )


def trainer(batch: int, transitions: Transitions | None = None) -> BC:
    """Return imitation's behaviour cloning."""
    return BC(
        observation_space=SPACES[0],
        action_space=SPACES[1],
        demonstrations=transitions,
        policy=network(),
        rng=np.random.default_rng(0),
        batch_size=batch,
    )


def environments(number: int) -> DummyVecEnv:
    """Return forks side by side, with the wrapper that imitation asks for."""
    return DummyVecEnv([lambda: RolloutInfoWrapper(NumpyFork()) for _ in range(number)])


def clone(steps: int, batch: int) -> dict[str, float]:
    """Clone the given observations and actions."""
    observations, actions = GIVEN["observations"], GIVEN["actions"]
    count = len(actions)
    transitions = Transitions(
        obs=observations,
        acts=actions,
        next_obs=observations,
        dones=np.zeros(count, dtype=bool),
        infos=np.array([{}] * count),
    )
    training = trainer(batch, transitions)
    started = time.perf_counter()
    training.train(n_batches=steps, log_interval=NEVER, progress_bar=False)
    return {"seconds": time.perf_counter() - started}


def trained() -> ActorCriticPolicy:
    """Return the policy of the given weights."""
    policy = network()
    layers = [*policy.mlp_extractor.policy_net[::2], policy.action_net]
    for index, layer in enumerate(layers):
        layer.weight.data = torch.from_numpy(GIVEN[f"weight{index}"])
        layer.bias.data = torch.from_numpy(GIVEN[f"bias{index}"])
    return policy


def drive(episodes: int, number: int) -> dict[str, float]:
    """Run episodes with the given policy."""
    policy, forks = trained(), environments(number)
    started = time.perf_counter()
    trajectories = rollout.rollout(
        policy,
        forks,
        rollout.make_sample_until(min_episodes=episodes),
        rng=np.random.default_rng(0),
        deterministic_policy=True,
        verbose=False,
    )
    seconds = time.perf_counter() - started
    successes = sum(float(trajectory.rews.sum()) for trajectory in trajectories)
    return {
        "seconds": seconds * episodes / len(trajectories),
        "success": successes / len(trajectories),
    }


def dagger(rounds: int, episodes: int, steps: int, batch: int) -> dict[str, float]:
    """Take rounds of DAgger."""
    forks = environments(episodes)
    with tempfile.TemporaryDirectory() as folder:
        training = SimpleDAggerTrainer(
            venv=forks,
            scratch_dir=folder,
            expert_policy=Expert(),
            bc_trainer=trainer(batch),
            rng=np.random.default_rng(0),
        )
        learn = {"n_batches": steps, "log_rollouts_venv": None, "progress_bar": False}
        least = {"rollout_round_min_episodes": episodes, "rollout_round_min_timesteps": 1}
        started = time.perf_counter()
        for _ in range(rounds):
            # Asked for one step, it takes a whole round.
            training.train(1, bc_train_kwargs=learn | {"log_interval": NEVER}, **least)
        seconds = time.perf_counter() - started
        labels = sum(len(trajectory) for trajectory in training._all_demos)
    return {"seconds": seconds, "labels": labels}


if __name__ == "__main__":
    serve(clone=clone, drive=drive, dagger=dagger)
