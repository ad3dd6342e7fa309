"""The stage tree of a study: which trials part where, how they end, and how good they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import COLORS, GREY, in_percent, in_whole, panels, say, styled
from analysis.figures.tree_layout import Layout, lay_out
from analysis.stage_tree import Stage
from tune_regimes.results.summary import COUNTED

PANELS = 3
"""Seeds that are drawn; their trees differ little, and not at all where schedules are fixed."""
LABELLED = 60
"""Rows up to which the ends of branches are labelled."""
NAMES = 3
"""Points that a label names before it counts the rest."""
PITCH, HEIGHT = (0.05, 0.3), (2.2, 24.0)
"""Distance of two rows, and height of all of them, at least and at most, in inches."""
TRUNK = "#a6a6a6"
ENDS: Mapping[str, Mapping[str, Any]] = {
    "completed": {"marker": "o"},
    "pruned": {"marker": "D"},
    "diverged": {"marker": "x", "color": COLORS[1]},
    "failed": {"marker": "P", "color": "black"},
    "running": {"marker": ">", "color": GREY},
}


@styled
def stage_tree(trees: Mapping[int, Stage], trials: pd.DataFrame, metric: str, mode: str = "max") -> Figure:
    """A panel per seed: a branch per trial from the epoch at which it parts, coloured by its final metric.

    What several trials went through is grey and the wider the more they are. Trials that were told the same to their
    end are one branch.

    Args:
        trees: The stage tree of each seed.
        trials: The trials table.
        metric: The study's metric.
        mode: Whether its best value is the largest ("max") or the smallest ("min").
    """
    values, sign = _values(trials, metric), -1 if mode == "min" else 1
    merits = _merits(trials, values, sign)
    layouts = {seed: lay_out(root, merits) for seed, root in list(trees.items())[:PANELS]}
    rows = max((layout.height for layout in layouts.values()), default=1)
    height = float(np.clip(rows * np.clip(7.5 / rows, *PITCH), *HEIGHT))
    count = max(len(layouts), 1)
    figure, axes = panels(1, count, (2.4 + max(6.0, 4.2 * count), height + 1.5), sharex=True)
    look = _Look(values, trials, sign, 72 * height / rows, rows <= LABELLED)
    for axis, (seed, layout) in zip(axes, layouts.items(), strict=False):
        _draw(axis, layout, look)
        axis.set_title(f"seed {seed}")
    if not layouts:
        say(axes[0], "no trial has trained an epoch")
    last = max((stage.end for layout in layouts.values() for stage in layout.rows), default=1)
    axes[0].set_xlim(0, last)
    for axis in axes:
        _clear(axis)
    _draw_scale(figure, axes, look, f"final {metric.replace('_', ' ')}")
    figure.supxlabel("\n".join(["epoch", *_notes(trees, trials, look.labelled)]), fontsize=11)
    _legend(figure, layouts, look)
    return figure


def _values(trials: pd.DataFrame, metric: str) -> dict[str, float]:
    """The final metric of the trials that count, by id."""
    column = f"final_{metric}"
    counted = trials[trials["status"].isin(COUNTED)]
    values = counted.set_index("trial_id")[column].astype(float) if column in counted else pd.Series(dtype=float)
    return {str(trial): float(value) for trial, value in values[np.isfinite(values)].items()}


def _merits(trials: pd.DataFrame, values: Mapping[str, float], sign: int) -> dict[str, float]:
    """The mean value of each trial's point, the larger the better: so that the seeds lie in one order."""
    merit = sign * trials["trial_id"].map(values).groupby(trials["point"]).transform("mean")
    return {trial: value for trial, value in zip(trials["trial_id"], merit, strict=True) if np.isfinite(value)}


class _Look:
    """Colours, widths and labels of one figure.

    Args:
        values: The final metric by trial.
        trials: The trials table.
        sign: 1 where the largest value is the best, -1 where the smallest is.
        pitch: Distance of two rows, in points.
        labelled: Whether branches have labels.
    """

    def __init__(
        self, values: Mapping[str, float], trials: pd.DataFrame, sign: int, pitch: float, labelled: bool
    ) -> None:
        self.values, self.labelled = values, labelled
        self.points = dict(zip(trials["trial_id"], trials["point"], strict=True))
        self.statuses = dict(zip(trials["trial_id"], trials["status"], strict=True))
        self.size = float(np.clip(0.55 * pitch, 1.2, 5.5))
        self.line = float(np.clip(0.4 * pitch, 0.6, 1.8))
        whole = [value for trial, value in values.items() if self.statuses[trial] == "completed"]
        self.scale, self.extend = _scale(np.array(list(values.values())), np.array(whole), sign)

    def color(self, trials: Iterable[str]) -> Any:
        """The colour of trials that went through the same; grey where none came to a value."""
        known = [self.values[trial] for trial in trials if trial in self.values]
        return self.scale.to_rgba(np.array([np.mean(known)]))[0] if self.scale is not None and known else TRUNK

    def width(self, passing: int) -> float:
        """The width of a line that so many trials share, in points."""
        return self.line * min(1.0 + 0.6 * float(np.log2(max(passing, 1))), 5.0)

    def label(self, trials: Sequence[str]) -> str:
        """The points of trials, in brief."""
        points = sorted({int(self.points[trial]) for trial in trials})
        more = f" +{len(points) - NAMES}" if len(points) > NAMES else ""
        return ", ".join(map(str, points[:NAMES])) + more


def _scale(known: np.ndarray, whole: np.ndarray, sign: int) -> tuple[ScalarMappable | None, str]:
    """The colours of values, the best darkest, and at which end of the scale some lie beyond it.

    Whole trials make the scale, where there are any: a pruned one stopped before it was good. A few broken ones do not
    take it from the others.
    """
    if not len(known):
        return None, "neither"
    merits = sign * (whole if len(whole) else known)
    top, quarter = merits.max(), np.quantile(merits, 0.25)
    low = max(merits.min(), quarter - 2 * (top - quarter))
    low, top = (low, top) if low < top else (low - 0.01, top + 0.01)
    ends = sorted((sign * low, sign * top))
    beyond = (bool(known.min() < ends[0]), bool(known.max() > ends[1]))
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.06, 1.0, 256))[::sign]
    return ScalarMappable(Normalize(*ends), ListedColormap(colors)), extend


def _draw(axis: Axes, layout: Layout, look: _Look) -> None:
    rows = layout.rows
    joints = [[(epoch, upper), (epoch, lower)] for epoch, upper, lower in layout.joints]
    axis.add_collection(
        LineCollection(joints, colors=TRUNK, linewidths=look.line, gid="joints", zorder=2, clip_on=False)
    )
    _lines(axis, "trunks", layout.trunks, rows, look, [TRUNK] * len(layout.trunks))
    _lines(axis, "branches", layout.branches, rows, look, [look.color(stage.trials) for stage in layout.branches])
    begins = [(epoch, row) for stage, row in rows.items() for epoch in stage.transitions]
    if begins:
        axis.plot(*zip(*begins, strict=True), ".", color="black", ms=look.size, mew=0, gid="transitions", zorder=4)
    for status in ENDS:
        _draw_ends(axis, status, rows, look)
    if look.labelled:
        _draw_labels(axis, rows, look)
    axis.set_ylim(layout.height - 0.3, -0.7)


def _lines(
    axis: Axes, name: str, stages: Sequence[Stage], rows: Mapping[Stage, float], look: _Look, colors: Sequence[Any]
) -> None:
    lines = [[(stage.start, rows[stage]), (stage.end, rows[stage])] for stage in stages]
    widths = [look.width(stage.passing) for stage in stages]
    axis.add_collection(LineCollection(lines, colors=colors, linewidths=widths, gid=name, zorder=3))


def _draw_ends(axis: Axes, status: str, rows: Mapping[Stage, float], look: _Look) -> None:
    """A marker for each stage with which a trial ended so."""
    alike = {stage: [trial for trial in stage.trials if look.statuses[trial] == status] for stage in rows}
    ended = [stage for stage, trials in alike.items() if trials]
    if not ended:
        return
    style = ENDS[status]
    colors = [style.get("color", look.color(alike[stage])) for stage in ended]
    size = look.size if status == "completed" else max(look.size, 4.5)
    edge: dict[str, Any] = {"lw": 1.4} if status == "diverged" else {"lw": size / 10, "edgecolors": "white"}
    edge |= {"s": size**2, "c": colors, "marker": style["marker"], "zorder": 5, "clip_on": False}
    axis.scatter([stage.end for stage in ended], [rows[stage] for stage in ended], gid=status, **edge)


def _draw_labels(axis: Axes, rows: Mapping[Stage, float], look: _Look) -> None:
    """The points that ended with each stage: behind a branch, and below a trunk."""
    behind: dict[str, Any] = {"xytext": (6, 0), "ha": "left", "va": "center"}
    below: dict[str, Any] = {"xytext": (0, -4), "ha": "center", "va": "top"}
    for stage, row in rows.items():
        if stage.trials:
            place = below if stage.children else behind
            text, where = look.label(stage.trials), (stage.end, row)
            axis.annotate(text, where, textcoords="offset points", fontsize=7.5, color=GREY, **place)


def _clear(axis: Axes) -> None:
    in_whole(axis.xaxis)
    axis.set_yticks([])
    axis.grid(False, axis="y")
    axis.spines["left"].set_visible(False)


def _draw_scale(figure: Figure, axes: Sequence[Axes], look: _Look, name: str) -> None:
    if look.scale is None:
        return
    shrink = min(1.0, 4.0 / figure.get_figheight())
    bar = figure.colorbar(look.scale, ax=list(axes), shrink=shrink, aspect=25, extend=look.extend)
    bar.set_label(name)
    if name.endswith("accuracy"):
        bar.set_label(f"{name} (%)")
        in_percent(bar.ax.yaxis)


def _notes(trees: Mapping[int, Stage], trials: pd.DataFrame, labelled: bool) -> list[str]:
    """What a reader must know, in one line or none."""
    planted = sum(root.passing for root in trees.values())
    notes = ["numbers: points"] if labelled and planted else []
    if others := list(map(str, trees))[PANELS:]:
        notes.append(f"seeds not drawn: {', '.join(others[:8])}" + (", ..." if len(others) > 8 else ""))
    if missing := len(trials) - planted:
        notes.append(f"trials without an epoch: {missing}")
    return ["; ".join(notes)] if notes else []


def _legend(figure: Figure, layouts: Mapping[int, Layout], look: _Look) -> None:
    stages = [stage for layout in layouts.values() for stage in layout.rows]
    entries = []
    if any(stage.children and stage.end for stage in stages):
        entries.append(Line2D([], [], color=TRUNK, lw=4, label="shared (the wider, the more trials)"))
    if any(stage.transitions for stage in stages):
        entries.append(Line2D([], [], color="black", ls="", marker=".", ms=6, label="a phase begins"))
    present = {look.statuses[trial] for stage in stages for trial in stage.trials}
    for status, style in ENDS.items():
        if status in present:
            color = style.get("color", TRUNK)
            entries.append(Line2D([], [], color=color, ls="", marker=style["marker"], ms=6, label=status))
    if entries:
        figure.legend(handles=entries, loc="outside upper center", ncols=min(4, len(entries)))
