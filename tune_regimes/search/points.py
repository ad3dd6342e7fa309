"""Where the points of a study come from: explicit ones, a random or grid sample of the space, or Optuna's TPE.

A point is one config; each of its seeds is one trial. Ray's own domains describe the space.
"""

import abc
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.tune.search.sample import Domain
from ray.tune.search.variant_generator import generate_variants

from tune_regimes.errors import StudyError

Config = dict[str, Any]
SEARCHERS = ("random", "grid", "optuna")


@dataclass(frozen=True)
class Outcome:
    """How one seed of a point ended.

    Attributes:
        value: The metric at the last epoch; None for a seed that diverged or failed.
        status: ``"completed"``, ``"pruned"``, ``"diverged"`` or ``"failed"``.
        epochs: Epochs of the schedule that the seed has been through, whoever trained them; 0 for one that failed.
    """

    value: float | None
    status: str
    epochs: int


class Points(abc.ABC):
    """A source of configs that numbers them from 0 and may learn from what became of them.

    Every method may raise a `UsageError`, which ends the search.
    """

    total: int

    @abc.abstractmethod
    def config(self, point: int) -> Config:
        """The config of a point; points are asked for in order."""

    @abc.abstractmethod
    def observe(self, point: int, seed: int, epoch: int, value: float) -> None:
        """The metric of one seed after an epoch, counted from 1; the same epoch may come again, with the same value."""

    @abc.abstractmethod
    def tell(self, point: int, outcomes: Mapping[int, Outcome]) -> None:
        """The outcomes of a point by seed, once all its seeds have ended."""

    @abc.abstractmethod
    def close(self) -> None:
        """The end of a run, interrupted or not: points that were not told are left open for the next run."""


class ListedPoints(Points):
    """Points that are all known before the study starts: explicit ones, then every variant of the sampled space."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self._configs = list(configs)
        self.total = len(self._configs)

    def config(self, point: int) -> Config:
        """The config with that number."""
        return self._configs[point]

    def observe(self, point: int, seed: int, epoch: int, value: float) -> None:
        """Nothing is learnt here."""

    def tell(self, point: int, outcomes: Mapping[int, Outcome]) -> None:
        """Nothing is learnt here."""

    def close(self) -> None:
        """Nothing is open here."""


class OptunaPoints(Points):
    """Points suggested by Optuna's TPE sampler from the outcomes of the earlier ones.

    The outcome of a point is the mean over its seeds. A point with a diverged seed is told as failed, a pruned one as
    pruned, so that neither a NaN nor an early value passes for a result.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        samples: int,
        first: Sequence[Config],
        known: Mapping[int, Config],
        *,
        mode: str,
        seed: int,
    ) -> None:
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = OptunaSearch.convert_search_space(dict(space))
        self._constants = {name: value for name, value in space.items() if not isinstance(value, Domain)}
        self._first, self._known = list(first), dict(known)
        self.total = len(self._first) + samples
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize" if mode == "max" else "minimize", sampler=sampler)
        self._asked: dict[int, Any] = {}

    def config(self, point: int) -> Config:
        """The stored config of a point known from an earlier run, else Optuna's next suggestion."""
        if point < len(self._first):
            return self._first[point]
        if point in self._known:
            self._study.enqueue_trial({name: self._restored(point, name) for name in self._distributions})
        self._asked[point] = trial = self._study.ask(self._distributions)
        return {**self._constants, **trial.params}

    def _restored(self, point: int, name: str) -> Any:
        distribution = self._distributions[name]
        return distribution.to_external_repr(distribution.to_internal_repr(self._known[point][name]))

    def observe(self, point: int, seed: int, epoch: int, value: float) -> None:
        """Values on the way are not passed on yet."""

    def tell(self, point: int, outcomes: Mapping[int, Outcome]) -> None:
        """Pass a point's outcome on; explicit points lie outside Optuna's study."""
        from optuna.trial import TrialState

        trial = self._asked.pop(point, None)
        if trial is None:
            return
        values = [outcome.value for outcome in outcomes.values() if outcome.value is not None]
        mean = sum(values) / len(values) if len(values) == len(outcomes) else math.nan
        if not math.isfinite(mean):
            self._study.tell(trial, state=TrialState.FAIL)
        elif any(outcome.status == "pruned" for outcome in outcomes.values()):
            trial.report(mean, step=0)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, mean)

    def close(self) -> None:
        """Nothing is stored yet."""


def list_points(space: Mapping[str, Any], samples: int, first: Sequence[Config], seed: int) -> ListedPoints:
    """All points of a random or grid search: ``samples`` draws, each in every cell of the grid.

    >>> from ray import tune
    >>> points = list_points({"a": tune.grid_search([1, 2]), "b": tune.uniform(0, 1)}, 2, [{"a": 0, "b": 0.0}], seed=0)
    >>> [points.config(i)["a"] for i in range(points.total)]
    [0, 1, 2, 1, 2]
    """
    random_state = np.random.RandomState(seed)
    sampled = [config for _ in range(samples) for config in _variants(space, random_state)]
    return ListedPoints([*map(dict, first), *sampled])


def _variants(space: Mapping[str, Any], random_state: np.random.RandomState) -> Iterator[Config]:
    for _, spec in generate_variants({"config": dict(space)}, random_state=random_state):
        yield spec["config"]


def check_space(space: Mapping[str, Any], searcher: str) -> None:
    """Refuse a space that the searcher cannot search.

    Raises:
        StudyError: For an unknown searcher, a grid search over a random domain, or a TPE search over a grid.
    """
    if searcher not in SEARCHERS:
        raise StudyError(f"searcher must be one of {', '.join(SEARCHERS)}; got {searcher!r}")
    domains = sorted(name for name, value in space.items() if isinstance(value, Domain))
    grids = sorted(name for name, value in space.items() if isinstance(value, Mapping) and "grid_search" in value)
    if searcher == "grid" and domains:
        raise StudyError(
            f"a grid search takes grid_search values only; got random domains for {domains}: "
            "list their values or search 'random'"
        )
    if searcher == "optuna" and grids:
        raise StudyError(
            f"a TPE search takes domains only; got grid_search for {grids}: use tune.choice, or search 'random'"
        )


def describe_space(space: Mapping[str, Any]) -> dict[str, str]:
    """The space in words that compare equal where the spaces are: what ``study.json`` holds.

    >>> from ray import tune
    >>> describe_space({"lr": tune.loguniform(1e-4, 1.0), "mu": tune.grid_search([0.0, 0.9])})
    {'lr': 'Float LogUniform((0.0001, 1.0))', 'mu': 'grid_search([0.0, 0.9])'}
    """
    return {name: _describe(value) for name, value in sorted(space.items())}


def _describe(value: Any) -> str:
    if isinstance(value, Mapping) and "grid_search" in value:
        return f"grid_search({list(value['grid_search'])!r})"
    if not isinstance(value, Domain):
        return repr(value)
    sampler = type(value.sampler).__name__.strip("_") if value.sampler is not None else "default"
    bounds = getattr(value, "categories", None) or (getattr(value, "lower", None), getattr(value, "upper", None))
    return f"{type(value).__name__} {sampler}({bounds!r})"
