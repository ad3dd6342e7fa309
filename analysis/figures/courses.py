"""Courses of runs over the epochs or steps: accuracies, norm and effective learning rate, a line per arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, in_percent, in_whole, panels, say, styled

PANELS: Mapping[str, tuple[str, str]] = {
    "test_accuracy": ("test accuracy (%)", "percent"),
    "train_accuracy": ("training accuracy (%)", "percent"),
    "weight_norm": ("norm of the weights", "log"),
    "effective_lr": ("effective learning rate", "log"),
    "train_loss": ("training loss (nats)", "log"),
    "test_error": ("test error (%)", "percent"),
    "train_error": ("training error (%)", "percent"),
}
"""What can be drawn: its axis label, and how its axis runs."""
FOUR = ("test_accuracy", "train_accuracy", "weight_norm", "effective_lr")
"""The panels of Figs. 1, 4, 8, 11, 12 and 13."""


@styled
def course_figure(
    rows: pd.DataFrame,
    by: str,
    names: Mapping[str, str],
    columns: Sequence[str] = FOUR,
    marks: Sequence[float] = (),
    x: str = "epoch",
) -> Figure:
    """Draw columns of the courses, a panel each and a line per arm.

    Lines are means over the runs of an arm (geometric ones on logarithmic axes), bands hold all of them.

    Args:
        rows: From :func:`analysis.intrinsic_lr.effective_lr.courses`.
        by: The column whose values name the arms.
        names: Labels of the arms by value, in order; other arms are left out.
        columns: Of :data:`PANELS`.
        marks: Where to draw dotted lines: the changes of the settings.
        x: "epoch" or "step".
    """
    width, count = 2 if len(columns) > 1 else 1, len(columns)
    high = -(-count // width)
    figure, axes = panels(high, width, (5.0 * width, 3.0 * high + 0.8), sharex=True)
    for axis, column in zip(axes, columns, strict=False):
        _draw(axis, rows, by, names, column, x)
        for mark in marks:
            axis.axvline(mark, color=GREY, ls=":", lw=0.9)
    for axis in axes[-width:]:
        axis.set_xlabel(x)
        in_whole(axis.xaxis)
    _legend(figure, axes[0])
    return figure


def with_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ``train_error`` and ``test_error``: one minus the accuracies."""
    return rows.assign(train_error=1 - rows["train_accuracy"], test_error=1 - rows["test_accuracy"])


def _draw(axis: Axes, rows: pd.DataFrame, by: str, names: Mapping[str, str], column: str, x: str) -> None:
    label, kind = PANELS[column]
    for number, (value, name) in enumerate(names.items()):
        part = rows[(rows[by].astype(str) == value) & rows[column].notna()]
        _draw_arm(axis, part, column, x, name, number, kind == "log")
    axis.set_ylabel(label)
    if not axis.lines:
        say(axis, "nothing recorded")
    elif kind == "log":
        axis.set_yscale("log")
    else:
        in_percent(axis.yaxis)


def _draw_arm(axis: Axes, part: pd.DataFrame, column: str, x: str, name: str, number: int, log: bool) -> None:
    if part.empty:
        return
    grouped = part.groupby(x)[column]
    middle = np.exp(np.log(part[column].clip(lower=1e-30)).groupby(part[x]).mean()) if log else grouped.mean()
    look: dict[str, Any] = {"color": COLORS[number % len(COLORS)]}
    dashes = "--" if number >= len(COLORS) else "-"
    axis.plot(middle.index, middle, dashes, lw=1.4, label=name, **look)
    axis.fill_between(middle.index, grouped.min(), grouped.max(), alpha=0.15, lw=0, **look)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 3))
