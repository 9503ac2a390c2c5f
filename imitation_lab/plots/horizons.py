"""Success over prediction and execution horizons: what `imitation_lab.horizons` measured."""

import numpy as np
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imitation_lab.horizons import DEMONSTRATORS, NOISES, HorizonMap, Panel

COLORS = colormaps["cividis"]  # even in brightness: for the colour-blind, and in grey print
DARK = 55  # per cent: colours below are dark, and numbers on them white
TITLES = {
    "none": "no noise",
    "observation": "observation noise",
    "actuation": "actuation noise",
}


def plot_map(record: HorizonMap, task: str, policy: str, delay: int = 0) -> Figure:
    """Draw a heat map for every demonstrator (rows) and noise (columns) that the record holds.

    Args:
        record: From ``recorded_map`` or ``run_map``.
        task: A task of the record.
        policy: A class of policies of the record.
        delay: Steps that thinking takes.

    Raises:
        ValueError: If the record holds nothing of these.
    """
    panels = {
        (panel.demonstrator, panel.noise): panel
        for panel in record.panels
        if (panel.task, panel.policy, panel.delay) == (task, policy, delay)
    }
    if not panels:
        raise ValueError(f"the record holds no {policy} on the {task} with a delay of {delay}.")
    rows = [name for name in DEMONSTRATORS if name in {own for own, _ in panels}]
    columns = [name for name in NOISES if name in {own for _, own in panels}]
    size = (1.1 + 2.3 * len(columns), 1.2 + 2.0 * len(rows))
    figure, grid = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False)
    waiting = f"a delay of {delay} steps" if delay else "no delay"
    figure.suptitle(f"{task}, {policy}, {waiting}: success in %", fontsize=11)
    for axes_row, demonstrator in zip(grid, rows, strict=True):
        for axes, noise in zip(axes_row, columns, strict=True):
            plot_panel(axes, panels[demonstrator, noise])
    for axes, noise in zip(grid[0], columns, strict=True):
        axes.set_title(TITLES[noise], loc="center")
    for axes, demonstrator in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(f"{demonstrator}\n\npredicted actions")
    for axes in grid[-1]:
        axes.set_xlabel("executed actions")
    return figure


def plot_panel(axes: Axes, panel: Panel) -> Axes:
    """Draw one heat map: success in per cent, by prediction horizon (up) and execution horizon.

    Brackets stand around a success where chunks run out before the next one is there. Left of the
    dashed line the delay is longer than the execution horizon, and takes its place.
    """
    predictions = sorted({prediction for prediction, _ in panel.successes})
    executions = sorted({execution for _, execution in panel.successes})
    rates = np.full((len(predictions), len(executions)), np.nan)
    for prediction, execution in panel.successes:
        place = predictions.index(prediction), executions.index(execution)
        rates[place] = 100 * panel.success(prediction, execution).rate
        label = f"{rates[place]:.0f}"
        axes.text(
            place[1],
            place[0],
            f"({label})" if panel.runs_out(prediction, execution) else label,
            color="white" if rates[place] < DARK else "black",
            ha="center",
            va="center",
            fontsize=9,
        )
    axes.imshow(rates, cmap=COLORS, vmin=0, vmax=100, origin="lower", aspect="auto")
    waiting = sum(execution < panel.delay for execution in executions)
    if 0 < waiting < len(executions):
        axes.axvline(waiting - 0.5, color="0.3", lw=1.2, ls="--")
    axes.set(xticks=range(len(executions)), xticklabels=executions)
    axes.set(yticks=range(len(predictions)), yticklabels=predictions)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return axes
