"""Where a policy becomes an actor: physical units in, physical units out."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.normalizer import Normalizer
from imitation_lab.types import Generator, Policy


@dataclass
class ChunkPlayer:
    """An actor that plays every chunk of its policy to the end, then asks for the next.

    All its episodes start together and therefore ask together.

    Attributes:
        policy: Speaks normalised units.
        observation_normalizer: Fitted on the training observations.
        action_normalizer: Fitted on the training actions.

    Raises:
        ValueError: If the normalizers' dimensions are not the policy's.
    """

    policy: Policy
    observation_normalizer: Normalizer
    action_normalizer: Normalizer
    _chunk: Tensor | None = field(default=None, init=False, repr=False)
    _played: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        normalizers = (self.observation_normalizer, self.action_normalizer)
        given = tuple(len(normalizer.mean) for normalizer in normalizers)
        expected = (self.policy.observation_dim, self.policy.action_dim)
        if given != expected:
            raise ValueError(
                f"the normalizers of observations and actions have {given} dimensions, the policy "
                f"{expected}: use the normalizers of the policy's own training run."
            )

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Drop the current chunks.

        Raises:
            ValueError: If only some of the episodes start anew.
        """
        if not mask.all():
            raise ValueError(
                "a ChunkPlayer restarts all of its episodes at once, not some of them."
            )
        self._chunk = None

    @torch.no_grad()
    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the next action of every episode's chunk."""
        if self._chunk is None or self._played == self.policy.prediction_horizon:
            normalised = self.observation_normalizer.normalize(observations)
            sampled = self.policy.sample(normalised, generator)
            self._chunk = self.action_normalizer.denormalize(sampled)
            self._played = 0
        self._played += 1
        return self._chunk[:, self._played - 1]
