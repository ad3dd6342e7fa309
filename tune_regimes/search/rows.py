"""The rows that a trial writes, made from its spec, its settings and its records."""

import json
import math
import platform
from collections.abc import Sequence
from typing import Any

from tune_regimes.results import config_columns
from tune_regimes.schedule import Settings
from tune_regimes.search.job import Job, TrialSpec

Row = dict[str, Any]
_MEASURED = ("train_", "test_")


def epoch_row(spec: TrialSpec, epoch: int, settings: Settings, record: dict[str, float]) -> Row:
    """One row of the epochs table.

    Args:
        spec: The trial.
        epoch: Number of the epoch, 0-based; the table counts from 1.
        settings: What the epoch was trained with.
        record: What the trajectory measured; a test metric that is not finite becomes null.
    """
    phase, epoch_in_phase = spec.schedule.phase_of(epoch)
    return {
        "trial_id": spec.trial_id,
        "epoch": epoch + 1,
        "phase": phase + 1,
        "epoch_in_phase": epoch_in_phase + 1,
        "lr": _first(settings.lr),
        "momentum": _first(settings.momentum),
        "weight_decay": _first(settings.weight_decay),
        "optimizer": settings.optimizer,
        "inherited": False,
        "source_trial_id": None,
        **{name: _known(name, value) for name, value in record.items()},
    }


def identity_columns(job: Job, spec: TrialSpec) -> Row:
    """The columns of the trials table that are known before the first epoch."""
    return {
        "study": job.study,
        "trial_id": spec.trial_id,
        "point": spec.point,
        "seed": spec.seed,
        **config_columns(spec.config),
        "schedule": spec.schedule.to_json(),
        "host": platform.node(),
        "device": job.device,
        "versions": json.dumps(dict(job.versions), sort_keys=True),
    }


def history_columns(rows: Sequence[Row]) -> Row:
    """The columns of the trials table that sum up the epochs: counts, seconds, final and best metrics.

    >>> first = {"epoch": 1, "test_loss": 0.5, "test_accuracy": 0.8, "seconds": 2.0, "inherited": False}
    >>> columns = history_columns([first, {**first, "epoch": 2, "test_loss": 0.6, "test_accuracy": 0.7}])
    >>> columns["final_test_accuracy"], columns["best_test_accuracy"], columns["best_test_loss"]
    (0.7, 0.8, 0.5)
    >>> columns["train_seconds"]
    4.0
    """
    trained = [row for row in rows if not row["inherited"]]
    measured = [name for name in (rows[-1] if rows else ()) if name.startswith(_MEASURED)]
    return {
        "epochs": len(rows),
        "epochs_trained": len(trained),
        "epochs_inherited": len(rows) - len(trained),
        "train_seconds": sum(row["seconds"] for row in trained),
        **{f"final_{name}": rows[-1][name] for name in measured},
        **{f"best_{name}": _best(name, [row[name] for row in rows]) for name in measured},
    }


def _best(name: str, values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return (min if name.endswith("_loss") else max)(finite, default=None)


def _known(name: str, value: float) -> float | None:
    return None if name.startswith("test_") and not math.isfinite(value) else value


def _first(value: float | tuple[float, ...]) -> float:
    return value[0] if isinstance(value, tuple) else value
