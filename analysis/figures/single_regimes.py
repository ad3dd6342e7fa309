"""Schedules of two phases against their regimes alone."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, MARKERS, in_percent, panels, styled
from analysis.single_regimes import arms, seed_values

if TYPE_CHECKING:
    from tune_regimes.results import Results


@styled
def against_single_regimes(results: "Results") -> Figure:
    """The metric against the transition epoch: a mark per schedule, with its seeds; lines are regimes alone.

    Bars and bands hold the seeds; points with a diverged seed are left out.
    """
    values, kinds = seed_values(results), arms(results.trials)
    sign = 1 if results.mode == "max" else -1
    values = values.replace([np.inf, -np.inf], np.nan).dropna() * sign
    figure, (axis,) = panels(1, 1, (8.2, 4.8))
    alone = values[kinds["regimes"].reindex(values.index) != "both"]
    labels = (kinds["regimes"] + " alone: " + kinds["label"]).reindex(alone.index)
    for color, label, row in zip(COLORS[1:], labels, alone.to_numpy(), strict=False):
        axis.axhline(row.mean(), color=color, lw=1.4, label=label)
        axis.axhspan(row.min(), row.max(), color=color, alpha=0.10, lw=0)
    both = values[kinds["regimes"].reindex(values.index) == "both"]
    for marker, (large, part) in zip(MARKERS, both.groupby(kinds["label"].reindex(both.index)), strict=False):
        mean, at = part.mean(axis=1), kinds["epochs"].reindex(part.index).astype(float)
        reach = [mean - part.min(axis=1), part.max(axis=1) - mean]
        name = f"two phases, first {large}"
        axis.errorbar(at, mean, reach, fmt=marker, color=COLORS[0], ms=6, elinewidth=1.0, label=name)
    if results.metric.endswith("accuracy"):
        in_percent(axis.yaxis)
    axis.set_xlabel("epochs of large steps")
    axis.set_ylabel(results.metric.replace("_", " ") + (" (%)" if results.metric.endswith("accuracy") else ""))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
