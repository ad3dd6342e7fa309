"""A study as it is read back: DataFrames of trials, epochs and points, the best schedule, and exports."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.results.forks import COLUMN, without_forks
from tune_regimes.results.schema import arrow_schema
from tune_regimes.results.spec import read_spec
from tune_regimes.results.summary import best_point, final_values, pareto, rank, summarise
from tune_regimes.results.tables import read_table
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

    from tune_regimes.schedule import Policy

FORMATS = ("parquet", "csv")


@dataclass(frozen=True)
class Best:
    """The best point of a study.

    ``config`` and ``schedule`` (of an adaptive trial, the policy) are what ran; ``trial_id`` is that of its best seed;
    ``mean``, ``low`` and ``high`` are of the study's metric over its ``n`` seeds that count (Student's t 95 % interval,
    nan for a single seed).
    """

    point: int
    config: dict[str, Any]
    schedule: "Policy"
    trial_id: str
    mean: float
    low: float
    high: float
    n: int


class Results:
    """The results of one study, read when they are first asked for and kept; load again to see what came since.

    A study may be read while it runs. Columns, units and meanings: ``docs/results.md``.

    Args:
        storage: The folder of the study.
        spec: The content of its ``study.json``.
        forks: Whether forked trials are among its trials; see :meth:`without_forks`.
    """

    def __init__(self, storage: Storage, spec: dict[str, Any], *, forks: bool = True) -> None:
        self.storage = storage
        self.spec = spec
        self._with_forks = forks

    @classmethod
    def load(cls, location: str | os.PathLike[str] | Storage) -> "Results":
        """The results in the folder of a study, ``<storage>/<study>``: a path, an address or a Storage.

        Raises:
            StudyError: There is no study in that folder, or it cannot be understood.
            StorageError: The location cannot be read.
        """
        storage = Storage(location)
        return cls(storage, read_spec(storage))

    @property
    def metric(self) -> str:
        """The metric that the study optimises."""
        return str(self.spec["metric"])

    @property
    def mode(self) -> str:
        """Whether the best metric is the largest ("max") or the smallest ("min")."""
        return str(self.spec["mode"])

    @property
    def seeds(self) -> int:
        """How many seeds each point runs with."""
        seeds = self.spec["seeds"]
        return seeds if isinstance(seeds, int) else len(seeds)

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row per trial."""
        frame: pd.DataFrame = self._trials.to_pandas()
        return frame

    @cached_property
    def epochs(self) -> "pd.DataFrame":
        """One row per trial and epoch."""
        frame: pd.DataFrame = self._epochs.to_pandas()
        return frame

    @cached_property
    def points(self) -> "pd.DataFrame":
        """One row per point: its settings, the mean of the final metric over its seeds with an interval, its trials.

        Diverged, failed and running trials are counted in columns of their own and do not enter the mean.

        Raises:
            StudyError: No epoch reports the study's metric.
        """
        return summarise(self.trials, self.metric)

    @cached_property
    def measurements(self) -> "pd.DataFrame":
        """One row per trial and look of a probe, within an epoch too; no rows where no probe looked."""
        frame: pd.DataFrame = self._of_trials("measurements").to_pandas()
        return frame

    @cached_property
    def spectra(self) -> "pd.DataFrame":
        """One row per number of the lists that probes gave, such as eigenvalues; no rows where there are none."""
        frame: pd.DataFrame = self._of_trials("spectra").to_pandas()
        return frame

    @property
    def forks(self) -> "pd.DataFrame":
        """The rows of the forked trials: those that `Study.fork` made, which no space gave."""
        trials = self.trials
        return trials[trials[COLUMN].notna()] if COLUMN in trials else trials.iloc[:0]

    def without_forks(self) -> "Results":
        """The same study without its forked trials: what the space gave, for claims about the space."""
        return Results(self.storage, self.spec, forks=False)

    def ranking(self) -> "pd.DataFrame":
        """The points that have a value, best first; :meth:`best` is the first of them.

        Points all of whose seeds completed come before those with pruned seeds, and these before those with a diverged,
        failed or unfinished one; among those that ended alike, the mean decides.
        """
        return rank(self.points, self.mode, self.seeds)

    def best(self) -> Best:
        """The first point of :meth:`ranking`, ready to run.

        Raises:
            StudyError: No trial has completed or was pruned yet, or no epoch reports the study's metric.
        """
        from tune_regimes.schedule import policy_from_json

        row = best_point(self.points, self.mode, self.seeds)
        trial = self.trials.loc[self._best_seed(int(row["point"]))]
        return Best(
            point=int(row["point"]),
            config=json.loads(row["config"]),
            schedule=policy_from_json(trial["schedule"]),
            trial_id=str(trial["trial_id"]),
            **{name: float(row[name]) for name in ("mean", "low", "high")},
            n=int(row["n"]),
        )

    def pareto(self) -> "pd.DataFrame":
        """The points that no other beats in both the metric and the epochs that it cost, fewest epochs first.

        The rows of :attr:`points` with a further column ``epochs``: the mean over the seeds of the epochs that a trial
        went through, whoever trained them. Only points all of whose seeds completed count. A TPE search with
        ``cost="epochs"`` looks for these points; the front of any other study can be read too.
        """
        return pareto(self.points, self.trials, self.mode, self.seeds)

    def export(
        self, directory: str | os.PathLike[str] | Storage, format: str = "parquet", *, overwrite: bool = False
    ) -> list[str]:
        """Write trials, epochs and points as one file each, and what probes saw; every file whole or not at all.

        Args:
            directory: Where to, a path or an address.
            format: "parquet" (types and the meaning of each column are kept) or "csv" (null is an empty field).
            overwrite: Whether files of an earlier export may be replaced.

        Returns:
            The paths of the files.

        Raises:
            StudyError: The format is unknown.
            StorageError: The files exist and ``overwrite`` is not set, or they cannot be written.
        """
        if format not in FORMATS:
            raise StudyError(f"format must be one of {', '.join(FORMATS)}; got {format!r}")
        target = Storage(directory)
        tables = {"trials": self._trials, "epochs": self._epochs, "points": self._points}
        probed = {table: self._of_trials(table) for table in ("measurements", "spectra")}
        tables |= {table: rows for table, rows in probed.items() if rows.num_rows}
        names = [f"{table}.{format}" for table in tables]
        present = [name for name in names if target.exists(name)]
        if present and not overwrite:
            raise StorageError(
                f"an export replaces files only when told to; {target} holds {', '.join(present)}; "
                "choose another folder or set overwrite"
            )
        for name, table in zip(names, tables.values(), strict=True):
            target.write(name, _encoded(table, format))
        return [target.path(name) if target.is_local else str(target.child(name)) for name in names]

    @cached_property
    def _trials(self) -> pa.Table:
        trials = read_table(self.storage, "trials")
        return trials if self._with_forks else without_forks(trials)

    @cached_property
    def _epochs(self) -> pa.Table:
        return self._of_trials("epochs")

    def _of_trials(self, table: str) -> pa.Table:
        names = None if self._with_forks else self._trials["trial_id"].to_pylist()
        return read_table(self.storage, table, names)

    @property
    def _points(self) -> pa.Table:
        settings = {field.name: field.type for field in self._trials.schema if field.name.startswith("config.")}
        return pa.Table.from_pandas(self.points, arrow_schema("points", settings), preserve_index=False)

    def _best_seed(self, point: int) -> Any:
        """The index in ``trials`` of a point's best trial that counts; completed ones come before pruned ones."""
        values = final_values(self.trials, self.metric)
        rows = self.trials.loc[values.index]
        rows = rows[rows["point"] == point]
        completed = rows[rows["status"] == "completed"]
        values = values[(rows if completed.empty else completed).index]
        return values.idxmin() if self.mode == "min" else values.idxmax()

    def __repr__(self) -> str:
        return f"Results({str(self.storage)!r})"


def _encoded(table: pa.Table, format: str) -> memoryview:
    sink = pa.BufferOutputStream()
    if format == "csv":
        pa.csv.write_csv(table, sink)
    else:
        pq.write_table(table, sink)
    return memoryview(sink.getvalue())
