"""The cockpit: a policy drives in the browser, a person watches, takes over, and hands back.

``cockpit_sessions`` holds what is recorded, ``cockpit_weights`` how policies go to the browser,
``cockpit_figure`` the static picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.training import TrainingRun
from imitation_lab.types import Dataset
from imitation_lab.widgets.base import CourseWidget, as_bytes
from imitation_lab.widgets.cockpit_figure import describe_session, is_usual, plot_session
from imitation_lab.widgets.cockpit_sessions import (
    Session,
    corrections_of,
    load_sessions,
    read_session,
    recorded_supervision,
    results_of,
    save_sessions,
)
from imitation_lab.widgets.cockpit_weights import (
    as_physical,
    layer_sizes,
    name_weights,
    pack_weights,
)
from imitation_lab.widgets.vehicles import vehicle_plan

STARTS = 100  # every policy begins with the first of them, so that drives can be compared


class Cockpit(CourseWidget, front_end="cockpit"):
    """A trained policy drives, in the browser; whoever holds Space or the pointer drives instead.

    On the left, the road from above. On the right, how much the policies disagree about what to do, and
    what the policy would do beside what is done. The kernel hands over weights and gets back whole
    drives, so it may be busy meanwhile.

    Attributes:
        threshold: The line in the picture of doubt, in the action's unit, or None for no line.
        driver: Which policy drives, counted from 0. All of them together give the doubt.
        pace: Seconds on the road for each second on the clock. Below 1 everything happens slowly.

    Args:
        task: A fork or a racetrack, at the rate at which the policies have learnt: a clone from 10 Hz loses
            its lane at 30 Hz. The person steers at that rate too, and ``pace`` gives them time.
        policies: Trained runs, or policies in physical units, all of one shape.
        path: Where drives are saved, each as soon as it has ended, and loaded from.
        threshold: Where to draw the line in the picture of doubt.
        record: Whether drives are saved and loaded. Without it they are kept until the kernel ends, and
            the arrow keys push the vehicle aside.

    Raises:
        ValueError: If the task is another one, if the policies do not fit, or if the file at the path
            holds something else.
    """

    threshold = traitlets.Float(None, allow_none=True).tag(sync=True)
    driver = traitlets.Int(0).tag(sync=True)
    pace = traitlets.Float(0.4, min=0.05, max=8).tag(sync=True)

    plan: traitlets.Dict = traitlets.Dict(read_only=True).tag(sync=True)
    starts = traitlets.Bytes(read_only=True).tag(sync=True)
    network: traitlets.Dict = traitlets.Dict(read_only=True).tag(sync=True)
    weights = traitlets.Bytes(read_only=True).tag(sync=True)
    results: traitlets.List = traitlets.List(read_only=True).tag(sync=True)
    receipt: traitlets.Dict = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(
        self,
        task: Fork | Racetrack,
        policies: Sequence[PhysicalPolicy | TrainingRun],
        path: str | Path = "my_corrections.npz",
        threshold: float | None = None,
        record: bool = True,
        **kwargs: Any,
    ) -> None:
        plan = {**vehicle_plan(task), "record": record}
        self.task, self.record, self.path = task, record, Path(path)
        self._policies = self._checked(policies)
        self._sessions: list[Session] = []
        if record and self.path.exists():
            self._sessions = load_sessions(self.path, task.name)
        # First: what is there already goes to the browser in one message.
        self.set_trait("plan", plan)
        states = task.initial_states(STARTS, torch.Generator().manual_seed(0))
        self.set_trait("starts", as_bytes(states))
        self._hand_over()
        super().__init__(threshold=threshold, **kwargs)
        self.on_msg(self._hear)

    @property
    def policies(self) -> tuple[PhysicalPolicy, ...]:
        """The policies; set new ones, and they drive from the next start on."""
        return self._policies

    @policies.setter
    def policies(self, policies: Sequence[PhysicalPolicy | TrainingRun]) -> None:
        self._policies = self._checked(policies)
        self.driver = min(self.driver, len(self._policies) - 1)
        with self.hold_sync():
            self._hand_over()

    @property
    def sessions(self) -> list[Session]:
        """All drives so far, oldest first."""
        return list(self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)

    def __bool__(self) -> bool:
        """Tell that a cockpit without drives is still a cockpit."""
        return True

    @property
    def corrections(self) -> Dataset:
        """What the person did, and where, in all drives: as ``human_gated_rollout`` gives it."""
        return corrections_of(self._sessions, (self.task.observation_dim, self.task.action_dim))

    def delete(self, index: int) -> None:
        """Drop a drive, also from the file.

        Raises:
            IndexError: If there is no such drive.
        """
        del self._sessions[index]
        self._keep()

    def _hand_over(self) -> None:
        sizes = {"layers": layer_sizes(self._policies[0]), "action_dim": self.task.action_dim}
        weights = pack_weights(self._policies)
        self.set_trait("network", {**sizes, "name": name_weights(weights)})
        self.set_trait("weights", weights)
        self.set_trait("results", results_of(self._sessions, self.network["name"]))

    def _keep(self) -> None:
        """Save what there is, and tell the browser how it stands."""
        self.set_trait("results", results_of(self._sessions, self.network["name"]))
        if self.record and self._sessions:
            save_sessions(self._sessions, self.path, self.task.name)
        elif self.record:
            self.path.unlink(missing_ok=True)

    def _hear(self, _: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        """Take a drive from the browser; nothing else is done while a cell may be running."""
        try:
            if content["kind"] == "discard" and self._sessions:
                self.delete(-1)
            if content["kind"] == "session":
                dims = (self.task.observation_dim, self.task.action_dim)
                rows = bytes(buffers[0])
                self._sessions.append(
                    read_session(rows, dims, content["ending"], content["weights"])
                )
                self._keep()
            trouble = ""
        except (OSError, ValueError) as error:
            trouble = str(error)
        self.set_trait("receipt", {"id": content["id"], "trouble": trouble})

    def _checked(
        self, policies: Sequence[PhysicalPolicy | TrainingRun]
    ) -> tuple[PhysicalPolicy, ...]:
        physical = as_physical(policies)
        given = (physical[0].policy.observation_dim, physical[0].policy.action_dim)
        expected = (self.task.observation_dim, self.task.action_dim)
        if given != expected:
            raise ValueError(
                f"the policies take and give {given} numbers, the {self.task.name} {expected}."
            )
        return physical

    @traitlets.validate("driver")
    def _is_a_driver(self, proposal: dict[str, Any]) -> int:
        if not 0 <= proposal["value"] < len(self._policies):
            raise traitlets.TraitError(
                f"driver must lie between 0 and {len(self._policies) - 1}, got {proposal['value']}."
            )
        return proposal["value"]

    @property
    def shown(self) -> Session | None:
        """The drive in the static picture: the last one, or a recorded one where there is none."""
        if self._sessions:
            return self._sessions[-1]
        return recorded_supervision(self.task.name)[-1] if is_usual(self.task) else None

    def describe(self) -> str:
        """Return in words what the picture shows."""
        return describe_session(self.task, self.shown, self.threshold)

    def figure(self) -> Figure:
        """Return the road, the doubt and the steering of a drive as a figure."""
        return plot_session(self.task, self.shown, self.threshold)
