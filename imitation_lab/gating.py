"""Who drives now? Doubt, thresholds, and hands on the wheel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.rollout import rollout
from imitation_lab.types import ActionFunction, Dataset, Generator, Task

Gate = Callable[[Tensor, Tensor], Tensor]


def ensemble_disagreement(
    policies: Sequence[ActionFunction], observations: Float[Tensor, "batch observation_dim"]
) -> Float[Tensor, "batch"]:
    """Return how far policies differ: the standard deviation of their actions, in the action's unit.

    Variances of several action dimensions are summed.

    Source:
        Menda et al., EnsembleDAgger, arXiv:1807.08364.
    """
    actions = torch.stack([policy(observations) for policy in policies])
    return actions.var(dim=0, correction=0).sum(dim=-1).sqrt()


def gate(
    score: Float[Tensor, "batch"], engaged: Bool[Tensor, "batch"], low: float, high: float
) -> Bool[Tensor, "batch"]:
    """Return where the expert drives next: from above ``high`` until below ``low``.

    Between the two everything stays as it is, so that nobody grabs the wheel at every other step.
    """
    return (score > high) | (engaged & (score >= low))


def fit_threshold(scores: Float[Tensor, "n"], budget: float) -> Float[Tensor, ""]:
    """Return the smallest of the scores above which lies at most the share ``budget`` of them."""
    values = scores.sort().values
    above = len(values) - torch.searchsorted(values, values, right=True)
    return values[above <= budget * len(values)][0]


def auroc(scores: Float[Tensor, "n"], labels: Bool[Tensor, "n"]) -> Float[Tensor, ""]:
    """Return the probability that a random positive scores higher than a random negative.

    Ties count half. This is the area under the ROC curve.

    Source:
        Hanley and McNeil, Radiology 143, 1982.
    """
    gaps = scores[labels].unsqueeze(1) - scores[~labels]
    return ((gaps > 0).float() + 0.5 * (gaps == 0).float()).mean()


def human_gated_rollout(
    env: Task,
    policy: ActionFunction,
    expert: ActionFunction,
    gate: Gate,
    generator: Generator,
    episodes: int = 1,
) -> Dataset:
    """Let a policy drive until a gate hands the wheel to an expert; keep what the expert did.

    Args:
        env: The task.
        policy: Drives where nobody has taken over.
        expert: Drives where somebody has. Asked only then.
        gate: ``gate(observations, engaged)`` says for every episode who drives now.
        generator: The source of starts and noise.
        episodes: Drives.

    Returns:
        What the expert saw and did while driving.

    Source:
        Kelly et al., HG-DAgger, arXiv:1810.02890.
    """
    driver = _Gated(policy, expert, gate)
    rollouts = rollout(env, driver, episodes, generator)
    kept = (rollouts.active & torch.stack(driver.engaged)).T
    observations = rollouts.observations[:-1].transpose(0, 1)[kept]
    return observations, rollouts.actions.transpose(0, 1)[kept]


@dataclass
class _Gated:
    """An actor that asks a gate who drives, and writes the answer down."""

    policy: ActionFunction
    expert: ActionFunction
    gate: Gate
    engaged: list[Tensor] = field(default_factory=list)

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Do nothing: all episodes start together, once."""

    def act(self, observations: Tensor, generator: Generator) -> Tensor:
        nobody = torch.zeros(len(observations), dtype=torch.bool, device=observations.device)
        engaged = self.gate(observations, self.engaged[-1] if self.engaged else nobody)
        self.engaged.append(engaged)
        actions = self.policy(observations)
        if not engaged.any():
            return actions
        return torch.where(engaged.unsqueeze(1), self.expert(observations), actions)
