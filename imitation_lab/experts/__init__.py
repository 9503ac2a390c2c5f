"""Simulated experts: actors who know their task."""

from imitation_lab.experts.fork import ForkDriver
from imitation_lab.experts.habits import PausingActor, SwitchingActor
from imitation_lab.experts.noise import NoisyActor
from imitation_lab.experts.pendulum import PendulumBalancer
from imitation_lab.experts.racetrack import RacetrackDriver
from imitation_lab.experts.supervisor import Supervisor

__all__ = [
    "ForkDriver",
    "NoisyActor",
    "PausingActor",
    "PendulumBalancer",
    "RacetrackDriver",
    "Supervisor",
    "SwitchingActor",
]
