"""Figures 1, 3 and 9: training loss, and alignment and scale of the momentum, in both regimes."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, in_whole, log_y, panels, say, styled
from analysis.two_regimes.momentum_regimes import ALIGNMENT, SCALE
from analysis.two_regimes.regime_courses import NAMES, arm_courses, run_courses
from search_spaces.two_regimes_momentum import LARGE, REGIMES, SMALL

TITLES = {LARGE: "A: large steps, lr {lr:g}", SMALL: "B: small steps, lr {lr:g}"}


@styled
def loss_courses(
    trials: pd.DataFrame, epochs: pd.DataFrame, threshold: float | None = None, x: str = "epoch"
) -> Figure:
    """Training loss in both regimes, a line per momentum: geometric mean over seeds, thin lines are runs (Figs. 1, 9).

    Args:
        trials: The trials of a study with the settings ``regime`` and ``momentum``.
        epochs: Their epochs.
        threshold: Loss whose line is drawn.
        x: What an epoch is called.
    """
    figure, axes = panels(1, 2, (10.0, 4.2), sharey=True)
    courses = run_courses(trials, epochs)
    for axis, regime in zip(axes, REGIMES, strict=True):
        _draw_runs(axis, courses, regime, geometric=True)
        axis.set_title(_title(trials, epochs, regime))
        axis.set_xlabel(x)
        if threshold is not None:
            axis.axhline(threshold, color=GREY, ls=":", lw=1.2, label=f"loss {threshold:g}")
    log_y(axes[0], courses)
    axes[0].set_ylabel("training loss (nats)")
    return _finish(figure, axes)


@styled
def momentum_courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Scale (top) and alignment (bottom) of the momentum in both regimes, a line per momentum (Fig. 3).

    Lines are means over seeds, geometric ones of the scale; thin lines are runs. Dotted: the scale 1 / (1 - momentum)
    of equal gradients, and alignment 0.
    """
    figure, axes = panels(2, 2, (10.0, 6.4), sharex=True, sharey="row")
    for row, (column, label) in enumerate([(SCALE, "scale |g| / |gradient|"), (ALIGNMENT, "alignment")]):
        courses = run_courses(trials, epochs, column)
        pair = axes[2 * row : 2 * row + 2]
        for axis, regime in zip(pair, REGIMES, strict=True):
            _draw_runs(axis, courses, regime, geometric=column == SCALE)
            _draw_limits(axis, courses, column)
        pair[0].set_ylabel(label)
        if column == SCALE:
            log_y(pair[0], courses)
    for axis, regime in zip(axes[:2], REGIMES, strict=True):
        axis.set_title(_title(trials, epochs, regime))
    for axis in axes[2:]:
        axis.set_xlabel("epoch")
    return _finish(figure, axes)


def _draw_runs(axis: Axes, courses: pd.DataFrame, regime: str, geometric: bool) -> None:
    for place, momentum in enumerate(sorted(courses.index.unique("momentum"))):
        runs = arm_courses(courses, regime, momentum)
        if runs.empty:
            continue
        axis.plot(runs.columns, runs.to_numpy(float).T, lw=0.7, alpha=0.4, color=COLORS[place])
        mean = np.exp(np.log(runs.where(runs > 0)).mean()) if geometric else runs.mean()
        axis.plot(runs.columns, mean, color=COLORS[place], label=f"momentum {momentum:g}")
    if not axis.lines:
        say(axis, "no run completed")


def _draw_limits(axis: Axes, courses: pd.DataFrame, column: str) -> None:
    if column == ALIGNMENT:
        axis.axhline(0.0, color=GREY, ls=":", lw=1.2)
        return
    for place, momentum in enumerate(sorted(courses.index.unique("momentum"))):
        axis.axhline(1 / (1 - momentum), color=COLORS[place], ls=":", lw=1.2)


def _title(trials: pd.DataFrame, epochs: pd.DataFrame, regime: str) -> str:
    own = trials.loc[trials["config.regime"] == regime, "trial_id"]
    lrs = epochs.loc[epochs["trial_id"].isin(own), "lr"]
    return TITLES[regime].format(lr=lrs.iloc[0]) if len(lrs) else f"regime {NAMES[regime]}"


def _finish(figure: Figure, axes: list[Axes]) -> Figure:
    named: dict[str, Artist] = {}
    for axis in axes:
        in_whole(axis.xaxis)
        handles, labels = axis.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if named:
        figure.legend(list(named.values()), list(named), loc="outside upper center", ncols=len(named))
    return figure
