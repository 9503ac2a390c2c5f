"""Many trained policies as one: the rows of a batch are shared out among them."""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.normalizer import Normalizer


class PolicyStack(PhysicalPolicy):
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
        policy = copy.deepcopy(policies[0].policy)
        outside = [name for name in policy.state_dict() if not name.startswith("network.")]
        if outside:
            raise ValueError(f"parameters outside of network cannot be stacked: {outside}.")
        policy.network = _Networks([own.policy.network for own in policies])
        super().__init__(
            policy,
            _Normalizers([own.observation_normalizer for own in policies]),
            _Normalizers([own.action_normalizer for own in policies]),
        )


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


class _Normalizers(Normalizer):
    """Normalizers, one for each share of the rows: mean and scale are (policies, dim)."""

    def __init__(self, normalizers: Sequence[Normalizer]) -> None:
        super().__init__(normalizers[0].mean.shape[-1])
        self.mean = torch.stack([normalizer.mean for normalizer in normalizers])
        self.scale = torch.stack([normalizer.scale for normalizer in normalizers])

    def normalize(self, values: Float[Tensor, "batch *horizon dim"]) -> Tensor:
        """Turn physical into normalised units, each share of the rows by its own normalizer."""
        return (values - _spread(self.mean, values)) / _spread(self.scale, values)

    def denormalize(self, values: Float[Tensor, "batch *horizon dim"]) -> Tensor:
        """Turn normalised into physical units, each share of the rows by its own normalizer."""
        return values * _spread(self.scale, values) + _spread(self.mean, values)


def _spread(numbers: Float[Tensor, "policies dim"], like: Tensor) -> Tensor:
    """Repeat each policy's numbers for its share of the rows, with axes of one as ``like`` has."""
    rows = numbers.repeat_interleave(len(like) // len(numbers), dim=0)
    return rows.view(len(like), *[1] * (like.dim() - 2), -1)
