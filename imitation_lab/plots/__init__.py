"""The course's figures. Every function draws on the axes it is given and returns them."""

from imitation_lab.plots.comparison import plot_excess_nats, plot_sides, plot_success_by_road
from imitation_lab.plots.looks import DRIVER_LOOKS, OUTCOME_LOOKS, POLICY_LOOKS, Look
from imitation_lab.plots.pictures import show, use_course_style
from imitation_lab.plots.rates import plot_success_rates
from imitation_lab.plots.road import (
    format_side,
    plot_chunks,
    plot_commands,
    plot_demonstrations,
    plot_rollouts,
)

__all__ = [
    "DRIVER_LOOKS",
    "OUTCOME_LOOKS",
    "POLICY_LOOKS",
    "Look",
    "format_side",
    "plot_chunks",
    "plot_commands",
    "plot_demonstrations",
    "plot_excess_nats",
    "plot_rollouts",
    "plot_sides",
    "plot_success_by_road",
    "plot_success_rates",
    "show",
    "use_course_style",
]
