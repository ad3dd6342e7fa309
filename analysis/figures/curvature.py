"""Curvature along the training, and its maxima: Figs. 4, 5, 7, 10 to 13 and 18 to 26 of The Break-Even Point."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from analysis.break_even.curvature_runs import (
    HESSIAN,
    LARGEST,
    RATIO,
    SCALE,
    SPAN,
    STABILITY,
    TRACE,
    accuracy_threshold,
    at_accuracy,
    describe_runs,
    looks,
    varied,
)
from analysis.figures.style import COLORS, GREY, MARKERS, in_percent, in_whole, panels, say, styled

LABELS: Mapping[str, str] = {
    LARGEST: "$\\lambda_K^1$",
    RATIO: "$\\lambda_K^* / \\lambda_K^1$",
    TRACE: "Tr(K)",
    HESSIAN: "$\\lambda_H^1$",
    SPAN: "$|g| / |g_5|$",
    SCALE: "$|\\gamma|$ of the last BatchNorm",
    STABILITY: "left side of Eq. 1",
    "train_accuracy": "training accuracy (%)",
    "test_accuracy": "test accuracy (%)",
}
ARMS: Mapping[str, str] = {"lr": "lr {:g}", "batch_size": "batch size {:g}", "momentum": "momentum {:g}"}
ALONG = (LARGEST, RATIO, TRACE, HESSIAN, STABILITY)
ACCURACIES = ("train_accuracy", "test_accuracy")
DECADES = 1e3
"""Range above which a logarithmic axis is labelled at powers of ten alone."""
WINDOW = 3
"""Looks that a drawn curve is averaged over; the paper smooths too, by a window that it does not give."""


@styled
def curvature_courses(
    trials: pd.DataFrame, epochs: pd.DataFrame, columns: Sequence[str] = (*ALONG, *ACCURACIES[:1])
) -> Figure:
    """Columns along the training, a panel each and a colour per value of what is varied.

    Lines are medians over seeds of moving averages, bands hold these; vertical lines mark where the training accuracy
    first reaches a threshold, as a median over seeds. Dashed: 2 (1 + momentum) / lr, the limit of lambda_H^1 for full
    batches, and 1 in the panel of Eq. 1.

    Args:
        trials: The trials of a study.
        epochs: Its epochs.
        columns: Of `LABELS`.
    """
    seen, setting = looks(trials, epochs), varied(trials)
    width = min(3, len(columns))
    high = -(-len(columns) // width)
    figure, axes = panels(high, width, (3.9 * width, 3.0 * high + 0.6), sharex=True)
    reached = at_accuracy(seen, accuracy_threshold(seen)).groupby("arm")["epoch"].median()
    for axis, column in zip(axes, columns, strict=False):
        for number, (arm, part) in enumerate(seen.groupby("arm")):
            _draw_arm(axis, part, column, ARMS[setting].format(arm), number)
            if arm in reached.index:
                axis.axvline(reached[arm], color=COLORS[number % len(COLORS)], ls=":", lw=1.0)
            _draw_limit(axis, part, column, number)
        _label(axis, column)
    for axis in axes[len(columns) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(columns) - width) : len(columns)]:
        axis.set_xlabel("epoch")
        axis.tick_params(labelbottom=True)
        in_whole(axis.xaxis)
    _legend(figure, axes[0])
    return figure


@styled
def maxima_by_setting(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """The maxima of each run against what is varied; marks are runs, lines geometric means, dashed as there."""
    runs, setting = describe_runs(trials, epochs), varied(trials)
    names = (LARGEST, RATIO, TRACE, HESSIAN)
    figure, axes = panels(1, len(names), (3.3 * len(names), 3.4))
    for axis, name in zip(axes, names, strict=True):
        known = runs[(runs[name] > 0) & runs["arm"].notna()]
        axis.set_xlabel(setting.replace("_", " "))
        axis.set_ylabel(f"max {LABELS[name]}")
        if known.empty:
            say(axis, "no run to draw")
            continue
        means = np.exp(np.log(known[name]).groupby(known["arm"]).mean())
        axis.plot(known["arm"], known[name], MARKERS[0], color=COLORS[0], ms=5, alpha=0.6, mew=0)
        axis.plot(means.index, means, color=COLORS[0])
        if name == HESSIAN:
            first = known.groupby("arm")[["lr", "momentum"]].first()
            limit = 2.0 * (1.0 + first["momentum"]) / first["lr"]
            label = "2 (1 + momentum) / lr" if (first["momentum"] > 0).any() else "2 / lr"
            axis.plot(limit.index, limit, "--", color=GREY, lw=1.2, label=label)
            axis.legend(loc="best")
        axis.set_yscale("log")
        plain_logs(axis.yaxis)
        if setting == "momentum":
            continue
        axis.set_xscale("log")
        axis.set_xticks(means.index, [f"{arm:g}" for arm in means.index], minor=False)
        axis.set_xticks([], minor=True)
    return figure


def plain_logs(axis: Axis) -> None:
    """Label a logarithmic axis by plain numbers, at 1, 2 and 5 times powers of ten where it has few of these."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < DECADES * low else (1.0,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _draw_arm(axis: Axes, part: pd.DataFrame, column: str, label: str, number: int) -> None:
    known = part.dropna(subset=column)
    if known.empty:
        return
    smooth = known.groupby("trial_id")[column].rolling(WINDOW, center=True, min_periods=1).mean().droplevel(0)
    grouped = smooth.groupby(known["epoch"])
    color = COLORS[number % len(COLORS)]
    axis.plot(grouped.median().index, grouped.median(), color=color, lw=1.5, label=label)
    axis.fill_between(grouped.median().index, grouped.min(), grouped.max(), color=color, alpha=0.15, lw=0)


def _draw_limit(axis: Axes, part: pd.DataFrame, column: str, number: int) -> None:
    if column == HESSIAN:
        first = part.groupby("epoch")[["lr", "momentum"]].first()
        limit = 2.0 * (1.0 + first["momentum"]) / first["lr"]
        axis.plot(limit.index, limit, "--", color=COLORS[number % len(COLORS)], lw=0.9)
    if column == STABILITY and number == 0:
        axis.axhline(1.0, color=GREY, ls="--", lw=0.9)


def _label(axis: Axes, column: str) -> None:
    axis.set_ylabel(LABELS[column])
    if not axis.get_legend_handles_labels()[0]:
        say(axis, "nothing recorded")
    elif column.endswith("accuracy"):
        in_percent(axis.yaxis)
    elif column not in (SPAN, SCALE):
        axis.set_yscale("log")
        plain_logs(axis.yaxis)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
