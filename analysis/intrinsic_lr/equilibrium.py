"""Claims P4-09, P4-01, P4-34 and P4-35 on the study ``equilibrium``: the five schedules of Table 1 meet.

Source: Li, Lyu and Arora, 2020, Sec. 6.1, Figs. 1, 12, 13, Table 1.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.groups import all_alike, together, too_few
from analysis.intrinsic_lr.effective_lr import (
    MARGIN,
    common_stretches,
    courses,
    known,
    steps_between,
    tail_of,
    window_means,
)
from analysis.statistics import MARGIN as ACCURACY_MARGIN
from analysis.statistics import Array
from analysis.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED, Verdict

BY = "config.schedule"
EQUILIBRIUM = "Five schedules that end at one intrinsic lr"
NEEDED = 2.0
"""How many times 1 / intrinsic lr the common stretch must last for an equilibrium to be expected."""
WINDOW = 0.2
"""Last share of the common stretch that is compared: one of its five units of 100 epochs."""


def meeting(rows: pd.DataFrame) -> tuple[int, int] | None:
    """First and last epoch of the last stretch in which all runs have the same settings, with weight decay; or None.

    Args:
        rows: From :func:`analysis.intrinsic_lr.effective_lr.courses`.
    """
    decayed = rows.groupby("epoch")["weight_decay"].min() > 0
    common = [stretch for stretch in common_stretches(rows) if decayed[stretch[0]]]
    return common[-1] if common and common[-1][0] > 1 else None


def claims(trials: pd.DataFrame, epochs: pd.DataFrame, margin: float = ACCURACY_MARGIN) -> tuple[Verdict, ...]:
    """P4-09 in three parts (effective lr and norm; accuracy in equilibrium; best accuracy after fine-tuning), P4-01."""
    rows = courses(trials, epochs)
    parts = {
        "P4-09": meets_in_norm(rows),
        "P4-09b": meets_in_accuracy(rows, margin),
        "P4-09c": same_best(rows, margin),
    }
    statement = "The equilibrium does not depend on the history: P4-09 in all its parts"
    return (*parts.values(), together("P4-01", statement, parts))


def meets_in_norm(rows: pd.DataFrame) -> Verdict:
    """P4-09: effective learning rate, and so the norm, are the same at the end of the common stretch.

    Before it they must have differed, or there is nothing to meet.
    """
    statement = f"{EQUILIBRIUM} have the same norm and effective lr there"
    stretch = meeting(rows) if known(rows) else None
    if stretch is None:
        return _undecided("P4-09", statement, "no weight norms, or no stretch with the same settings for all runs")
    found = all_alike("P4-09", statement, _window(rows, stretch, "log_effective_lr"), MARGIN, "log effective lr")
    before = _spread(window_means(rows, stretch[0] - 1, stretch[0] - 1, "log_effective_lr", BY))
    after = _spread(_window(rows, stretch, "log_effective_lr"))
    statistics = {
        **found.statistics,
        "spread before": before,
        "spread after": after,
        "common steps x intrinsic lr": lasting(rows, stretch),
    }
    verdict, note = _with_time(found, rows, stretch)
    if verdict == HOLDS and before < MARGIN:
        verdict, note = UNDECIDED, "they agreed before they had the same settings: there was nothing to meet"
    return Verdict("P4-09", statement, verdict, found.test, statistics, found.p_values, found.n, note)


def meets_in_accuracy(rows: pd.DataFrame, margin: float = ACCURACY_MARGIN) -> Verdict:
    """P4-09b: training and test accuracy are the same at the end of the common stretch."""
    statement = f"{EQUILIBRIUM} have the same training and test accuracy there"
    stretch = meeting(rows) if len(rows) else None
    if stretch is None:
        return _undecided("P4-09b", statement, "no stretch with the same settings for all runs")
    parts = {
        column: all_alike("P4-09b", statement, _window(rows, stretch, column), margin, column.replace("_", " "))
        for column in ("train_accuracy", "test_accuracy")
    }
    joint = together("P4-09b", statement, parts)
    verdict, note = _with_time(joint, rows, stretch)
    statistics = {name: value for part in parts.values() for name, value in part.statistics.items()}
    p_values = {f"TOST {column}": part.p_values["TOST"] for column, part in parts.items() if part.p_values}
    test = next(iter(parts.values())).test.replace("train accuracy", "accuracy")
    n = next(iter(parts.values())).n
    return Verdict("P4-09b", statement, verdict, test, statistics, p_values, n, note)


def same_best(rows: pd.DataFrame, margin: float = ACCURACY_MARGIN) -> Verdict:
    """P4-09c: the best test accuracy after lr / 10 and without weight decay is the same."""
    statement = f"{EQUILIBRIUM} reach the same best test accuracy after fine-tuning"
    stretch = meeting(rows) if len(rows) else None
    after = rows[rows["epoch"] > stretch[1]] if stretch else rows.iloc[:0]
    best = after.groupby([BY, "trial_id"])["test_accuracy"].max().dropna() if len(after) else pd.Series(dtype=float)
    groups: dict[str, Array] = {str(name): part.to_numpy(float) for name, part in best.groupby(level=0)}
    if stretch is None or too_few(groups):
        return _undecided("P4-09c", statement, f"too few runs went on to the fine-tuning: {too_few(groups)}")
    found = all_alike("P4-09c", statement, groups, margin, "best test accuracy")
    level = {"best test accuracy": float(np.mean(np.concatenate(list(groups.values()))))}
    verdict, note = _with_time(found, rows, stretch)
    statistics = {**level, **found.statistics}
    return Verdict("P4-09c", statement, verdict, found.test, statistics, found.p_values, found.n, note)


def on_other_tasks(by_task: Mapping[str, Verdict]) -> tuple[Verdict, Verdict]:
    """P4-34 and P4-35: P4-01 on another network, and on another data set.

    Args:
        by_task: The verdict on P4-01 by name of the task, ``<data set>/<model>``, the study's own first.
    """
    own = next(iter(by_task), "/")
    data, _, model = own.partition("/")
    others = {task: verdict for task, verdict in by_task.items() if task != own}
    networks = {task: verdict for task, verdict in others.items() if task.partition("/")[2] != model}
    data_sets = {task: verdict for task, verdict in others.items() if task.partition("/")[0] != data}
    return (
        _elsewhere("P4-34", "P4-01 holds on another network too", networks),
        _elsewhere("P4-35", "P4-01 holds on another data set too", data_sets),
    )


def lasting(rows: pd.DataFrame, stretch: tuple[int, int]) -> float:
    """How many times 1 / intrinsic lr a stretch lasts."""
    rate = float(rows.loc[rows["epoch"] == stretch[0], "intrinsic_lr"].median())
    return steps_between(rows, *stretch) * rate


def _with_time(found: Verdict, rows: pd.DataFrame, stretch: tuple[int, int]) -> tuple[str, str]:
    """A verdict and its note: runs that had no time to meet refute nothing."""
    times = lasting(rows, stretch)
    if not times < NEEDED:
        return found.verdict, found.note
    verdict = UNDECIDED if found.verdict == DOES_NOT_HOLD else found.verdict
    short = f"the common stretch lasts only {times:.2g} times 1 / intrinsic lr"
    return verdict, "; ".join(filter(None, (found.note, short)))


def _elsewhere(claim: str, statement: str, found: Mapping[str, Verdict]) -> Verdict:
    if not found:
        return Verdict(claim, statement, UNDECIDED, "P4-01's on each task", note="results of one task only")
    return together(claim, statement, found, "P4-01's on each task")


def _window(rows: pd.DataFrame, stretch: tuple[int, int], column: str) -> dict[str, Array]:
    return window_means(rows, *tail_of(*stretch, WINDOW), column, BY)


def _spread(groups: Mapping[str, Array]) -> float:
    means = [float(values.mean()) for values in groups.values() if len(values)]
    return max(means) - min(means) if means else float("nan")


def _undecided(claim: str, statement: str, reason: str) -> Verdict:
    return Verdict(claim, statement, UNDECIDED, "TOST of the Welch difference of every pair", note=reason)
