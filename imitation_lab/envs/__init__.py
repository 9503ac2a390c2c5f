"""Environments: batched torch dynamics, offered to Gymnasium as well."""

from imitation_lab.envs.fork import Fork

__all__ = ["Fork"]
