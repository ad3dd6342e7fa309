"""One look for every figure: colours that the colour-blind tell apart, a marker for each, labels that can be read."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

STYLE: Any = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
    "savefig.dpi": 150,
    "figure.dpi": 100,
}
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of Okabe and Ito: distinct with every common colour blindness."""
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#444444"

styled = matplotlib.rc_context(STYLE)
"""Decorator of a drawing function: what it creates has the common look, and the user's settings stay as they are."""


def panels(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of the given size in inches and its axes, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False, **options)))


def say(axes: Axes, text: str, where: tuple[float, float] = (0.5, 0.5), **options: Any) -> None:
    """Write into an axes, at a place in its own coordinates: why there is nothing in it, or what was left out."""
    look = {"ha": "center", "va": "center", "color": GREY, "fontsize": 10, "transform": axes.transAxes}
    axes.text(*where, text, **{**look, **options})


def in_percent(axis: Axis) -> None:
    """Label an axis that holds fractions in percent, without the sign: the axis label has it."""
    axis.set_major_formatter(PercentFormatter(1.0, symbol=""))


def log_y(axes: Axes, values: ArrayLike) -> None:
    """Give an axes a logarithmic y axis where its positive values span a decade or more."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known) & (known > 0)]
    if len(known) and known.max() >= 10 * known.min():
        axes.set_yscale("log")


def in_whole(axis: Axis) -> None:
    """Label an axis at whole numbers only, such as epochs."""
    axis.set_major_locator(MaxNLocator(integer=True))


def frame(axes: Axes, values: ArrayLike, least: float = 0.01) -> None:
    """Set the y range to the values, at least ``least`` high, so that a few broken runs do not flatten the others.

    What lies more than twice the distance from best to lower quartile below that quartile is cut off.
    """
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return
    top, quarter = known.max(), np.quantile(known, 0.25)
    low = max(known.min(), quarter - 2 * (top - quarter) - least)
    margin = 0.06 * max(top - low, least)
    axes.set_ylim(low - margin, top + margin)


def say_cut(axes: Axes, values: ArrayLike) -> None:
    """Write into a corner of an axes how many of its values lie below its range."""
    known = np.asarray(values, float)
    if cut := int((known[np.isfinite(known)] < axes.get_ylim()[0]).sum()):
        say(axes, f"{cut} lower not shown", (0.99, 0.01), ha="right", va="bottom", fontsize=8.5)
