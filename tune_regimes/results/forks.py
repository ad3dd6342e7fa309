"""Forked trials in the tables of a study: points of their own, whose config says what they go on from.

Their config is that of the trial they were forked from, with three settings more: that trial, the epoch after which
they left it, and the tail in the notation of `tune_regimes.schedule.phase_to_text`.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TRIAL, EPOCH, TAIL = "fork.trial", "fork.epoch", "fork.tail"

COLUMN = f"config.{TRIAL}"
"""The column of the trials table that only forked trials have a value in."""


def fork_config(config: Mapping[str, Any], trial_id: str, epoch: int, tail: str) -> dict[str, Any]:
    """The config of a fork.

    Args:
        config: That of the trial it was forked from.
        trial_id: That trial.
        epoch: Epochs that it has in common with it.
        tail: What follows.
    """
    return {**config, TRIAL: trial_id, EPOCH: epoch, TAIL: tail}


def is_fork(row: Mapping[str, Any]) -> bool:
    """Whether a row of the trials table is that of a forked trial."""
    return row.get(COLUMN) is not None


def without_forks(trials: pa.Table) -> pa.Table:
    """The rows of the trials table that the space gave, without what only forks have."""
    if COLUMN not in trials.column_names:
        return trials
    kept = trials.filter(pc.is_null(trials[COLUMN]))
    return kept.drop_columns(
        [f"config.{name}" for name in (TRIAL, EPOCH, TAIL) if f"config.{name}" in kept.column_names]
    )
