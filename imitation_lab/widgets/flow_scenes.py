"""What follow-the-flow shows: data sets, perhaps with a field that was learned from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.toys import Toy, ring, steer_or_brake

OWN = "your own points"  # the choice that is always there
MOST_POINTS = 200  # of a data set: as many as the browser averages in every frame
DATA_SEED = 0

Velocity = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)  # two scenes with equal data may have other fields
class FlowScene:
    """Data for ``FollowTheFlow``, perhaps with a field that was learned from them.

    Attributes:
        name: What the choice is called.
        data: The points (count, 2) that the exact field averages, in units in which they spread about
            as far as standard normal noise does: normalised actions. Of more than 200, that many are
            used, evenly taken from first to last.
        velocity: The learned field: of points (batch, 2) at times (batch,). None shows the exact
            field alone.
        label: Which state this is, in a list of scenes that differ by the policy's state.
        axes: What the two numbers are called.

    Raises:
        ValueError: If the data are no plane's points, or none at all.
    """

    name: str
    data: Tensor
    velocity: Velocity | None = None
    label: str = ""
    axes: tuple[str, str] = ("first number", "second number")

    def __post_init__(self) -> None:
        if self.data.ndim != 2 or self.data.shape[1] != 2 or not len(self.data):
            raise ValueError(
                f"expected data of shape (count, 2) with a count of at least 1, got "
                f"{tuple(self.data.shape)}: the picture is a plane, so choose two numbers of an action."
            )
        if not self.data.isfinite().all():
            raise ValueError(
                f"the data of {self.name!r} hold nan or infinity: leave those rows out."
            )

    @property
    def points(self) -> Float[Tensor, "count 2"]:
        """The data that are shown and averaged."""
        data = self.data.detach().cpu().float()
        kept = torch.linspace(0, len(data) - 1, min(len(data), MOST_POINTS))
        return data[kept.round().long()]


Choice = tuple[FlowScene, ...]  # the states of one choice; most have a single one


def as_choices(scenes: Sequence[FlowScene | Sequence[FlowScene]]) -> tuple[Choice, ...]:
    """Return scenes as choices of one or more states.

    Raises:
        ValueError: If two choices share a name, one has no state, or some states have no field.
    """
    choices = tuple((one,) if isinstance(one, FlowScene) else tuple(one) for one in scenes)
    if not all(choices):
        raise ValueError("a list of states is empty: give it at least one FlowScene.")
    names = [choice[0].name for choice in choices]
    if len({*names, OWN}) <= len(names):
        raise ValueError(f"every choice needs a name of its own besides {OWN!r}, got {names}.")
    for choice in choices:
        if len({state.velocity is None for state in choice}) > 1:
            raise ValueError(
                f"some states of {choice[0].name!r} have a velocity and some have none: "
                "give all of them one, or none."
            )
    return choices


@cache
def built_in_scenes() -> tuple[FlowScene, ...]:
    """Return two drivers on the plane and the ring, in standard deviations of their actions."""
    return _from_toy("two drivers", steer_or_brake()), _from_toy("ring", ring())


def _from_toy(name: str, toy: Toy) -> FlowScene:
    generator = torch.Generator().manual_seed(DATA_SEED)
    data = toy.sample(MOST_POINTS, generator) / toy.distribution.stddev
    return FlowScene(name, data, axes=("steer", "speed"))
