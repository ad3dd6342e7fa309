"""The paths of runs through the space of their predictions: Break-Even Point, figure 1."""

from collections.abc import Hashable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, panels, say, styled


@styled
def prediction_paths(embedded: pd.DataFrame, by: str | None = None, color: str | None = None) -> Figure:
    """Two coordinates of the predictions of each run, joined in the order of the epochs; the last one is a larger mark.

    Args:
        embedded: From :func:`analysis.embedding.embed`, with further columns where they are named below.
        by: Column that gives each run its marker, and its colour where `color` does not: a setting of the run.
        color: Column of numbers that colours the marks, such as ``covariance_largest`` or ``train_accuracy``.
    """
    figure, (axes,) = panels(1, 1, (6.2, 5.0))
    names = list(dict.fromkeys(embedded[by])) if by else [None]
    known = embedded[color].dropna() if color else pd.Series(dtype=float)
    limits = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    for number, name in enumerate(names):
        group = embedded if by is None else embedded[embedded[by] == name]
        _draw_group(axes, group, number, None if by is None else f"{by.removeprefix('config.')} {name}", color, limits)
    if color and len(known):
        figure.colorbar(axes.collections[-1], ax=axes, label=color.replace("_", " "))
    axes.set_xlabel("first coordinate of the predictions")
    axes.set_ylabel("second coordinate of the predictions")
    if not len(embedded):
        say(axes, "no predictions to draw")
    elif by:
        axes.legend(loc="best")
    return figure


def _draw_group(
    axes: Axes, rows: pd.DataFrame, number: int, label: Hashable, color: str | None, limits: tuple[float, float]
) -> None:
    own, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    for trial, path in rows.sort_values("epoch").groupby("trial_id"):
        axes.plot(path["x"], path["y"], "-", color=own, lw=0.9, alpha=0.6, zorder=1, gid=str(trial))
        axes.plot(path["x"].iloc[-1:], path["y"].iloc[-1:], marker, ms=11, mfc="none", mec=GREY, zorder=2)
    shade = {"color": own} if color is None else {"c": rows[color], "vmin": limits[0], "vmax": limits[1]}
    axes.scatter(rows["x"], rows["y"], s=26, marker=marker, zorder=3, label=label, **shade)
