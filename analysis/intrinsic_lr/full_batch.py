"""Claim P4-21 on the study ``full_batch``: gradient descent with weight decay never stays where it fits all rows.

A run has *fitted* where its training accuracy reaches 99.5 %, and has *left* where it later falls below 90 % while
weight decay is on. Both levels are ours; the paper shows curves.

Source: Li, Lyu and Arora, 2020, Sec. 4, Figs. 5b, 5c.
"""

import numpy as np
import pandas as pd

from analysis.groups import sign_test
from analysis.intrinsic_lr.effective_lr import courses
from analysis.statistics import Array
from analysis.verdicts import UNDECIDED, Verdict

FITTED = 0.995
LEFT = 0.9
TEST = "exact binomial test against one half; runs"


def falls(accuracies: Array) -> int | None:
    """How often a course falls below `LEFT` after it had reached `FITTED`; None where it never fitted.

    Examples:
        >>> [falls(np.array(course)) for course in ([0.5, 1.0, 0.6, 1.0, 0.7], [0.5, 1.0, 0.95], [0.5, 0.9])]
        [2, 0, None]
    """
    if not (accuracies >= FITTED).any():
        return None
    count, fitted = 0, False
    for value in accuracies:
        count += bool(fitted and value < LEFT)
        fitted = value >= FITTED or (fitted and value >= LEFT)
    return count


def described(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per completed run.

    Columns: ``weight_decay`` ("on" or "off"), ``falls`` while weight decay is on (for "off": at all), NaN where it
    never fitted; ``stays``, whether it fits in every epoch of the last eighth, when weight decay is off in every run.
    """
    rows = courses(trials, epochs)
    table = []
    for _, run in rows.groupby("trial_id"):
        kind = str(run["config.weight_decay"].iloc[0])
        decayed = run if kind == "off" else run[run["weight_decay"] > 0]
        count = falls(decayed["train_accuracy"].to_numpy(float))
        late = run["train_accuracy"].to_numpy(float)[-max(1, len(run) // 8) :]
        table.append([kind, np.nan if count is None else count, bool((late >= FITTED).all())])
    return pd.DataFrame(table, columns=["weight_decay", "falls", "stays"])


def claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """P4-21: it fits and leaves while weight decay is on; and stays once that is off."""
    table = described(trials, epochs)
    return leaves(table[table["weight_decay"] == "on"]), stays(table)


def leaves(table: pd.DataFrame) -> Verdict:
    """P4-21: with weight decay a run that has fitted all rows leaves them again."""
    statement = "Full-batch descent with weight decay reaches full training accuracy but cannot stay"
    fitted = table[table["falls"].notna()]
    n = {"runs": len(table), "fitted": len(fitted)}
    if not len(fitted):
        return Verdict("P4-21", statement, UNDECIDED, TEST, n=n, note="no run reached full training accuracy")
    left = int((fitted["falls"] > 0).sum())
    verdict, above, below = sign_test(left, len(fitted))
    statistics = {"runs that left": float(left), "falls per run": float(fitted["falls"].mean())}
    return Verdict("P4-21", statement, verdict, TEST, statistics, {"most": above, "few": below}, n)


def stays(table: pd.DataFrame) -> Verdict:
    """P4-21b: without weight decay, from the start or at the end, a run stays at full training accuracy."""
    statement = "Without weight decay it stays at full training accuracy"
    n = {"runs": len(table)}
    if not len(table):
        return Verdict("P4-21b", statement, UNDECIDED, TEST, n=n, note="no run completed")
    staying = int(table["stays"].sum())
    verdict, above, below = sign_test(staying, len(table))
    return Verdict(
        "P4-21b", statement, verdict, TEST, {"runs that stay": float(staying)}, {"most": above, "few": below}, n
    )
