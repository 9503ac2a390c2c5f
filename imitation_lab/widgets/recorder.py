"""Notebook 08's recorder: the student demonstrates, and the drives come back as demonstrations.

``recorder_numbers`` takes in a drive and says what there is, ``recorder_figure`` draws it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure

from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.types import Trajectory
from imitation_lab.widgets.base import CourseWidget, as_bytes
from imitation_lab.widgets.recorded import recorded_drives
from imitation_lab.widgets.recorder_figure import plot_drives
from imitation_lab.widgets.recorder_numbers import (
    INTERFACES,
    drives_sentence,
    read_drive,
    start_of,
    trail_of,
)
from imitation_lab.widgets.vehicles import vehicle_plan

SECONDS = 9  # that a person gets for the fork: twice what the simulated drivers get
STARTS = 100
SEED = 0  # everybody drives from the same starts, today and after a restart


class Recorder(CourseWidget, front_end="recorder"):
    """The student drives, and every drive is a demonstration, saved as soon as it arrives.

    Physics and drawing run in the browser, whatever the kernel does. Each start is offered twice in a row,
    so that it can be driven to both sides.

    Attributes:
        interface: How the student drives. ``"drag"`` is kinesthetic: the hand pulls the vehicle itself.
            ``"remote"``: a stick or keys, and the commands arrive late. ``"leader"`` is puppeteering:
            the hand moves a leader with the same body, and the vehicle copies its velocity.
        latency: Seconds by which commands from afar arrive late.
        pace: How fast time runs, in real seconds per second; less than one for those who want it slower.

    Args:
        task: What to drive: a fork or a racetrack at 30 Hz or more. By default a fork with nine seconds.
        path: The npz file that keeps the demonstrations. What it holds already is loaded.

    Raises:
        ValueError: If the task cannot be driven by a person, or the file holds demonstrations of
            something else.
    """

    interface = traitlets.Enum(INTERFACES, "drag").tag(sync=True)
    latency = traitlets.Float(0.3, min=0, max=1).tag(sync=True)
    pace = traitlets.Float(1.0, min=0.25, max=8).tag(sync=True)

    plan: traitlets.Dict = traitlets.Dict(read_only=True).tag(sync=True)
    starts = traitlets.Bytes(read_only=True).tag(sync=True)
    drives: traitlets.List = traitlets.List(read_only=True).tag(sync=True)
    trails = traitlets.Bytes(read_only=True).tag(sync=True)

    def __init__(
        self,
        task: Fork | Racetrack | None = None,
        path: str | Path = "my_demonstrations.npz",
        interface: str = "drag",
        **kwargs: Any,
    ) -> None:
        self.task = default_task() if task is None else task
        self.path = Path(path)
        self._sensor = torch.Generator().manual_seed(SEED)
        self.set_trait("plan", vehicle_plan(self.task))
        starts = self.task.initial_states(STARTS, self._sensor)
        self.set_trait("starts", as_bytes(starts))
        self._kept = self._load(starts)
        self._show()
        super().__init__(interface=interface, **kwargs)
        self.on_msg(self._hear)

    def __len__(self) -> int:
        return len(self._kept)

    def __bool__(self) -> bool:
        """Tell that a recorder without drives is still a recorder."""
        return True

    @property
    def demonstrations(self) -> Demonstrations:
        """All that was recorded and not deleted.

        Raises:
            ValueError: If there is nothing.
        """
        if not self._kept:
            raise ValueError(
                "nothing has been recorded yet: show the recorder, press Enter on its road and drive. "
                f'`recorded_drives("{self.task.name}")` gives drives that somebody else recorded.'
            )
        return Demonstrations(tuple(t for _, t in self._kept.values()), self.task.name)

    def delete(self, index: int) -> None:
        """Delete a drive, also from the file.

        Args:
            index: Which, counted from 0; -1 is the last.

        Raises:
            IndexError: If there is no such drive.
        """
        identity = list(self._kept)[index]
        del self._kept[identity]
        self._save()

    def sentence(self) -> str:
        """Return what the widget says below its panels."""
        return drives_sentence([t for _, t in self._kept.values()], self.task.time_step)

    def describe(self) -> str:
        """Return in words what the figure shows."""
        drives = self._borrowed
        whose = "Nobody has driven yet, so recorded drives stand in. " if drives else ""
        what = drives_sentence(drives, self.task.time_step) if drives else self.sentence()
        return f"The {self.task.name} from above, with every drive on it as a line. {whose}{what}"

    def figure(self) -> Figure:
        """Return the road with all drives on it as a figure: recorded ones, while there are none."""
        return plot_drives(self.task, self._borrowed or [t for _, t in self._kept.values()])

    @property
    def _borrowed(self) -> tuple[Trajectory, ...]:
        """The drives to be pictured where nobody has driven."""
        known = self.task == default_task() and not self._kept
        return recorded_drives(self.task.name).trajectories if known else ()

    def _load(self, starts: torch.Tensor) -> dict[str, tuple[int, Trajectory]]:
        """Return the drives of the file by an identity, each with its start."""
        if not self.path.exists():
            return {}
        loaded = Demonstrations.load(self.path)
        dims = (self.task.name, self.task.observation_dim, self.task.action_dim)
        if (loaded.task, loaded.observation_dim, loaded.action_dim) != dims:
            raise ValueError(
                f"{self.path} holds demonstrations of {loaded.task or 'an unknown task'!r}, and you want to "
                f"record the {self.task.name}: choose another `path`, or move that file away."
            )
        seen = self.task.observe(starts, self._sensor)
        noise = float(self.task.observation_noise)
        return {
            f"kept {number}": (start_of(trajectory, seen, noise), trajectory)
            for number, trajectory in enumerate(loaded.trajectories)
        }

    def _hear(
        self, widget: Any, message: dict[str, Any], buffers: Sequence[bytes | memoryview]
    ) -> None:
        """Take in what the browser says: a drive that ended, or one that is to be deleted."""
        identity = str(message["id"])
        if message["kind"] == "drive" and identity not in self._kept:
            trajectory = read_drive(message, buffers, self.task, self._sensor)
            self._kept[identity] = (int(message["start"]), trajectory)
        elif message["kind"] == "delete":
            self._kept.pop(identity, None)
        self._save()

    def _save(self) -> None:
        if self._kept:
            self.demonstrations.save(self.path)
        else:
            self.path.unlink(missing_ok=True)
        self._show()

    def _show(self) -> None:
        """Tell the browser which drives there are."""
        trails = [trail_of(trajectory, self.task) for _, trajectory in self._kept.values()]
        drives = [
            {
                "id": identity,
                "start": start,
                "driver": trajectory.driver,
                "ending": str(trajectory.ending),
                "steps": len(trajectory),
                "points": len(trail),
            }
            for (identity, (start, trajectory)), trail in zip(
                self._kept.items(), trails, strict=True
            )
        ]
        with self.hold_sync():  # one message: the browser reads both together
            self.set_trait("trails", b"".join(map(as_bytes, trails)))
            self.set_trait("drives", drives)


def default_task() -> Fork:
    """Return the fork as a person drives it: 30 steps a second, and time enough."""
    fork = Fork()
    return Fork(max_steps=round(SECONDS / fork.time_step)).at_rate(30)
