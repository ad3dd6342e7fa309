"""Figures 2 and 14 of Two Regimes: heavy ball on the quadratic with condition number 1e5."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, panels, styled
from analysis.statistics import Array
from tune_regimes.theory.heavy_ball import Trace, scale_limit


@styled
def courses(traces: Mapping[float, Trace]) -> Figure:
    """Loss, alignment and scale over iterations, by momentum; dashed lines are the limits 1 / (1 - mu) of the scale."""
    figure, axes = panels(3, 1, (7.0, 8.4), sharex=True)
    for color, (momentum, trace) in zip(COLORS, traces.items(), strict=False):
        iterations = np.arange(1, len(trace.scales) + 1)
        for axis, values in zip(axes, (trace.losses[1:], trace.alignments, trace.scales), strict=True):
            axis.plot(iterations, values, color=color, lw=1.2, label=f"momentum {momentum:g}")
        axes[2].axhline(scale_limit(momentum), color=color, ls="--", lw=1.0)
    for axis, label in zip(axes, ("loss", "alignment", "scale"), strict=True):
        axis.set_ylabel(label)
    axes[0].set_yscale("log")
    axes[2].set_yscale("log")
    axes[2].set_xscale("log")
    axes[2].set_xlabel("iteration")
    axes[0].legend(loc="best")
    return figure


@styled
def grid_map(lrs: Array, momentums: Array, losses: Array, edge: Array) -> Figure:
    """The log loss after the last step over learning rate and 1 - momentum; white where the run diverges."""
    figure, (axis,) = panels(1, 1, (7.0, 5.0))
    shown = np.where(np.isfinite(losses), losses, np.nan)
    mesh = axis.pcolormesh(lrs, 1.0 - momentums, shown.T, cmap="viridis", shading="nearest")
    axis.plot(edge, 1.0 - momentums, color=GREY, ls="--", lw=1.4, label="(1 + mu) / largest eigenvalue")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(lrs[0], lrs[-1])
    axis.set_xlabel("learning rate")
    axis.set_ylabel("1 - momentum")
    axis.legend(loc="lower left")
    figure.colorbar(mesh, ax=axis, label="log loss after the last step")
    return figure
