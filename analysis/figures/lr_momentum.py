"""Figures 4, 5 and 12, and the regimes that the same sweep locates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, in_percent, in_whole, log_y, panels, say, styled
from analysis.tables import by_seed
from analysis.two_regimes.lr_momentum import best_points, sound_points, sweep_table
from analysis.two_regimes.matching import Sweep, match
from tune_regimes.results.curves import by_momentum, loss_curves
from tune_regimes.results.regimes import FALLING, describe_runs, locate_regimes

STEP_SIZE = "step size: learning rate / (1 - momentum)"


@styled
def accuracy_by_lr(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Test accuracy against the learning rate (left) and the step size lr / (1 - momentum) (right), by momentum.

    Bars hold the seeds; crosses at the lower edge are points that diverged.
    """
    table, runs = sweep_table(trials, epochs), by_seed(trials)
    table = table.assign(lowest=runs.min(axis=1), highest=runs.max(axis=1))
    figure, axes = panels(1, 2, (10.0, 4.2), sharey=True)
    for axis, column, label in zip(axes, ("lr", "step_size"), ("learning rate", STEP_SIZE), strict=True):
        for number, (momentum, part) in enumerate(by_momentum(table).items()):
            _draw_accuracy(axis, part, column, number, momentum)
        axis.set_xscale("log")
        axis.set_xlabel(label)
    in_percent(axes[0].yaxis)
    axes[0].set_ylabel("test accuracy (%)")
    axes[0].plot([], [], "x", color=GREY, label="diverged")
    _legend(figure, axes[0])
    return figure


@styled
def best_loss_curves(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training loss over epochs at the best learning rate of each momentum; bands hold the seeds."""
    table, curves = sweep_table(trials, epochs), loss_curves(trials, epochs)
    figure, (axis,) = panels(1, 1, (7.0, 4.4))
    for number, (momentum, point) in enumerate(best_points(table).items()):
        seeds = curves.loc[point]
        label = f"momentum {momentum:g}, lr {table['lr'].loc[point]:.3g}"
        axis.plot(seeds.columns, seeds.mean(), MARKERS[number] + "-", color=COLORS[number], ms=4, label=label)
        axis.fill_between(seeds.columns, seeds.min(), seeds.max(), color=COLORS[number], alpha=0.18, lw=0)
    log_y(axis, curves)
    in_whole(axis.xaxis)
    axis.set_xlabel("epoch")
    axis.set_ylabel("training loss (nats)")
    if axis.lines:
        axis.legend(loc="best")
    else:
        say(axis, "no learning rate without divergence")
    return figure


@styled
def matched_lrs(curves: Mapping[float, Sweep], yardstick: float) -> Figure:
    """For each learning rate without momentum, the one with momentum whose loss curve is nearest, and how near (L2).

    Open marks are matches at the end of what was sampled; dotted lines are (1 - momentum) * lr, the dashed one the
    distance of two seeds of one point.
    """
    figure, (upper, lower) = panels(2, 1, (7.0, 6.4), sharex=True)
    others = {momentum: sweep for momentum, sweep in curves.items() if momentum > 0}
    if 0.0 not in curves or not others:
        say(upper, "no learning rates without divergence to match")
        return figure
    for number, (momentum, sweep) in enumerate(others.items(), start=1):
        _draw_matches(upper, lower, match(curves[0.0], sweep), number, momentum)
    if np.isfinite(yardstick):
        lower.axhline(yardstick, color=GREY, ls="--", lw=1.4, label="two seeds of one point")
        lower.legend(loc="best")
    upper.set_yscale("log")
    lower.set_xscale("log")
    upper.set_ylabel("matched learning rate")
    lower.set_ylabel("L2 distance of loss curves (nats)")
    lower.set_xlabel("learning rate without momentum")
    _legend(figure, upper, columns=2)
    return figure


@styled
def located_regimes(trials: pd.DataFrame, epochs: pd.DataFrame, warm_up: int = 0) -> Figure:
    """What locates the regimes: last training loss and share of falling epochs over the step size, a line per momentum.

    Vertical lines mark the regimes A (dashed) and B (dotted) of each momentum. The first ``warm_up`` epochs are common
    to all points and count for neither.
    """
    table = describe_runs(trials, epochs, warm_up).sort_values(["momentum", "lr"], kind="stable")
    regimes = locate_regimes(trials, epochs, warm_up)
    figure, (upper, lower) = panels(2, 1, (7.0, 6.4), sharex=True)
    for number, (momentum, part) in enumerate(by_momentum(table).items()):
        look: dict[str, Any] = {"color": COLORS[number], "marker": MARKERS[number], "ms": 5}
        upper.plot(part["step_size"], part["final_loss"], label=f"momentum {momentum:g}", **look)
        lower.plot(part["step_size"], part["falling"], **look)
        for axis in (upper, lower):
            _mark_diverged(axis, part, "step_size", number)
            for column, style in (("large_step_size", "--"), ("small_step_size", ":")):
                axis.axvline(regimes[column].iloc[number], color=COLORS[number], ls=style, lw=1.3)
    lower.axhline(FALLING, color=GREY, lw=1.0)
    log_y(upper, table["final_loss"])
    lower.set_xscale("log")
    lower.set_ylim(-0.03, 1.06)
    in_percent(lower.yaxis)
    upper.set_ylabel("last training loss (nats)")
    lower.set_ylabel("epochs in which the loss falls (%)")
    lower.set_xlabel(STEP_SIZE)
    upper.plot([], [], "x", color=GREY, label="diverged")
    upper.plot([], [], color=GREY, ls="--", lw=1.3, label="A: large steps")
    upper.plot([], [], color=GREY, ls=":", lw=1.3, label="B: small steps")
    upper.plot([], [], color=GREY, lw=1.0, label=f"{FALLING:.0%}: falls consistently")
    _legend(figure, upper, columns=3)
    return figure


def _draw_accuracy(axis: Axes, part: pd.DataFrame, column: str, number: int, momentum: float) -> None:
    known = sound_points(part)
    reach = (known[["lowest", "highest"]].sub(known["value"], axis=0)).abs().fillna(0.0).to_numpy(float).T
    look: dict[str, Any] = {"color": COLORS[number], "marker": MARKERS[number], "ms": 5, "elinewidth": 1.0, "lw": 1.4}
    axis.errorbar(known[column], known["value"], reach, label=f"momentum {momentum:g}", **look)
    _mark_diverged(axis, part, column, number)


def _mark_diverged(axis: Axes, part: pd.DataFrame, column: str, number: int) -> None:
    diverged = part.loc[part["diverges"].astype(bool), column]
    height = np.full(len(diverged), 0.02 + 0.03 * number)
    axis.plot(diverged, height, "x", color=COLORS[number], ms=6, transform=axis.get_xaxis_transform())


def _draw_matches(upper: Axes, lower: Axes, matches: pd.DataFrame, number: int, momentum: float) -> None:
    color, marker = COLORS[number], MARKERS[number]
    for axis, column in ((upper, "match"), (lower, "distance")):
        axis.plot(matches["lr"], matches[column], color=color, lw=1.2, alpha=0.5)
        inside, edge = matches[~matches["edge"]], matches[matches["edge"]]
        axis.plot(
            inside["lr"],
            inside[column],
            marker,
            color=color,
            ms=6,
            label=f"momentum {momentum:g}" if axis is upper else None,
        )
        axis.plot(edge["lr"], edge[column], marker, color=color, ms=6, mfc="white")
    label = f"{1 - momentum:g} x learning rate"
    upper.plot(matches["lr"], (1 - momentum) * matches["lr"], ":", color=color, lw=1.4, label=label)


def _legend(figure: Figure, axis: Axes, columns: int = 4) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)))
