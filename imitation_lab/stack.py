"""Many trained policies as one: the rows of a batch are shared out among them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.types import Generator, Policy


class PolicyStack:
    """Policies of one class and shape that draw their chunks in one call (``torch.func.vmap``).

    The first rows of a batch belong to the first policy, the next ones to the second, all with
    equally many rows.

    Args:
        policies: At least one.
    """

    def __init__(self, policies: Sequence[PhysicalPolicy]) -> None:
        samplers = [_Sampler(policy.policy) for policy in policies]
        self._sampler = samplers[0]
        self._state = stack_module_state(samplers)
        self._observation_mean, self._observation_scale = _stacked(
            [policy.observation_normalizer for policy in policies]
        )
        self._action_mean, self._action_scale = _stacked(
            [policy.action_normalizer for policy in policies]
        )

    @torch.no_grad()
    def sample(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation, in physical units."""
        own = observations.unflatten(0, (len(self._observation_mean), -1))
        normalised = (own - self._observation_mean) / self._observation_scale

        def sample(parameters: dict, buffers: dict, observations: Tensor) -> Tensor:
            return functional_call(self._sampler, (parameters, buffers), (observations, generator))

        chunks = vmap(sample, randomness="different")(*self._state, normalised)
        scale, mean = self._action_scale.unsqueeze(2), self._action_mean.unsqueeze(2)
        return (chunks * scale + mean).flatten(0, 1)


class _Sampler(nn.Module):
    """A policy's ``sample`` as a module's forward, which is what ``functional_call`` calls."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observations: Tensor, generator: Generator) -> Tensor:
        return self.policy.sample(observations, generator)


def _stacked(normalizers: Sequence[nn.Module]) -> tuple[Tensor, Tensor]:
    means = torch.stack([normalizer.mean for normalizer in normalizers])
    scales = torch.stack([normalizer.scale for normalizer in normalizers])
    return means.unsqueeze(1), scales.unsqueeze(1)
