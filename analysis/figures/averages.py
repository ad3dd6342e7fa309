"""Figures 6 and 7 of Li, Lyu and Arora (2020): what averages of two networks of one run predict, and their distance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import panels, say, styled
from analysis.intrinsic_lr.averages import CLAIMS
from analysis.statistics import Array

SHOWN = (("accuracy", 100.0, "test accuracy of the average (%)"), ("distance", 1.0, "distance"))
"""Column, factor and label of each map."""


@styled
def pair_maps(pairs: pd.DataFrame) -> Figure:
    """Accuracy of the average (left) and distance (right) over the epochs of both networks, means over runs.

    On the diagonals are the networks alone. A row each without and with momentum.

    Args:
        pairs: From :func:`analysis.intrinsic_lr.averages.read_pairs`.
    """
    figure, axes = panels(2, 2, (10.4, 8.4))
    for row, (_, who, moving) in enumerate(CLAIMS):
        own = pairs[(pairs["momentum"] > 0) == moving]
        for axis, (column, factor, label) in zip(axes[2 * row : 2 * row + 2], SHOWN, strict=True):
            axis.set_title(who)
            if own[column].notna().any():
                _draw(figure, axis, own, column, factor, label)
            else:
                say(axis, "no run whose weights were compared")
    return figure


def symmetric(pairs: pd.DataFrame, column: str) -> tuple[Array, Array]:
    """The epochs of the looks, shape [n], and the mean of a column over runs for each two, shape [n, n]."""
    wide = pairs.pivot_table(index="first", columns="second", values=column, aggfunc="mean")
    looks = np.array(sorted(set(pairs["first"]) | set(pairs["second"])), dtype=float)
    upper = wide.reindex(index=looks, columns=looks).to_numpy(float)
    return looks, np.where(np.isnan(upper), upper.T, upper)


def _draw(figure: Figure, axis: Axes, pairs: pd.DataFrame, column: str, factor: float, label: str) -> None:
    looks, values = symmetric(pairs, column)
    mesh = axis.pcolormesh(looks, looks, factor * values, cmap="viridis", shading="nearest")
    axis.set_xlabel("epoch")
    axis.set_ylabel("epoch")
    axis.set_aspect("equal")
    axis.grid(False)
    figure.colorbar(mesh, ax=axis, label=label)
