"""Looking at what a notebook needs, and saying what to do: ``python -m imitation_lab doctor``."""

from imitation_lab.doctor.examination import examine, report
from imitation_lab.doctor.findings import Finding, State
from imitation_lab.doctor.opening import look_around
from imitation_lab.doctor.packing import look_into_zip

__all__ = ["Finding", "State", "examine", "look_around", "look_into_zip", "report"]
