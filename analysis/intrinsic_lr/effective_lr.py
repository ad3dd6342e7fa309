"""The effective learning rate along every run: lr / norm(w)^2, from what an epochs table always holds.

For a network whose outputs do not depend on the scale of its weights, gamma = norm(w)^4 / lr^2 follows, step by step,
d gamma / dt = -4 intrinsic_lr gamma + 2 (trace of the gradient noise on the unit sphere): it relaxes to an equilibrium
at the rate 4 intrinsic_lr, whatever it was. The effective learning rate is gamma^(-1/2), in equilibrium proportional to
the square root of the intrinsic learning rate. (The paper's text calls gamma its square and prints the inverse; its
equations are right.) With momentum, lr stands for lr / (1 - momentum).

Source: Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses, 2020, Sec. 5.1.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.statistics import Array

MEASURED = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "weight_norm", "steps")
TELLS = ("lr", "momentum", "weight_decay")
FACTOR = 1.1
"""Effective learning rates, or norms, that agree within this factor agree."""
MARGIN = float(np.log(FACTOR))
"""The same as a difference of logarithms."""


def courses(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per epoch of every completed trial, in order, with the settings of its point.

    Columns: ``trial_id``, ``point``, ``seed``, ``config.*``, ``epoch``, ``step`` (steps from the first to the end of
    the epoch), ``lr``, ``momentum``, ``weight_decay``, the measurements, ``intrinsic_lr`` per step, ``effective_lr``
    with the norm after the epoch, and ``log_effective_lr``. What a table of an earlier version lacks is NaN.
    """
    settings = [name for name in trials.columns if name.startswith("config.")]
    done = trials.loc[trials["status"] == "completed", ["trial_id", "point", "seed", *settings]]
    kept = epochs.reindex(columns=["trial_id", "epoch", *TELLS, *MEASURED])
    rows = kept.merge(done, on="trial_id").sort_values(["trial_id", "epoch"], kind="stable")
    rows[[*TELLS, *MEASURED]] = rows[[*TELLS, *MEASURED]].astype(float)
    size = rows["lr"] / (1 - rows["momentum"])
    effective = size / rows["weight_norm"] ** 2
    rows = rows.assign(intrinsic_lr=size * rows["weight_decay"], effective_lr=effective)
    rows["log_effective_lr"] = np.log(effective.where(effective > 0))
    return rows.assign(step=rows.groupby("trial_id")["steps"].cumsum()).reset_index(drop=True)


def known(rows: pd.DataFrame, columns: Sequence[str] = ("weight_norm", "steps")) -> bool:
    """Whether some run has these measurements."""
    return bool(len(rows)) and bool(rows[list(columns)].notna().any().all())


def window_means(rows: pd.DataFrame, first: int, last: int, column: str, by: str) -> dict[str, Array]:
    """The mean of a column over the epochs `first` to `last` of every run, by the value of a setting.

    Args:
        rows: From :func:`courses`.
        first: First epoch, from 1.
        last: Last epoch, included.
        column: What is averaged.
        by: The column whose values name the groups.
    """
    inside = rows[rows["epoch"].between(first, last)]
    means = inside.groupby([by, "trial_id"])[column].mean().dropna()
    return {str(value): part.to_numpy(float) for value, part in means.groupby(level=0)}


def stretches(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """First and last epoch, from 1, of every stretch within which no run changes its settings.

    Examples:
        >>> told = {"lr": [0.4, 0.4, 0.1], "momentum": 0.0, "weight_decay": 0.1}
        >>> stretches(pd.DataFrame({"trial_id": "a", "epoch": [1, 2, 3], **told}))
        [(1, 2), (3, 3)]
    """
    before = rows.groupby("trial_id")[list(TELLS)].shift()
    changed = (rows[list(TELLS)] != before).any(axis=1)
    starts = sorted({int(epoch) for epoch in rows.loc[changed, "epoch"]})
    if not starts:
        return []
    ends = [start - 1 for start in starts[1:]] + [int(rows["epoch"].max())]
    return list(zip(starts, ends, strict=True))


def common_stretches(rows: pd.DataFrame, columns: Sequence[str] = TELLS) -> list[tuple[int, int]]:
    """The stretches in which all runs have equal values of these settings and go to the end of the stretch."""
    return [(first, last) for first, last in stretches(rows) if _common(rows, first, last, columns)]


def _common(rows: pd.DataFrame, first: int, last: int, columns: Sequence[str]) -> bool:
    inside = rows[rows["epoch"].between(first, last)]
    runs = rows["trial_id"].nunique()
    whole = (inside.groupby("epoch")["trial_id"].nunique() == runs).all()
    values = inside[list(columns)]
    return bool(whole) and bool(np.isclose(values, values.iloc[0], rtol=1e-9, atol=0).all())


def tail_of(first: int, last: int, share: float = 0.25) -> tuple[int, int]:
    """The last part of a stretch, at least one epoch.

    Examples:
        >>> tail_of(1, 8), tail_of(5, 5)
        ((7, 8), (5, 5))
    """
    length = max(1, round(share * (last - first + 1)))
    return last - length + 1, last


def steps_between(rows: pd.DataFrame, first: int, last: int) -> float:
    """The optimizer steps of the epochs `first` to `last`, the same for every run of a task."""
    inside = rows[rows["epoch"].between(first, last)]
    return float(inside.groupby("trial_id")["steps"].sum().median())


def relabelled(groups: Mapping[str, Array], names: Mapping[str, str]) -> dict[str, Array]:
    """The groups in the order of the names, under these names; groups without one are left out."""
    return {name: groups[value] for value, name in names.items() if value in groups}
