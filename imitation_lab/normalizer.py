"""Between physical and normalised units."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Shift and scale every dimension to mean zero and standard deviation one.

    A module with buffers, so that it moves between devices and into checkpoints with its policy.
    Before ``fit`` it changes nothing.

    Attributes:
        mean: Per dimension, in physical units.
        scale: Standard deviation per dimension, in physical units, at least ``smallest_scale``.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int, smallest_scale: float = 1e-2) -> None:
        super().__init__()
        self.smallest_scale = smallest_scale
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    @classmethod
    def fit(cls, values: Float[Tensor, "*batch dim"], smallest_scale: float = 1e-2) -> "Normalizer":
        """Return the normalizer of these values' mean and standard deviation.

        Args:
            values: Physical units; all axes but the last are averaged over.
            smallest_scale: A floor on the scale. A dimension that hardly moves in the training data
                would otherwise blow up whatever small change it shows later.

        Raises:
            ValueError: If ``values`` is empty or not finite.
        """
        rows = values.reshape(-1, values.shape[-1])
        if len(rows) == 0 or not rows.isfinite().all():
            raise ValueError(f"a normalizer needs finite values, got shape {tuple(values.shape)}.")
        normalizer = cls(rows.shape[1], smallest_scale)
        normalizer.mean.copy_(rows.mean(dim=0))
        normalizer.scale.copy_(rows.std(dim=0, correction=0).clamp(min=smallest_scale))
        return normalizer

    def normalize(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Turn physical into normalised units."""
        return (values - self.mean) / self.scale

    def denormalize(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Turn normalised into physical units."""
        return values * self.scale + self.mean
