"""What a worker process keeps from trial to trial: the task, its identity, and the store of states."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from tune_regimes.errors import StorageError
from tune_regimes.probes import Watch
from tune_regimes.schedule import Policy
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.state_size import optimizers_of, state_size
from tune_regimes.sharing.course import Course
from tune_regimes.sharing.fingerprint import root_key
from tune_regimes.sharing.prefix import Prefixes
from tune_regimes.sharing.store import Store
from tune_regimes.storage import Storage
from tune_regimes.tasks import Task
from tune_regimes.training import Numerics, Trajectory
from tune_regimes.training.moment import NOTHING_AHEAD, Ahead
from tune_regimes.training.optimizers import ScheduledOptimizer

_MOST_FAILURES = 3
"""Failures of the store in a row after which it is left alone: a full disk, and not a connection that was lost once."""


_SAFE_SIZE, _SAFE_FACTOR = 10**7, 6
"""A state is smaller than so many bytes and so many times its weights: it holds them, those at the start of the last
epoch, an average of them, and two buffers of the optimizer at most; L-BFGS keeps more, and is always counted."""


class Workplace:
    """One process that works on a study.

    Args:
        job: The study's side of its trials.
        task: The built task, where there is one already.

    Raises:
        UsageError: The task cannot be built here, or a folder cannot be opened.

    Attributes:
        task: The built task.
        storage: The study's folder.
        unshared: Why the store is no longer used, or "".
    """

    def __init__(self, job: Job, task: Task | None = None) -> None:
        self.job = job
        self.task = job.task.build() if task is None else task
        self.storage = Storage(job.storage)
        self.unshared = ""
        self._store = Store(Storage(job.store) if job.store else self.storage.child("states"), quota=job.quota)
        self._identity: dict[str, Any] | None = None
        self._prefixes: dict[str, Prefixes] = {}
        self._problems: Counter[str] = Counter()
        self._failures = 0

    @cached_property
    def unwatched(self) -> "Workplace":
        """The same place for trainings that no probe looks at: they share states among themselves."""
        return Workplace(replace(self.job, probes=()), self.task)

    def epochs_ahead(self, spec: TrialSpec) -> list[int]:
        """The epochs after which a probe needs a trial's weights beforehand, in order."""
        epochs = spec.schedule.epochs
        return sorted({epoch for probe in self.job.probes for epoch in probe.ahead(epochs)})

    def trajectory(self, seed: int, ahead: Ahead = NOTHING_AHEAD) -> Trajectory:
        """A training at its beginning.

        Args:
            seed: Its seed.
            ahead: Its weights after the epochs that a probe needs beforehand.
        """
        return Trajectory(
            self.task,
            seed=seed,
            device=self.job.device,
            numerics=Numerics(threads=self.job.threads),
            watcher=Watch(self.job.probes) if self.job.probes else None,
            ahead=ahead,
        )

    def check_quota(self, trajectory: Trajectory, policy: Policy) -> None:
        """UsageError when the quota is smaller than one state of a trajectory under a policy's optimizers."""
        if self.job.quota is None:
            return
        optimizers = optimizers_of(policy)
        weights = sum(value.nbytes for value in trajectory.model.state_dict().values())
        many_buffers = any(settings.family == "lbfgs" for settings in optimizers)
        if many_buffers or self.job.quota < _SAFE_SIZE + _SAFE_FACTOR * weights:
            self._store.check_fits(state_size(self.task, optimizers))

    def check_trains(self, trajectory: Trajectory, policy: Policy) -> None:
        """UsageError when one of a policy's optimizers cannot train the model, be it that of the last phase."""
        optimizer = ScheduledOptimizer(trajectory.model, self.task.loss)
        for settings in optimizers_of(policy):
            optimizer.enter(settings)

    def course(self, spec: TrialSpec) -> Course:
        """A trial's course before its first epoch; the key says what it may share with whom."""
        return Course(spec.schedule, root_key(self._identity_of(spec)), self.task.steps_per_epoch)

    def prefixes(self, spec: TrialSpec) -> Prefixes:
        """The prefixes that a trial may inherit from."""
        identity = self._identity_of(spec)
        root = root_key(identity)
        if root not in self._prefixes:
            self._prefixes[root] = Prefixes(self._store.shelf(root, identity))
        return self._prefixes[root]

    def _identity_of(self, spec: TrialSpec) -> dict[str, Any]:
        """What the training of a trial and its records depend on beside its settings.

        That is the whole schedule where a probe looks ahead, and the trial's name where nothing is shared.
        """
        if self._identity is None:
            self._identity = self.trajectory(spec.seed).identity()
        identity = self._identity | {"seed": spec.seed}
        if self.epochs_ahead(spec):
            identity |= {"schedule": spec.schedule.to_dict()}
        return identity if self.job.share else identity | {"trial": [self.job.owner, spec.trial_id]}

    @contextmanager
    def bearing_losses(self) -> Iterator[None]:
        """A block that uses the store; where that fails, the search goes on, after some failures without the store."""
        try:
            yield
        except StorageError as error:
            self._problems["unreachable"] += 1
            self._failures += 1
            if self._failures == _MOST_FAILURES:
                self.unshared = str(error)

    def has_stored(self) -> None:
        """The store has taken something: failures before count no more."""
        self._failures = 0

    def new_problems(self) -> dict[str, int]:
        """What went wrong with the store since the last call, by kind."""
        found = self._problems
        self._problems = Counter()
        for prefixes in self._prefixes.values():
            found.update(prefixes.shelf.problems)
            prefixes.shelf.problems.clear()
        return dict(found)
