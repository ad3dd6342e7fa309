"""One search on Ray Tune: fit, then write down what only the driver knows."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune.schedulers import TrialScheduler

from tune_regimes.errors import UsageError
from tune_regimes.results import read_trial, write_trial
from tune_regimes.search.cluster import check_importable, check_resources, cluster
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.options import RunOptions
from tune_regimes.search.progress import Progress, ProgressCallback, trial_name
from tune_regimes.search.rows import identity_columns
from tune_regimes.search.source import Source
from tune_regimes.search.specification import versions
from tune_regimes.search.states import StudyStates
from tune_regimes.search.stopping import StopSwitch
from tune_regimes.search.trainable import ScheduleTrainable
from tune_regimes.storage import Storage
from tune_regimes.tasks import TaskSpec, check_data

# With no scheduler to act on it, a report may gather this many seconds of epochs: a result costs Ray 10 to 25 ms.
REPORT_EVERY = 0.5


class StudyInterrupted(Exception):  # noqa: N818 (not an error: the study stopped because it was asked to)
    """A signal stopped the study; everything up to then is stored and the study can be resumed."""


@dataclass(frozen=True)
class Search:
    """What is to be searched, and how.

    Attributes:
        job: What all trials share.
        folder: The study's folder.
        options: Where and how hard to run.
        states: The driver's side of the store.
        source: Where the trials come from.
        scheduler: What may stop them.
        trials: How many there are at most.
        concurrent: How many run at once; None where the source counts them.
        start: The progress to begin with.
        notes: What is to be said of the search beforehand.
        callbacks: Further callbacks of Ray's.
        scratch: Folder below the study's for Ray's own bookkeeping, where the nodes of a cluster have to see it.
    """

    job: Job
    folder: Storage
    options: RunOptions
    states: StudyStates
    source: Source
    scheduler: TrialScheduler
    trials: int
    concurrent: int | None
    start: Progress
    notes: tuple[str, ...] = ()
    callbacks: tuple[tune.Callback, ...] = ()
    scratch: str = "ray"


def make_job(folder: Storage, options: RunOptions, states: StudyStates, **details: Any) -> Job:
    """What all trials of a run share.

    Args:
        folder: The study's folder.
        options: Where and how hard to run.
        states: The driver's side of the store.
        **details: Further fields of the job: name, task, metric and mode of the study, and how it reports.
    """
    return Job(
        storage=folder.uri,
        device=options.device,
        threads=max(1, int(options.cpus_per_trial)),
        save_every=options.save_every,
        store=states.uri,
        owner=states.owner,
        quota=options.quota,
        share=options.share,
        versions=versions(),
        **details,
    )


@contextlib.contextmanager
def prepared(task: TaskSpec, folder: Storage, options: RunOptions) -> Iterator[int]:
    """Check all that can be checked before anything is written, and connect to Ray for as long as the block runs.

    Yields:
        How many trials can run at once.

    Raises:
        UsageError: If the data, the cluster, the task's module or the folder cannot be used.
    """
    if options.address is None:
        check_data(task)
    with cluster(options.address):
        slots = check_resources(options.cpus_per_trial, options.gpus_per_trial)
        check_importable(task)
        folder.check_writable()
        yield min(slots, options.max_concurrent or slots)


@dataclass(frozen=True)
class Fitted:
    """How a search went.

    Attributes:
        progress: The last snapshot.
        dropped: Whether Ray gave up trials that were to be started again, and there is time for it; see
            `ProgressCallback`.
    """

    progress: Progress
    dropped: bool


def fit(search: Search, on_progress: Callable[[Progress], None] | None) -> Fitted:
    """Run a search to its end.

    Raises:
        UsageError: For a mistake that every trial would repeat; nothing that was stored is lost.
        StudyInterrupted: If a signal stopped it.
    """
    job, options, switch = search.job, search.options, StopSwitch(search.options.time_budget)
    callback = ProgressCallback(search.start, job.metric, job.mode, switch, on_progress, search.notes)
    with contextlib.closing(search.source), _scratch(search) as scratch, switch.on_signals():
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(ScheduleTrainable, job=job),
                {"cpu": options.cpus_per_trial, "gpu": options.gpus_per_trial},
            ),
            tune_config=tune.TuneConfig(
                metric=job.metric,
                mode=job.mode,
                num_samples=search.trials,
                search_alg=search.source,
                scheduler=search.scheduler,
                max_concurrent_trials=search.concurrent,
                reuse_actors=True,
                trial_name_creator=trial_name,
                trial_dirname_creator=trial_name,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=scratch,
                stop=switch,
                callbacks=[callback, *search.callbacks],
                failure_config=tune.FailureConfig(max_failures=options.max_failures),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    _write_driver_rows(job, search.folder, callback)
    search.states.settle(ended=not switch.stop_all())
    progress = callback.snapshot()
    if on_progress is not None:
        on_progress(progress)
    mistake = switch.mistake or search.source.mistake
    if mistake is not None:
        raise mistake
    if switch.interrupted:
        raise StudyInterrupted(f"study {job.study!r} was interrupted; what is stored in {search.folder} can be resumed")
    return Fitted(progress, callback.dropped and not switch.out_of_time)


@contextlib.contextmanager
def _scratch(search: Search) -> Iterator[str]:
    """Where Ray keeps its own bookkeeping, none of which is a result: gone when the run ends.

    The nodes of a cluster need a place that all of them see.
    """
    if search.options.address is None:
        with tempfile.TemporaryDirectory(prefix="tune-regimes-", ignore_cleanup_errors=True) as path:
            yield path
        return
    try:
        yield search.folder.child(search.scratch).uri
    finally:
        with contextlib.suppress(UsageError):
            search.folder.delete(search.scratch)


def _write_driver_rows(job: Job, folder: Storage, callback: ProgressCallback) -> None:
    """Mark the trials that the scheduler stopped and those that failed: their workers could not know.

    What has ended by itself stays so, whatever the scheduler of a resumed study made of its replay.
    """
    for trial_id, (config, status, reason) in callback.ended_here.items():
        stored: dict[str, Any] = read_trial(folder, trial_id) if folder.exists(f"trials/{trial_id}.parquet") else {}
        if stored.get("status") in ("completed", "diverged"):
            continue
        row = {**identity_columns(job, TrialSpec.from_config(config)), **stored, "status": status, "reason": reason}
        write_trial(folder, row)
