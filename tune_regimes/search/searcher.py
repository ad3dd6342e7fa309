"""The searcher that Ray Tune asks for trials: points, each with all its seeds, stage by stage of what they share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ray.tune.search import Searcher

from tune_regimes.errors import UsageError
from tune_regimes.results import ENDED
from tune_regimes.schedule import Policy
from tune_regimes.search.job import TrialSpec
from tune_regimes.search.points import Outcome, Points
from tune_regimes.search.source import Source
from tune_regimes.search.states import StudyStates
from tune_regimes.sharing.dispatch import Dispatcher, Start

Schedules = Callable[[dict[str, Any]], Policy]


class StudySearcher(Source):
    """Turns points into trials, gives them out as the dispatcher says, and tells what became of each point.

    Where nothing is shared, every trial is a tree of its own.

    Args:
        points: Where configs come from.
        schedule: The study's function from config to schedule or policy.
        seeds: The seeds of every point.
        stored: Rows of the trials table from an earlier run, by trial id.
        replay: Whether ended trials pass the scheduler again, from their stored rows; otherwise they are skipped.
        metric: Column that the study optimises.
        mode: ``"max"`` or ``"min"``.
        share: Whether trials inherit from each other.
        ahead: Points that a sequential source may have open at once.
        at_once: Trials that may run at once, paused ones not counted; None where Ray sees to it.
        states: The driver's side of the store, told of what no trial waits for any more; None where there is none.
    """

    def __init__(
        self,
        points: Points,
        schedule: Schedules,
        seeds: Sequence[int],
        stored: Mapping[str, Mapping[str, Any]],
        *,
        replay: bool,
        metric: str,
        mode: str,
        share: bool = True,
        ahead: int = 1,
        at_once: int | None = None,
        states: StudyStates | None = None,
    ) -> None:
        super().__init__(metric, mode)
        self._points, self._schedule, self._seeds = points, schedule, list(seeds)
        self._stored, self._replay = stored, replay
        self._share, self._ahead, self._store = share, ahead, states
        self._at_once, self._paused = at_once, set[str]()
        self._next_point = 0
        self._dispatcher = Dispatcher()
        self._waiting: dict[str, TrialSpec] = {}
        self._specs: dict[str, TrialSpec] = {}
        self._states: dict[tuple[str, int], tuple[str, str]] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._outcomes: dict[int, dict[int, Outcome]] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial, None where all that are known are held back for what others are training, or FINISHED."""
        start = None
        if self._at_once is not None and len(self._specs) - len(self._paused) >= self._at_once:
            return None
        with self._ending_on_mistakes():
            start = self._next_start()
        if self.mistake is not None or (start is None and not self._waiting and self._all_open):
            return Searcher.FINISHED
        if start is None:
            return None
        spec = self._waiting.pop(str(start.trial))
        self._specs[trial_id] = spec = replace(spec, branches=start.branches, ends=start.ends)
        return spec.to_config()

    def _next_start(self) -> Start | None:
        """Open points until a trial can start; of a sequential source no more than may be open at once."""
        while True:
            start = self._dispatcher.next() if self._points.sequential or self._all_open else None
            if start is not None or self._all_open or (self._points.sequential and self._open_points >= self._ahead):
                return start
            self._open_point(self._next_point)
            self._next_point += 1

    @property
    def _all_open(self) -> bool:
        return self._next_point == self._points.total

    @property
    def _open_points(self) -> int:
        """Points of which a seed is waiting or running."""
        return len({spec.point for spec in (*self._waiting.values(), *self._specs.values())})

    def _open_point(self, point: int) -> None:
        config = self._points.config(point)
        schedule = self._schedule(dict(config))
        for seed in self._seeds:
            spec = TrialSpec(point, seed, config, schedule)
            row = self._stored.get(spec.trial_id)
            if row is not None and row["status"] in ENDED and not self._replay:
                self._note(spec, row[f"final_{self.metric}"], row["status"], row["epochs"] or 0)
            else:
                self._waiting[spec.trial_id] = spec
                self._dispatcher.add(spec.trial_id, seed if self._share else spec.trial_id, schedule.forecast())

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Give out what a report releases, and pass its value on; a diverged or fatal report has none."""
        spec = self._specs.get(trial_id)
        if spec is None or result["status"] == "fatal":
            return
        self._follow(spec.trial_id, result)
        if result["status"] not in ("running", "completed"):
            return
        self._last[trial_id] = result
        with self._ending_on_mistakes():
            self._points.observe(spec.point, spec.seed, int(result["epoch"]), float(result[self.metric]))

    def _follow(self, name: str, result: Mapping[str, Any]) -> None:
        for epoch, root, key in result["published"]:
            self._states[name, epoch] = root, key
        self._dispatcher.reached(name, int(result["epoch"]))
        if result["departed"]:
            self._dispatcher.left(name)
        if result["epochs_now"] or result["done"]:
            self._dispatcher.began(name)
        self._free()

    def _free(self) -> None:
        for place in self._dispatcher.freed:
            if place in self._states and self._store is not None:
                self._store.free(*self._states.pop(place))
        self._dispatcher.freed.clear()

    def on_pause(self, trial_id: str) -> None:
        """A trial is paused at a rung: what it has not reached is given to others, and its place too."""
        if trial_id in self._specs:
            self._paused.add(trial_id)
            self.paused(self._specs[trial_id].trial_id)

    def on_unpause(self, trial_id: str) -> None:
        """A paused trial is taken up again."""
        self._paused.discard(trial_id)

    def paused(self, name: str) -> None:
        """A running trial has been paused: what it has not reached is given to others."""
        self._dispatcher.left(name)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Note the outcome of a trial; the last seed of a point settles the point.

        Ray passes the last result here only. A paused trial that the scheduler gives up comes without one.
        """
        if result is not None:
            self.on_trial_result(trial_id, result)
        last = self._last.pop(trial_id, None)
        spec = self._specs.pop(trial_id, None)
        self._paused.discard(trial_id)
        if spec is None:
            return
        self._dispatcher.left(spec.trial_id)
        self._dispatcher.began(spec.trial_id)
        self._free()
        if self._store is not None:
            self._store.ended(spec.trial_id)
        result = last if result is None else result
        if error or result is None:
            result = {self.metric: 0.0, "status": "failed", "epoch": 0}
        if result["status"] == "fatal":
            return
        status = "pruned" if result["status"] == "running" else str(result["status"])
        with self._ending_on_mistakes():
            self._note(spec, float(result[self.metric]), status, int(result["epoch"]))

    def _note(self, spec: TrialSpec, value: float | None, status: str, epochs: int) -> None:
        outcomes = self._outcomes.setdefault(spec.point, {})
        outcomes[spec.seed] = Outcome(value if status in ("completed", "pruned") else None, status, epochs)
        if len(outcomes) == len(self._seeds):
            self._points.tell(spec.point, outcomes)

    @contextmanager
    def _ending_on_mistakes(self) -> Iterator[None]:
        try:
            yield
        except UsageError as error:
            self.mistake = error

    def close(self) -> None:
        """To be called when the run has ended, interrupted or not.

        Raises:
            UsageError: If what the points have learnt could not be stored.
        """
        self._points.close()
