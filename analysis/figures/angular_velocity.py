"""Figure 2: loss and angular velocity at constant learning rates, and what they say about saturation."""

from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.autodrop.angular_velocity import OMEGA, RIGHT_ANGLE, describe_saturation
from analysis.figures.style import COLORS, GREY, MARKERS, in_whole, log_y, panels, say, styled
from analysis.tables import configs
from tune_regimes.results.curves import loss_curves

LARGEST_ANGLE = 120.0
"""Above which the noisy quadratic model does not saturate while lr times the largest curvature is at most 1."""


@styled
def loss_and_velocity(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Training loss and angular velocity over epochs, by learning rate; lines are means, bands hold the seeds."""
    figure, axes = panels(2, 1, (7.0, 6.4), sharex=True)
    labels = ("training loss (nats)", "angular velocity (degrees per epoch)")
    for axis, column, label in zip(axes, ("train_loss", OMEGA), labels, strict=True):
        if column in epochs:
            _draw_curves(axis, loss_curves(trials, epochs, column), configs(trials)["lr"])
        else:
            say(axis, f"no column {column}")
        axis.set_ylabel(label)
    log_y(axes[0], epochs["train_loss"])
    for angle in (RIGHT_ANGLE, LARGEST_ANGLE):
        axes[1].axhline(angle, color=GREY, ls=":", lw=1.0)
    in_whole(axes[1].xaxis)
    axes[1].set_xlabel("epoch")
    _legend(figure, axes[0])
    return figure


@styled
def saturation_by_lr(trials: pd.DataFrame, epochs: pd.DataFrame) -> Figure:
    """Level, epoch and noise of saturation against the learning rate: marks are runs, lines their means."""
    runs = describe_saturation(trials, epochs)
    figure, axes = panels(1, 3, (11.0, 3.8))
    labels = {
        "level": "level (degrees)",
        "epoch": "epoch of saturation",
        "noise": "deviation of its change (degrees)",
    }
    for number, (axis, (column, label)) in enumerate(zip(axes, labels.items(), strict=True)):
        axis.set_xscale("log")
        axis.set_xlabel("learning rate")
        axis.set_ylabel(label)
        known = runs.dropna(subset=column)
        if known.empty:
            say(axis, "too few epochs")
            continue
        means = known.groupby("lr")[column].mean()
        axis.plot(known["lr"], known[column], MARKERS[number], color=COLORS[number], ms=4, alpha=0.6)
        axis.plot(means.index, means, color=COLORS[number])
    axes[0].axhline(RIGHT_ANGLE, color=GREY, ls=":", lw=1.0)
    return figure


def _draw_curves(axis: Axes, curves: pd.DataFrame, lrs: pd.Series) -> None:
    for number, (point, lr) in enumerate(lrs.sort_values(ascending=False).items()):
        if point not in curves.index.get_level_values("point"):
            continue
        seeds = cast(pd.DataFrame, curves.loc[point]).astype(float)
        color = COLORS[number % len(COLORS)]
        axis.plot(seeds.columns, seeds.mean(), color=color, label=f"lr {lr:g}")
        low, high = (np.asarray(edge, float) for edge in (seeds.min(), seeds.max()))
        axis.fill_between(seeds.columns, low, high, color=color, alpha=0.15, lw=0)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
