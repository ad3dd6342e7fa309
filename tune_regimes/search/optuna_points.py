"""Points suggested by Optuna's TPE, in a study that Optuna's own dashboard and plots open: see `journal`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from tune_regimes.results.schema import to_json
from tune_regimes.schedule import Policy
from tune_regimes.search.curves import Curves
from tune_regimes.search.endings import Ending, has_ended, is_result
from tune_regimes.search.job import trial_id
from tune_regimes.search.journal import Journal, quiet
from tune_regimes.search.points import Config, Outcome, Points
from tune_regimes.search.stored_points import StoredPoints
from tune_regimes.search.tpe_space import Params, TPESpace
from tune_regimes.search.words import in_words
from tune_regimes.storage import Storage


class OptunaPoints(Points):
    """Points suggested by Optuna's TPE sampler from the outcomes of the earlier ones.

    Each point is one trial of Optuna's, whatever its number of seeds; ``docs/results.md`` says what its states, values
    and user attributes mean. With one objective the trial has intermediate values (see `Curves`) with the epoch as
    step; Optuna knows none for several objectives, so there the curve is a user attribute.

    **Ends of runs.** No trial stays RUNNING: `close` tells the open ones FAIL (outcome ``interrupted``), and what a
    killed run left is told FAIL when the next one opens the journal. Either way the point keeps its number and config
    and is entered again, as a new trial, when the search comes to it. A point that has ended is never entered twice,
    and one that the journal lacks is taken from the tables: the journal was deleted, or is older than they are.

    **Explicit points** are trials like the others where they lie in the space. One outside of it enters the journal
    when it has ended, without parameters, and TPE learns nothing from it.

    **Reproducibility.** The suggestion for a point is a function of the search seed, the point's number, and the
    ended and running trials of the journal in their order. So a search with one trial at a time is repeated exactly,
    also when it was interrupted in between; with several at a time it depends on which of them end first. A rebuilt
    journal has the points in the order of their numbers.

    Args:
        space: Ray's domains and constants by name.
        samples: How many points to suggest.
        first: Explicit points, which come before.
        known: Configs of the points that an earlier run has begun.
        name: Name of the study.
        objectives: The metric and its mode; a second one may be ``"epochs"``, ``"min"``.
        seeds: Seeds of every point.
        schedule: The study's function from config to schedule.
        diverged: ``"fail"``, or the value that a diverged point is told to have.
        seed: Seed of the search.
        folder: The study's folder, for the journal; None keeps it in memory.

    Raises:
        StudyError: TPE cannot search the space, or the journal is damaged or of another study.
        StorageError: The folder cannot be read or written.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        samples: int,
        first: Sequence[Config],
        known: Mapping[int, Config],
        *,
        name: str,
        objectives: Mapping[str, str],
        seeds: Sequence[int],
        schedule: Callable[[Config], Policy],
        diverged: float | str = "fail",
        seed: int = 0,
        folder: Storage | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._first = TPESpace(space), [dict(config) for config in first]
        self.total = len(self._first) + samples
        metric, self._several = next(iter(objectives)), len(objectives) > 1
        self._seeds, self._schedule, self._diverged, self._seed = list(seeds), schedule, diverged, seed
        self._stored = StoredPoints(folder, known, self._seeds, metric)
        self._configs = {point: self._restored(config) for point, config in known.items()}
        self._configs.update(enumerate(self._first))
        self._outside = any(self._space.params(config) is None for config in self._first)
        self._ended: set[int] = set()
        self._open: dict[int, optuna.Trial | None] = {}
        self._curves: dict[int, Curves] = {}
        self._journal = Journal(name, objectives, folder)
        self._study = self._journal.study
        try:
            with self._journal.writing():
                self._take_up()
                self._catch_up(known)
        except BaseException:
            self._journal.discard()
            raise

    def _restored(self, config: Config) -> Config:
        """A config from the tables with the types that the space gives; JSON has no tuples."""
        params = self._space.params(config)
        return config if params is None else self._space.config(params)

    def _take_up(self) -> None:
        """Learn from the journal what earlier runs have entered, and end what a killed one left running."""
        for trial in self._study.get_trials():
            if trial.state == TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
            if "point" not in trial.user_attrs:
                continue
            point = int(trial.user_attrs["point"])
            if has_ended(trial):
                self._ended.add(point)
            if "config" not in trial.user_attrs:
                self._take_config(point, trial)

    def _take_config(self, point: int, trial: FrozenTrial) -> None:
        complete = trial.distributions == self._space.distributions
        if any(self._space.distributions.get(name) != found for name, found in trial.distributions.items()) or (
            point in self._ended and not complete
        ):
            raise self._journal.mismatch(f"its trial {trial.number} is of another space")
        if not complete:
            return
        if point in self._configs and self._space.params(self._configs[point]) != trial.params:
            raise self._journal.mismatch(
                f"its trial {trial.number} has point {point} as {trial.params}, the results as {self._configs[point]}"
            )
        self._configs.setdefault(point, self._space.config(trial.params))

    def _catch_up(self, known: Iterable[int]) -> None:
        """Enter points whose seeds have all ended, and of which the journal does not know."""
        for point in sorted(set(known) - self._ended):
            outcomes = self._stored.outcomes(point)
            if len(outcomes) == len(self._seeds):
                self._enter(point, outcomes, self._stored.curves(point))
                self._ended.add(point)

    def config(self, point: int) -> Config:
        """The config that the point has had from the start, else Optuna's next suggestion."""
        config = self._configs.get(point)
        if config is not None and (point in self._ended or point in self._open):
            return config
        params = None if config is None else self._space.params(config)
        trial = None
        with self._journal.writing():
            if config is None or params is not None:
                trial = self._ask(point, params)
                config = self._configs.setdefault(point, self._space.config(trial.params))
            self._open[point], self._curves[point] = trial, self._stored.curves(point)
            if trial is not None:
                _annotate(trial, self._described(point))
        return config

    def _ask(self, point: int, params: Params | None) -> optuna.Trial:
        """The point as a running trial; its parameters are Optuna's to choose where they are None."""
        self._study.sampler = self._sampler(point)
        if params is not None:
            self._study.enqueue_trial(params, user_attrs={"point": point})
        wanted = None if params is None else point
        while True:
            trial = self._study.ask(self._space.distributions)
            if trial.user_attrs.get("point") == wanted:
                return trial
            # Left waiting by a run that was killed between the two calls above.
            self._study.tell(trial, state=TrialState.FAIL)

    def _sampler(self, point: int) -> optuna.samplers.BaseSampler:
        """A sampler whose random numbers depend on the point alone: a resumed search does not draw the first again."""
        seed = int(np.random.SeedSequence([self._seed, point]).generate_state(1)[0])
        together = not self._several
        with quiet():
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=together, group=together and self._outside, constant_liar=True
            )

    def _described(self, point: int) -> dict[str, Any]:
        schedule = self._schedule(dict(self._configs[point]))
        trials = [trial_id(point, seed) for seed in self._seeds]
        return {"point": point, "trials": trials, "schedule": in_words(schedule)}

    def observe(self, point: int, seed: int, epoch: int, value: float) -> None:
        """Keep the value, and report the means that it completes."""
        curves, trial = self._curves.get(point), self._open.get(point)
        if curves is None or not is_result(value):
            return
        curves.note(seed, epoch, value)
        if trial is not None:
            self._report(trial, curves.due())

    def _report(self, trial: optuna.Trial, means: Mapping[int, float]) -> None:
        if self._several or not means:
            return
        with self._journal.writing():
            for epoch, mean in means.items():
                trial.report(mean, epoch)

    def tell(self, point: int, outcomes: Mapping[int, Outcome]) -> None:
        """End the point's trial; a point that had ended before stays as it is."""
        if point not in self._open:
            return
        trial, curves = self._open.pop(point), self._curves.pop(point)
        with self._journal.writing():
            if trial is None:
                self._enter(point, outcomes, curves)
                return
            self._report(trial, curves.rest())
            ending, attributes = self._ending(outcomes, curves)
            _annotate(trial, attributes)
            self._study.tell(trial, ending.values, ending.state)

    def _enter(self, point: int, outcomes: Mapping[int, Outcome], curves: Curves) -> None:
        """Add the trial of a point that has ended, all at once."""
        ending, attributes = self._ending(outcomes, curves)
        means = {} if self._several else curves.means()
        last = [means[max(means)]] if means and ending.state == TrialState.PRUNED else None
        params = self._space.params(self._configs[point])
        if params is None:
            attributes["config"] = json.loads(to_json(self._configs[point]))
        trial = optuna.create_trial(
            state=ending.state,
            values=ending.values or last,
            params=params or {},
            distributions={} if params is None else self._space.distributions,
            user_attrs={**self._described(point), **attributes},
            intermediate_values=means,
        )
        self._study.add_trial(trial)

    def _ending(self, outcomes: Mapping[int, Outcome], curves: Curves) -> tuple[Ending, dict[str, Any]]:
        """The end of a point, and what the attributes of its trial say of it."""
        ending = Ending.of(outcomes, with_epochs=self._several, diverged=self._diverged)
        attributes: dict[str, Any] = {"outcome": ending.outcome, "epochs": ending.epochs}
        if self._several:
            attributes["curve"] = {str(epoch): mean for epoch, mean in curves.means().items()}
        return ending, attributes

    def close(self) -> None:
        """Tell the trials of unfinished points FAIL, to be entered again by the next run, and store the journal.

        Raises:
            StorageError: The journal could not be stored.
        """
        unfinished = [trial for trial in self._open.values() if trial is not None]
        self._open.clear()
        self._curves.clear()
        try:
            with self._journal.writing():
                for trial in unfinished:
                    trial.set_user_attr("outcome", "interrupted")
                    self._study.tell(trial, state=TrialState.FAIL)
        finally:
            self._journal.close()


def _annotate(trial: optuna.Trial, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
