"""Write and read the tables of a study: trials, epochs and, where probes looked, measurements and spectra.

Each lies in ``<table>/<trial_id>.parquet``. A trial owns its files and rewrites them whole, so no row is lost or
doubled by a kill or a retry, and a reader can come at any time. ``storage`` is always the folder of the study.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.results.schema import SCHEMA_VERSION, STATUSES, TABLES, arrow_schema, extra_type, extra_value
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

_READERS = 8


def write_trial(storage: Storage, row: Row) -> None:
    """Publish the row of a trial, replacing the one it had.

    Args:
        storage: The folder of the study.
        row: Values by column name. Columns of the schema that are missing become null (``schema_version`` is filled
            in), others are kept under the rule of :func:`~tune_regimes.results.schema.extra_type`.

    Raises:
        StorageError: It could not be written.
        ValueError: A required column is missing, or the status is unknown.
    """
    if row.get("status") not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}; got {row.get('status')!r}")
    _write(storage, "trials", row["trial_id"], [{"schema_version": SCHEMA_VERSION, **row}])


def write_epochs(storage: Storage, trial_id: str, rows: Sequence[Row]) -> None:
    """Publish the complete history of a trial, replacing what was there.

    Args:
        storage: The folder of the study.
        trial_id: The trial that owns the rows; rows may leave it out.
        rows: One per epoch, from epoch 1 on without a gap.

    Raises:
        StorageError: It could not be written.
        ValueError: The epochs are not 1, 2, 3, ..., or a row belongs to another trial.
    """
    epochs = [row.get("epoch") for row in rows]
    if epochs != list(range(1, len(rows) + 1)):
        raise ValueError(f"a trial's rows must be its epochs 1, 2, 3, ... once each; got {epochs}")
    if strangers := {row["trial_id"] for row in rows if row.get("trial_id", trial_id) != trial_id}:
        raise ValueError(f"the rows of trial {trial_id} must be its own; got rows of {', '.join(sorted(strangers))}")
    _write(storage, "epochs", trial_id, [{**row, "trial_id": trial_id} for row in rows])


def write_readings(storage: Storage, trial_id: str, readings: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Publish what probes saw of a trial, replacing what was there: measurements, and spectra where there are any.

    Args:
        storage: The folder of the study.
        trial_id: The trial.
        readings: Those of each epoch, from epoch 1 on, with ``step``, ``values`` and ``spectra``; a value that is not
            finite becomes null.

    Raises:
        StorageError: It could not be written.
    """
    placed = [
        ({"trial_id": trial_id, "epoch": epoch, "step": reading["step"]}, reading)
        for epoch, seen in enumerate(readings, 1)
        for reading in seen
    ]
    measured = [{**place, **{n: _finite(v) for n, v in reading["values"].items()}} for place, reading in placed]
    listed = [
        {**place, "name": name, "index": index, "value": _finite(value)}
        for place, reading in placed
        for name, values in reading["spectra"].items()
        for index, value in enumerate(values)
    ]
    for table, rows in (("measurements", measured), ("spectra", listed)):
        if rows:
            _write(storage, table, trial_id, rows)


def read_trials(storage: Storage) -> "pd.DataFrame":
    """All trials of a study, one row each, in the order of their ids; no rows when there are none yet."""
    frame: pd.DataFrame = read_table(storage, "trials").to_pandas()
    return frame


def read_epochs(storage: Storage, trial_ids: Collection[str] | None = None) -> "pd.DataFrame":
    """The epochs of all trials, or of those named (without those that have none yet), by trial and epoch."""
    frame: pd.DataFrame = read_table(storage, "epochs", trial_ids).to_pandas()
    return frame


def read_trial(storage: Storage, trial_id: str) -> dict[str, Any]:
    """The row of one trial, None where it is null; StudyError when the study has no such trial."""
    if not storage.exists(f"trials/{trial_id}.parquet"):
        names = [name.removesuffix(".parquet") for name in storage.list("trials", ".parquet")]
        known = ", ".join(names[:5]) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")
        raise StudyError(
            f"a trial must be one of the study in {storage}; got {trial_id!r}; known: {known or 'none yet'}"
        )
    row: dict[str, Any] = read_table(storage, "trials", [trial_id]).to_pylist()[0]
    return row


def read_epoch_rows(storage: Storage, trial_id: str) -> list[dict[str, Any]]:
    """The history of one trial as :func:`write_epochs` takes it, exact: null is None and stays apart from nan."""
    rows: list[dict[str, Any]] = read_table(storage, "epochs", [trial_id]).to_pylist()
    return rows


def observations(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """What the epochs of a history measured, as a policy observed it: what is null in a row was not a number.

    Args:
        rows: As :func:`read_epoch_rows` returns them.
    """
    return [{name: math.nan if value is None else value for name, value in row.items()} for row in rows]


def read_table(storage: Storage, table: str, trial_ids: Collection[str] | None = None) -> pa.Table:
    """A table of a study as one Arrow table, of all trials or of those named.

    Args:
        storage: The folder of the study.
        table: "trials", "epochs", "measurements" or "spectra".
        trial_ids: Which trials; None for all.

    Columns that a file lacks are null in its rows. A column that is a number in one file and text in another is text.

    Raises:
        StorageError: A file cannot be read or is damaged; the message names it.
    """
    names = storage.list(table, ".parquet")
    if trial_ids is not None:
        wanted = {f"{trial_id}.parquet" for trial_id in trial_ids}
        names = [name for name in names if name in wanted]
    with ThreadPoolExecutor(_READERS) as pool:
        parts = list(pool.map(lambda name: _read(storage, f"{table}/{name}"), names))
    return _joined(table, parts)


def _write(storage: Storage, table: str, trial_id: str, rows: Sequence[Row]) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(_table(table, rows), sink)
    storage.write(f"{table}/{trial_id}.parquet", memoryview(sink.getvalue()))


def _table(table: str, rows: Sequence[Row]) -> pa.Table:
    own = {column.name for column in TABLES[table]}
    names = dict.fromkeys(name for row in rows for name in row if name not in own)
    extras = {name: extra_type(row.get(name) for row in rows) for name in names}
    schema = arrow_schema(table, extras)
    columns = [[_value(row.get(field.name), extras.get(field.name)) for row in rows] for field in schema]
    for column, values in zip(TABLES[table], columns, strict=False):
        if column.required and None in values:
            raise ValueError(f"column {column.name} of {table} must have a value in every row")
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _value(value: Any, extra: pa.DataType | None) -> Any:
    return value if extra is None else extra_value(value, extra)


def _read(storage: Storage, relative: str) -> pa.Table:
    try:
        return pq.ParquetFile(pa.BufferReader(storage.read(relative))).read()
    except pa.ArrowException as error:
        raise StorageError(
            f"a table's file must be whole Parquet; {storage.child(relative)} is not ({str(error).strip()}); "
            "delete it and resume the study: the trial then writes it again"
        ) from error


def _joined(table: str, parts: Sequence[pa.Table]) -> pa.Table:
    """The parts as one table, whatever extra columns each has."""
    extras: dict[str, pa.DataType] = {}
    own = arrow_schema(table)
    for field in (field for part in parts for field in part.schema if own.get_field_index(field.name) < 0):
        known = extras.setdefault(field.name, field.type)
        extras[field.name] = known if known == field.type else pa.string()
    schema = arrow_schema(table, dict(sorted(extras.items())))
    return pa.concat_tables([_conformed(part, schema) for part in parts] or [schema.empty_table()])


def _conformed(part: pa.Table, schema: pa.Schema) -> pa.Table:
    present = set(part.column_names)
    return pa.Table.from_arrays(list(_columns(part, schema, present)), schema=schema)


def _columns(part: pa.Table, schema: pa.Schema, present: set[str]) -> Iterable[pa.ChunkedArray]:
    for field in schema:
        yield part[field.name].cast(field.type) if field.name in present else pa.nulls(part.num_rows, field.type)
