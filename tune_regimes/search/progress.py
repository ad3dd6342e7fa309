"""What a study is doing, for a display to show, and the hook through which Ray tells."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ray.tune import Callback

from tune_regimes import errors
from tune_regimes.errors import UsageError
from tune_regimes.search.job import trial_id
from tune_regimes.search.stopping import StopSwitch

_PROBLEMS = {
    "damaged": "{number} stored entries were damaged and ignored; what they held was trained again.",
    "foreign": "{number} stored entries of another version were ignored.",
    "unreachable": "The store could not be read or written {number} times; what was missed was trained again.",
    "no_room": "{number} states were not stored for lack of room under the quota; what waited for them was trained "
    "again. A larger quota avoids that.",
}
"""What is said of each problem with the store."""


@dataclass(frozen=True)
class Progress:
    """A snapshot of a running study.

    Attributes:
        trials: Number of trials the study has in all, those of earlier runs included.
        states: Trials by state: waiting, running, completed, pruned, diverged, failed.
        epochs: Epochs trained in this run.
        epochs_inherited: Epochs taken over in this run instead of trained.
        epochs_left: Epochs that remain at the most.
        elapsed: Seconds since this run began.
        epochs_per_second: Epochs trained per second over all workers, from the first report on, so without their start.
        best: The best value of the metric among trials that have completed, or None.
        best_trial: Its trial.
        notes: What the user should know of how the study ran, each once.
    """

    trials: int
    states: Mapping[str, int] = field(default_factory=dict)
    epochs: int = 0
    epochs_inherited: int = 0
    epochs_left: int = 0
    elapsed: float = 0.0
    epochs_per_second: float = 0.0
    best: float | None = None
    best_trial: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end, if epochs are inherited as often as so far; None before there is a rate."""
        gone = self.epochs + self.epochs_inherited
        if not self.epochs_per_second or not gone:
            return None
        return self.epochs_left * (self.epochs / gone) / self.epochs_per_second


class ProgressCallback(Callback):
    """Keeps the `Progress` of a study and throws the switch on a worker's fatal mistake.

    Attributes:
        progress: What is known so far.
        ended_here: Config, status and reason of the trials whose end only the driver knows: pruned and failed ones.
        dropped: Whether Ray gave up a trial although it had just decided to start it again. It counts the death of a
            worker twice when it finds the worker dead while handing it the next trial, and the second count meets a
            trial that waits, which to Ray is beyond recovery.
    """

    def __init__(
        self,
        start: Progress,
        metric: str,
        mode: str,
        switch: StopSwitch,
        on_progress: Callable[[Progress], None] | None,
        about: Sequence[str] = (),
    ) -> None:
        self.progress = start
        self._about = list(about)
        self._unshared = ""
        self._problems: Counter[str] = Counter()
        self._epochs: dict[str, int] = {}
        self.ended_here: dict[str, tuple[dict[str, Any], str, str]] = {}
        self.dropped = False
        self._recovered: dict[str, int] = {}
        self._metric, self._mode = metric, mode
        self._switch, self._on_progress = switch, on_progress
        self._began = self._shown = time.monotonic()
        self._elapsed_before = start.elapsed
        self._first_report: tuple[float, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what shows the progress: Ray pickles its callbacks, and a display holds a terminal."""
        return {**self.__dict__, "_on_progress": None}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Count the epochs that a report brings, and note what went wrong with the store."""
        if result["status"] == "fatal":
            kind = getattr(errors, result["error"], UsageError)
            self._switch.mistake = kind(result["reason"])
            return
        if self._first_report is None and result["epochs_now"]:
            self._first_report = time.monotonic(), self.progress.epochs + result["epochs_now"]
        name = trial_name(trial)
        gone = max(0, result["epoch"] - self._epochs.get(name, 0))
        self._epochs[name] = max(result["epoch"], self._epochs.get(name, 0))
        self.progress = replace(
            self.progress,
            epochs=self.progress.epochs + result["epochs_now"],
            epochs_inherited=self.progress.epochs_inherited + max(0, gone - result["epochs_now"]),
            epochs_left=self.progress.epochs_left - gone,
        )
        self._problems.update(result["problems"])
        if result["unshared"] and not self._unshared:
            self._unshared = result["unshared"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences."""
        found = [f"{what[:1].upper()}{what[1:]}." for what in self._about]
        if self._unshared:
            found.append(f"Trials went on without sharing: {self._unshared}.")
        found += [_PROBLEMS[kind].format(number=number) for kind, number in sorted(self._problems.items())]
        return tuple(found)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count a trial by how it ended; one that the scheduler stopped is pruned."""
        result = trial.last_result or {}
        status = result.get("status", "running")
        if status == "fatal":
            return
        if status == "running":
            status = "pruned"
            reason = f"stopped by the scheduler after epoch {result.get('epoch', 0)}"
            self.ended_here[trial_name(trial)] = (dict(trial.config), status, reason)
        self._count(status, result.get("epochs_ahead", 0))
        if status == "completed":
            self._note_best(trial_name(trial), float(result[self._metric]))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note at which event Ray decided to start a trial again."""
        self._recovered[trial_name(trial)] = iteration

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Keep why a trial failed after its last retry, or that the event that fails it was to start it again."""
        name = trial_name(trial)
        self.dropped |= self._recovered.get(name) == iteration
        self.ended_here[name] = (dict(trial.config), "failed", _why_failed(trial))
        self._count("failed", (trial.last_result or {}).get("epochs_ahead", 0))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Show the progress at most twice a second."""
        now = time.monotonic()
        if self._on_progress is None or now - self._shown < 0.5:
            return
        self._shown = now
        self._on_progress(self.snapshot(sum(trial.status == "RUNNING" for trial in trials)))

    def snapshot(self, running: int = 0) -> Progress:
        """The progress as of now."""
        states = dict(self.progress.states)
        ended = sum(states.values())
        states |= {"running": running, "waiting": max(0, self.progress.trials - ended - running)}
        now = time.monotonic()
        return replace(
            self.progress,
            states=states,
            epochs_left=max(0, self.progress.epochs_left),
            elapsed=self._elapsed_before + now - self._began,
            epochs_per_second=self._rate(now),
            notes=self.notes,
        )

    def _rate(self, now: float) -> float:
        if self._first_report is None:
            return 0.0
        since, epochs = self._first_report
        return (self.progress.epochs - epochs) / (now - since) if now > since else 0.0

    def _count(self, status: str, epochs_ahead: int) -> None:
        states = dict(self.progress.states)
        states[status] = states.get(status, 0) + 1
        self.progress = replace(self.progress, states=states, epochs_left=self.progress.epochs_left - epochs_ahead)

    def _note_best(self, name: str, value: float) -> None:
        best = self.progress.best
        if best is None or (value > best if self._mode == "max" else value < best):
            self.progress = replace(self.progress, best=value, best_trial=name)


def _why_failed(trial: Any) -> str:
    """The last line of the error; Ray brings its file to where `get_error` looks only later."""
    path = trial.error_file
    text = Path(path).read_text() if path and Path(path).exists() else trial.get_error()
    lines = [line for line in str(text or "unknown error").splitlines() if line.strip()]
    return lines[-1].strip()


def trial_name(trial: Any) -> str:
    """Our name of a trial of Ray's."""
    return trial_id(trial.config["point"], trial.config["seed"])
