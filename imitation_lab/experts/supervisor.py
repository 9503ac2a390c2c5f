"""Somebody who sits beside a policy that drives, and takes the wheel when it gets dangerous."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.types import Generator


@dataclass
class Supervisor:
    """A simulated person as a gate: slow to react, and not always looking.

    Called once at every step with what is seen and who drives; says who drives now. Remembers one
    batch of episodes: make a new one for the next.

    Attributes:
        danger: How bad it looks (batch,), of observations (batch, observation_dim).
        generator: The source of lapses.
        alarm: Danger above which the person wants the wheel.
        relief: Danger below which the person hands it back.
        reaction_steps: Steps between seeing danger and holding the wheel.
        lapse: Probability at each step that an attentive person looks away.
        lapse_steps: How long that lasts on average.

    Raises:
        ValueError: If ``relief`` exceeds ``alarm``, or another number is out of range.
    """

    danger: Callable[[Tensor], Tensor]
    generator: Generator
    alarm: float = 0.6
    relief: float = 0.25
    reaction_steps: int = 2
    lapse: float = 0.0
    lapse_steps: float = 10.0
    _reacting: Tensor = field(default_factory=lambda: torch.empty(0), init=False, repr=False)
    _looking: Tensor = field(default_factory=lambda: torch.empty(0), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.relief > self.alarm:
            raise ValueError(f"relief {self.relief} must not exceed alarm {self.alarm}.")
        if self.reaction_steps < 0 or self.lapse_steps < 1 or not 0 <= self.lapse <= 1:
            raise ValueError(
                "reaction_steps must be at least 0, lapse_steps at least 1 and lapse in [0, 1], got "
                f"{self.reaction_steps}, {self.lapse_steps} and {self.lapse}."
            )

    def __call__(
        self, observations: Float[Tensor, "batch observation_dim"], engaged: Bool[Tensor, "batch"]
    ) -> Bool[Tensor, "batch"]:
        """Return for every episode whether the person drives now."""
        if len(self._reacting) != len(engaged):
            self._reacting = torch.zeros_like(engaged, dtype=torch.long)
            self._looking = torch.ones_like(engaged)
        self._look()
        danger = self.danger(observations)
        # Who holds the wheel looks at the road.
        alarmed = (danger > self.alarm) & self._looking & ~engaged
        reacting = alarmed | (self._reacting > 0)
        takes_over = reacting & (self._reacting >= self.reaction_steps) & ~engaged
        self._reacting = torch.where(reacting & ~takes_over & ~engaged, self._reacting + 1, 0)
        return takes_over | (engaged & (danger >= self.relief))

    def _look(self) -> None:
        coins = torch.rand(
            self._looking.shape, generator=self.generator, device=self._looking.device
        )
        looks_away, looks_back = coins < self.lapse, coins < 1 / self.lapse_steps
        self._looking = torch.where(self._looking, ~looks_away, looks_back)
