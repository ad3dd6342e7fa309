"""Figures 6, 7 and 13: test accuracy against the transition epoch, and its distributions by arm."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import COLORS, GREY, MARKERS, frame, in_percent, in_whole, panels, say, say_cut, styled
from analysis.tables import by_seed, points
from analysis.two_regimes.transition_epoch import REFERENCE, arm, bin_medians, distinct

LARGE = {"momentum": "with momentum in phase 1", "no_momentum": "without momentum in phase 1"}
SMALL = {"classic": "classic", "reduced": "reduced lr, larger momentum", "fig7": "as in Fig. 7", "adamw": "AdamW"}


@styled
def accuracy_by_transition_epoch(trials: pd.DataFrame) -> Figure:
    """Test accuracy of every point against its transition epoch: a panel per phase 2, an arm per phase 1.

    Small marks are runs, lines join the medians of bins of equal counts of points with bars between their quartiles;
    the dashed line is the best three-step schedule, its band the 95 % interval over seeds.
    """
    table, runs = distinct(points(trials)), by_seed(trials)
    rows = -(-len(SMALL) // 2)
    figure, axes = panels(rows, 2, (9.6, 3.1 * rows + 0.9), sharex=True, sharey=True)
    frame(axes[0], runs)
    for axis, small in zip(axes, SMALL, strict=True):
        arms = {label: arm(table, large, small) for large, label in LARGE.items()}
        for number, (label, part) in enumerate(arms.items()):
            _draw_arm(axis, part, runs, number, label)
        _draw_reference(axis, table)
        axis.set_title(f"phase 2: {SMALL[small]}")
        drawn = pd.concat(list(arms.values()))
        say_cut(axis, runs.loc[drawn.index])
        _say_diverged(axis, drawn)
    in_percent(axes[0].yaxis)
    in_whole(axes[0].xaxis)
    figure.supxlabel("transition epoch (epochs of the large-step phase)", fontsize=11)
    figure.supylabel("test accuracy (%)", fontsize=11)
    _legend(figure, axes[0])
    return figure


@styled
def accuracy_distributions(trials: pd.DataFrame) -> Figure:
    """Distributions of the points' test accuracy, with and without momentum in phase 1, for each phase 2.

    Boxes hold the middle half with the median, marks are points, the dashed line is the best three-step schedule.
    """
    table = distinct(points(trials))
    figure, (axis,) = panels(1, 1, (9.0, 4.4))
    for place, small in enumerate(SMALL):
        for number, large in enumerate(LARGE):
            _draw_box(
                axis, arm(table, large, small), place + 0.4 * (number - 0.5), number, LARGE[large] if not place else ""
            )
    _draw_reference(axis, table)
    axis.set_xticks(range(len(SMALL)), list(SMALL.values()))
    axis.grid(False, axis="x")
    axis.set_xlabel("phase 2")
    axis.set_ylabel("test accuracy (%)")
    frame(axis, table["value"])
    say_cut(axis, table["value"])
    in_percent(axis.yaxis)
    _legend(figure, axis)
    return figure


def best_reference(table: pd.DataFrame) -> pd.Series | None:
    """The best of the three-step schedules; None where none completed."""
    known = table[(table["large"] == REFERENCE) & table["value"].notna()]
    return None if known.empty else known.sort_values("value", kind="stable").iloc[-1]


def _draw_arm(axis: Axes, points_of_arm: pd.DataFrame, runs: pd.DataFrame, number: int, label: str) -> None:
    color, marker = COLORS[number], MARKERS[number]
    every = runs.loc[points_of_arm.index].replace(-np.inf, np.nan).to_numpy(float)
    where = points_of_arm["transition_epoch"].to_numpy(float)
    axis.plot(where, every, marker, color=color, ms=3.5, alpha=0.4, mew=0)
    bins = bin_medians(points_of_arm)
    reach = np.abs(bins[["low", "high"]].to_numpy(float).T - bins["median"].to_numpy(float))
    lines: dict[str, Any] = {
        "color": color,
        "marker": marker,
        "ms": 7,
        "capsize": 3,
        "elinewidth": 1.2,
        "mec": "white",
        "mew": 0.8,
    }
    axis.errorbar(bins["center"], bins["median"], reach, label=f"{label} (bin median, quartiles)", **lines)


def _draw_reference(axis: Axes, table: pd.DataFrame) -> None:
    reference = best_reference(table)
    if reference is None:
        return
    axis.axhline(
        reference["value"], color=GREY, ls="--", lw=1.4, label="best three-step schedule (mean, 95 % interval)"
    )
    if np.isfinite(reference["low"]):
        axis.axhspan(reference["low"], reference["high"], color=GREY, alpha=0.08, lw=0)


def _draw_box(axis: Axes, points_of_arm: pd.DataFrame, place: float, number: int, label: str) -> None:
    values = points_of_arm["value"].dropna().to_numpy(float)
    spread = place + 0.12 * np.random.default_rng(0).uniform(-1, 1, len(values))
    axis.plot(spread, values, MARKERS[number], color=COLORS[number], ms=4.5, alpha=0.6, mew=0, label=label or None)
    if len(values):
        box: dict[str, Any] = {"color": COLORS[number], "lw": 1.4}
        axis.boxplot(
            values,
            positions=[place],
            widths=0.32,
            showfliers=False,
            manage_ticks=False,
            boxprops=box,
            whiskerprops=box,
            capprops=box,
            medianprops={**box, "lw": 2.8},
        )


def _say_diverged(axis: Axes, table: pd.DataFrame) -> None:
    if diverged := int(table["diverged"].sum()):
        say(
            axis,
            f"{diverged} of {int(table['trials'].sum())} runs diverged",
            (0.01, 0.01),
            ha="left",
            va="bottom",
            fontsize=8.5,
        )


def _legend(figure: Figure, axis: Axes) -> None:
    """The arms on the first line, the reference on the second."""
    entries = sorted(
        zip(*axis.get_legend_handles_labels(), strict=True), key=lambda entry: not entry[1].startswith("with ")
    )
    handles, labels = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
