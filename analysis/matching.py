"""Match the training-loss curves of two momenta: which learning rate of one behaves like a given one of the other.

The distance of two curves is sqrt(sum over epochs of the squared difference of the mean training losses); a match is
the sampled learning rate with the smallest one. Runs that diverged are excluded, not compared. The paper leaves open
whether losses are per epoch or per step and linear or logarithmic; ours are per epoch and linear.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, App. B.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics import Array, bootstrap, percentile_interval
from analysis.tables import by_momentum, distances


@dataclass(frozen=True)
class Sweep:
    """The loss curves of one momentum: ``lrs`` of shape [n], increasing, and ``curves`` of shape [n, epochs]."""

    momentum: float
    lrs: Array
    curves: Array

    def within(self, low: float, high: float) -> "Sweep":
        """The part of it between two learning rates, both included."""
        inside = (self.lrs >= low) & (self.lrs <= high)
        return Sweep(self.momentum, self.lrs[inside], self.curves[inside])


def sweeps(settings: pd.DataFrame, curves: pd.DataFrame) -> dict[float, Sweep]:
    """The curves by momentum.

    Args:
        settings: ``lr`` and ``momentum`` by point.
        curves: Mean training loss by point (rows) and epoch (columns), without diverged points.
    """
    known = settings.loc[settings.index.intersection(curves.index)].sort_values("lr", kind="stable")
    return {
        momentum: Sweep(momentum, part["lr"].to_numpy(float), curves.loc[part.index].to_numpy(float))
        for momentum, part in by_momentum(known).items()
    }


def match(base: Sweep, other: Sweep) -> pd.DataFrame:
    """The best match of each learning rate of ``base`` among those of ``other``.

    Columns: ``lr``, ``match``, ``distance``, and ``edge``: whether the match is the smallest or largest learning rate
    of ``other``, so that a better one may lie outside of what was sampled.
    """
    between = distances(base.curves, other.curves)
    best = between.argmin(axis=1)
    edge = (best == 0) | (best == len(other.lrs) - 1)
    return pd.DataFrame({"lr": base.lrs, "match": other.lrs[best], "distance": between.min(axis=1), "edge": edge})


@dataclass(frozen=True)
class Relation:
    """How matched learning rates relate, over the matches inside the range of the candidates.

    Args:
        slope: Slope of log(match) over log(lr), with its 90 % bootstrap interval.
        ratio: Geometric mean of match / lr, with its 90 % bootstrap interval.
        distance: Median L2 distance between a curve and its match.
        n: How many matches.
    """

    slope: tuple[float, float, float]
    ratio: tuple[float, float, float]
    distance: float
    n: int


def relate(base: Sweep, other: Sweep, fewest: int = 3) -> Relation:
    """Relate the learning rates of ``base`` to their matches in ``other``; all NaN and n = 0 with less than ``fewest``.

    Resamples draw the points of both with replacement.
    """
    between = distances(base.curves, other.curves)
    slope, ratio, distance, n = _fit(base.lrs, other.lrs, between, fewest)

    def draw(rng: np.random.Generator) -> Array:
        rows = rng.integers(len(base.lrs), size=len(base.lrs))
        columns = np.sort(rng.integers(len(other.lrs), size=len(other.lrs)))
        return np.array(_fit(base.lrs[rows], other.lrs[columns], between[np.ix_(rows, columns)], fewest)[:2])

    draws = bootstrap(draw) if n else np.empty((0, 2))
    intervals = [percentile_interval(column[np.isfinite(column)]) for column in draws.T]
    return Relation((slope, *intervals[0]), (ratio, *intervals[1]), distance, n)


def _fit(lrs: Array, candidates: Array, between: Array, fewest: int) -> tuple[float, float, float, int]:
    """Slope, ratio, distance and count over the matches inside the range of the candidates, which increase."""
    matched = candidates[between.argmin(axis=1)]
    inside = (matched > candidates[0]) & (matched < candidates[-1])
    if inside.sum() < fewest:
        return float("nan"), float("nan"), float("nan"), 0
    x, y = np.log(lrs[inside]), np.log(matched[inside])
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * y).sum()) / spread if spread > 0 else float("nan")
    return slope, float(np.exp((y - x).mean())), float(np.median(between.min(axis=1)[inside])), len(x)


def choice_distances(groups: Sequence[Array]) -> Array:
    """Mean L2 distance between curves, for every choice of one curve per group.

    Args:
        groups: Curves of each group, shapes [n_i, epochs].

    Returns:
        Shape [n_1, n_2, ...].
    """
    shape = [len(group) for group in groups]
    pairs = list(itertools.combinations(range(len(groups)), 2))
    total = np.zeros(shape)
    for i, j in pairs:
        view = [size if axis in (i, j) else 1 for axis, size in enumerate(shape)]
        total = total + distances(groups[i], groups[j]).reshape(view)
    return total / len(pairs)
