"""The second phase of several optimizers over epochs and over seconds, and what they reach at each learning rate."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.chosen_lrs import best_lr
from analysis.figures.style import COLORS, GREY, MARKERS, in_percent, in_whole, panels, say, styled
from analysis.second_phase.phase_budgets import epoch_seconds, errors_in_time, final_errors, second_phase_curves
from analysis.tables import configs
from search_spaces.second_phase import SECOND, SGD

ORDER = tuple(SECOND)


@styled
def courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training loss and test accuracy over epochs since the transition, and test accuracy over seconds.

    Every optimizer at its best learning rate; seconds are epochs times the optimizer's median seconds of one.
    """
    figure, axes = panels(1, 3, (12.6, 4.2))
    seconds = epoch_seconds(trials, epochs)
    columns = ("train_loss", "test_accuracy", "test_accuracy")
    for axis, column, per_epoch in zip(axes, columns, ({}, {}, seconds), strict=True):
        curves = second_phase_curves(trials, epochs, column)
        for name, point in _best_points(trials).items():
            _draw_course(axis, curves, point, name, per_epoch.get(name, 1.0))
        if not axis.lines:
            say(axis, "no run completed")
        axis.set_ylabel("training loss (nats)" if column == "train_loss" else "test accuracy (%)")
        axis.set_xlabel("seconds since the transition" if per_epoch else "epochs since the transition")
    _mark_budget(axes[2], second_phase_curves(trials, epochs), seconds)
    for axis in axes[1:]:
        in_percent(axis.yaxis)
    for axis in axes[:2]:
        in_whole(axis.xaxis)
    _legend(figure, axes[0])
    return figure


@styled
def errors_by_lr(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Test error against the learning rate of the second phase, in equal epochs and in equal seconds."""
    figure, axes = panels(1, 2, (10.0, 4.2), sharey=True)
    budgets = {"epochs": final_errors(trials), "seconds": errors_in_time(trials, epochs)}
    for axis, (budget, tables) in zip(axes, budgets.items(), strict=True):
        for name in (name for name in ORDER if name in tables):
            _draw_line(axis, tables[name], name)
        axis.set_xscale("log")
        axis.set_title(f"equal {budget}")
        axis.set_xlabel("learning rate in phase 2")
    axes[0].set_ylabel("test error (%)")
    in_percent(axes[0].yaxis)
    _legend(figure, axes[0])
    return figure


def _best_points(trials: pd.DataFrame) -> dict[str, int]:
    """The point of each optimizer's best learning rate at equal epochs."""
    settings, tables = configs(trials), final_errors(trials)
    found = {}
    for name in (name for name in ORDER if name in tables):
        own = settings[(settings["second.optimizer"] == name) & (settings["second.lr"] == best_lr(tables[name]))]
        if len(own):
            found[name] = int(own.index[0])
    return found


def _draw_course(axis: Axes, curves: pd.DataFrame, point: int, name: str, scale: float) -> None:
    seeds = curves[curves.index.get_level_values("point") == point]
    if seeds.empty:
        return
    x = scale * seeds.columns.to_numpy(float)
    axis.plot(x, seeds.to_numpy(float).T, lw=0.7, alpha=0.45, color=_color(name))
    axis.plot(x, seeds.mean(), color=_color(name), label=name)


def _mark_budget(axis: Axes, curves: pd.DataFrame, seconds: dict[str, float]) -> None:
    if SGD in seconds and curves.shape[1]:
        axis.axvline(seconds[SGD] * float(curves.columns.max()), color=GREY, ls="--", lw=1.2)


def _draw_line(axis: Axes, table: pd.DataFrame, name: str) -> None:
    known = table.where(np.isfinite(table))
    look: dict[str, Any] = {"color": _color(name), "marker": MARKERS[ORDER.index(name)]}
    axis.plot(known.index, known.to_numpy(float), ls="", ms=4, alpha=0.45, mew=0, **look)
    axis.plot(known.index, known.mean(axis=1), ms=6, label=name, **look)


def _color(name: str) -> str:
    return COLORS[ORDER.index(name)]


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
