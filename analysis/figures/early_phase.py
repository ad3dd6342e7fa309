"""Figs. 1 to 3, 8 and 9 of The Break-Even Point: the early phase in detail, and K of single examples."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from analysis.break_even.curvature_runs import HESSIAN, LARGEST, RATIO, TRACE, accuracy_threshold, looks
from analysis.break_even.early_phase import spectra_at_maximum
from analysis.break_even.prediction_map import prediction_map
from analysis.figures.curvature import LABELS
from analysis.figures.style import COLORS, GREY, MARKERS, panels, say, styled
from analysis.statistics import Array

MAPPED = (LARGEST, "train_accuracy", RATIO, TRACE, HESSIAN)


@styled
def prediction_maps(trials: pd.DataFrame, rows: pd.DataFrame, spectra: pd.DataFrame) -> Figure:
    """Test predictions at each look as points of a plane, a panel per quantity that colours them (Figs. 1, 8).

    Args:
        trials: The trials of a study.
        rows: From :func:`analysis.break_even.early_phase.detailed`.
        spectra: With ``predicted_class``.
    """
    seen = looks(trials, rows)
    seen = seen[seen["train_accuracy"] <= accuracy_threshold(seen)]
    placed = prediction_map(seen, spectra)
    figure, axes = panels(1, len(MAPPED), (3.3 * len(MAPPED), 3.6), sharex=True, sharey=True)
    for axis, name in zip(axes, MAPPED, strict=True):
        axis.set_title(LABELS[name].replace(" (%)", ""))
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
        known = placed.dropna(subset=name)
        if known.empty:
            say(axis, "no predictions with a look")
            continue
        _draw_map(figure, axis, known, name)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


@styled
def growth(trials: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    """lambda_H^1, and what a step gains, against lambda_K^1 at each look, up to the common accuracy (Fig. 2)."""
    seen = looks(trials, rows)
    figure, axes = panels(1, 2, (9.6, 4.2))
    for axis, column, label in zip(
        axes, (HESSIAN, "loss_change"), (LABELS[HESSIAN], "fall of the loss in the next step"), strict=True
    ):
        for number, (arm, part) in enumerate(seen.groupby("arm")):
            known = part.dropna(subset=[column, LARGEST])
            axis.plot(
                known[LARGEST], known[column], MARKERS[number], color=COLORS[number], ms=3, alpha=0.5, mew=0,
                label=f"lr {arm:g}",
            )  # fmt: skip
        axis.set_xlabel(LABELS[LARGEST])
        axis.set_ylabel(label)
        if not axis.lines:
            say(axis, "no run to draw")
            continue
        axis.set_xscale("log")
        axis.legend(loc="best", markerscale=2)
    if axes[0].lines:
        axes[0].set_yscale("log")
        axes[1].axhline(0.0, color=GREY, lw=1.0)
    return figure


@styled
def spectra_figure(trials: pd.DataFrame, rows: pd.DataFrame, spectra: pd.DataFrame) -> Figure:
    """The spectra of K and H where lambda_K^1 and lambda_H^1 are largest, by rank; a line per run (Fig. 3)."""
    figure, axes = panels(1, 2, (9.6, 4.0))
    for axis, (name, column, label) in zip(
        axes, (("covariance", LARGEST, "eigenvalue of K"), ("hessian", HESSIAN, "eigenvalue of H")), strict=True
    ):
        tops = spectra_at_maximum(trials, rows, spectra, name, column)
        _draw_spectra(axis, tops)
        axis.set_xlabel("rank")
        axis.set_ylabel(label)
    return figure


@styled
def single_against_batches(pairs: pd.DataFrame, size: int) -> Figure:
    """lambda_K^1 of mini-batches against that of single examples, a panel per learning rate (Fig. 9).

    Args:
        pairs: From :func:`analysis.break_even.single_examples.paired`.
        size: Examples M in a mini-batch; 1 / M is dashed.
    """
    arms = sorted(set(pairs["arm"]), reverse=True) or [float("nan")]
    figure, axes = panels(1, len(arms), (3.8 * len(arms), 3.8))
    for axis, (number, arm) in zip(axes, enumerate(arms), strict=True):
        part = pairs[pairs["arm"] == arm]
        axis.set_xlabel("$\\lambda_K^1$, single examples")
        if part.empty:
            say(axis, "no look of both studies")
            continue
        axis.set_title(f"lr {arm:g}")
        axis.plot(
            part["single"], part["batches"], MARKERS[number % 6], color=COLORS[number % 6], ms=4, alpha=0.6, mew=0
        )
        span = np.array([part["single"].min(), part["single"].max()])
        axis.plot(span, span / size, "--", color=GREY, lw=1.1)
        axis.set_xscale("log")
        axis.set_yscale("log")
    axes[0].set_ylabel(f"$\\lambda_K^1$, batches of {size}")
    return figure


def _draw_map(figure: Figure, axis: Axes, known: pd.DataFrame, name: str) -> None:
    values = known[name].to_numpy(float)
    log = not name.endswith("accuracy") and (values > 0).all()
    norm: Normalize = LogNorm(values.min(), values.max()) if log else Normalize(values.min(), values.max())
    drawn = None
    for number, (arm, part) in enumerate(known.groupby("arm")):
        drawn = axis.scatter(
            part["x"], part["y"], c=part[name], norm=norm, cmap="viridis", marker=MARKERS[number], s=14,
            edgecolors=COLORS[number], linewidths=0.6, label=f"lr {arm:g}",
        )  # fmt: skip
    if drawn is not None:
        figure.colorbar(drawn, ax=axis, location="bottom", shrink=0.9)


def _draw_spectra(axis: Axes, tops: Mapping[tuple[float, float], Array]) -> None:
    arms = sorted({arm for arm, _ in tops})
    for (arm, _), values in sorted(tops.items()):
        positive = values[values > 1e-9 * values.max()]
        number = arms.index(arm)
        first = f"lr {arm:g}" not in axis.get_legend_handles_labels()[1]
        axis.plot(
            np.arange(1, len(positive) + 1), positive, MARKERS[number] + "-", color=COLORS[number], ms=3, lw=0.9,
            alpha=0.7, label=f"lr {arm:g}" if first else None,
        )  # fmt: skip
    if tops:
        axis.set_yscale("log")
        axis.legend(loc="best")
    else:
        say(axis, "no spectrum recorded")
