"""Running a study: check that it is the stored one, and put together what Ray Tune is to search."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import UsageError
from tune_regimes.results import ENDED, Results, is_fork, read_spec, read_table, write_spec
from tune_regimes.results.spec import FILE, JOURNAL
from tune_regimes.schedule import policy_from_json
from tune_regimes.search.fit import REPORT_EVERY, Search, StudyInterrupted, fit, make_job, prepared
from tune_regimes.search.options import RunOptions
from tune_regimes.search.pausing import PauseCallback
from tune_regimes.search.progress import Progress
from tune_regimes.search.regime_asha import RegimeASHA
from tune_regimes.search.rows import last_phase_epoch
from tune_regimes.search.schedulers import bears_repeats, counts_paused, make_scheduler, must_replay
from tune_regimes.search.searcher import StudySearcher
from tune_regimes.search.specification import check_same, with_circumstances
from tune_regimes.search.states import StudyStates
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    from tune_regimes.search.study import Study

__all__ = ["StoredTrials", "StudyInterrupted", "keep_every", "run_study", "stored_trials"]

StoredTrials = dict[str, dict[str, Any]]


def run_study(
    study: "Study", storage: str, options: RunOptions, on_progress: Callable[[Progress], None] | None
) -> Results:
    """Run or resume a study; `Study.run` documents it."""
    folder = Storage(storage).child(study.name)
    with _nothing_left_of_a_mistake(folder):
        stored = stored_trials(study, folder)
        folder.sweep()
        with prepared(study.task, folder, options) as concurrent:
            if not folder.exists(FILE):
                write_spec(folder, with_circumstances(study.spec()) | {"resources": options.resources})
            gone = Progress(trials=study.trials)
            # Ray may drop trials that were to be started again: then once more, from what is stored by now.
            for _ in range(options.max_failures + 1):
                fitted = fit(_search(study, folder, _in_time(options, gone), stored, concurrent, gone), on_progress)
                if not fitted.dropped:
                    break
                gone, stored = fitted.progress, stored_trials(study, folder)
    return Results.load(folder.uri)


def _in_time(options: RunOptions, gone: Progress) -> RunOptions:
    """The options with what is left of the time budget."""
    if options.time_budget is None:
        return options
    return replace(options, time_budget=max(options.time_budget - gone.elapsed, 1e-3))


@contextlib.contextmanager
def _nothing_left_of_a_mistake(folder: Storage) -> Iterator[None]:
    """Remove what this run has put down when a mistake ends it before the first trial has stored anything."""
    was_there, was_study = folder.exists(), folder.exists(FILE)
    try:
        yield
    except UsageError:
        with contextlib.suppress(UsageError):
            if not folder.list("trials") and not was_study:
                for name in (FILE, JOURNAL) if was_there else ("",):
                    folder.delete(name)
        raise


def stored_trials(study: "Study", folder: Storage) -> StoredTrials:
    """The trials of an earlier run without forks, after checking that it was a run of the same study.

    Raises:
        StudyError: It was a run of another study.
    """
    if not folder.exists(FILE):
        return {}
    check_same(read_spec(folder), study.spec(), str(folder))
    rows: list[dict[str, Any]] = read_table(folder, "trials").to_pylist()
    return {row["trial_id"]: row for row in rows if not is_fork(row)}


def _search(
    study: "Study", folder: Storage, options: RunOptions, stored: StoredTrials, concurrent: int, gone: Progress
) -> Search:
    scheduler = make_scheduler(study.scheduler, epochs=max(study.lengths))
    replay = must_replay(scheduler)
    if isinstance(scheduler, RegimeASHA):
        _remember(scheduler, folder, stored)
    states = StudyStates(study.name, folder, options)
    known = {int(row["point"]): json.loads(row["config"]) for row in stored.values()}
    searcher = StudySearcher(
        study.open_points(known, folder),
        study.schedule,
        study.seeds,
        stored,
        replay=replay,
        metric=study.metric,
        mode=study.mode,
        share=options.share,
        ahead=concurrent,
        at_once=concurrent if counts_paused(scheduler) else None,
        states=states,
    )
    return Search(
        job=make_job(
            folder,
            options,
            states,
            study=study.name,
            task=study.task,
            metric=study.metric,
            mode=study.mode,
            probes=study.probes,
            keep_every=keep_every(study, options),
            repeat_own=bears_repeats(scheduler),
            ladder=scheduler.ladder if isinstance(scheduler, RegimeASHA) else None,
            report_every=0.0 if replay else REPORT_EVERY,
        ),
        folder=folder,
        options=options,
        states=states,
        source=searcher,
        scheduler=scheduler,
        trials=study.trials,
        concurrent=None if counts_paused(scheduler) else concurrent,
        start=_start(study, {} if replay else stored, gone),
        notes=tuple(states.notes()),
        callbacks=(PauseCallback(searcher),) if replay else (),
    )


def _remember(scheduler: RegimeASHA, folder: Storage, stored: StoredTrials) -> None:
    """Fill the rungs from the tables, so that a resumed search compares with all that it has seen."""
    ended = {name: policy_from_json(row["schedule"]) for name, row in stored.items() if row["status"] in ENDED}
    for row in read_table(folder, "epochs", ended).to_pylist() if ended else ():
        policy = ended[row["trial_id"]]
        ahead = policy.epochs - row["epoch"]
        scheduler.remember(
            row["trial_id"], {**row, "last_phase_epoch": last_phase_epoch(policy, row), "epochs_ahead": ahead}
        )


def keep_every(study: "Study", options: RunOptions) -> int:
    """Epochs between states for trials that are not known yet: of those there are none where all are listed."""
    if options.keep_every is not None:
        return options.keep_every
    return max(1, max(study.lengths) // 10) if study.unforeseen else 0


def _start(study: "Study", stored: StoredTrials, gone: Progress) -> Progress:
    """The progress to begin with: what has ended before counts as ended, and what this run has trained is kept."""
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
        epochs=gone.epochs,
        epochs_inherited=gone.epochs_inherited,
        elapsed=gone.elapsed,
        epochs_left=int(mean_length * (study.trials - len(ended))),
        best=None if best is None else best[f"final_{study.metric}"],
        best_trial=None if best is None else best["trial_id"],
    )
