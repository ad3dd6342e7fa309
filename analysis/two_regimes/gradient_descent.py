"""Claims P0-11 and P0-12 on the study ``gradient_descent``: the two regimes without the noise of mini-batches.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, App. A, Figs. 9 and 10.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.statistics import Array, IntArray, bootstrap, percentile_interval
from analysis.two_regimes.lr_momentum import FEWEST, same_best_step_size, sound_points, sweep_table
from analysis.two_regimes.regime_courses import (
    falls_with_momentum,
    final_losses,
    largest_is_worst,
    rises_more_often,
    rising_shares,
)
from analysis.verdicts import UNDECIDED, Verdict, judge_interval
from search_spaces.two_regimes_momentum import SWEEP
from tune_regimes.results.curves import by_momentum

CLOSER = "90 % bootstrap interval, over points, of the ratio of distances of curves: over step size / over lr, below 1"
GRID = 50
"""Places at which two curves are compared."""

Curve = tuple[Array, Array]
"""Where a curve is known, above 0 and increasing, and its values."""


def swept(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """The points of Fig. 10, as :func:`analysis.two_regimes.lr_momentum.sweep_table` has them."""
    return sweep_table(sweep_trials(trials), epochs)


def sweep_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of Fig. 10."""
    return trials[trials["config.regime"] == SWEEP]


def claims(trials: pd.DataFrame, epochs: pd.DataFrame) -> tuple[Verdict, ...]:
    """P0-11 and P0-12, in their parts."""
    losses, table = final_losses(trials, epochs), swept(trials, epochs)
    verdicts = (
        largest_is_worst("P0-11", losses),
        rises_more_often("P0-11b", rising_shares(trials, epochs)),
        falls_with_momentum("P0-11c", losses),
        replace(same_best_step_size(table), claim="P0-12"),
        closer_over_step_size(table),
    )
    return tuple(replace(verdict, statement=f"With full gradients: {verdict.statement}") for verdict in verdicts)


def closer_over_step_size(table: pd.DataFrame) -> Verdict:
    """P0-12b: the accuracy curves of the momenta lie closer together over lr / (1 - momentum) than over lr."""
    statement = "The accuracy curves of the momenta collapse when drawn over the step size lr / (1 - momentum)"
    parts = {mu: part for mu, part in by_momentum(sound_points(table)).items() if len(part) >= FEWEST}
    n = {f"points at {mu:g}": len(part) for mu, part in parts.items()}
    arrays = [part[["step_size", "lr", "value"]].to_numpy(float).T for part in parts.values()]
    ratio = _ratio(arrays)
    if np.isnan(ratio):
        note = f"curves of {len(parts)} momenta with at least {FEWEST} points and a common range; two are needed"
        return Verdict("P0-12b", statement, UNDECIDED, CLOSER, n=n, note=note)
    ratios = bootstrap(lambda rng: _ratio([part[:, _resampled(rng, part.shape[1])] for part in arrays]))
    low, high = percentile_interval(ratios[np.isfinite(ratios)])
    verdict = judge_interval(low, high, (0.0, 1.0))
    return Verdict("P0-12b", statement, verdict, CLOSER, {"distance over step size / over lr": (ratio, low, high)}, n=n)


def curve_distance(curves: list[Curve]) -> float:
    """Mean absolute difference of curves: over the logarithm of a range that two have in common, and over all pairs.

    Between their points curves are straight lines. NaN where no two have a range in common.

    Examples:
        >>> x = np.array([1.0, 10.0, 100.0])
        >>> curve_distance([(x, np.array([0.0, 1.0, 2.0])), (10 * x, np.array([0.5, 1.5, 2.5]))])
        0.5
    """
    found = [_pair_distance(first, second) for first, second in combinations(curves, 2)]
    known = [each for each in found if np.isfinite(each)]
    return float(np.mean(known)) if known else float("nan")


def _pair_distance(first: Curve, second: Curve) -> float:
    low, high = max(first[0].min(), second[0].min()), min(first[0].max(), second[0].max())
    if low >= high:
        return float("nan")
    places = np.linspace(np.log(low), np.log(high), GRID)
    heights = [np.interp(places, np.log(x), y) for x, y in (first, second)]
    return float(np.abs(heights[0] - heights[1]).mean())


def _ratio(parts: Sequence[Array]) -> float:
    """Distance of the curves over step size, over that over lr; NaN where either has no common range.

    Args:
        parts: Step sizes, learning rates and values of each curve, shape [3, points].
    """
    step_size, lr = (curve_distance([_curve(part[place], part[2]) for part in parts]) for place in (0, 1))
    return step_size / lr if lr > 0 else float("nan")


def _curve(places: Array, values: Array) -> Curve:
    """The values in the order of their places; points that were drawn twice have the same value twice."""
    known, first = np.unique(places, return_index=True)
    return known, values[first]


def _resampled(rng: np.random.Generator, count: int) -> IntArray:
    return rng.integers(count, size=count)
