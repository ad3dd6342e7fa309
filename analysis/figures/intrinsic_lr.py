"""Figures 2d, 3b and 11's summary, and the square-root law: what the courses alone do not show."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from analysis.figures.style import COLORS, GREY, MARKERS, frame, in_percent, panels, say, styled
from analysis.intrinsic_lr.predictions import Predicted, distance_curves
from analysis.intrinsic_lr.recovery import PREDICTED
from analysis.statistics import Array


@styled
def recovery_times(table: pd.DataFrame) -> Figure:
    """Steps back to equilibrium against 1 / intrinsic lr (left), effective lr in equilibrium against it (right).

    Marks are runs; lines are the predictions: 1.29 / intrinsic lr, and the square root through the mean.

    Args:
        table: From :func:`analysis.intrinsic_lr.recovery.recoveries`.
    """
    figure, (left, right) = panels(1, 2, (10.0, 4.2))
    rates = table["intrinsic_lr"].to_numpy(float)
    _scatter(left, 1 / rates, table["steps"].to_numpy(float), "effective lr", 0)
    _scatter(left, 1 / rates, table["loss_steps"].to_numpy(float), "training loss", 1)
    _scatter(right, rates, np.exp(table["before"].to_numpy(float)), "runs", 0)
    if len(rates):
        span = np.array([rates.min(), rates.max()])
        left.plot(1 / span, PREDICTED / span, "--", color=GREY, lw=1.3, label=f"{PREDICTED:.2f} / intrinsic lr")
        middle = float(np.exp((table["before"] - np.log(rates) / 2).mean()))
        right.plot(span, middle * np.sqrt(span), "--", color=GREY, lw=1.3, label="square root")
    _label(left, "1 / intrinsic learning rate (steps)", "steps until recovered")
    _label(right, "intrinsic learning rate", "effective lr in equilibrium")
    return figure


@styled
def prediction_distances(predicted: Sequence[Predicted], errors: Mapping[int, Mapping[str, float]]) -> Figure:
    """Total variation of predictions against the number of runs, a panel per epoch (Fig. 3b).

    Solid: between schedules. Dotted: within one schedule, n runs from n others. Dashed: the sums of the mean errors.

    Args:
        predicted: Predictions by epoch.
        errors: Mean test errors by epoch and schedule.
    """
    figure, axes = panels(1, max(1, len(predicted)), (5.2 * max(1, len(predicted)), 4.6), sharey=True)
    if not predicted:
        say(axes[0], "no predictions: run with --probe predictions")
    for axis, each in zip(axes, predicted, strict=False):
        _draw_distances(axis, each, errors.get(each.epoch, {}))
        axis.set_title(f"after {each.epoch} epochs")
    axes[0].set_ylabel("mean total variation of predictions")
    return figure


@styled
def accuracy_by_arm(groups: Mapping[str, Array], label: str) -> Figure:
    """Final test accuracy of every run, by arm; bars are the means.

    Args:
        groups: Accuracies of the runs by name of the arm.
        label: What the names are.
    """
    figure, (axis,) = panels(1, 1, (max(5.0, 1.5 * len(groups) + 2), 4.0))
    for place, (number, values) in enumerate(enumerate(groups.values())):
        axis.plot(
            np.full(len(values), place), values, MARKERS[0], color=COLORS[number % len(COLORS)], ms=5, alpha=0.7, mew=0
        )
        axis.plot([place - 0.2, place + 0.2], [values.mean()] * 2, color=GREY, lw=2)
    axis.set_xticks(range(len(groups)), list(groups))
    axis.grid(False, axis="x")
    axis.set_xlabel(label)
    axis.set_ylabel("final test accuracy (%)")
    if groups:
        frame(axis, np.concatenate(list(groups.values())))
        in_percent(axis.yaxis)
    else:
        say(axis, "no run completed")
    return figure


def _draw_distances(axis: Axes, predicted: Predicted, errors: Mapping[str, float]) -> None:
    curves = distance_curves(predicted)
    for number, (name, (counts, values)) in enumerate(curves.items()):
        within = name.startswith("within")
        color = COLORS[number % len(COLORS)]
        axis.plot(
            counts, values, ":" if within else "-", marker=MARKERS[number % len(MARKERS)], ms=4, color=color, label=name
        )
        pair = [errors.get(part) for part in name.split(" - ")]
        if not within and None not in pair:
            axis.axhline(sum(filter(None, pair)), color=color, ls="--", lw=1.1)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlabel("runs of each")
    axis.legend(loc="best", fontsize=8.5)


def _scatter(axis: Axes, x: Array, y: Array, label: str, number: int) -> None:
    known = np.isfinite(y)
    if known.any():
        axis.plot(x[known], y[known], MARKERS[number], color=COLORS[number], ms=6, alpha=0.7, mew=0, label=label)


def _label(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    if axis.lines:
        axis.set_xscale("log")
        axis.set_yscale("log")
        for each in (axis.xaxis, axis.yaxis):
            each.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            each.set_major_formatter(StrMethodFormatter("{x:g}"))
            each.set_minor_formatter(NullFormatter())
        axis.legend(loc="best")
    else:
        say(axis, "no run to draw")
