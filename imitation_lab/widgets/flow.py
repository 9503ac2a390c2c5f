"""Notebook 05's widget: particles on their way from noise to data.

``flow_scenes`` holds what is shown, ``flow_numbers`` the arithmetic, ``flow_packing`` what the browser
gets of both, ``flow_figure`` the static picture.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import traitlets
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.widgets.base import CourseWidget, as_bytes
from imitation_lab.widgets.flow_figure import plot_flow
from imitation_lab.widgets.flow_numbers import (
    FIELDS,
    LIMIT,
    STEP_COUNTS,
    FlowAnswers,
    FlowSummary,
    chosen_particle,
    euler_path,
    exact_field,
    landing_distance,
    positions,
    posterior_at,
    start_noise,
)
from imitation_lab.widgets.flow_packing import pack, particles_shown
from imitation_lab.widgets.flow_scenes import (
    OWN,
    Choice,
    FlowScene,
    Velocity,
    as_choices,
    built_in_scenes,
)

MOST_OWN_POINTS = 200
PARTICLES = (1, 20_000)

__all__ = ["OWN", "FlowScene", "FollowTheFlow"]


class FollowTheFlow(CourseWidget, front_end="flow"):
    """Particles that follow a field from noise, at time 0, to data, at time 1.

    The student plays and scrubs time, sets the number of Euler steps, looks at the arrows of the
    learned field, of the exact one and of their difference, and picks a particle to see which data
    points the exact field averages there, and how much each of them counts.

    The particles follow the field whose arrows are shown: the learned one with the difference, and
    the exact one where nothing was learned. They start from the same noise in every scene and with
    every number of steps. What is drawn between two steps is where Euler's method goes: straight.

    Besides the given scenes there is always ``"your own points"``: data that the student draws. Their
    exact field needs no training, and the browser works it out by itself.

    Attributes:
        scene: Name of the data that are shown.
        state: Which of the scene's states, from 0.
        time: From 0 to 1.
        steps: Euler steps: 1, 2, 3, 5, 10, 20 or 50.
        field: ``"learned"``, ``"exact"`` or ``"difference"``; where nothing was learned, the exact
            field is shown whatever stands here.
        arrows: Whether the field is drawn.
        playing: Whether time runs.
        points: The student's own data: pairs, each number in ±3.2, at most 200.
        particle: Index of the particle that is looked at, or None.

    Args:
        scenes: Each a choice; a list of scenes is one choice with a slider over its states. By
            default two drivers and the ring, with exact fields only.
        particles: How many. A choice of more than three states shows fewer in each of them.
        exact_velocity: The student's answer, of points, times and data. By default the course's, which
            a release holds back as long as notebook 05 is due.
        euler_sample: The student's answer, of a velocity, points, steps and observations. By default the
            course's as well.

    Raises:
        ValueError: If what was given, or the course's, cannot be computed with.
    """

    scene = traitlets.Unicode().tag(sync=True)
    state = traitlets.Int(0).tag(sync=True)
    time = traitlets.Float(0.0).tag(sync=True)
    steps = traitlets.Enum(STEP_COUNTS, 10).tag(sync=True)
    field = traitlets.Enum(FIELDS, "learned").tag(sync=True)
    arrows = traitlets.Bool(True).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    points = traitlets.List(traitlets.List(traitlets.Float(), minlen=2, maxlen=2)).tag(sync=True)
    particle = traitlets.Int(None, allow_none=True).tag(sync=True)

    plan: traitlets.List = traitlets.List(read_only=True).tag(sync=True)
    noise = traitlets.Bytes(read_only=True).tag(sync=True)
    scene_points = traitlets.Bytes(read_only=True).tag(sync=True)
    trajectories = traitlets.Bytes(read_only=True).tag(sync=True)
    learned_arrows = traitlets.Bytes(read_only=True).tag(sync=True)

    def __init__(
        self,
        scenes: Sequence[FlowScene | Sequence[FlowScene]] | None = None,
        particles: int = 5000,
        exact_velocity: Callable[..., Tensor] | None = None,
        euler_sample: Callable[..., Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        low, high = PARTICLES
        if not low <= particles <= high:
            raise ValueError(f"particles must lie between {low} and {high}, got {particles}.")
        self._choices = as_choices(built_in_scenes() if scenes is None else scenes)
        self._particles = particles
        given = {"exact_velocity": exact_velocity, "euler_sample": euler_sample}
        self._answers = FlowAnswers(**{name: own for name, own in given.items() if own is not None})
        names = [choice[0].name for choice in self._choices]
        kwargs.setdefault("scene", [*names, OWN][0])
        self._hand_over()  # first: what is there already goes to the browser in one message
        super().__init__(**kwargs)

    def _hand_over(self) -> None:
        packed = self._packed = pack(self._choices, self._particles, self._answers)
        self.set_trait("plan", packed.plan)
        self.set_trait("noise", as_bytes(start_noise(self._particles)))
        self.set_trait("scene_points", packed.data)
        self.set_trait("trajectories", b"".join(packed.stops))
        self.set_trait("learned_arrows", packed.arrows)

    @traitlets.validate("scene")
    def _is_a_choice(self, proposal: dict[str, Any]) -> str:
        names = [*(choice[0].name for choice in self._choices), OWN]
        if proposal["value"] not in names:
            raise traitlets.TraitError(
                f"scene must be one of {', '.join(map(repr, names))}, got {proposal['value']!r}."
            )
        return proposal["value"]

    @traitlets.validate("time")
    def _within_time(self, proposal: dict[str, Any]) -> float:
        if not 0 <= proposal["value"] <= 1:
            raise traitlets.TraitError(f"time must lie between 0 and 1, got {proposal['value']:g}.")
        return proposal["value"]

    @traitlets.validate("state", "particle")
    def _exists(self, proposal: dict[str, Any]) -> int | None:
        name, value = proposal["trait"].name, proposal["value"]
        most = max(map(len, self._choices), default=1) if name == "state" else self._particles
        if value is not None and not 0 <= value < most:
            raise traitlets.TraitError(f"{name} must lie between 0 and {most - 1}, got {value}.")
        return value

    @traitlets.validate("points")
    def _on_the_plane(self, proposal: dict[str, Any]) -> list[list[float]]:
        points = proposal["value"]
        if len(points) > MOST_OWN_POINTS:
            raise traitlets.TraitError(
                f"the browser averages at most {MOST_OWN_POINTS} points of your own, got {len(points)}."
            )
        for index, point in enumerate(points):
            if not all(abs(value) <= LIMIT for value in point):  # nan fails as well
                raise traitlets.TraitError(
                    f"every number of a point must lie between -{LIMIT:g} and {LIMIT:g}, got {point} "
                    f"at index {index}."
                )
        return points

    @property
    def shown(self) -> FlowScene | None:
        """The scene and state that are shown, or None as long as there is no point of one's own."""
        if self.scene != OWN:
            choice = self._choice()
            return choice[min(self.state, len(choice) - 1)]
        if not self.points:
            return None
        axes = self._choices[0][0].axes if self._choices else FlowScene.axes
        return FlowScene(OWN, torch.tensor(self.points), axes=axes)

    def _choice(self) -> Choice:
        return next(choice for choice in self._choices if choice[0].name == self.scene)

    @property
    def followed(self) -> str:
        """The field that the particles follow, ``"learned"`` or ``"exact"``."""
        learned = self.shown is not None and self.shown.velocity is not None
        return "learned" if learned and self.field != "exact" else "exact"

    @property
    def num_particles(self) -> int:
        """Particles in the scene that is shown."""
        if self.scene == OWN:
            return self._particles
        return particles_shown(self._choice(), self._particles)

    def stops(self) -> Float[Tensor, "moments particles 2"]:
        """Return where the particles are before the first step and after every step."""
        noise, scene = start_noise(self._particles), self.shown
        if scene is None:
            return noise.repeat(self.steps + 1, 1, 1)
        if self.scene == OWN or (scene.velocity is not None and self.followed == "exact"):
            # The browser works these out by itself, in double precision.
            start = noise[: self.num_particles].double()
            return euler_path(self._exact_field(scene), start, self.steps, self._answers)
        states = [state for choice in self._choices for state in choice]
        return self._packed.stops_of(states.index(scene), self.steps, noise)

    def positions(self, time: float | None = None) -> Float[Tensor, "particles 2"]:
        """Return where the particles are at a time, by default the one that is shown."""
        return positions(self.stops(), self.time if time is None else time)

    def posterior(self) -> Float[Tensor, "count"]:
        """Return the probability of every data point, given where the chosen particle is.

        Raises:
            ValueError: If no particle is chosen, or there are no data.
        """
        if self.shown is None or self.particle is None:
            raise ValueError("choose data and a particle first: click one, or set `particle`.")
        place = self.positions()[self.particle % self.num_particles]
        return posterior_at(place, self.time, self.shown.points, self._answers)

    def summary(self) -> FlowSummary:
        """Return the numbers that the widget shows."""
        scene = self.shown
        title = self.scene if scene is None or not scene.label else f"{self.scene}, {scene.label}"
        count = 0 if scene is None else len(scene.points)
        title = title[:1].upper() + title[1:]
        known = (title, self.followed, self.steps, self.time, self.num_particles, count)
        if scene is None:
            return FlowSummary(*known)
        stops, data = self.stops(), scene.points
        chosen = None
        if self.particle is not None:
            index = self.particle % self.num_particles
            place = positions(stops, self.time)[index]
            chosen = chosen_particle(index, place, self.time, data, self._answers)
        x, y = data.double().mean(dim=0).tolist()
        return FlowSummary(*known, (x, y), landing_distance(stops[-1], data), chosen)

    def describe(self) -> str:
        """Return in words what the widget shows."""
        numbers = self.summary()
        return (
            f"{numbers.particles:,} particles on their way from standard normal noise at t = 0 to data "
            f"at t = 1, with the field as arrows. {numbers.sentence()}"
        )

    def figure(self) -> Figure:
        """Return four moments of the flow as a figure."""
        scene = self.shown
        field = None
        if scene is not None:
            learned = self.followed == "learned"
            field = scene.velocity if learned else self._exact_field(scene)
        return plot_flow(scene, field, self.stops(), self.particle)

    def _exact_field(self, scene: FlowScene) -> Velocity:
        return exact_field(scene.points, self._answers)
