"""Simulated experts: actors who know their task."""

from imitation_lab.experts.fork import ForkDriver
from imitation_lab.experts.noise import NoisyActor

__all__ = ["ForkDriver", "NoisyActor"]
