"""The life of one trial on a worker, without Ray: inherit, replay, advance, store, end.

A trial owns its files. Its rows are written before its state, so that a stored state never lacks the rows that led to
it; rows beyond the state are trained again, to the same values. Taking up an interrupted trial and inheriting from
another one are the same: the longest stored prefix is found by its key, and the rest is trained.
"""

import math
import time
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.results import ENDED, read_epoch_rows, read_trial, write_epochs, write_readings, write_trial
from tune_regimes.search.job import TrialSpec
from tune_regimes.search.readings import WORST
from tune_regimes.search.rows import Row, epoch_row, history_columns, identity_columns, last_phase_epoch
from tune_regimes.search.trial_states import TrialStates
from tune_regimes.search.weights_ahead import weights_ahead
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.course import has_diverged
from tune_regimes.sharing.store import Epoch
from tune_regimes.training import Trajectory


class TrialRun:
    """One trial between its start and its end on a worker.

    Args:
        place: The process that works on it.
        spec: The trial.

    Raises:
        StudyError: If no epoch reports the study's metric.
        StorageError: If the study's folder cannot be read or written.
    """

    def __init__(self, place: Workplace, spec: TrialSpec) -> None:
        self._place, self.job, self.spec = place, place.job, spec
        self._check_metric()
        self._started = time.monotonic()
        self._earlier_wall = 0.0
        self._course = place.course(spec)
        self._root = self._course.key
        self._states = TrialStates(place, spec)
        self._trajectory: Trajectory | None = None
        self.rows: list[Row] = []
        self._history: list[Epoch] = []
        self._replayed = self._written = self._trained = 0
        self.status, self.reason = "running", ""
        self._departed = False
        self._begin()
        self._saved_at = time.monotonic()

    def _check_metric(self) -> None:
        known = [f"{split}_{name}" for split in ("train", "test") for name in ("loss", *self._place.task.metrics)]
        if self.job.metric not in known:
            raise StudyError(
                f"the metric must be a column that every epoch reports: got {self.job.metric!r}; choose from {known}"
            )

    def _begin(self) -> None:
        """Take over what is stored: all rows of a trial that has ended, else the longest prefix."""
        name, trial = self.spec.trial_id, None
        if self._place.storage.exists(f"trials/{name}.parquet"):
            trial = read_trial(self._place.storage, name)
            if trial["status"] in ENDED:
                self.rows = read_epoch_rows(self._place.storage, name)
                self.status, self.reason = trial["status"], trial["reason"] or ""
                self._written = len(self.rows)
                return
            self._earlier_wall = trial["wall_seconds"] or 0.0
        for epoch in self._states.inherited(self._course):
            self._take(epoch)
        if trial is not None and trial["epochs"] and self._history:
            self._states.kept = self._history[-1].key
            self.skip(0 if self.job.repeat_own else trial["epochs"])

    def skip(self, epochs: int) -> None:
        """Do not report that many inherited epochs: the scheduler has seen them."""
        self._replayed = max(self._replayed, min(epochs, len(self.rows)))

    def _take(self, epoch: Epoch) -> bool:
        """Enter an epoch, trained or inherited, and go one epoch further; whether an adaptive policy left its path."""
        before = self._course
        self.rows.append(epoch_row(self.job, self.spec, before, epoch))
        self._history.append(epoch)
        if has_diverged(epoch.record):
            self.status, self.reason = "diverged", f"the loss became non-finite in epoch {len(self.rows)}"
            return False
        self._course = before.after(epoch.record)
        if self._course.over:
            self.status = "completed"
            return False
        departs = self.spec.schedule.adaptive and self._course.phase[1] == 0
        self._departed |= departs
        return departs

    @property
    def epochs_done(self) -> int:
        """Epochs that are known: inherited and trained."""
        return len(self.rows)

    @property
    def epochs_reported(self) -> int:
        """Epochs that the trial has been through, inherited ones included."""
        return self._replayed

    def advance(self) -> dict[str, Any]:
        """Go on until there is something to report: an inherited epoch, epochs worth ``report_every`` seconds, an end.

        Returns:
            The report: ``epoch``, ``status``, ``done``, the study's metric, never a NaN, and what the driver needs.
        """
        self._trained, before = 0, self._replayed
        if before < len(self.rows):
            self._replayed = self._next_replayed()
        due = self._replayed > before and self._acts_on(self._replayed)
        if self._replayed == len(self.rows) and self.status == "running" and not due:
            self._train()
        if self._replayed == len(self.rows) and self.status != "running":
            self._finish()
        return self._report()

    def _next_replayed(self) -> int:
        """The next inherited epoch that the scheduler can act on, or the last."""
        numbers = range(self._replayed + 1, len(self.rows))
        return next((number for number in numbers if self._acts_on(number)), len(self.rows))

    def _acts_on(self, number: int) -> bool:
        """Whether the scheduler may decide something after that many epochs."""
        ladder = self.job.ladder
        return self.job.report_every == 0 if ladder is None else ladder.acts_at(self._progress(self.rows[number - 1]))

    def _train(self) -> None:
        trajectory = self._caught_up()
        began = time.monotonic()
        while True:
            stored = self._train_epoch(trajectory)
            over = self.status != "running" or stored or self._acts_on(len(self.rows))
            if over or time.monotonic() - began >= self.job.report_every:
                break
        self._replayed = len(self.rows)
        if self.status == "running" and time.monotonic() - self._saved_at >= self.job.save_every:
            self.save()

    def _train_epoch(self, trajectory: Trajectory) -> bool:
        """Train one epoch; whether it was one that other trials wait for."""
        record = trajectory.advance(self._course.settings)
        readings = tuple(trajectory.readings)
        departs = self._take(Epoch(self._course.next_key, record, self.job.study, self.spec.trial_id, readings))
        self._trained += 1
        number = len(self.rows)
        if self.status != "running" or not self.job.share:
            return False
        if number in self.spec.branches or departs:
            self._states.publish(self._root, self._history, trajectory, pinned=True)
        elif number in self.spec.ends:
            self._states.publish(self._root, self._history, None, pinned=False)
        elif self.job.keep_every and number % self.job.keep_every == 0:
            self._states.publish(self._root, self._history, trajectory, pinned=False)
        return departs or number in self.spec.branches or number in self.spec.ends

    def _caught_up(self) -> Trajectory:
        """The trajectory after the last row: from the longest stored state that is whole, the rest trained again."""
        if self._trajectory is None:
            ahead = weights_ahead(self._place, self.spec)
            self._trajectory = trajectory = self._place.trajectory(self.spec.seed, ahead)
            self._place.check_quota(trajectory, self.spec.schedule)
            self._place.check_trains(trajectory, self.spec.schedule)
            self._states.restore(trajectory, self._root, self._history)
            if trajectory.epoch < len(self._history):
                self._train_again(trajectory)
        return self._trajectory

    def _train_again(self, trajectory: Trajectory) -> None:
        """Go back to where the trajectory stands, and train what was inherited from there on, to the same values."""
        again, self.rows = self._history[trajectory.epoch :], self.rows[: trajectory.epoch]
        self._history = self._history[: trajectory.epoch]
        self._course = self._place.course(self.spec)
        for epoch in self._history:
            self._course = self._course.after(epoch.record)
        for _ in again:
            self._train_epoch(trajectory)

    def _report(self) -> dict[str, Any]:
        row = self.rows[self._replayed - 1]
        done = self._replayed == len(self.rows) and self.status != "running"
        value = row[self.job.metric]
        if value is None or not math.isfinite(value):
            value = -WORST if self.job.mode == "max" else WORST
        departed, self._departed = self._departed, False
        return {
            "epoch": row["epoch"],
            "training_iteration": row["epoch"],
            self.job.metric: value,
            "status": self.status if done else "running",
            "phase": row["phase"],
            "last_phase_epoch": self._progress(row),
            "epochs_now": self._trained,
            "epochs_ahead": self.spec.schedule.epochs - row["epoch"],
            "published": self._states.published(),
            "departed": departed,
            "problems": self._place.new_problems(),
            "unshared": self._place.unshared,
            "done": done,
        }

    def _progress(self, row: Row) -> int:
        return last_phase_epoch(self.spec.schedule, row)

    def save(self) -> None:
        """Store rows, state and the trial's row, in the order that keeps them consistent."""
        if self._trajectory is not None and self._history[-1].key != self._states.kept:
            self._write_rows()
            self._states.keep(self._history, self._trajectory)
            self._saved_at = time.monotonic()

    def _finish(self) -> None:
        """Write the rows of a trial that has ended, and leave its history to others."""
        if self._written == len(self.rows):
            return
        self._write_rows()
        if self.job.share and self._trajectory is not None:
            self._states.publish(self._root, self._history, None, pinned=False)
        self._states.release()

    def leave(self) -> None:
        """Called when the worker turns to another trial or stops: an unfinished trial is stored as it stands."""
        if self.status != "running" and self._replayed == len(self.rows):
            return
        if self._trajectory is not None and self._trajectory.epoch == len(self.rows) > 0:
            self.save()
        elif self._replayed > self._written:
            self._write_rows()

    def _write_rows(self) -> None:
        rows = self.rows[: self._replayed]
        status = self.status if len(rows) == len(self.rows) else "running"
        write_epochs(self._place.storage, self.spec.trial_id, rows)
        if self.job.probes:
            readings = [epoch.readings for epoch in self._history[: len(rows)]]
            write_readings(self._place.storage, self.spec.trial_id, readings)
        write_trial(self._place.storage, self._trial_row(rows, status))
        self._written = len(rows)

    def _trial_row(self, rows: list[Row], status: str) -> Row:
        return {
            **identity_columns(self.job, self.spec),
            **history_columns(rows),
            "status": status,
            "reason": (self.reason or None) if status == self.status else None,
            "wall_seconds": self._earlier_wall + time.monotonic() - self._started,
        }
