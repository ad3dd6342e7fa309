"""Figures of any study: the best schedule, and its metric against each setting that was searched."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, frame, in_percent, in_whole, log_y, panels, say_cut, styled
from analysis.tables import configs, points


@styled
def schedule_of_trial(epochs: pd.DataFrame, trial_id: str) -> Figure:
    """Learning rate and momentum over the epochs of a trial, as trained, with its training loss and test accuracy."""
    rows = epochs[epochs["trial_id"] == trial_id].sort_values("epoch")
    figure, (upper, lower) = panels(2, 1, (7.0, 5.6), sharex=True)
    _step(upper, rows, "lr", 0, "learning rate")
    log_y(upper, rows["lr"])
    _step(upper.twinx(), rows, "momentum", 1, "momentum")
    _curve(lower, rows, "test_accuracy", 2, "test accuracy (%)")
    in_percent(lower.yaxis)
    other = lower.twinx()
    _curve(other, rows, "train_loss", 3, "training loss (nats)")
    log_y(other, rows["train_loss"])
    for axis, start in ((axis, start) for axis in (upper, lower) for start in _phase_starts(rows)):
        axis.axvline(start, color=GREY, lw=1.0, ls=":")
    in_whole(lower.xaxis)
    lower.set_xlabel("epoch")
    return figure


@styled
def metric_by_setting(trials: pd.DataFrame, metric: str) -> Figure:
    """The final metric of every point against each numeric setting, with 95 % intervals over seeds."""
    table = points(trials, metric)
    names = numeric_settings(trials) or ["point"]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = panels(rows, columns, (1.0 + 3.6 * columns, 0.6 + 3.2 * rows), sharey=True)
    for axis, name in zip(axes, names, strict=False):
        where = table[name] if name in table else pd.Series(table.index, index=table.index)
        _draw_points(axis, where, table)
        axis.set_xlabel(name)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    frame(axes[0], table["value"])
    say_cut(axes[0], table["value"])
    axes[0].set_ylabel(metric.replace("_", " "))
    return figure


def numeric_settings(trials: pd.DataFrame) -> list[str]:
    """The settings that are numbers and differ between points."""
    settings = configs(trials)
    numeric = settings.select_dtypes("number").dropna(axis=1, how="all")
    return [str(name) for name in numeric.columns if numeric[name].nunique() > 1]


def _draw_points(axis: Axes, where: pd.Series, table: pd.DataFrame) -> None:
    reach = table[["low", "high"]].sub(table["value"], axis=0).abs().fillna(0.0).to_numpy(float).T
    axis.errorbar(where, table["value"], reach, fmt=MARKERS[0], color=COLORS[0], ms=5, elinewidth=1.0, alpha=0.7)
    known = where.dropna()
    if len(known) and (known > 0).all() and known.max() / known.min() >= 50:
        axis.set_xscale("log")


def _step(axis: Axes, rows: pd.DataFrame, column: str, number: int, label: str) -> None:
    values = rows[column].to_numpy(float)
    axis.step(
        np.append(rows["epoch"] - 1, len(rows)), np.append(values, values[-1:]), where="post", color=COLORS[number]
    )
    _color(axis, number, label)


def _curve(axis: Axes, rows: pd.DataFrame, column: str, number: int, label: str) -> None:
    axis.plot(rows["epoch"], rows[column], MARKERS[number] + "-", color=COLORS[number], ms=4)
    _color(axis, number, label)


def _color(axis: Axes, number: int, label: str) -> None:
    axis.set_ylabel(label, color=COLORS[number])
    axis.tick_params(axis="y", which="both", colors=COLORS[number])
    axis.grid(number % 2 == 0)


def _phase_starts(rows: pd.DataFrame) -> list[float]:
    return [float(epoch) - 1 for epoch in rows.groupby("phase")["epoch"].min()][1:]
