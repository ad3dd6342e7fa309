"""Figure 2 of SGDL: spectral radius, error and solution of incremental gradient descent with a constant step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, panels, styled
from analysis.statistics import Array


@styled
def radius_by_step(steps: Array, radii: Array) -> Figure:
    """The spectral radius of one sweep against the step; sweeps converge below 1."""
    figure, (axis,) = panels(1, 1, (6.4, 4.0))
    axis.plot(steps, radii, color=COLORS[0])
    axis.axhline(1.0, color=GREY, ls="--", lw=1.2)
    axis.set_xlabel("step t")
    axis.set_ylabel("spectral radius of a sweep")
    return figure


@styled
def errors_by_step(steps: Array, errors: Sequence[Array]) -> Figure:
    """Log norm(x(t) - x_hat)^2 against the step, a thin line per draw and the thick mean."""
    figure, (axis,) = panels(1, 1, (6.4, 4.0))
    logs = np.log(np.stack(errors))
    axis.plot(steps, logs.T, color=COLORS[0], lw=0.7, alpha=0.5)
    axis.plot(steps, logs.mean(axis=0), color=COLORS[0])
    axis.set_xlabel("step t")
    axis.set_ylabel("log norm(x(t) - data)^2")
    return figure


@styled
def solution_at_step(data: Array, limit: Array, minimiser: Array, step: float) -> Figure:
    """The noisy data, the limit of sweeps with a step, and the minimiser, over the points sorted by z."""
    figure, (axis,) = panels(1, 1, (6.4, 4.0))
    axis.plot(data, MARKERS[0], color=GREY, ms=5, label="noisy data")
    axis.plot(limit, color=COLORS[1], label=f"limit at step {step:g}")
    axis.plot(minimiser, color=COLORS[0], ls="--", label="minimiser")
    axis.set_xlabel("point, sorted by z")
    axis.set_ylabel("x")
    axis.legend(loc="best")
    return figure
