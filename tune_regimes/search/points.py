"""Where the points of a study come from: explicit ones, and a random or grid sample of the space.

A point is one config; each of its seeds is one trial. Ray's own domains describe the space. Points that Optuna suggests
are in `optuna_points`.
"""

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.tune.search.sample import Domain, Normal, Quantized
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
    sequential: bool = True
    """Whether a config may depend on the outcomes of earlier ones, so that few are asked for ahead."""

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

    sequential = False

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
        StudyError: For an unknown searcher, a grid search over a random domain, or a domain that TPE cannot search.
    """
    if searcher not in SEARCHERS:
        raise StudyError(f"searcher must be one of {', '.join(SEARCHERS)}; got {searcher!r}")
    if searcher == "optuna":
        from tune_regimes.search.tpe_space import TPESpace

        TPESpace(space)
    domains = sorted(name for name, value in space.items() if isinstance(value, Domain))
    if searcher == "grid" and domains:
        raise StudyError(
            f"a grid search takes grid_search values only; got random domains for {domains}: "
            "list their values or search 'random'"
        )


def describe_space(space: Mapping[str, Any]) -> dict[str, str]:
    """The space in words that compare equal where the spaces are: what ``study.json`` holds.

    >>> from ray import tune
    >>> describe_space({"lr": tune.loguniform(1e-4, 1.0), "mu": tune.grid_search([0.0, 0.9])})
    {'lr': 'Float LogUniform((0.0001, 1.0))', 'mu': 'grid_search([0.0, 0.9])'}
    """
    return {name: _describe(value) for name, value in sorted(space.items())}


def _describe(value: Any) -> str:
    if isinstance(value, Domain):
        return _describe_domain(value)
    if isinstance(value, Mapping) and "grid_search" in value:
        return f"grid_search({list(value['grid_search'])!r})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {text}' for name, text in describe_space(value).items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_describe(inner) for inner in value)}]"
    return repr(value)


def _describe_domain(domain: Any) -> str:
    sampler: Any = domain.sampler
    detail = ""
    if isinstance(sampler, Quantized):
        sampler, detail = sampler.sampler, f" step {sampler.q}"
    if isinstance(sampler, Normal):
        detail = f" mean {sampler.mean} sd {sampler.sd}{detail}"
    name = type(sampler).__name__.strip("_") if sampler is not None else "default"
    bounds = getattr(domain, "categories", None) or (getattr(domain, "lower", None), getattr(domain, "upper", None))
    return f"{type(domain).__name__} {name}({bounds!r}){detail}"
