"""The columns of the Parquet tables of a study: name, type, unit and meaning, and the Arrow schemas made of them.

A file may carry more columns than are named here: the settings of a trial (``config.*``), metrics of its task, what
probes measured. Their types follow one rule (:func:`extra_type`), the same in every file, so that the files of a study
can be read together: numbers are doubles, whole or not; truth values are booleans; all else is text.
"""

import json
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1
"""Raised whenever a column changes its name, type, unit or meaning; a new column alone does not raise it."""

STATUSES: Mapping[str, str] = {
    "completed": "It ran its whole schedule",
    "pruned": "The scheduler stopped it early, in favour of others",
    "diverged": "A loss was not finite, which ended it: a result, not an error",
    "failed": "An error ended it, named in `reason`; a resumed study runs it again",
    "running": "It has not ended: it is in progress, or was interrupted and can be resumed",
}
"""How a trial ended, and what that means."""

ENDED = ("completed", "pruned", "diverged")
"""The statuses of trials that a resumed study does not run again."""

_TYPES = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string(), "bool": pa.bool_()}


@dataclass(frozen=True)
class Column:
    """One column: ``type`` is an Arrow type name, ``unit`` is "" for none, and only ``required`` ones hold no null."""

    name: str
    type: str
    unit: str
    meaning: str
    required: bool = False

    def field(self) -> pa.Field:
        """The Arrow field, with unit and meaning in its metadata."""
        return pa.field(self.name, _TYPES[self.type], metadata={"unit": self.unit, "meaning": self.meaning})


def _metric(name: str, unit: str, meaning: str) -> tuple[Column, Column]:
    better = "smallest" if unit == "nats" else "largest"
    return (
        Column(f"final_{name}", "double", unit, f"{meaning}, at the last recorded epoch"),
        Column(f"best_{name}", "double", unit, f"{meaning}, the {better} over the recorded epochs"),
    )


TRIALS = (
    Column("schema_version", "int64", "", "Version of this table's columns", required=True),
    Column("study", "string", "", "Name of the study", required=True),
    Column("trial_id", "string", "", "Names the trial within its study: point and seed, as in 00007-s2", required=True),
    Column("point", "int64", "", "Number of the configuration, shared by its seeds' trials", required=True),
    Column("seed", "int64", "", "Seed of the initial weights, the data order, augmentation and dropout", required=True),
    Column("config", "string", "JSON", "The configuration, exact in types and values", required=True),
    Column("schedule", "string", "JSON", "The schedule that the configuration gave"),
    Column("status", "string", "", "How the trial ended, or running where it has not (see below)", required=True),
    Column("reason", "string", "", "Why it ended so, in words; null where the status says all"),
    Column("epochs", "int64", "epochs", "Recorded epochs: its rows in the epochs table"),
    Column("epochs_trained", "int64", "epochs", "Recorded epochs that this trial trained itself"),
    Column("epochs_inherited", "int64", "epochs", "Recorded epochs taken over from a trial with the same beginning"),
    *_metric("train_loss", "nats", "Mean loss over the training batches of an epoch"),
    *_metric("train_accuracy", "fraction", "Share of training samples classified correctly during an epoch"),
    *_metric("test_loss", "nats", "Mean loss over the test set after an epoch"),
    *_metric("test_accuracy", "fraction", "Share of test samples classified correctly after an epoch"),
    Column("train_seconds", "double", "seconds", "Sum of the seconds of the epochs that this trial trained itself"),
    Column("wall_seconds", "double", "seconds", "Time for which the trial held its resources, all included"),
    Column("host", "string", "", "Machine on which the trial ran last"),
    Column("device", "string", "", "Device on which it trained, as in cpu or the name of a GPU"),
    Column("versions", "string", "JSON", "Versions of Python and of the packages that decide the numbers"),
)
"""One row per trial."""

EPOCHS = (
    Column("trial_id", "string", "", "The trial, as in the trials table", required=True),
    Column("epoch", "int64", "epochs", "Number of the epoch in the trial, from 1", required=True),
    Column("phase", "int64", "", "Number of the phase of the schedule, from 1"),
    Column("epoch_in_phase", "int64", "epochs", "Number of the epoch in its phase, from 1"),
    Column("lr", "double", "", "Learning rate at the first step of the epoch"),
    Column("momentum", "double", "", "Momentum at the first step of the epoch; beta1 for adam and adamw"),
    Column("weight_decay", "double", "", "Weight decay at the first step of the epoch"),
    Column("optimizer", "string", "", "Optimizer of the epoch: sgd, adam, adamw, adadelta, muon, lbfgs or kfac"),
    Column("train_loss", "double", "nats", "Mean loss over the training batches; inf or nan where it diverged"),
    Column("train_accuracy", "double", "fraction", "Share of training samples classified correctly"),
    Column("test_loss", "double", "nats", "Mean loss over the test set after the epoch; null where it diverged"),
    Column("test_accuracy", "double", "fraction", "Share of test samples classified correctly; null where it diverged"),
    Column("steps", "int64", "steps", "Optimizer steps of the epoch"),
    Column("weight_norm", "double", "", "L2 norm of all trained parameters after the epoch; null if not finite"),
    Column(
        "angular_velocity",
        "double",
        "degrees per epoch",
        "Angle between the displacement of the weights in the epoch and in the one before; null for the first epoch",
    ),
    Column("seconds", "double", "seconds", "Time to train and evaluate the epoch, by whichever trial trained it"),
    Column("inherited", "bool", "", "Whether the epoch was taken over from another trial instead of trained"),
    Column("source_trial_id", "string", "", "The trial that trained an inherited epoch; null otherwise"),
)
"""One row per trial and epoch."""

_LOOK = (
    Column("trial_id", "string", "", "The trial, as in the trials table", required=True),
    Column("epoch", "int64", "epochs", "The epoch, from 1, in which a probe looked", required=True),
    Column("step", "int64", "steps", "Optimizer steps of that epoch that were made before it looked", required=True),
)
"""What says which look of a probe a row is of."""

MEASUREMENTS = _LOOK
"""One row per trial and look of a probe; what it measured is in columns of the probes' own."""

SPECTRA = (
    *_LOOK,
    Column("name", "string", "", "What is listed, as in hessian or covariance", required=True),
    Column("index", "int64", "", "Place in the list, from 0", required=True),
    Column("value", "double", "", "The number: an eigenvalue, or what the probe's documentation says"),
)
"""One row per number of a list that a probe gave."""

POINTS = (
    Column("point", "int64", "", "Number of the configuration, as in the trials table", required=True),
    Column("config", "string", "JSON", "The configuration, exact in types and values", required=True),
    Column("metric", "string", "", "The metric that the study optimises: mean, low and high are of its final value"),
    Column("mean", "double", "of the metric", "Mean over the seeds that count: completed or pruned, and finite"),
    Column("low", "double", "of the metric", "Lower end of Student's t 95 % interval of the mean; null for n < 2"),
    Column("high", "double", "of the metric", "Upper end of Student's t 95 % interval of the mean; null for n < 2"),
    Column("n", "int64", "trials", "Seeds that count in the mean"),
    Column("n_seeds", "int64", "trials", "Seeds that have begun"),
    *(Column(f"n_{status}", "int64", "trials", f"Seeds whose trial is {status}") for status in STATUSES),
)
"""One row per point: the trials of one configuration, which differ in their seed alone."""

TABLES: Mapping[str, tuple[Column, ...]] = {
    "trials": TRIALS,
    "epochs": EPOCHS,
    "points": POINTS,
    "measurements": MEASUREMENTS,
    "spectra": SPECTRA,
}


def arrow_schema(table: str, extras: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """The schema of a table of ``TABLES``: its own columns, then ``extras``; the version is in its metadata."""
    fields = [column.field() for column in TABLES[table]]
    fields += [pa.field(name, kind) for name, kind in (extras or {}).items()]
    return pa.schema(fields, metadata={"table": table, "schema_version": str(SCHEMA_VERSION)})


def extra_type(values: Iterable[Any]) -> pa.DataType:
    """The type of a column that the schema does not name, from its values.

    Examples:
        >>> extra_type([1, 0.5, None]), extra_type([True]), extra_type(["adam", 3])
        (DataType(double), DataType(bool), DataType(string))
    """
    kinds = {_kind(value) for value in values if value is not None}
    if len(kinds) > 1:
        return pa.string()
    return _TYPES[kinds.pop()] if kinds else pa.float64()


def extra_value(value: Any, kind: pa.DataType) -> float | bool | str | None:
    """A value as its column stores it: what is neither a number, a truth value nor text becomes JSON."""
    if value is None:
        return None
    if kind == pa.float64():
        return float(value)
    if kind == pa.bool_():
        return bool(value)
    return value if isinstance(value, str) else to_json(value)


def config_columns(config: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a trial's row that hold its configuration: ``config`` as JSON, and one ``config.*`` per setting.

    Examples:
        >>> config_columns({"lr": 0.1, "tail": {"epochs": 5}})
        {'config': '{"lr": 0.1, "tail": {"epochs": 5}}', 'config.lr': 0.1, 'config.tail.epochs': 5}
    """
    return {"config": to_json(config), **_flattened("config", config)}


def to_json(value: Any) -> str:
    """JSON of a setting; scalars of numpy and the like become plain numbers, ValueError for what JSON cannot hold."""
    return json.dumps(value, default=_plain)


def _flattened(prefix: str, config: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        inner = isinstance(value, Mapping)
        flat |= _flattened(f"{prefix}.{name}", value) if inner else {f"{prefix}.{name}": value}
    return flat


def _kind(value: Any) -> str:
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "bool"
    return "double" if isinstance(value, numbers.Real) else "string"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"a setting must be a number, a truth value, text, or a list or mapping of these; got {value!r}")
