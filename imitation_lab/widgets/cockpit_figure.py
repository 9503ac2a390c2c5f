"""The static picture of a supervised drive: the way, the doubt, and who steered how."""

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.envs import Fork, Racetrack
from imitation_lab.envs.drawing import draw_fork, draw_racetrack
from imitation_lab.style import OKABE_ITO
from imitation_lab.types import Ending
from imitation_lab.widgets.cockpit_sessions import Session
from imitation_lab.widgets.words import fixed, percent

POLICY, HAND = OKABE_ITO["blue"], OKABE_ITO["vermillion"]
ENDINGS = {
    Ending.SUCCESS: "It reached its goal.",
    Ending.FAILURE: "It crashed.",
    Ending.CUT_OFF: "It was stopped before its end.",
}


def describe_session(task: Fork | Racetrack, session: Session | None, line: float | None) -> str:
    """Return in words what ``plot_session`` draws."""
    if session is None:
        return f"The cockpit over the {task.name}, empty: nobody has driven yet."
    seconds = fixed(len(session) * task.time_step, 1)
    by_hand = percent(session.engaged.float().mean().item())
    words = (
        f"A drive on the {task.name} of {seconds} seconds: on the left its way, on the right the doubt "
        "of the policies and the steering. "
        f"A person drove in {by_hand} of its steps and took over {_times(len(session.takeovers))}. "
    )
    if line is not None:
        doubtful = percent((session.doubt > line).float().mean().item())
        words += f"The doubt lay above the line in {doubtful} of the steps. "
    return words + ENDINGS[session.ending]


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def plot_session(
    task: Fork | Racetrack, session: Session | None, line: float | None = None
) -> Figure:
    """Draw a drive: its way on the left, doubt and steering over time on the right.

    Args:
        task: That was driven.
        session: The drive, or None for an empty road.
        line: A doubt to draw a line at.
    """
    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1))
    way = figure.add_subplot(grid[:, 0])
    doubt = figure.add_subplot(grid[0, 1])
    steering = figure.add_subplot(grid[1, 1], sharex=doubt)
    draw_way(way, task, session)
    if session is None:
        way.set_title("nobody has driven yet")
        return figure
    seconds = torch.arange(len(session)) * task.time_step
    draw_doubt(doubt, seconds, session, line)
    draw_wheel(steering, seconds, session, steering_of(task, session))
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    return figure


def draw_way(axes: Axes, task: Fork | Racetrack, session: Session | None) -> Axes:
    """Draw the road, and on it where the policy drove (dots) and where the person did (crosses)."""
    state = None if session is None else states_of(task, session.observations[-1:])[0]
    if isinstance(task, Fork):
        draw_fork(axes, task, state)
    else:
        draw_racetrack(axes, task, state)
    if session is None:
        return axes
    places = session.observations[:, :2]
    for hand, marker, colour, name in ((False, ".", POLICY, "policy"), (True, "x", HAND, "person")):
        x, y = places[session.engaged == hand].T
        axes.plot(x, y, marker, color=colour, ms=4, label=f"the {name} drives")
    return axes


def draw_doubt(
    axes: Axes, seconds: Float[Tensor, "time"], session: Session, line: float | None
) -> Axes:
    """Draw the doubt over time, the line, and hatched where the person drove."""
    axes.plot(seconds, session.doubt, color="0.2", lw=1.4)
    _shade(axes, seconds, session)
    if line is not None:
        axes.axhline(line, color="0.2", ls="--", lw=1, label="the line")
    axes.set(ylabel="doubt", ylim=(0, None))
    return axes


def draw_wheel(
    axes: Axes, seconds: Float[Tensor, "time"], session: Session, steering: tuple[Tensor, Tensor]
) -> Axes:
    """Draw what was steered, and what the policy would have steered, to the left is up."""
    done, wished = steering
    axes.plot(seconds, wished, "--", color=POLICY, lw=1.2, label="the policy's wish")
    axes.plot(seconds, done, color="black", lw=1.2, label="what was done")
    _shade(axes, seconds, session)
    axes.set(xlabel="time (s)", ylabel="steering")
    return axes


def _shade(axes: Axes, seconds: Float[Tensor, "time"], session: Session) -> None:
    axes.fill_between(
        seconds, 0, 1, where=session.engaged, transform=axes.get_xaxis_transform(), step="post",
        facecolor=HAND, alpha=0.2, hatch="///", edgecolor=HAND, linewidth=0,
    )  # fmt: skip


def is_usual(task: Fork | Racetrack) -> bool:
    """Tell whether a road is where it usually is, so that a recorded drive lies on it."""
    if isinstance(task, Fork):
        return task.angle == Fork.angle
    return (task.radius, task.bump) == (Racetrack.radius, Racetrack.bump)


def states_of(
    task: Fork | Racetrack, observations: Float[Tensor, "time dim"]
) -> Float[Tensor, "time state_dim"]:
    """Return the states that were seen; what a racetrack's driver cannot see, the laps, is 0."""
    if isinstance(task, Fork):
        return task.to_road(observations.unflatten(-1, (4, 2))).flatten(-2)
    heading = torch.atan2(observations[:, 2], observations[:, 3])
    rest = [heading, observations[:, 4], torch.zeros_like(heading)]
    return torch.cat([observations[:, :2], torch.stack(rest, dim=1)], dim=1)


def steering_of(task: Fork | Racetrack, session: Session) -> tuple[Tensor, Tensor]:
    """Return what was steered to the left at every step, and what the policy would have steered."""
    done, wished = session.actions, session.policy_actions
    if isinstance(task, Fork):
        done, wished = task.to_road(done), task.to_road(wished)
    return done[:, -1], wished[:, -1]
