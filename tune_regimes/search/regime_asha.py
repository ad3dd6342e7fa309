"""RegimeASHA: asynchronous successive halving that compares like with like, for any Tuner of Ray's."""

from collections.abc import Mapping
from typing import Any

from ray.tune import Callback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_regimes.errors import StudyError
from tune_regimes.search.readings import SIGNS, Reading, ResultKeys
from tune_regimes.search.rungs import Ladder, Place, Rungs

VARIANTS = ("stop", "promote")
_ACTIVE = ("RUNNING", "PENDING")


class RegimeASHA(FIFOScheduler):
    """Asynchronous successive halving on progress within the last phase.

    A trial in its large-step phase always looks worse than one that has dropped. Trials are therefore compared by the
    epochs since their last transition, never in an earlier phase: no epoch before it enters any decision.

    - Rungs are at ``grace_period * reduction_factor**k`` epochs of the last phase.
    - The cohort of a trial at a rung: all trials that have been at this rung with a remaining budget of at least
      ``1 / budget_ratio`` and at most ``budget_ratio`` times its own. Under a fixed number of epochs the later its
      transition, the less is left to a trial, and the more it has trained: exactly equal budgets would mean equal
      transition epochs, and cohorts of one; no condition would let late transitions stop early ones, which have more to
      gain.
    - A trial of a cohort of n goes on if it is among the best ``n // reduction_factor``; ties go on.
    - It also goes on where its end is near: a stop that would save less than ``1 / reduction_factor`` of the epochs
      trained so far saves little, and ends trials with a late transition for the noise of one epoch.
    - A metric that is not finite (or is the value ±1e30 of a diverged trial) stops a trial in any phase, and enters
      no rung.

    Adaptive schedules, whose last phase is not known ahead: progress starts anew at each drop, and cohorts hold trials
    in the same phase only (after the k-th drop with after the k-th drop) and, where ``cohort_attr`` is reported, of the
    same cohort. Before its first drop an adaptive trial has no progress and is not compared.

    Variants: ``"stop"`` stops a trial that is not among the best; a cohort smaller than ``reduction_factor`` stops no
    trial. ``"promote"`` pauses a trial at its rung and takes it up once it is among the best (the classical ASHA). When
    nothing runs and nothing else can start, no cohort can grow any more: the best of each small cohort goes on too, and
    when there is none, all paused trials end. It needs a trainable that stores checkpoints. Limit the trials at once by
    their resources: Ray's ``max_concurrent_trials`` counts paused ones too (a searcher that counts for itself is told
    by its methods ``on_pause`` and ``on_unpause``, if it has them).

    Args:
        grace_period: Epochs of the last phase before the first comparison. 1 suits data sets where an epoch after the
            drop tells most (CIFAR-10); more where an epoch is a few steps.
        reduction_factor: Ratio between two rungs, and between the trials at a rung and those that go on.
        variant: ``"stop"`` or ``"promote"``.
        budget_ratio: Largest ratio of remaining budgets within a cohort; ``math.inf`` compares by progress alone.
        metric: Key of the metric, unless the Tuner has it.
        mode: ``"max"`` or ``"min"``, unless the Tuner has it.
        time_attr: Key of a result that holds the epochs trained.
        progress_attr: Key of the epochs completed in the last phase, 0 before.
        remaining_attr: Key of the epochs to the end of the trial; None compares by progress alone.
        phase_attr: Key of the number of the phase; results may lack it, None ignores it.
        cohort_attr: Key of anything else that a cohort must have in common; results may lack it, None ignores it.

    Raises:
        StudyError: If an argument cannot be used; while running, if a result lacks a key.

    Examples:
        In a Tuner of one's own, with rungs that survive ``Tuner.restore`` (Ray does not restore schedulers)::

            scheduler = RegimeASHA(remaining_attr="epochs_left", progress_attr="epochs_since_drop")
            tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(metric="accuracy", mode="max", scheduler=scheduler, num_samples=64),
                run_config=tune.RunConfig(callbacks=[scheduler.keep_rungs()]),
            )

    References:
        benchmarks/results/pruning.md: what these rules cost and bring on recorded curves, beside Ray's ASHA.

        Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020 (ASHA).
    """

    def __init__(
        self,
        *,
        grace_period: float = 1,
        reduction_factor: float = 3,
        variant: str = "stop",
        budget_ratio: float = 2.0,
        metric: str | None = None,
        mode: str | None = None,
        time_attr: str = "epoch",
        progress_attr: str = "last_phase_epoch",
        remaining_attr: str | None = "epochs_ahead",
        phase_attr: str | None = "phase",
        cohort_attr: str | None = "cohort",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        _check_arguments(grace_period, reduction_factor, variant, budget_ratio, mode)
        self.ladder = Ladder(grace_period, reduction_factor)
        self._reduction_factor, self._variant = reduction_factor, variant
        self._metric, self._mode = metric, mode
        self._keys = ResultKeys(time_attr, progress_attr, remaining_attr, phase_attr, cohort_attr)
        self._rungs = Rungs(self.ladder, budget_ratio)
        self._trials: dict[str, Any] = {}
        self._held: dict[str, Place] = {}
        self._taken_up: set[str] = set()
        self._remembered: list[tuple[str, dict[str, Any]]] = []
        self._stopped = 0
        self._supports_buffered_results = variant == "stop"

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self._arguments.items())
        return f"RegimeASHA({arguments})"

    @property
    def pauses(self) -> bool:
        """Whether trials are paused at their rungs instead of stopped."""
        return self._variant == "promote"

    def fresh(self) -> "RegimeASHA":
        """A scheduler with the same arguments that has seen nothing: one instance serves one run."""
        return RegimeASHA(**self._arguments)

    def acts_at(self, progress: float) -> bool:
        """Whether a result with this progress in the last phase can decide anything; a replay may leave out others."""
        return self.ladder.acts_at(progress)

    def remember(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Enter a stored result of a trial that has ended, in the order of its epochs, without any decision.

        It may be called before the Tuner has set metric and mode. What could not be acted on need not be given.
        """
        if self.acts_at(self._keys.progress_of(result)):
            self._remembered.append((trial_id, dict(result)))

    def keep_rungs(self) -> Callback:
        """A callback for the same Tuner that carries the rungs over ``Tuner.restore``."""
        return _KeptRungs(self)

    def get_state(self) -> dict[str, Any]:
        """The rungs and the trials that wait at them."""
        return {"rungs": self._rungs.get_state(), "held": dict(self._held)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another instance."""
        self._rungs.set_state(state["rungs"])
        self._held = dict(state["held"])

    # What Ray calls.

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Take metric and mode from the Tuner; False if they are given twice."""
        if (self._metric and metric) or (self._mode and mode):
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Note a trial."""
        if not self._metric or self._mode not in SIGNS:
            raise StudyError(
                f"RegimeASHA needs a metric and a mode of 'max' or 'min'; got metric {self._metric!r}, mode "
                f"{self._mode!r}: pass them to tune.TuneConfig(), or to RegimeASHA()"
            )
        for name, result in self._remembered:
            reading = self._read(result)
            if reading is not None:
                self._rungs.enter(name, reading)
        self._remembered.clear()
        self._trials[trial.trial_id] = trial

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Decide about a trial at a rung."""
        name, reading = trial.trial_id, self._read(result)
        if reading is None:
            return self._stop(name)
        entered = self._rungs.enter(name, reading)
        if entered is not None:
            self._held[name] = entered
        place = self._held.get(name)
        if place is None:
            return TrialScheduler.CONTINUE
        standing = self._rungs.standing(name, place)
        small = self._variant == "stop" and standing.size < self._reduction_factor
        if small or self._near_end(reading) or standing.among_best(self._reduction_factor):
            del self._held[name]
            return TrialScheduler.CONTINUE
        if self._variant == "stop":
            return self._stop(name)
        _tell_searcher(tune_controller, "on_pause", name)
        return TrialScheduler.PAUSE

    def _read(self, result: Mapping[str, Any]) -> Reading | None:
        assert self._metric is not None
        return self._keys.read(result, self._metric, str(self._mode))

    def _stop(self, name: str) -> str:
        self._stopped += 1
        self._held.pop(name, None)
        return TrialScheduler.STOP

    def _near_end(self, reading: Reading) -> bool:
        return self._keys.remaining is not None and reading.remaining * self._reduction_factor < reading.time

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A trial has failed; where it is tried again, what it repeats changes nothing."""
        self._forget(trial)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """A trial has ended."""
        self._forget(trial)
        self._held.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial that did not run has ended."""
        self.on_trial_complete(tune_controller, trial, {})

    def _forget(self, trial: Any) -> None:
        self._trials.pop(trial.trial_id, None)
        self._rungs.left(trial.trial_id)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The trial to start next: one that is taken up before a new one."""
        if self._variant == "stop":
            return super().choose_trial_to_run(tune_controller)  # type: ignore[no-untyped-call]
        trials = list(self._trials.values())
        self._taken_up = {trial.trial_id for trial in trials if trial.trial_id in self._taken_up and _waits(trial)}
        waiting = [trial for trial in trials if _waits(trial) and trial.trial_id not in self._held]
        first = next((trial for trial in waiting if trial.trial_id in self._taken_up), None)
        chosen = first or self._take_up(tune_controller) or next(iter(waiting), None)
        if chosen is not None or any(trial.status in _ACTIVE for trial in trials):
            return chosen
        last = self._take_up(tune_controller, closed=True)
        if last is None:
            self._end_paused(tune_controller)
        return last

    def _take_up(self, tune_controller: Any, *, closed: bool = False) -> Any:
        """The best paused trial of the highest rung from which one can go on, which it then does."""
        best: dict[tuple[Place, float], str] = {}
        for name, place in self._held.items():
            if name in self._trials and self._trials[name].status == "PAUSED":
                remaining, score = self._rungs.entry(name, place)
                rival = best.setdefault((place, remaining), name)
                if score > self._rungs.entry(rival, place)[1]:
                    best[place, remaining] = name
        for name in sorted(best.values(), key=lambda name: -self._held[name][1]):
            if self._rungs.standing(name, self._held[name]).among_best(self._reduction_factor, closed=closed):
                del self._held[name]
                self._taken_up.add(name)
                _tell_searcher(tune_controller, "on_unpause", name)
                return self._trials[name]
        return None

    def _end_paused(self, tune_controller: Any) -> None:
        """End what has been paused for good: nothing runs, and nothing else can start."""
        for name in [name for name in self._held if name in self._trials]:
            self._stopped += 1
            tune_controller.stop_trial(self._trials[name])

    def debug_string(self) -> str:
        """How many trials have been at each rung."""
        sizes = ", ".join(f"{kind} rung {level}: {len(entries)}" for (kind, level), entries in self._rungs)
        return f"Using RegimeASHA ({self._variant}): stopped={self._stopped}, waiting={len(self._held)}; {sizes}"


class _KeptRungs(Callback):
    """Carries the rungs of a scheduler over `Tuner.restore`, which restores callbacks but no schedulers."""

    def __init__(self, scheduler: RegimeASHA) -> None:
        self._scheduler = scheduler

    def get_state(self) -> dict[str, Any]:
        return self._scheduler.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self._scheduler.set_state(state)


def _waits(trial: Any) -> bool:
    return trial.status in ("PENDING", "PAUSED")


def _tell_searcher(tune_controller: Any, hook: str, name: str) -> None:
    """Call a hook of the innermost searcher, if it has it: Ray itself counts a paused trial as running."""
    searcher = tune_controller.search_alg
    while hasattr(searcher, "searcher"):
        searcher = searcher.searcher
    getattr(searcher, hook, lambda name: None)(name)


def _check_arguments(
    grace_period: float, reduction_factor: float, variant: str, budget_ratio: float, mode: str | None
) -> None:
    if not grace_period > 0:
        raise StudyError(f"grace_period must be a positive number of epochs; got {grace_period!r}")
    if not reduction_factor > 1:
        raise StudyError(f"reduction_factor must be larger than 1, such as 3; got {reduction_factor!r}")
    if variant not in VARIANTS:
        raise StudyError(f"variant must be one of {', '.join(VARIANTS)}; got {variant!r}")
    if not budget_ratio >= 1:
        raise StudyError(f"budget_ratio must be at least 1 (equal budgets only), such as 2; got {budget_ratio!r}")
    if mode not in (None, *SIGNS):
        raise StudyError(f"mode must be 'max' or 'min', or None to take the Tuner's; got {mode!r}")
