"""Running a study on Ray Tune: check everything first, fit, then write down what only the driver knows."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ray import tune

from tune_regimes.errors import UsageError
from tune_regimes.results import ENDED, Results, read_spec, read_table, read_trial, write_spec, write_trial
from tune_regimes.results.spec import FILE
from tune_regimes.search.cluster import check_importable, check_resources, cluster
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.options import RunOptions
from tune_regimes.search.progress import PauseCallback, Progress, ProgressCallback, StopSwitch, trial_name
from tune_regimes.search.rows import identity_columns
from tune_regimes.search.schedulers import acts_on_results, bears_repeats, make_scheduler
from tune_regimes.search.searcher import StudySearcher
from tune_regimes.search.specification import check_same, versions, with_circumstances
from tune_regimes.search.states import StudyStates
from tune_regimes.search.trainable import ScheduleTrainable
from tune_regimes.storage import Storage
from tune_regimes.tasks import check_data

if TYPE_CHECKING:
    from tune_regimes.search.study import Study

# With no scheduler to act on it, a report may gather this many seconds of epochs: a result costs Ray 10 to 25 ms.
REPORT_EVERY = 0.5
StoredTrials = dict[str, dict[str, Any]]


class StudyInterrupted(Exception):  # noqa: N818 (not an error: the study stopped because it was asked to)
    """A signal stopped the study; everything up to then is stored and the study can be resumed."""


def run_study(
    study: "Study", storage: str, options: RunOptions, on_progress: Callable[[Progress], None] | None
) -> Results:
    """Run or resume a study; `Study.run` documents it."""
    folder = Storage(storage).child(study.name)
    with _nothing_left_of_a_mistake(folder):
        stored = _stored_trials(study, folder)
        if options.address is None:
            check_data(study.task)
        with cluster(options.address):
            slots = check_resources(options.cpus_per_trial, options.gpus_per_trial)
            check_importable(study.task)
            folder.check_writable()
            if not folder.exists(FILE):
                write_spec(folder, with_circumstances(study.spec()))
            _fit(study, folder, options, stored, min(slots, options.max_concurrent or slots), on_progress)
    return Results.load(folder.uri)


@contextlib.contextmanager
def _nothing_left_of_a_mistake(folder: Storage) -> Iterator[None]:
    """Remove what this run has put down when a mistake ends it before the first trial has stored anything."""
    was_there, was_study = folder.exists(), folder.exists(FILE)
    try:
        yield
    except UsageError:
        with contextlib.suppress(UsageError):
            if not folder.list("trials") and not was_study:
                folder.delete(FILE if was_there else "")
        raise


def _stored_trials(study: "Study", folder: Storage) -> StoredTrials:
    """The trials of an earlier run, after checking that it was a run of the same study."""
    if not folder.exists(FILE):
        return {}
    check_same(read_spec(folder), study.spec(), str(folder))
    folder.sweep()
    return {row["trial_id"]: dict(row) for row in read_table(folder, "trials").to_pylist()}


def _fit(
    study: "Study",
    folder: Storage,
    options: RunOptions,
    stored: StoredTrials,
    concurrent: int,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    scheduler = make_scheduler(study.scheduler, epochs=max(study.lengths))
    replay = acts_on_results(scheduler)
    states = StudyStates(study.name, folder, options)
    job = _job(study, folder, options, states, scheduler)
    searcher = _searcher(study, folder, options, stored, states, replay=replay, concurrent=concurrent)
    switch = StopSwitch(options.time_budget)
    start = _start(study, {} if replay else stored)
    callback = ProgressCallback(start, study.metric, study.mode, switch, on_progress, states.notes())
    callbacks = [callback, *([PauseCallback(searcher)] if replay else [])]
    with _scratch(folder, options) as scratch, switch.on_signals():
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(ScheduleTrainable, job=job),
                {"cpu": options.cpus_per_trial, "gpu": options.gpus_per_trial},
            ),
            tune_config=tune.TuneConfig(
                metric=study.metric,
                mode=study.mode,
                num_samples=study.trials,
                search_alg=searcher,
                scheduler=scheduler,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=trial_name,
                trial_dirname_creator=trial_name,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=scratch,
                stop=switch,
                callbacks=callbacks,
                failure_config=tune.FailureConfig(max_failures=options.max_failures),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    searcher.close()
    _write_driver_rows(job, folder, callback)
    states.settle(ended=not switch.stop_all())
    if on_progress is not None:
        on_progress(callback.snapshot())
    mistake = switch.mistake or searcher.mistake
    if mistake is not None:
        raise mistake
    if switch.interrupted:
        raise StudyInterrupted(f"study {study.name!r} was interrupted; what is stored in {folder} can be resumed")


def _job(study: "Study", folder: Storage, options: RunOptions, states: StudyStates, scheduler: Any) -> Job:
    return Job(
        study=study.name,
        task=study.task,
        storage=folder.uri,
        metric=study.metric,
        mode=study.mode,
        device="cuda" if options.gpus_per_trial > 0 else "cpu",
        threads=max(1, int(options.cpus_per_trial)),
        save_every=options.save_every,
        store=states.uri,
        owner=states.owner,
        quota=options.quota,
        share=options.share,
        keep_every=_keep_every(study, options),
        repeat_own=bears_repeats(scheduler),
        report_every=0.0 if acts_on_results(scheduler) else REPORT_EVERY,
        versions=versions(),
    )


def _keep_every(study: "Study", options: RunOptions) -> int:
    """Epochs between states for trials that are not known yet: of those there are none where all are listed."""
    if options.keep_every is not None:
        return options.keep_every
    return max(1, max(study.lengths) // 10) if study.unforeseen else 0


def _searcher(
    study: "Study",
    folder: Storage,
    options: RunOptions,
    stored: StoredTrials,
    states: StudyStates,
    *,
    replay: bool,
    concurrent: int,
) -> StudySearcher:
    known = {int(row["point"]): json.loads(row["config"]) for row in stored.values()}
    return StudySearcher(
        study.open_points(known, folder),
        study.schedule,
        study.seeds,
        stored,
        replay=replay,
        metric=study.metric,
        mode=study.mode,
        share=options.share,
        ahead=concurrent,
        states=states,
    )


def _start(study: "Study", stored: StoredTrials) -> Progress:
    """The progress with which this run begins: what earlier runs ended counts as ended."""
    ended = [row for row in stored.values() if row["status"] in ENDED]
    states: dict[str, int] = {}
    for row in ended:
        states[row["status"]] = states.get(row["status"], 0) + 1
    completed = [row for row in ended if row["status"] == "completed"]
    best = (max if study.mode == "max" else min)(completed, key=lambda row: row[f"final_{study.metric}"], default=None)
    mean_length = sum(study.lengths) / len(study.lengths)
    return Progress(
        trials=study.trials,
        states=states,
        epochs_left=int(mean_length * (study.trials - len(ended))),
        best=None if best is None else best[f"final_{study.metric}"],
        best_trial=None if best is None else best["trial_id"],
    )


@contextlib.contextmanager
def _scratch(folder: Storage, options: RunOptions) -> Iterator[str]:
    """Where Ray keeps its own bookkeeping, none of which is a result: gone when the run ends.

    The nodes of a cluster need a place that all of them see.
    """
    if options.address is None:
        with tempfile.TemporaryDirectory(prefix="tune-regimes-", ignore_cleanup_errors=True) as path:
            yield path
        return
    try:
        yield folder.child("ray").uri
    finally:
        with contextlib.suppress(UsageError):
            folder.delete("ray")


def _write_driver_rows(job: Job, folder: Storage, callback: ProgressCallback) -> None:
    """Mark the trials that the scheduler stopped and those that failed: their workers could not know."""
    for trial_id, (config, status, reason) in callback.ended_here.items():
        stored = read_trial(folder, trial_id) if folder.exists(f"trials/{trial_id}.parquet") else {}
        row = {**identity_columns(job, TrialSpec.from_config(config)), **stored, "status": status, "reason": reason}
        write_trial(folder, row)
