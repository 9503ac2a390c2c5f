"""Labels for states that no demonstration visits: whose states, whose actions, and who is asked.

Policies and experts are callables here: observations (batch, observation_dim) to actions (batch,
action_dim), in physical units. A data set is a pair of observations and actions.

Source:
    Ross et al., DAgger, arXiv:1011.0686. Laskey et al., DART, arXiv:1703.09327.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.rollout import rollout
from imitation_lab.types import ActionFunction, Dataset, Generator, Task


def noise_injected_demonstrations(
    env: Task,
    expert: ActionFunction,
    noise_std: float,
    fraction: float,
    generator: Generator,
    episodes: int = 1,
) -> Dataset:
    """Let an expert drive whose hand is pushed now and then, and note what was meant.

    Args:
        env: The task.
        expert: Drives and labels.
        noise_std: Standard deviation of what is added to the executed action, in its own unit.
        fraction: Share of the steps at which it is added, in [0, 1].
        generator: The source of starts, coins and noise.
        episodes: Drives.
    """

    def pushed(observations: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        noise = torch.randn(labels.shape, generator=generator, device=labels.device)
        return labels + noise_std * noise * _coins(labels, fraction, generator)

    return _labelled(env, expert, pushed, episodes, generator)


def rollout_and_label(
    env: Task,
    policy: ActionFunction,
    expert: ActionFunction,
    episodes: int,
    beta: float,
    generator: Generator,
) -> Dataset:
    """Let expert and policy share the wheel, and have the expert label all that was seen.

    Args:
        env: The task.
        policy: Drives where the coin does not say otherwise.
        expert: Labels every observation, and drives at a share ``beta`` of the steps.
        episodes: Drives. All are kept, however they ended.
        beta: Probability that the expert drives a step, in [0, 1].
        generator: The source of starts, noise and coins.
    """

    def mixed(observations: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        return torch.where(_coins(labels, beta, generator), labels, policy(observations))

    return _labelled(env, expert, mixed, episodes, generator)


def aggregate(dataset: Dataset, new: Dataset) -> Dataset:
    """Return both data sets as one, the old one first."""
    observations, actions = zip(dataset, new, strict=True)
    return torch.cat(observations), torch.cat(actions)


def choose_labels(
    observations: Float[Tensor, "n observation_dim"],
    expert: ActionFunction,
    budget: int,
    generator: Generator,
) -> Dataset:
    """Ask an expert about some of the observations, and about no others.

    An expert's time is dear, and neighbouring steps say nearly the same: a random choice from all of
    them teaches more than the first ones.

    Args:
        observations: To choose from, each at most once.
        expert: Is asked.
        budget: Labels. Fewer where there are fewer observations.
        generator: Draws which.
    """
    order = torch.randperm(len(observations), generator=generator, device=generator.device)
    chosen = observations[order[:budget]]
    return chosen, expert(chosen)


def dagger(
    env: Task,
    expert: ActionFunction,
    train: Callable[[Dataset], ActionFunction],
    rounds: int,
    episodes: int,
    beta: float,
    generator: Generator | None = None,
) -> tuple[list[ActionFunction], Dataset]:
    """Learn, drive, have what was seen labelled, and learn again from all of it.

    Args:
        env: The task.
        expert: Demonstrates first, and labels after.
        train: Makes a policy of a data set.
        rounds: Of corrections. In round i, from 1 on, the expert drives a share ``beta**i`` of steps.
        episodes: Drives in each round, and of the demonstrations.
        beta: In [0, 1].
        generator: The source of starts, noise and coins; by default one of its own.

    Returns:
        The policies, one more than there are rounds and the first one behaviour cloning, and all
        labels.
    """
    generator = generator or torch.Generator()
    dataset = rollout_and_label(env, expert, expert, episodes, 1.0, generator)
    policies = [train(dataset)]
    for index in range(1, rounds + 1):
        share = beta**index
        new = rollout_and_label(env, policies[-1], expert, episodes, share, generator)
        dataset = aggregate(dataset, new)
        policies.append(train(dataset))
    return policies, dataset


@dataclass
class _Labelled:
    """An actor that has every observation labelled, and does what comes of it."""

    expert: ActionFunction
    decide: Callable[[Tensor, Tensor, Generator], Tensor]
    labels: list[Tensor] = field(default_factory=list)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Do nothing: all episodes start together, once."""

    def act(self, observations: Tensor, generator: Generator) -> Tensor:
        labels = self.expert(observations)
        self.labels.append(labels)
        return self.decide(observations, labels, generator)


def _labelled(
    env: Task,
    expert: ActionFunction,
    decide: Callable[[Tensor, Tensor, Generator], Tensor],
    episodes: int,
    generator: Generator,
) -> Dataset:
    driver = _Labelled(expert, decide)
    rollouts = rollout(env, driver, episodes, generator)
    running = rollouts.active.T
    observations = rollouts.observations[:-1].transpose(0, 1)[running]
    return observations, torch.stack(driver.labels, dim=1)[running]


def _coins(like: Tensor, share: float, generator: Generator) -> Bool[Tensor, "batch 1"]:
    """Return a coin for every episode, true for a share of them."""
    return torch.rand(len(like), 1, generator=generator, device=like.device) < share
