"""What sharing will save, before anything runs: the dispatcher driven through a study whose epochs all last as long."""

import heapq
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from tune_regimes.schedule import Schedule
from tune_regimes.sharing.dispatch import Dispatcher, Start
from tune_regimes.sharing.tree import StageTree

Trial = Hashable


@dataclass(frozen=True)
class Assignment:
    """What one trial trains.

    Attributes:
        trial: Its name.
        seed: Its seed.
        source: The trial that it inherits from, or None.
        inherited: Epochs that it inherits.
        epochs: Epochs of its whole schedule.
        branches: Epochs after which its state is stored for others.
        begins: When it begins, in epochs since the study began.
    """

    trial: Trial
    seed: Hashable
    source: Trial | None
    inherited: int
    epochs: int
    branches: tuple[int, ...]
    begins: int


@dataclass(frozen=True)
class Plan:
    """Who trains what, and what that costs.

    Attributes:
        assignments: One for each trial, in the order in which they begin.
        workers: Trials at once.
        asked: Epochs of all schedules.
        distinct: Distinct prefixes of all schedules: the epochs that have to be trained.
        trained: Epochs that are trained.
        span: Duration on that many workers, in epochs.
        span_unshared: Duration if every trial trains all its epochs, in epochs.
        states: States that are stored for other trials.
        states_at_once: The most of them that are needed at the same time.
        tree: The stage tree.
    """

    assignments: tuple[Assignment, ...]
    workers: int
    asked: int
    distinct: int
    trained: int
    span: int
    span_unshared: int
    states: int
    states_at_once: int
    tree: StageTree

    @property
    def saving(self) -> float:
        """Share of the epochs asked for that are not trained."""
        return 1.0 - self.trained / self.asked if self.asked else 0.0


def make_plan(trials: Iterable[tuple[Trial, Hashable, Schedule]], workers: int) -> Plan:
    """Plan a study.

    Args:
        trials: Name, seed and schedule of each; of an adaptive policy, its forecast.
        workers: Trials at once.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> def schedule(transition):
        ...     return Schedule((Phase(lr=0.1, epochs=transition), Phase(lr=0.01, epochs=6 - transition)))
        >>> plan = make_plan([(f"at {n}", 0, schedule(n)) for n in (2, 4, 5)], workers=2)
        >>> plan.asked, plan.trained, plan.distinct, plan.span
        (18, 12, 12, 8)
    """
    listed = list(trials)
    dispatcher = Dispatcher()
    for trial, seed, schedule in listed:
        dispatcher.add(trial, seed, schedule)
    lengths = {trial: schedule.epochs for trial, _, schedule in listed}
    seeds = {trial: seed for trial, seed, _ in listed}
    run = _Simulation(dispatcher, lengths)
    run.to_the_end(workers)
    return Plan(
        assignments=tuple(
            Assignment(
                start.trial, seeds[start.trial], start.source, start.epoch, lengths[start.trial], start.branches, at
            )
            for start, at in run.starts
        ),
        workers=workers,
        asked=dispatcher.tree.asked,
        distinct=dispatcher.tree.distinct,
        trained=sum(lengths[start.trial] - start.epoch for start, _ in run.starts),
        span=run.now,
        span_unshared=_span(lengths.values(), workers),
        states=sum(len(start.branches) for start, _ in run.starts),
        states_at_once=run.most_held,
        tree=dispatcher.tree,
    )


class _Simulation:
    """A study on workers that all train one epoch in one unit of time, and do all else in none."""

    def __init__(self, dispatcher: Dispatcher, lengths: Mapping[Trial, int]) -> None:
        self._dispatcher, self._lengths = dispatcher, lengths
        self._events: list[tuple[int, int, Trial, int]] = []
        self._ticket = count()
        self._busy = self._held = 0
        self.now = self.most_held = 0
        self.starts: list[tuple[Start, int]] = []

    def to_the_end(self, workers: int) -> None:
        self._fill(workers)
        while self._events:
            self.now, _, trial, epoch = heapq.heappop(self._events)
            self._dispatcher.reached(trial, epoch)
            if epoch == self._lengths[trial]:
                self._dispatcher.left(trial)
                self._busy -= 1
            self._fill(workers)

    def _fill(self, workers: int) -> None:
        while self._busy < workers and (start := self._dispatcher.next()) is not None:
            self.starts.append((start, self.now))
            self._busy += 1
            self._dispatcher.began(start.trial)
            self._hold(len(start.branches) - len(self._dispatcher.freed))
            self._dispatcher.freed.clear()
            for epoch in {*start.branches, *start.ends, self._lengths[start.trial]}:
                when = self.now + max(0, epoch - start.epoch)
                heapq.heappush(self._events, (when, next(self._ticket), start.trial, epoch))

    def _hold(self, states: int) -> None:
        self._held += states
        self.most_held = max(self.most_held, self._held)


def _span(lengths: Iterable[int], workers: int) -> int:
    """Duration of independent trials, each begun in order by the first worker that is free."""
    free = [0] * workers
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)
