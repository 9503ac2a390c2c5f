"""Many trained policies as one: the rows of a batch are shared out among them."""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.normalizer import Normalizer
from imitation_lab.types import Generator


class PolicyStack:
    """Policies of one class and shape that draw their chunks together.

    The first rows of a batch belong to the first policy, the next ones to the second, all with
    equally many rows. A small network leaves a machine idle between its operations; here every
    operation runs for all policies.

    Args:
        policies: At least one. They differ in nothing but their parameters, all of which lie in
            ``network``, and in their normalizers.

    Raises:
        ValueError: If a policy has parameters outside ``network``.
    """

    def __init__(self, policies: Sequence[PhysicalPolicy]) -> None:
        # A copy: the first policy keeps its own network.
        self.policy = copy.deepcopy(policies[0].policy)
        outside = [name for name in self.policy.state_dict() if not name.startswith("network.")]
        if outside:
            raise ValueError(f"parameters outside of network cannot be stacked: {outside}.")
        self.policy.network = _Networks([policy.policy.network for policy in policies])
        self._seen = _Normalizers([policy.observation_normalizer for policy in policies])
        self._done = _Normalizers([policy.action_normalizer for policy in policies])
        self.device = policies[0].device
        self.prediction_horizon = policies[0].prediction_horizon

    def normalize_observations(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> Float[Tensor, "batch observation_dim"]:
        """Turn physical observations into each policy's normalised ones."""
        return self._seen.normalize(observations)

    def normalize_actions(
        self, actions: Float[Tensor, "batch *horizon action_dim"]
    ) -> Float[Tensor, "batch *horizon action_dim"]:
        """Turn physical actions into each policy's normalised ones."""
        return self._done.normalize(actions)

    def denormalize_actions(
        self, actions: Float[Tensor, "batch *horizon action_dim"]
    ) -> Float[Tensor, "batch *horizon action_dim"]:
        """Turn each policy's normalised actions into physical ones."""
        return self._done.denormalize(actions)

    @torch.no_grad()
    def sample(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation, in physical units."""
        chunks = self.policy.sample(self.normalize_observations(observations), generator)
        return self.denormalize_actions(chunks)


class _Networks(nn.Module):
    """Networks of one shape, each for its share of the rows (``torch.func.vmap``)."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        # In a list, so that it is no submodule: its parameters are the stacked ones.
        self._shape = [networks[0]]
        self._number = len(networks)
        self._state = stack_module_state(list(networks))

    def forward(
        self, inputs: Float[Tensor, "batch input_dim"]
    ) -> Float[Tensor, "batch output_dim"]:
        def one(parameters: dict, buffers: dict, rows: Tensor) -> Tensor:
            return functional_call(self._shape[0], (parameters, buffers), (rows,))

        shares = inputs.unflatten(0, (self._number, -1))
        return vmap(one)(*self._state, shares).flatten(0, 1)


class _Normalizers:
    """Normalizers, one for each share of the rows."""

    def __init__(self, normalizers: Sequence[Normalizer]) -> None:
        self._means = torch.stack([normalizer.mean for normalizer in normalizers])
        self._scales = torch.stack([normalizer.scale for normalizer in normalizers])

    def normalize(self, values: Tensor) -> Tensor:
        return (values - _spread(self._means, values)) / _spread(self._scales, values)

    def denormalize(self, values: Tensor) -> Tensor:
        return values * _spread(self._scales, values) + _spread(self._means, values)


def _spread(numbers: Float[Tensor, "policies dim"], like: Tensor) -> Tensor:
    """Repeat each policy's numbers for its share of the rows, with axes of one as ``like`` has."""
    rows = numbers.repeat_interleave(len(like) // len(numbers), dim=0)
    return rows.view(len(like), *[1] * (like.dim() - 2), -1)
