"""The rows that a trial writes, made from its spec, its settings and its records."""

import json
import math
import platform
from collections.abc import Sequence
from typing import Any

from tune_regimes.results import config_columns
from tune_regimes.schedule import Policy, at_step
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.sharing.course import Course
from tune_regimes.sharing.store import Epoch

Row = dict[str, Any]
_MEASURED = ("train_", "test_")


def epoch_row(job: Job, spec: TrialSpec, course: Course, epoch: Epoch) -> Row:
    """One row of the epochs table.

    Args:
        job: The study's side.
        spec: The trial.
        course: Where the trial stood before the epoch.
        epoch: What was measured and by whom; what is not finite becomes null, but for the training metrics.
    """
    settings, (phase, epoch_in_phase) = course.settings, course.phase
    own = (epoch.study, epoch.trial_id) == (job.study, spec.trial_id)
    source = epoch.trial_id if epoch.study == job.study else f"{epoch.study}/{epoch.trial_id}"
    return {
        "trial_id": spec.trial_id,
        "epoch": course.epoch + 1,
        "phase": phase + 1,
        "epoch_in_phase": epoch_in_phase + 1,
        "lr": at_step(settings.lr, 0),
        "momentum": at_step(settings.momentum, 0),
        "weight_decay": at_step(settings.weight_decay, 0),
        "optimizer": settings.optimizer,
        "inherited": not own,
        "source_trial_id": None if own else source,
        **{name: _known(name, value) for name, value in epoch.record.items()},
    }


def last_phase_epoch(policy: Policy, row: Row) -> int:
    """Epochs of the last phase that are completed with an epoch's row; 0 in an earlier phase.

    Where the last phase is not known ahead, epochs of the present one, after the first drop.
    """
    last = policy.last_phase
    in_last = row["phase"] > 1 if last is None else row["phase"] == last + 1
    return int(row["epoch_in_phase"]) if in_last else 0


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
    return value if name.startswith("train_") or math.isfinite(value) else None
