"""Figures 3 to 5 and 8 to 15 of SGDL: errors over the epochs and over the learning rates, by optimizer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.chosen_lrs import best_lr
from analysis.figures.style import COLORS, MARKERS, in_percent, in_whole, panels, say, styled
from analysis.sgdl.large_steps import errors, sweep_errors
from analysis.tables import configs
from search_spaces.sgdl import TABLE_1
from tune_regimes.results.curves import loss_curves

ORDER = tuple(TABLE_1)
ERRORS = {
    "train_accuracy": "training error (%)",
    "test_accuracy": "test error (%)",
    "test_top5_accuracy": "top-5 test error (%)",
}
"""What is drawn over the epochs, as 1 less a column."""


@styled
def optimizer_courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training and test error over epochs, each optimizer at its best learning rate (Figs. 4, 5, 8 to 15).

    Where the test error by the five largest scores was recorded, it has a panel too (Fig. 5).
    """
    settings = configs(trials)
    points = {}
    for name, table in errors(trials).items():
        lr = best_lr(table)
        own = (settings["method.optimizer"] == name) & (settings["method.lr"] == lr)
        points |= {f"{name}, lr {lr:g}": (int(point), _place(name)) for point in settings.index[own]}
    return _courses(points, trials, epochs)


@styled
def sweep_courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training and test error over epochs at each learning rate of plain SGD (Fig. 3)."""
    lrs = configs(trials)["lr"].sort_values()
    points = {f"lr {lr:g}": (int(point), place) for place, (point, lr) in enumerate(lrs.items())}
    return _courses(points, trials, epochs)


@styled
def errors_by_lr(trials: pd.DataFrame) -> Figure:
    """Final test error against the learning rate, a line per optimizer; marks are seeds."""
    figure, (axis,) = panels(1, 1, (8.0, 4.4))
    tables = errors(trials)
    for name in (name for name in ORDER if name in tables):
        _draw_line(axis, tables[name], name, _place(name))
    axis.set_xscale("log")
    return _finish(figure, axis)


@styled
def sweep_errors_by_lr(trials: pd.DataFrame) -> Figure:
    """Final test error of plain SGD against the learning rate; marks are seeds."""
    figure, (axis,) = panels(1, 1, (6.4, 4.0))
    _draw_line(axis, sweep_errors(trials), "plain SGD", 0)
    return _finish(figure, axis)


def _courses(points: Mapping[str, tuple[int, int]], trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training and test error of points by label, each with the number of its colour; thin lines are seeds."""
    columns = {name: label for name, label in ERRORS.items() if name in epochs}
    figure, axes = panels(1, len(columns), (5.0 * len(columns), 4.2))
    for axis, (column, label) in zip(axes, columns.items(), strict=True):
        curves = 1 - loss_curves(trials, epochs, column)
        for name, (point, place) in points.items():
            _draw_course(axis, curves, point, name, place)
        if not axis.lines:
            say(axis, "no run completed")
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        in_whole(axis.xaxis)
        in_percent(axis.yaxis)
    _legend(figure, axes[0])
    return figure


def _draw_course(axis: Axes, curves: pd.DataFrame, point: int, label: str, place: int) -> None:
    if point not in curves.index.get_level_values("point"):
        return
    seeds = curves[curves.index.get_level_values("point") == point]
    axis.plot(seeds.columns, seeds.to_numpy(float).T, lw=0.7, alpha=0.45, color=COLORS[place])
    axis.plot(seeds.columns, seeds.mean(), color=COLORS[place], label=label)


def _draw_line(axis: Axes, table: pd.DataFrame, label: str, place: int) -> None:
    known = table.where(np.isfinite(table))
    look: dict[str, Any] = {"color": COLORS[place], "marker": MARKERS[place]}
    axis.plot(known.index, known.to_numpy(float), ls="", ms=4, alpha=0.45, mew=0, **look)
    axis.plot(known.index, known.mean(axis=1), ms=6, label=label, **look)


def _finish(figure: Figure, axis: Axes) -> Figure:
    axis.set_xlabel("first learning rate")
    axis.set_ylabel("final test error (%)")
    in_percent(axis.yaxis)
    _legend(figure, axis)
    return figure


def _place(name: str) -> int:
    return ORDER.index(name)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(labels)))
