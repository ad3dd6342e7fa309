"""Ray's search spaces as Optuna knows them: one distribution per domain, and configs to parameters and back.

Ray's own converter is not used: for `qrandint` it counts steps from the lower bound where Ray itself draws multiples of
q (and includes the upper bound for q = 1), and it drops the quantisation of `qloguniform`.
"""

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from ray.tune.search.sample import Categorical, Domain, Float, Integer, LogUniform, Quantized, Uniform

from tune_regimes.errors import StudyError
from tune_regimes.results.schema import to_json

Config = dict[str, Any]
Params = dict[str, Any]

_SCALARS = (bool, int, float, str, type(None))


class TPESpace:
    """A space of Ray's domains, nested in mappings and lists at will, for Optuna.

    A parameter is named by its path, joined with dots, as the columns ``config.*`` of the results are. Where choices
    are no plain scalars (lists, mappings), Optuna is told their JSON text.

    Args:
        space: Domains and constants by name.

    Raises:
        StudyError: For a domain that TPE cannot search: computed, unbounded, a grid, or logarithmic and quantised.

    Examples:
        >>> from ray import tune
        >>> space = TPESpace({"tail": {"epochs": tune.randint(1, 5)}, "shape": tune.choice([(1, 2), (3,)]), "seed": 7})
        >>> space.config({"tail.epochs": 4, "shape": "[3]"})
        {'tail': {'epochs': 4}, 'shape': (3,), 'seed': 7}
        >>> space.params({"tail": {"epochs": 4.0}, "shape": [3], "seed": 7})
        {'tail.epochs': 4, 'shape': '[3]'}
        >>> space.params({"tail": {"epochs": 5}, "shape": [3], "seed": 7}) is None
        True
    """

    def __init__(self, space: Mapping[str, Any]) -> None:
        self._space = dict(space)
        domains = dict(_domains(self._space))
        self._choices = {name: _labelled(domain) for name, domain in domains.items() if isinstance(domain, Categorical)}
        self.distributions: dict[str, BaseDistribution] = {
            name: _distribution(name, domain) for name, domain in domains.items()
        }

    def config(self, params: Mapping[str, Any]) -> Config:
        """The config that these parameters give, with the constants of the space."""
        config: Config = self._filled(self._space, params, "")
        return config

    def params(self, config: Mapping[str, Any]) -> Params | None:
        """The parameters of a config, or None for a config outside the space.

        Outside is one with a parameter beyond its domain, with another constant, or with other names. What has been
        through JSON fits and is restored: a whole number that became a float, a tuple that became a list.
        """
        params: Params = {}
        return params if self._fits(self._space, config, "", params) else None

    def _filled(self, part: Any, params: Mapping[str, Any], name: str) -> Any:
        if isinstance(part, Domain):
            return self._choice(name, params[name]) if name in self._choices else params[name]
        if isinstance(part, Mapping):
            return {key: self._filled(value, params, _inner(name, key)) for key, value in part.items()}
        if isinstance(part, list):
            return [self._filled(value, params, _inner(name, index)) for index, value in enumerate(part)]
        return part

    def _choice(self, name: str, label: Any) -> Any:
        return next(choice for known, choice in self._choices[name] if known == label)

    def _fits(self, part: Any, value: Any, name: str, params: Params) -> bool:
        """Whether a value is one of this part of the space; its parameters are put into ``params``."""
        if isinstance(part, Domain):
            found = list(self._parameter(name, value))
            params.update((name, parameter) for parameter in found[:1])
            return bool(found)
        if isinstance(part, Mapping):
            same = isinstance(value, Mapping) and value.keys() == part.keys()
            return same and all(self._fits(part[key], value[key], _inner(name, key), params) for key in part)
        if isinstance(part, list):
            same = isinstance(value, list | tuple) and len(value) == len(part)
            return same and all(self._fits(part[i], value[i], _inner(name, i), params) for i in range(len(part)))
        return to_json(part) == to_json(value)

    def _parameter(self, name: str, value: Any) -> Iterator[Any]:
        """The value as a parameter of Optuna's, if it lies in the domain."""
        distribution: Any = self.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            yield from (label for label, choice in self._choices[name] if to_json(choice) == to_json(value))
        elif _is_number(value) and distribution.low <= value <= distribution.high:
            steps = (value - distribution.low) / (distribution.step or 1)
            if distribution.step is None or abs(steps - round(steps)) < 1e-8:
                yield int(value) if isinstance(distribution, IntDistribution) else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _domains(part: Any, name: str = "") -> Iterator[tuple[str, Domain]]:
    """Every domain of a space with its name; StudyError for a grid."""
    if isinstance(part, Domain):
        yield name, part
    elif isinstance(part, Mapping):
        if "grid_search" in part:
            raise StudyError(
                f"a TPE search takes domains only; got grid_search for {name!r}: use tune.choice, or search 'random'"
            )
        for key, value in part.items():
            yield from _domains(value, _inner(name, key))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _domains(value, _inner(name, index))


def _inner(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _labelled(domain: Categorical) -> list[tuple[Any, Any]]:
    """Each choice behind what Optuna is told instead: itself, or its JSON text where that would be ambiguous."""
    choices = list(domain.categories)
    plain = all(type(choice) in _SCALARS for choice in choices) and len(set(choices)) == len(choices)
    return [(choice if plain else to_json(choice), choice) for choice in choices]


def _distribution(name: str, domain: Any) -> BaseDistribution:
    sampler: Any = domain.get_sampler()
    step = None
    if isinstance(sampler, Quantized):
        sampler, step = sampler.sampler, sampler.q
    logarithmic = isinstance(sampler, LogUniform)
    if logarithmic and step is not None:
        raise _cannot(name, "a logarithmic domain with a step", "leave the step out and round in the schedule function")
    if isinstance(domain, Categorical) and isinstance(sampler, Uniform) and domain.categories:
        return CategoricalDistribution([label for label, _ in _labelled(domain)])
    if not isinstance(domain, Float | Integer) or not (logarithmic or isinstance(sampler, Uniform)):
        remedy = "use tune.uniform, loguniform, randint or choice, and compute the rest in the schedule function"
        raise _cannot(name, f"{type(domain).__name__} with {type(sampler).__name__.strip('_')}", remedy)
    low, high = _bounds(domain, step)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise _cannot(name, f"the bounds {domain.lower} and {domain.upper}", "give finite ones with values in between")
    if isinstance(domain, Integer):
        return IntDistribution(int(low), int(high), log=logarithmic, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=logarithmic, step=None if step is None else float(step))


def _bounds(domain: Any, step: float | None) -> tuple[float, float]:
    """The smallest and the largest value; Ray's upper bound of whole numbers is exclusive, but for steps above 1."""
    if isinstance(domain, Float):
        return domain.lower, domain.upper
    if step is None or step == 1:
        return domain.lower, domain.upper - 1
    return math.ceil(domain.lower / step) * step, math.floor(domain.upper / step) * step


def _cannot(name: str, got: str, remedy: str) -> StudyError:
    return StudyError(f"a TPE search takes bounded domains; got {got} for {name!r}: {remedy}, or search 'random'")
