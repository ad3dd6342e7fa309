"""Trials at constant step sizes, one after another in this process, with the rows, states and resumption of a study."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd

from tune_regimes.errors import StudyError
from tune_regimes.results import read_spec, write_spec
from tune_regimes.results.regimes import describe_runs
from tune_regimes.results.spec import FILE
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.locate_settings import LocateSettings
from tune_regimes.search.options import DEFAULT_QUOTA
from tune_regimes.search.rows import Row, history_columns, identity_columns
from tune_regimes.search.specification import check_same, versions, with_circumstances
from tune_regimes.search.trial import TrialRun
from tune_regimes.search.two_phase_study import plain_name
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.store import Store
from tune_regimes.storage import Storage
from tune_regimes.tasks import TaskSpec

METRIC, MODE = "test_loss", "min"
"""What every task measures; nothing is chosen by it."""


class Sweep:
    """The runs so far, in the order in which they were asked for; a stored one is read, not trained again.

    Args:
        place: The process that trains them.
        settings: What was asked for.
    """

    def __init__(self, place: Workplace, settings: LocateSettings) -> None:
        self.place, self.settings = place, settings
        self._points = 0
        self._trials: list[Row] = []
        self._epochs: list[Row] = []

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Trials and epochs, as a study's tables."""
        return pd.DataFrame(self._trials), pd.DataFrame(self._epochs)

    def described(self) -> pd.DataFrame:
        """What decides the regime of each point: see `tune_regimes.results.regimes.describe_runs`."""
        return describe_runs(*self.tables(), self.settings.warm_up)

    def add(self, step_size: float, momentum: float) -> int:
        """Train a point, and return its number; one seed that diverges decides for all.

        Raises:
            StudyError: The warm-up diverges.
        """
        point, self._points = self._points, self._points + 1
        schedule = self.settings.schedule(step_size, momentum)
        branches = (self.settings.warm_up,) if self.settings.warm_up else ()
        config = {"momentum": momentum, "step_size": step_size}
        for seed in self.settings.seeds:
            run = self._train(TrialSpec(point, seed, config, schedule, branches))
            if len(run.rows) <= self.settings.warm_up:
                raise StudyError(
                    f"the warm-up must not diverge; at step size {self.settings.lowest:g} seed {seed} did in epoch "
                    f"{len(run.rows)}: lower the range (lowest), or check the scale of the data and the loss"
                )
            if run.status == "diverged":
                break
        return point

    def _train(self, spec: TrialSpec) -> TrialRun:
        run = TrialRun(self.place, spec)
        try:
            while not run.advance()["done"]:
                pass
        finally:
            run.leave()
        columns = identity_columns(self.place.job, spec) | history_columns(run.rows)
        self._trials.append({**columns, "status": run.status})
        self._epochs += run.rows
        return run


@contextmanager
def open_sweep(
    task: TaskSpec, settings: LocateSettings, folder: Storage, *, store: str | None, device: str, threads: int
) -> Iterator[Sweep]:
    """The sweep in a folder, begun or taken up; at its end it claims no state any more.

    Args:
        task: What is trained.
        settings: What is asked for.
        folder: Where its trials lie.
        store: Folder or URI of states that studies share; None for one in the folder.
        device: "cpu" or "cuda".
        threads: CPU threads.

    Raises:
        UsageError: The folder holds something else, or the task cannot be built.
    """
    name = f"locate-{plain_name(task)}"
    spec = {"name": name, "task": task.to_dict(), "metric": METRIC, "mode": MODE, **settings.to_dict(), "origin": None}
    folder.check_writable()
    if folder.exists(FILE):
        check_same(read_spec(folder), spec, str(folder))
    else:
        write_spec(folder, with_circumstances(spec))
    states = Storage(store) if store is not None else folder.child("states")
    job = Job(
        study=name,
        task=task,
        storage=folder.uri,
        metric=METRIC,
        mode=MODE,
        device=device,
        threads=threads,
        store=states.uri,
        owner=name,
        quota=DEFAULT_QUOTA,
        report_every=math.inf,
        versions=versions(),
    )
    try:
        yield Sweep(Workplace(job), settings)
    finally:
        Store(states).unpin_all(name)
