"""Pictures that students move: drawn in the browser, readable and settable from Python."""

from imitation_lab.widgets.bins import ChooseTheBins
from imitation_lab.widgets.cockpit import Cockpit
from imitation_lab.widgets.cockpit_sessions import Session, corrections_of, recorded_supervision
from imitation_lab.widgets.components import DragTheComponents
from imitation_lab.widgets.flow import FlowScene, FollowTheFlow
from imitation_lab.widgets.modes import DragTheModes
from imitation_lab.widgets.order import ChooseTheOrder
from imitation_lab.widgets.recorded import recorded_drives
from imitation_lab.widgets.recorder import Recorder
from imitation_lab.widgets.timeline import ChunkTimeline

__all__ = [
    "ChooseTheBins",
    "ChooseTheOrder",
    "ChunkTimeline",
    "Cockpit",
    "DragTheComponents",
    "DragTheModes",
    "FlowScene",
    "FollowTheFlow",
    "Recorder",
    "Session",
    "corrections_of",
    "recorded_drives",
    "recorded_supervision",
]
