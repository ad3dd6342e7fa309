"""What a study will train and store, before anything runs."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tune_regimes.errors import StudyError, UsageError
from tune_regimes.results import ENDED
from tune_regimes.schedule import Policy
from tune_regimes.search.job import trial_id
from tune_regimes.search.options import RunOptions
from tune_regimes.search.run import StoredTrials, keep_every, stored_trials
from tune_regimes.sharing.plan import Plan, make_plan
from tune_regimes.sharing.store import Store
from tune_regimes.storage import Storage

if TYPE_CHECKING:
    from tune_regimes.search.study import Study


@dataclass(frozen=True)
class StudyPlan:
    """What a study will train and store.

    Attributes:
        study: Its name.
        points: Its points in all.
        known: Those of them that are known beforehand, and planned.
        seeds: Seeds of each.
        plan: Who trains what.
        kept_every: Epochs between states that are kept for trials which are not known yet; 0 for none.
        state_bytes: Bytes of one state, the largest that occurs; None where that is not known.
        quota: Bytes that the store may hold, or None.
        notes: What the plan leaves out, and what stands in its way, in sentences.
    """

    study: str
    points: int
    known: int
    seeds: int
    plan: Plan
    kept_every: int
    state_bytes: int | None
    quota: int | None
    notes: tuple[str, ...] = ()

    @property
    def states_at_once(self) -> int:
        """States that are needed at the same time: those that trials wait for, and one of each running trial."""
        return self.plan.states_at_once + min(self.plan.workers, len(self.plan.assignments))

    @property
    def bytes_at_once(self) -> int | None:
        """Bytes of the states that are needed at the same time; None where that is not known."""
        return None if self.state_bytes is None else self.states_at_once * self.state_bytes

    @property
    def bytes_in_all(self) -> int | None:
        """Bytes of all states that are stored for other trials, if none is evicted; None where that is not known."""
        return None if self.state_bytes is None else self.plan.states * self.state_bytes


def plan_study(study: "Study", storage: str | None, options: RunOptions, *, build: bool) -> StudyPlan:
    """Plan a study; `Study.plan` documents it."""
    stored, notes = _stored(study, storage)
    policies = _known_policies(study, stored)
    size = None
    if build:
        size, unknown = _state_size(study, list(policies.values()) or study.listed_policies(), options)
        notes += unknown
    trials = [
        (trial_id(point, seed), seed, policy.forecast())
        for point, policy in sorted(policies.items())
        for seed in study.seeds
    ]
    found = StudyPlan(
        study=study.name,
        points=study.points,
        known=len(policies),
        seeds=len(study.seeds),
        plan=make_plan(trials, options.max_concurrent or _trials_at_once(options.cpus_per_trial)),
        kept_every=keep_every(study, options),
        state_bytes=size,
        quota=options.quota,
    )
    return replace(found, notes=(*notes, *_limits(found, adaptive=any(each.adaptive for each in policies.values()))))


def _stored(study: "Study", storage: str | None) -> tuple[StoredTrials, list[str]]:
    """The trials of an earlier run, and what is to be said of them."""
    if storage is None:
        return {}, []
    try:
        stored = stored_trials(study, Storage(storage).child(study.name))
    except StudyError as error:
        return {}, [_sentence("A run would be refused", error)]
    ended = sum(row["status"] in ENDED for row in stored.values())
    return stored, [f"{ended} of {study.trials} trials have ended already; the plan is of all."] if ended else []


def _known_policies(study: "Study", stored: StoredTrials) -> dict[int, Policy]:
    """What the points follow that are known: all of a listed search; the explicit and the stored ones of another."""
    listed = dict(enumerate(study.listed_policies()))
    if study.searcher != "optuna":
        return listed
    configs = {int(row["point"]): json.loads(row["config"]) for row in stored.values()}
    explicit = {point: listed[point] for point in range(len(study.points_to_evaluate))}
    return {point: study.schedule(config) for point, config in configs.items()} | explicit


def _state_size(study: "Study", policies: Collection[Policy], options: RunOptions) -> tuple[int | None, list[str]]:
    """Bytes of the largest state, or why they are not known.

    Raises:
        UsageError: The quota is smaller.
    """
    from tune_regimes.search.state_size import optimizers_of, state_size

    try:
        task = study.task.build()
    except UsageError as error:
        return None, [_sentence("The size of a state is not known", error)]
    size = state_size(task, frozenset(settings for policy in policies for settings in optimizers_of(policy)))
    Store(Storage(options.store or "."), quota=options.quota).check_fits(size)
    return size, []


def _trials_at_once(cpus: float) -> int:
    """How many trials this machine holds."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(processors / cpus)) if cpus > 0 else processors


def _sentence(what: str, error: UsageError) -> str:
    return f"{what}: {str(error).rstrip('.')}."


def _limits(found: StudyPlan, *, adaptive: bool) -> list[str]:
    notes = []
    every = "every epoch" if found.kept_every == 1 else f"every {found.kept_every} epochs"
    if found.known < found.points:
        notes.append(
            f"Optuna suggests the points one after the other: {found.known} of {found.points} are known and planned. "
            f"The others inherit from states that are kept {every}."
        )
    if adaptive:
        notes.append(
            "Adaptive schedules are planned by their forecast, what they are told if observations change nothing. "
            f"Trials that part by what they observe inherit from states that are kept {every} and "
            "where settings change."
        )
    if found.quota is not None and found.bytes_at_once is not None and found.bytes_at_once > found.quota:
        notes.append(
            f"The quota is smaller than what is needed at once ({found.states_at_once} states): states that have no "
            "room are not stored, and what waits for them is trained again. A larger quota avoids that."
        )
    return notes
