"""Forking: a trial that has ended goes on from one of its epochs with another tail, as a trial of its own."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from tune_regimes.results import (
    ENDED,
    fork_config,
    is_fork,
    read_spec,
    read_table,
    read_trial,
    write_trial,
)
from tune_regimes.schedule import Phase, Policy, forked, phase_to_text
from tune_regimes.search.fit import REPORT_EVERY, Search, fit, make_job, prepared
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.options import RESOURCES, RunOptions
from tune_regimes.search.original import Original
from tune_regimes.search.progress import Progress
from tune_regimes.search.rows import identity_columns
from tune_regimes.search.source import Source
from tune_regimes.search.states import StudyStates
from tune_regimes.storage import Storage
from tune_regimes.tasks import TaskSpec

if TYPE_CHECKING:
    from tune_regimes.probes import Probe

Row = dict[str, Any]
Show = Callable[[Progress], None]


def fork_trial(
    folder: Storage,
    trial_id: str,
    at_epoch: int,
    tail: Sequence[Phase],
    options: Mapping[str, Any],
    *,
    task: TaskSpec | None = None,
    probes: "Sequence[Probe] | None" = None,
    on_progress: Show | None = None,
) -> str:
    """Fork a trial; `Study.fork` says what that means.

    Args:
        folder: The study's folder.
        trial_id: The trial.
        at_epoch: Epochs that stay as they are.
        tail: What follows.
        options: Of `RunOptions`; resources that are left out are those with which the study was begun.
        task: The study's task; None builds it as ``study.json`` says.
        probes: The study's probes; None for those that ``study.json`` names.
        on_progress: Called about twice a second.

    Returns:
        The id of the forked trial; of the same fork as before, that of the earlier one, which has gone on.

    Raises:
        UsageError: If this cannot be forked; nothing was written.
    """
    asked = requested(folder, trial_id, at_epoch, tail, options)
    before = _stored(folder, asked.config, asked.original.seed)
    if before is not None and before["status"] in ENDED:
        return str(before["trial_id"])
    task = TaskSpec.from_dict(asked.study["task"]) if task is None else task
    with prepared(task, folder, asked.run):
        point = _next_point(folder, asked.study) if before is None else int(before["point"])
        spec = TrialSpec(point, asked.original.seed, asked.config, asked.policy, branches=(at_epoch,))
        search = _search(asked, folder, task, tuple(_named(asked.study) if probes is None else probes), spec)
        with _claimed(search.job, folder, spec):
            fit(search, on_progress)
    return spec.trial_id


@dataclass(frozen=True)
class Request:
    """A fork that can be made.

    Attributes:
        study: Content of ``study.json``.
        run: Where and how hard to run.
        original: The trial that is forked.
        policy: What the fork follows.
        config: Its config.
    """

    study: Row
    run: RunOptions
    original: Original
    policy: Policy
    config: Row


def requested(
    folder: Storage, trial_id: str, at_epoch: int, tail: Sequence[Phase], options: Mapping[str, Any]
) -> Request:
    """Check what is asked for, with the arguments of `fork_trial`; nothing is written.

    Raises:
        UsageError: If it cannot be forked.
    """
    study = read_spec(folder)
    begun_with = {name: value for name, value in study.get("resources", {}).items() if name in RESOURCES}
    run = RunOptions(**{**begun_with, **options})
    original = Original(folder, trial_id)
    original.check(at_epoch, run.device)
    phases = original.completed(tail, at_epoch)
    config = fork_config(original.config, trial_id, at_epoch, "; ".join(map(phase_to_text, phases)))
    return Request(study, run, original, forked(original.policy, at_epoch, phases), config)


class OneTrial(Source):
    """The source of a single trial.

    Args:
        spec: The trial.
        metric: Column that the study optimises.
        mode: ``"max"`` or ``"min"``.
    """

    def __init__(self, spec: TrialSpec, metric: str, mode: str) -> None:
        super().__init__(metric, mode)
        self._config: Any = spec.to_config()

    def suggest(self, trial_id: str) -> Any:
        """The trial, once."""
        config, self._config = self._config, Searcher.FINISHED
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing is learnt here."""


def _stored(folder: Storage, config: Mapping[str, Any], seed: int) -> Row | None:
    """The row of the same fork from before, or None."""
    rows: list[Row] = read_table(folder, "trials").to_pylist()
    same = (row for row in rows if is_fork(row) and row["seed"] == seed and json.loads(row["config"]) == dict(config))
    return next(same, None)


def _next_point(folder: Storage, study: Row) -> int:
    """The first number that is no point of the space and none of an earlier fork."""
    seeds = study["seeds"] if isinstance(study["seeds"], int) else len(study["seeds"])
    stored = [int(name.partition("-")[0]) for name in folder.list("trials", ".parquet")]
    return max(int(study.get("trials", 0)) // seeds, *(point + 1 for point in stored), 0)


def _search(asked: Request, folder: Storage, task: TaskSpec, probes: "tuple[Probe, ...]", spec: TrialSpec) -> Search:
    study, run = asked.study, asked.run
    # The fork claims states in a name of its own: the study may be running, or need its states for a resume.
    states = StudyStates(f"{study['name']}.{spec.trial_id}", folder, run)
    job = make_job(
        folder,
        run,
        states,
        study=study["name"],
        task=task,
        metric=study["metric"],
        mode=study["mode"],
        probes=probes,
        keep_every=run.keep_every or 0,
        report_every=REPORT_EVERY,
    )
    return Search(
        job=job,
        folder=folder,
        options=run,
        states=states,
        source=OneTrial(spec, job.metric, job.mode),
        scheduler=FIFOScheduler(),  # type: ignore[no-untyped-call]
        trials=1,
        concurrent=1,
        start=Progress(trials=1, epochs_left=spec.schedule.epochs),
        notes=(*states.notes(), *asked.original.notes()),
        scratch=f"ray-{spec.trial_id}",
    )


def _named(study: Row) -> "list[Probe]":
    """The probes that ``study.json`` names; UsageError for one that is not of this package."""
    if not study.get("probes"):
        return []
    from tune_regimes.probes import probe_from_dict

    return [probe_from_dict(values) for values in study["probes"]]


@contextmanager
def _claimed(job: Job, folder: Storage, spec: TrialSpec) -> Iterator[None]:
    """Enter the trial before it runs, so that its number is taken; it goes again if it ends without an epoch."""
    name = f"trials/{spec.trial_id}.parquet"
    if not folder.exists(name):
        write_trial(folder, {**identity_columns(job, spec), "status": "running"})
    try:
        yield
    except BaseException:
        if read_trial(folder, spec.trial_id)["epochs"] is None:
            folder.delete(name)
        raise
