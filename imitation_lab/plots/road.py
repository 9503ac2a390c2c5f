"""The fork: who drove where, and who commanded what."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.envs.drawing import draw_fork
from imitation_lab.envs.fork import OBSTACLE, POSITION, Fork
from imitation_lab.plots.looks import DRIVER_LOOKS, OUTCOME_LOOKS, POLICY_LOOKS
from imitation_lab.rollout import Rollouts

SHOWN_DEMONSTRATIONS, SHOWN_ROLLOUTS = 60, 40  # about as many as one can tell apart
WIDEST_COMMAND = 1.6  # m/s
SHOWN_CHUNKS = 8


def plot_demonstrations(axes: Axes, task: Fork, demonstrations: Demonstrations) -> Axes:
    """Draw where demonstrators drove, coloured by driver, each as seen from its own obstacle."""
    draw_fork(axes, task)
    seen: set[str] = set()
    stride = max(1, len(demonstrations) // SHOWN_DEMONSTRATIONS)
    for trajectory in demonstrations.trajectories[::stride]:
        look = DRIVER_LOOKS.get(trajectory.driver, POLICY_LOOKS["expert"])
        label = None if trajectory.driver in seen else f"{trajectory.driver} driver".strip()
        seen.add(trajectory.driver)
        path = _beside_the_obstacle(task, trajectory.observations)
        axes.plot(*path.T, color=look.color, linestyle=look.linestyle, lw=1, alpha=0.6, label=label)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.08), ncols=2, fontsize=8)
    return axes


def plot_rollouts(axes: Axes, task: Fork, rollouts: Rollouts) -> Axes:
    """Draw where episodes went, each as seen from its own obstacle, and how each of them ended."""
    draw_fork(axes, task)
    states = task.to_world(rollouts.states.cpu().unflatten(-1, (4, 2))).flatten(-2)
    seen: set[str] = set()
    for episode in range(min(SHOWN_ROLLOUTS, len(rollouts))):
        outcome = outcome_of(rollouts, episode)
        look = OUTCOME_LOOKS[outcome]
        path = _beside_the_obstacle(task, states[: rollouts.lengths[episode] + 1, episode])
        axes.plot(*path.T, color=look.color, linestyle=look.linestyle, lw=1, alpha=0.6)
        label = None if outcome in seen else outcome
        seen.add(outcome)
        axes.plot(*path[-1], color=look.color, marker=look.marker, ls="", ms=4, label=label)
    # On the verge below the road: a drive that leaves the road has ended before it gets there.
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.01, 0.01), ncols=3, fontsize=8, borderpad=0, borderaxespad=0,
        handlelength=1, handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip
    return axes


def format_side(command: float | np.number, position: float | int | None = None) -> str:
    """Write a lateral command without a sign that one could get wrong: ``0.5 left``."""
    side = "" if command == 0 else " left" if command > 0 else " right"
    return f"{abs(command):g}{side}"


def plot_commands(axes: Axes, commands: Mapping[str, Tensor]) -> Axes:
    """Draw histograms of lateral commands in m/s, left on the left, one outline for each policy."""
    bins = np.linspace(-WIDEST_COMMAND, WIDEST_COMMAND, 49)
    for name, values in commands.items():
        look = POLICY_LOOKS[name]
        label = "drivers" if name == "expert" else name
        heights, _ = np.histogram(values.detach().cpu().numpy(), bins, density=True)
        axes.stairs(heights, bins, color=look.color, ls=look.linestyle, lw=1.8, label=label)
    axes.set(xlabel="lateral command, m/s", ylabel="density", yticks=[])
    axes.set_xlim(WIDEST_COMMAND, -WIDEST_COMMAND)
    axes.xaxis.set_major_formatter(format_side)
    axes.legend(fontsize=8)
    return axes


def plot_chunks(axes: Axes, task: Fork, chunks: Tensor, policy: str) -> Axes:
    """Draw the lateral commands of some chunks, spread evenly over the batch, against their time.

    Args:
        axes: Where to draw.
        task: Gives the time step.
        chunks: Actions in physical units and the road's frame, (batch, prediction_horizon, 2).
        policy: One of ``POLICY_LOOKS``, for the colour.
    """
    chosen = chunks[torch.linspace(0, len(chunks) - 1, SHOWN_CHUNKS).long(), :, 1].detach().cpu()
    times = task.time_step * torch.arange(chunks.shape[1])
    axes.plot(times, chosen.T, color=POLICY_LOOKS[policy].color, marker=".", ls="-", lw=1)
    axes.set(xlabel="time within the chunk, s", ylabel="lateral command, m/s", ylim=(-2, 2))
    axes.yaxis.set_major_formatter(format_side)
    return axes


def _beside_the_obstacle(task: Fork, observations: Tensor) -> np.ndarray:
    """Return a path in the world's frame, moved so that its obstacle is where the picture has it."""
    drawn = task.to_world(observations.new_tensor([1.0, 0.0]))
    return (observations[:, POSITION] - observations[:, OBSTACLE] + drawn).numpy()


def outcome_of(rollouts: Rollouts, episode: int) -> str:
    """Return how an episode ended, in the words of ``OUTCOME_LOOKS``."""
    if rollouts.succeeded[episode]:
        return "reached the goal"
    return "crashed" if rollouts.failed[episode] else "ran out of time"
