"""The course's figures. Every function draws on the axes it is given and returns them."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.envs.drawing import draw_fork
from imitation_lab.envs.fork import OBSTACLE, POSITION, Fork
from imitation_lab.evaluation import SuccessRate
from imitation_lab.rollout import Rollouts
from imitation_lab.style import OKABE_ITO


@dataclass(frozen=True)
class Look:
    """How one thing looks in every figure: never by colour alone."""

    color: str
    marker: str
    linestyle: str = "-"


POLICY_LOOKS = {
    "expert": Look(OKABE_ITO["black"], "*"),
    "regression": Look(OKABE_ITO["vermillion"], "X"),
    "gaussian": Look(OKABE_ITO["orange"], "o", "--"),
    "categorical": Look(OKABE_ITO["sky_blue"], "s", "-."),
    "mixture": Look(OKABE_ITO["bluish_green"], "D", ":"),
    "autoregressive": Look(OKABE_ITO["reddish_purple"], "^", "--"),
    "flow": Look(OKABE_ITO["blue"], "P"),
    "diffusion": Look("#4D4D4D", "v", "-."),
}
DRIVER_LOOKS = {
    "left": Look(OKABE_ITO["blue"], "<"),
    "right": Look(OKABE_ITO["reddish_purple"], ">", "--"),
}
OUTCOME_LOOKS = {
    "reached the goal": Look(OKABE_ITO["bluish_green"], "o"),
    "crashed": Look(OKABE_ITO["black"], "X", "--"),
    "ran out of time": Look("#666666", "s", ":"),
}


def use_course_style() -> None:
    """Make every figure that follows look like the course's."""
    plt.style.use("imitation_lab.course")


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Show a figure with a description for people who cannot see it, and close it.

    Notebook front ends ignore a description in the picture's metadata, so the picture is sent as an
    HTML image as well.

    Args:
        figure: Is closed afterwards.
        alt: What the picture shows, in a sentence or two.
        caption: What to look for in it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    width = round(100 * figure.get_figwidth())
    plt.close(figure)
    picture = base64.b64encode(buffer.getvalue()).decode()
    image = (
        f'<img alt="{html.escape(alt, quote=True)}" width="{width}" style="max-width: 100%"'
        f' src="data:image/png;base64,{picture}">'
    )
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    bundle = {
        "text/html": f'<figure style="margin: 0">{image}{below}</figure>',
        "image/png": picture,
        "text/plain": caption or alt,
    }
    display(bundle, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)


def plot_demonstrations(
    axes: Axes, task: Fork, demonstrations: Demonstrations, most_episodes: int = 60
) -> Axes:
    """Draw where demonstrators drove, coloured by driver, each as seen from its own obstacle."""
    draw_fork(axes, task)
    seen: set[str] = set()
    stride = max(1, len(demonstrations) // most_episodes)
    for trajectory in demonstrations.trajectories[::stride]:
        look = DRIVER_LOOKS.get(trajectory.driver, POLICY_LOOKS["expert"])
        label = None if trajectory.driver in seen else f"{trajectory.driver} driver".strip()
        seen.add(trajectory.driver)
        path = _beside_the_obstacle(task, trajectory.observations)
        axes.plot(*path.T, color=look.color, linestyle=look.linestyle, lw=1, alpha=0.6, label=label)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.08), ncols=2, fontsize=8)
    return axes


def plot_rollouts(axes: Axes, task: Fork, rollouts: Rollouts, most_episodes: int = 40) -> Axes:
    """Draw where episodes went, each as seen from its own obstacle, and how each of them ended."""
    draw_fork(axes, task)
    states = task.to_world(rollouts.states.cpu().unflatten(-1, (4, 2))).flatten(-2)
    seen: set[str] = set()
    for episode in range(min(most_episodes, len(rollouts))):
        outcome = _outcome(rollouts, episode)
        look = OUTCOME_LOOKS[outcome]
        path = _beside_the_obstacle(task, states[: rollouts.lengths[episode] + 1, episode])
        axes.plot(*path.T, color=look.color, linestyle=look.linestyle, lw=1, alpha=0.6)
        label = None if outcome in seen else outcome
        seen.add(outcome)
        axes.plot(*path[-1], color=look.color, marker=look.marker, ls="", ms=4, label=label)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.08), ncols=3, fontsize=8)
    return axes


def format_side(command: float, position: float | None = None) -> str:
    """Write a lateral command without a sign that one could get wrong: ``0.5 left``."""
    side = "" if command == 0 else " left" if command > 0 else " right"
    return f"{abs(command):g}{side}"


def plot_commands(axes: Axes, commands: Mapping[str, Tensor], limit: float = 1.6) -> Axes:
    """Draw histograms of lateral commands in m/s, left on the left, one outline for each policy."""
    bins = np.linspace(-limit, limit, 49)
    for name, values in commands.items():
        look = POLICY_LOOKS[name]
        label = "drivers" if name == "expert" else name
        heights, _ = np.histogram(values.detach().cpu().numpy(), bins, density=True)
        axes.stairs(heights, bins, color=look.color, ls=look.linestyle, lw=1.8, label=label)
    axes.set(xlabel="lateral command, m/s", ylabel="density", yticks=[], xlim=(limit, -limit))
    axes.xaxis.set_major_formatter(format_side)
    axes.legend(fontsize=8)
    return axes


def plot_chunks(axes: Axes, task: Fork, chunks: Tensor, policy: str, count: int = 8) -> Axes:
    """Draw the lateral commands of some chunks against the time within the chunk.

    Args:
        axes: Where to draw.
        task: Gives the time step.
        chunks: Actions in physical units and the road's frame, (batch, prediction_horizon, 2).
        policy: One of ``POLICY_LOOKS``, for the colour.
        count: Chunks to draw, spread evenly over the batch.
    """
    chosen = chunks[torch.linspace(0, len(chunks) - 1, count).long(), :, 1].detach().cpu()
    times = task.time_step * torch.arange(chunks.shape[1])
    axes.plot(times, chosen.T, color=POLICY_LOOKS[policy].color, marker=".", ls="-", lw=1)
    axes.set(xlabel="time within the chunk, s", ylabel="lateral command, m/s", ylim=(-2, 2))
    axes.yaxis.set_major_formatter(format_side)
    return axes


def plot_success_rates(
    axes: Axes,
    rates: Mapping[str, SuccessRate],
    intervals: Sequence[tuple[float, float]] | None = None,
    looks: Sequence[Look] | None = None,
) -> Axes:
    """Draw success rates with their intervals, one row each, the first at the top.

    Args:
        axes: Where to draw.
        rates: Success rates by name.
        intervals: The bounds to draw, in [0, 1]; by default each rate's own.
        looks: One per row.
    """
    bounds = intervals or [rate.interval for rate in rates.values()]
    if any(bound is None for bound in bounds):
        raise ValueError("an interval is None: is the question that asks for it answered?")
    looks = looks or [POLICY_LOOKS["expert"]] * len(rates)
    rows = np.arange(len(rates))[::-1]
    for row, rate, (low, high), look in zip(rows, rates.values(), bounds, looks, strict=True):
        # max: rounding may put a bound of 0 or 1 on the wrong side of the rate.
        ends = [[100 * max(rate.rate - low, 0)], [100 * max(high - rate.rate, 0)]]
        axes.errorbar(
            [100 * rate.rate], [row], xerr=ends, color=look.color, fmt=look.marker, ms=7, capsize=4
        )
        axes.annotate(
            f"{rate.successes}/{rate.trials} ({100 * low:.0f}–{100 * high:.0f} %)",
            (104, row),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    axes.set(yticks=rows, yticklabels=list(rates), xlim=(-2, 102), ylim=(-0.6, len(rates) - 0.4))
    axes.set_xlabel("episodes that reach the goal, in %, with 95 % intervals")
    return axes


def _beside_the_obstacle(task: Fork, observations: Tensor) -> np.ndarray:
    """Return a path in the world's frame, moved so that its obstacle is where the picture has it."""
    drawn = task.to_world(observations.new_tensor([1.0, 0.0]))
    return (observations[:, POSITION] - observations[:, OBSTACLE] + drawn).numpy()


def _outcome(rollouts: Rollouts, episode: int) -> str:
    if rollouts.succeeded[episode]:
        return "reached the goal"
    return "crashed" if rollouts.failed[episode] else "ran out of time"
