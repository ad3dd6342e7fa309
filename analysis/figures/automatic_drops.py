"""Figures 6 to 12 and Tables 1 and 2: how AutoDrop and drops at fixed epochs go, and where they end."""

from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.autodrop.automatic_drops import ByLr, errors, lowest_error_epochs
from analysis.figures.style import COLORS, MARKERS, in_percent, in_whole, log_y, panels, say, styled
from analysis.tables import configs
from search_spaces.autodrop import BASELINE, FACTORS
from tune_regimes.results.curves import loss_curves

METHODS = (BASELINE, *FACTORS)
LABELS = {BASELINE: "drops at fixed epochs", **{method: f"AutoDrop, {method}" for method in FACTORS}}
ZOOM = 0.4
"""The zoomed panel shows the last epochs, this share of them."""


@styled
def courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Learning rate, training loss and test error over epochs, and the end of the test error, by method.

    Thin lines are runs, thick ones means over seeds.
    """
    figure, axes = panels(2, 2, (10.0, 6.6), sharex=False)
    methods = configs(trials)["method"]
    columns = ("lr", "train_loss", "test_accuracy", "test_accuracy")
    labels = ("learning rate", "training loss (nats)", "test error (%)", "test error, end (%)")
    for axis, column, label in zip(axes, columns, labels, strict=True):
        _draw_courses(axis, loss_curves(trials, epochs, column), methods, column)
        axis.set_ylabel(label)
        axis.set_xlabel("epoch")
        in_whole(axis.xaxis)
        if column == "test_accuracy":
            in_percent(axis.yaxis)
    for axis, column in zip(axes, columns[:2], strict=False):
        log_y(axis, epochs[column])
    _zoom(axes[3])
    _legend(figure, axes[0])
    return figure


@styled
def final_errors(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Final test error (Tables 1, 2) and the epoch of the lowest (Fig. 7): marks are seeds, lines and bars means."""
    figure, (left, right) = panels(1, 2, (10.0, 4.0))
    for axis, tables in ((left, errors(trials)), (right, lowest_error_epochs(trials, epochs))):
        if None in tables:
            _draw_by_method(axis, tables[None])
        else:
            _draw_by_lr(axis, tables)
    left.set_ylabel("final test error (%)")
    in_percent(left.yaxis)
    right.set_ylabel("epoch of the lowest test error")
    _legend(figure, left)
    return figure


def _draw_courses(axis: Axes, curves: pd.DataFrame, methods: pd.Series, column: str) -> None:
    for point, method in methods.items():
        if point not in curves.index.get_level_values("point"):
            continue
        seeds = cast(pd.DataFrame, curves.loc[point]).astype(float)
        seeds = 1 - seeds if column == "test_accuracy" else seeds
        look: dict[str, Any] = {"color": _color(method), "drawstyle": "steps-mid" if column == "lr" else "default"}
        axis.plot(seeds.columns, seeds.to_numpy().T, lw=0.7, alpha=0.5, **look)
        if column == "lr":
            axis.plot([], [], label=LABELS[method], **look)
        else:
            axis.plot(seeds.columns, seeds.mean(), label=LABELS[method], **look)
    if not axis.lines:
        say(axis, "no run completed")


def _zoom(axis: Axes) -> None:
    """Show the last epochs alone, at the height that they need."""
    ends = [np.asarray(line.get_xdata(), float)[-1:] for line in axis.lines]
    last = max((float(end[0]) for end in ends if len(end)), default=0.0)
    if last < 2:
        return
    first = (1 - ZOOM) * last
    shown = [np.asarray(line.get_ydata(), float)[np.asarray(line.get_xdata(), float) >= first] for line in axis.lines]
    values = np.concatenate(shown)
    axis.set_xlim(first, last)
    if np.isfinite(values).any():
        low, high = np.nanmin(values), np.nanmax(values)
        axis.set_ylim(low - 0.05 * (high - low) - 1e-3, high + 0.05 * (high - low) + 1e-3)


def _draw_by_method(axis: Axes, table: pd.DataFrame) -> None:
    known = [method for method in METHODS if method in table.index]
    for place, method in enumerate(known):
        values = table.loc[method].to_numpy(float)
        values = values[np.isfinite(values)]
        look: dict[str, Any] = {"color": _color(method)}
        if len(values):
            axis.plot(np.full(len(values), place), values, _marker(method), ms=5, alpha=0.6, **look)
            axis.plot([place - 0.25, place + 0.25], [values.mean()] * 2, lw=2.4, label=LABELS[method], **look)
    axis.set_xticks(range(len(known)), known)


def _draw_by_lr(axis: Axes, tables: ByLr) -> None:
    for method in METHODS:
        rows = {lr: table.loc[method] for lr, table in tables.items() if lr is not None and method in table.index}
        if not rows:
            continue
        seeds = pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan)
        look: dict[str, Any] = {"color": _color(method), "marker": _marker(method)}
        axis.plot(list(rows), seeds.to_numpy().T, ls="", ms=4, alpha=0.5, **look)
        axis.plot(list(rows), seeds.mean(), ms=6, label=LABELS[method], **look)
    axis.set_xscale("log")
    axis.set_xlabel("initial learning rate")


def _color(method: str) -> str:
    return COLORS[METHODS.index(method)]


def _marker(method: str) -> str:
    return MARKERS[METHODS.index(method)]


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
