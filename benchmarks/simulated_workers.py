"""Asynchronous workers that train recorded curves under a real scheduler of Ray's, in simulated time.

What Ray's controller does is done here in its order: a free worker asks the searcher for one more trial, the scheduler
for the trial to start, and the scheduler again after every epoch.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from recorded_curves import Curve


@dataclass
class SimulatedTrial:
    """What a scheduler sees of a trial, and where it stands.

    Attributes:
        curve: What it reports.
        status: As Ray names it.
        epoch: Epochs trained.
    """

    curve: Curve
    status: str = "PENDING"
    epoch: int = 0

    @property
    def trial_id(self) -> str:
        """Its name."""
        return self.curve.trial_id

    @property
    def stopped(self) -> bool:
        """Whether the scheduler ended it."""
        return self.status == "TERMINATED" and self.epoch < self.curve.epochs


class Workers:
    """A few workers and a queue of trials; stands in for Ray's controller.

    Args:
        scheduler: A fresh scheduler of Ray's.
        curves: The trials, in the order in which they arrive.
        workers: Trials at once.
        rng: Draws how long every epoch takes: log-normal, with a standard deviation of about a tenth.
        share: Whether an epoch that another trial has trained with the same settings from the beginning costs nothing.
    """

    search_alg: Any = None

    def __init__(
        self, scheduler: Any, curves: Sequence[Curve], workers: int, rng: random.Random, *, share: bool = False
    ) -> None:
        self.scheduler, self._rng, self._share = scheduler, rng, share
        self._queue = list(reversed(curves))
        self.started: list[SimulatedTrial] = []
        self._free, self._now = workers, 0.0
        self._events: list[tuple[float, int, SimulatedTrial]] = []
        self._known: set[int] = set()
        self.trained = 0

    def get_trials(self) -> list[SimulatedTrial]:
        """All trials that the searcher has given out."""
        return self.started

    def stop_trial(self, trial: SimulatedTrial) -> None:
        """End a trial that is not running."""
        self.scheduler.on_trial_remove(self, trial)
        trial.status = "TERMINATED"

    def run(self) -> Iterator[None]:
        """Train to the end; yields after every epoch that was trained."""
        self._fill()
        while self._events:
            self._now, _, trial = heapq.heappop(self._events)
            trial.epoch += 1
            known = trial.curve.prefixes[trial.epoch - 1] in self._known
            self._known.add(trial.curve.prefixes[trial.epoch - 1])
            self._report(trial)
            if not (known and self._share):
                self.trained += 1
                yield
            self._fill()

    def _report(self, trial: SimulatedTrial) -> None:
        result = trial.curve.result(trial.epoch)
        done = trial.epoch == trial.curve.epochs
        action = "STOP" if done else self.scheduler.on_trial_result(self, trial, result)
        if action == "CONTINUE":
            self._train(trial)
            return
        self._free += 1
        if action == "PAUSE":
            trial.status = "PAUSED"
        else:
            self.scheduler.on_trial_complete(self, trial, result)
            trial.status = "TERMINATED"

    def _fill(self) -> None:
        while self._free:
            if self._queue and not any(trial.status == "PENDING" for trial in reversed(self.started)):
                self.started.append(SimulatedTrial(self._queue.pop()))
                self.scheduler.on_trial_add(self, self.started[-1])
            trial = self.scheduler.choose_trial_to_run(self)
            if trial is None:
                return
            trial.status = "RUNNING"
            self._free -= 1
            self._train(trial)

    def _train(self, trial: SimulatedTrial) -> None:
        again = trial.epoch < trial.curve.epochs and trial.curve.prefixes[trial.epoch] in self._known and self._share
        takes = 0.0 if again else self._rng.lognormvariate(0.0, 0.1)
        heapq.heappush(self._events, (self._now + takes, self._rng.getrandbits(32), trial))
