"""The searcher that Ray Tune asks for trials: points in order, each with all its seeds, ended ones left out."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ray.tune.search import Searcher

from tune_regimes.errors import UsageError
from tune_regimes.results import ENDED
from tune_regimes.schedule import Schedule
from tune_regimes.search.job import TrialSpec
from tune_regimes.search.points import Outcome, Points


class StudySearcher(Searcher):
    """Turns points into trials and tells each point's outcome once all its seeds have ended.

    Args:
        points: Where configs come from.
        schedule: The study's function from config to schedule.
        seeds: The seeds of every point.
        stored: Rows of the trials table from an earlier run, by trial id.
        replay: Whether ended trials pass the scheduler again, from their stored rows; otherwise they are skipped.
        metric: Column that the study optimises.
        mode: ``"max"`` or ``"min"``.
    """

    def __init__(
        self,
        points: Points,
        schedule: Callable[[dict[str, Any]], Schedule],
        seeds: Sequence[int],
        stored: Mapping[str, Mapping[str, Any]],
        *,
        replay: bool,
        metric: str,
        mode: str,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._points, self._schedule, self._seeds = points, schedule, list(seeds)
        self._stored, self._replay = stored, replay
        self._next_point = 0
        self._queue: deque[TrialSpec] = deque()
        self._specs: dict[str, TrialSpec] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._outcomes: dict[int, dict[int, Outcome]] = {}
        self.mistake: UsageError | None = None

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Ray's own param space is empty: the points hold it."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """The next trial that has not ended, or FINISHED."""
        with self._ending_on_mistakes():
            while not self._queue and self._next_point < self._points.total:
                self._open_point(self._next_point)
                self._next_point += 1
        if self.mistake is not None or not self._queue:
            return Searcher.FINISHED
        self._specs[trial_id] = spec = self._queue.popleft()
        return spec.to_config()

    def _open_point(self, point: int) -> None:
        config = self._points.config(point)
        schedule = self._schedule(dict(config))
        for seed in self._seeds:
            spec = TrialSpec(point, seed, config, schedule)
            row = self._stored.get(spec.trial_id)
            if row is not None and row["status"] in ENDED and not self._replay:
                self._note(spec, row[f"final_{self.metric}"], row["status"], row["epochs"] or 0)
            else:
                self._queue.append(spec)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a value on the way on; a diverged or fatal report has none."""
        spec = self._specs.get(trial_id)
        if spec is None or result["status"] not in ("running", "completed"):
            return
        self._last[trial_id] = result
        with self._ending_on_mistakes():
            self._points.observe(spec.point, spec.seed, int(result["epoch"]), float(result[self.metric]))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Note the outcome of a trial; the last seed of a point settles the point.

        Ray passes the last result here only. A paused trial that the scheduler gives up comes without one.
        """
        if result is not None:
            self.on_trial_result(trial_id, result)
        last = self._last.pop(trial_id, None)
        spec = self._specs.pop(trial_id, None)
        result = last if result is None else result
        if error or result is None:
            result = {self.metric: 0.0, "status": "failed", "epoch": 0}
        if spec is None or result["status"] == "fatal":
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

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a resumed study rebuilds its searcher from the results."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: see `save`."""
