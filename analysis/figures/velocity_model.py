"""Figures 4 and 5 of AutoDrop: the model of the angular velocity, and the drops that it makes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, panels, styled
from analysis.statistics import Array
from tune_regimes.theory.velocity_model import ModelRun, VelocityModel


@styled
def model_curves(model: VelocityModel, lrs: Sequence[float], until: float) -> Figure:
    """The model's angular velocity over time since the drop, by learning rate, with its asymptotes."""
    figure, (axis,) = panels(1, 1, (7.0, 4.2))
    times = np.linspace(0.0, until, 400)
    for color, lr in zip(COLORS, lrs, strict=False):
        axis.plot(times, np.degrees(model.velocity(lr, times)), color=color, label=f"lr {lr:g}")
        axis.axhline(np.degrees(model.asymptote(lr)), color=color, ls="--", lw=1.0)
    for angle in (90.0, 120.0):
        axis.axhline(angle, color=GREY, ls=":", lw=1.0)
    axis.set_xlabel("iterations since the drop")
    axis.set_ylabel("angular velocity (degrees)")
    axis.legend(loc="best")
    return figure


@styled
def drops(run: ModelRun) -> Figure:
    """Angular velocity and learning rate over the iterations of Algorithm 2."""
    figure, (left, right) = panels(1, 2, (10.0, 3.8))
    iterations = np.arange(len(run.lrs))
    left.plot(iterations, np.degrees(run.velocities), color=COLORS[0], lw=1.2)
    right.step(iterations, run.lrs, where="post", color=COLORS[1])
    left.set_ylabel("angular velocity (degrees)")
    right.set_ylabel("learning rate")
    for axis in (left, right):
        axis.set_xlabel("iteration")
    return figure


@styled
def gap_bounds(lrs: Array, gaps: Array, kappas: tuple[float, float], printed: float) -> Figure:
    """The gaps between drops against 1 / lr, with the bounds of Theorem 3 and the upper one as printed."""
    figure, (axis,) = panels(1, 1, (7.0, 4.2))
    inverse = 1.0 / lrs
    axis.plot(inverse, gaps, ".", color=COLORS[0], label="gaps of Algorithm 2")
    for kappa, name in zip(kappas, ("kappa_1 / lr", "kappa_2 / lr"), strict=True):
        axis.plot(inverse, kappa * inverse, color=GREY, lw=1.0)
        axis.annotate(name, (inverse[-1], kappa * inverse[-1]), ha="right", va="bottom", color=GREY)
    axis.plot(inverse, printed * inverse, color=COLORS[1], ls="--", lw=1.2, label="kappa_2 / lr as printed")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("1 / learning rate")
    axis.set_ylabel("iterations to the next drop")
    axis.legend(loc="best")
    return figure
