"""Figure 5a of the intrinsic learning rate: two descents on x^2 / (x^2 + y^2) from starts close to each other."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, panels, styled
from analysis.statistics import Array

LOWEST = 1e-22
"""Where the axis of the losses ends: gradient flow goes on falling."""


@styled
def two_descents(losses: Array, flow: Array, differences: Mapping[float, Array]) -> Figure:
    """Losses of two descents and of gradient flow over the steps, and how far apart the losses are.

    Args:
        losses: Shape (T + 1, 2).
        flow: Losses of gradient flow at the first steps' times.
        differences: By distance of the starts, each of shape (T + 1,).
    """
    figure, (upper, lower) = panels(2, 1, (8.0, 6.6), sharex=True)
    upper.plot(losses[:, 0], color=COLORS[0], lw=1.4, label="one start")
    upper.plot(losses[:, 1], color=COLORS[1], lw=1.4, ls="--", label="the start beside it")
    upper.plot(np.where(flow > LOWEST, flow, np.nan), color=GREY, ls=":", label="gradient flow")
    upper.set_ylim(LOWEST, 10.0)
    for color, (gap, values) in zip(COLORS, differences.items(), strict=False):
        lower.plot(np.where(values > 0, values, np.nan), color=color, lw=1.2, label=f"{gap:g} apart")
    upper.set_ylabel("loss")
    lower.set_ylabel("difference of the losses")
    lower.set_xlabel("step")
    for axis in (upper, lower):
        axis.set_yscale("log")
        axis.legend(loc="lower right")
    return figure


@styled
def paths_in_the_plane(paths: Array, steps: int) -> Figure:
    """The weights of both descents over the first steps, shape (T + 1, 2, 2)."""
    figure, (axis,) = panels(1, 1, (7.0, 5.4))
    looks = (("one start", {"ls": "-", "ms": 7, "mfc": "none"}), ("the start beside it", {"ls": "--", "ms": 3}))
    for number, (name, look) in enumerate(looks):
        x, y = paths[: steps + 1, number].T
        axis.plot(x, y, marker=MARKERS[number], lw=0.9, color=COLORS[number], label=name, **look)
    axis.plot(0.0, 0.0, "+", color=GREY, ms=10, label="origin")
    axis.set_xlabel("x")
    axis.set_ylabel("y")
    axis.legend(loc="upper left")
    return figure
