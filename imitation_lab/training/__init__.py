"""Training: one loop for every policy of the course, and one for all seeds at once."""

from imitation_lab.training.cloning import train
from imitation_lab.training.descent import minimize
from imitation_lab.training.ensemble import train_ensemble
from imitation_lab.training.settings import (
    FAST,
    Normalizers,
    TrainingRun,
    TrainingSettings,
    best_device,
    finished,
    one_thread,
)

__all__ = [
    "FAST",
    "Normalizers",
    "TrainingRun",
    "TrainingSettings",
    "best_device",
    "finished",
    "minimize",
    "one_thread",
    "train",
    "train_ensemble",
]
