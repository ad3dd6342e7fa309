"""The life of one trial on a worker, without Ray: resume, advance, store, end.

A trial owns its files. Its rows are written before its state, so that a stored state never lacks the rows that led to
it; rows beyond the state are trained again, to the same values.
"""

import math
import time
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.results import ENDED, read_epoch_rows, read_trial, write_epochs, write_trial
from tune_regimes.search.job import Job, TrialSpec
from tune_regimes.search.rows import Row, epoch_row, history_columns, identity_columns
from tune_regimes.sharing.fingerprint import key_chain, root_key
from tune_regimes.sharing.store import TrialStates
from tune_regimes.storage import Storage
from tune_regimes.tasks import Task
from tune_regimes.training import Numerics, Trajectory, state_from_bytes, state_to_bytes

# What a diverged trial reports in place of a value that is not finite: worse than any result, and still a number.
WORST = 1e30


class TrialRun:
    """One trial between its start and its end on a worker.

    Args:
        job: What all trials of the study share.
        spec: The trial.
        task: The built task (built once per process).

    Raises:
        StudyError: If no epoch reports the study's metric.
        StorageError: If the study's folder cannot be read or written.
    """

    def __init__(self, job: Job, spec: TrialSpec, task: Task) -> None:
        self.job, self.spec = job, spec
        self._check_metric(task)
        self._storage = Storage(job.storage)
        self._started = time.monotonic()
        self._earlier_wall = 0.0
        self._trajectory = Trajectory(task, seed=spec.seed, device=job.device, numerics=Numerics(threads=job.threads))
        self._keys = key_chain(root_key(self._trajectory.identity()), spec.schedule, self._trajectory.steps_per_epoch)
        self._states = TrialStates(self._storage, spec.trial_id)
        self.rows: list[Row] = []
        self._replayed = 0
        self.status, self.reason = "running", ""
        self._resume()
        self._saved_at = time.monotonic()

    def _check_metric(self, task: Task) -> None:
        known = [f"{split}_{name}" for split in ("train", "test") for name in ("loss", *task.metrics)]
        if self.job.metric not in known:
            raise StudyError(
                f"the metric must be a column that every epoch reports: got {self.job.metric!r}; choose from {known}"
            )

    def _resume(self) -> None:
        """Take up where the stored rows and state leave off; a trial that has ended is only replayed."""
        if not self._storage.exists(f"trials/{self.spec.trial_id}.parquet"):
            return
        trial = read_trial(self._storage, self.spec.trial_id)
        rows = read_epoch_rows(self._storage, self.spec.trial_id)
        if trial["status"] in ENDED:
            self.rows, self.status, self.reason = rows, trial["status"], trial["reason"] or ""
            return
        found = self._states.longest(self._keys[: len(rows) + 1])
        if found is not None:
            epoch, payload = found
            self._trajectory.restore(state_from_bytes(payload))
            self.rows, self._earlier_wall = rows[:epoch], trial["wall_seconds"] or 0.0
            self._replayed = epoch

    @property
    def epochs_done(self) -> int:
        """Epochs that the trial has been through, replayed ones included."""
        return len(self.rows)

    def advance(self) -> dict[str, Any]:
        """Go on until there is something to report: epochs worth ``report_every`` seconds, or the end.

        Returns:
            The report: ``epoch``, ``status``, ``done`` and the study's metric, never a NaN.
        """
        if self._replayed < len(self.rows):
            self._replayed += 1
            done = self._replayed == len(self.rows) and self.status != "running"
            return self._report(self.rows[self._replayed - 1], done=done, trained=0)
        began, before = time.monotonic(), len(self.rows)
        while True:
            self._train_epoch()
            if self.status != "running":
                self.finish()
                break
            if time.monotonic() - began >= self.job.report_every:
                break
        if self.status == "running" and time.monotonic() - self._saved_at >= self.job.save_every:
            self.save()
        return self._report(self.rows[-1], done=self.status != "running", trained=len(self.rows) - before)

    def _train_epoch(self) -> None:
        epoch = self._trajectory.epoch
        settings = self.spec.schedule.settings(epoch, self._trajectory.steps_per_epoch)
        record = self._trajectory.advance(settings)
        self.rows.append(epoch_row(self.spec, epoch, settings, record))
        self._replayed = len(self.rows)
        if self._trajectory.diverged:
            self.status = "diverged"
            self.reason = f"the loss became non-finite in epoch {epoch + 1}"
        elif self._trajectory.epoch == self.spec.schedule.epochs:
            self.status = "completed"

    def _report(self, row: Row, *, done: bool, trained: int) -> dict[str, Any]:
        value = row[self.job.metric]
        if value is None or not math.isfinite(value):
            value = -WORST if self.job.mode == "max" else WORST
        return {
            "epoch": row["epoch"],
            "training_iteration": row["epoch"],
            self.job.metric: value,
            "status": self.status if done else "running",
            "epochs_now": trained,
            "epochs_ahead": self.spec.schedule.epochs - row["epoch"],
            "done": done,
        }

    def save(self) -> None:
        """Store rows, state and the trial's row, in the order that keeps them consistent."""
        self._write_rows()
        self._states.publish(self._keys[len(self.rows)], state_to_bytes(self._trajectory.capture()))
        self._saved_at = time.monotonic()

    def finish(self) -> None:
        """Write the rows of a trial that has ended and drop its states."""
        self._write_rows()
        self._states.clear()

    def leave(self) -> None:
        """Called when the worker turns to another trial or stops: an unfinished trial is stored as it stands."""
        if self.status == "running" and self._trajectory.epoch == len(self.rows) > 0:
            self.save()

    def _write_rows(self) -> None:
        write_epochs(self._storage, self.spec.trial_id, self.rows)
        write_trial(self._storage, self._trial_row())

    def _trial_row(self) -> Row:
        return {
            **identity_columns(self.job, self.spec),
            **history_columns(self.rows),
            "status": self.status,
            "reason": self.reason or None,
            "wall_seconds": self._earlier_wall + time.monotonic() - self._started,
        }
