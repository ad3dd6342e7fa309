"""Claim P2-18 on the study ``imagenet32``: plain SGD in large steps (SGDL) against others on ImageNet in 32 pixels.

Each optimizer has one learning rate, and all run with the same seeds: their differences are taken seed by seed. The
claim is about the best accuracy, so that the error is the lowest over the epochs.

Source: Training by Vanilla SGD with Larger Learning Rates, Sec. 6.2, Fig. 5.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.pairs import Pairs, less, less_in_each, no_worse, value_of
from analysis.tables import by_seed, configs
from analysis.verdicts import Verdict
from search_spaces.sgdl import ADADELTA, ADAM, SGD, SGDL, SGDM

TASK = "imagenet32/resnet56"
PRINTED = 0.005
"""By how much SGDL is better than SGDM in the paper, "about"."""


def lowest_errors(trials: pd.DataFrame) -> pd.DataFrame:
    """The lowest test error over the epochs by optimizer (rows) and seed (columns).

    It is NaN where a run did not complete and infinite where it diverged.
    """
    table = 1 - by_seed(trials, summary="best")
    return table.set_index(configs(trials).loc[table.index, "method.optimizer"])


def claims(trials: pd.DataFrame, task: str) -> tuple[Verdict, ...]:
    """P2-18 in its parts: SGDL is better than SGDM, SGD does well too, the two adaptive methods less so."""
    table = lowest_errors(trials)
    note = "" if task == TASK else f"in small: {task}"
    verdicts = (
        less("P2-18", "SGDL reaches a lower test error than SGDM", _pairs(table, SGDL, SGDM)),
        no_worse("P2-18b", "Plain SGD reaches the same test error as SGDM or a lower one", _pairs(table, SGD, SGDM)),
        less_in_each(
            "P2-18c",
            "SGDL reaches a lower test error than either of the two adaptive methods",
            {f"{SGDL} - {name}": _pairs(table, SGDL, name) for name in (ADAM, ADADELTA)},
        ),
    )
    printed = f"printed: about {PRINTED:.1%}"
    notes = [(note, printed), (note,), (note,)]
    return tuple(
        replace(verdict, note="; ".join(filter(None, (verdict.note, *words))))
        for verdict, words in zip(verdicts, notes, strict=True)
    )


def error_lines(trials: pd.DataFrame) -> list[str]:
    """The lowest test error of each optimizer in words."""
    lines = []
    for name, row in lowest_errors(trials).iterrows():
        known = 100 * row[np.isfinite(row)]
        lines.append(f"{name}: {known.mean():.2f} % (n {len(known)})" if len(known) else f"{name}: no run completed")
    return lines


def _pairs(table: pd.DataFrame, first: str, second: str) -> Pairs:
    return Pairs(value_of(table, first), value_of(table, second), (first, second))
