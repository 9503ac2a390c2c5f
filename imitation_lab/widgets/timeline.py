"""Notebook 06's widget: what was predicted, taken, missed and thrown away while a vehicle drove.

``traces`` holds what is shown, ``timeline_numbers`` what is said of it, ``timeline_figure`` the static picture.
"""

from collections.abc import Sequence
from typing import Any

import traitlets
from matplotlib.figure import Figure

from imitation_lab.traces import ChunkTrace
from imitation_lab.widgets.base import CourseWidget
from imitation_lab.widgets.timeline_figure import plot_timeline
from imitation_lab.widgets.timeline_numbers import Drive, as_drives
from imitation_lab.widgets.timeline_scripted import scripted_traces


class ChunkTimeline(CourseWidget, front_end="timeline"):
    """Drives on the fork, with every chunk that was predicted and what became of each of its actions.

    On the left, the road from above with the vehicle, the way it came, the plan ahead of it and the plan
    that the present one replaced. On the right, what all plans steer and what the vehicle was told, and
    below that one row for each chunk, one column for each step.

    Attributes:
        trace: Label of the drive that is shown.
        step: How many actions have been taken. A shorter drive is shown at its end.
        playing: Whether time runs.

    Args:
        traces: Drives on the fork, each with a label of its own. By default two that need no training: a
            driver who tosses a coin for the side with every new plan, and one who continues the old plan.

    Raises:
        ValueError: If there is no trace, if one is not of the fork, or if two have one label.
    """

    trace = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)

    plan: traitlets.List = traitlets.List(read_only=True).tag(sync=True)
    numbers = traitlets.Bytes(read_only=True).tag(sync=True)

    def __init__(self, traces: Sequence[ChunkTrace] | None = None, **kwargs: Any) -> None:
        self._drives = as_drives(scripted_traces() if traces is None else tuple(traces))
        by_label = {drive.trace.label: drive for drive in self._drives}
        chosen = by_label.get(kwargs.get("trace", ""), self._drives[0])
        kwargs.setdefault("trace", chosen.trace.label)
        kwargs.setdefault("step", chosen.telling_step)
        # First: what is there already goes to the browser in one message.
        self.set_trait("plan", [drive.plan() for drive in self._drives])
        self.set_trait("numbers", b"".join(drive.as_bytes() for drive in self._drives))
        super().__init__(**kwargs)

    @traitlets.validate("trace")
    def _is_a_trace(self, proposal: dict[str, Any]) -> str:
        labels = [drive.trace.label for drive in self._drives]
        if proposal["value"] not in labels:
            raise traitlets.TraitError(
                f"trace must be one of {', '.join(map(repr, labels))}, got {proposal['value']!r}."
            )
        return proposal["value"]

    @traitlets.validate("step")
    def _within_the_drives(self, proposal: dict[str, Any]) -> int:
        longest = max(len(drive.trace) for drive in self._drives)
        if not 0 <= proposal["value"] <= longest:
            raise traitlets.TraitError(
                f"step must lie between 0 and {longest}, got {proposal['value']}."
            )
        return proposal["value"]

    @property
    def shown(self) -> Drive:
        """The drive that is shown."""
        return next(drive for drive in self._drives if drive.trace.label == self.trace)

    @property
    def now(self) -> int:
        """The step at which it is shown."""
        return min(self.step, len(self.shown.trace))

    def sentence(self) -> str:
        """Return what the widget says below its panels."""
        return self.shown.sentence(self.now)

    def describe(self) -> str:
        """Return in words what the widget shows."""
        return (
            f"The drive “{self.trace}” on the fork. Left: the road from above with the vehicle, the way it "
            "came, the plan ahead of it and the plan that was thrown away. Right: what every plan steers, "
            "and one row for each chunk of actions with those taken, missed, thrown away and still to "
            f"come. {self.sentence()}"
        )

    def figure(self) -> Figure:
        """Return the road and the timeline as a figure."""
        return plot_timeline(self.shown, self.now)
