"""Match the training-loss curves of two momenta: which learning rate of one behaves like a given one of the other.

The distance of two curves is sqrt(sum over epochs of the squared difference of the mean training losses); a match is
the sampled learning rate with the smallest one. Runs that diverged are excluded, not compared. The paper leaves open
whether losses are per epoch or per step and linear or logarithmic; ours are per epoch and linear.

A match is ambiguous where learning rates far apart come as near to the curve, up to the distance of two seeds of one
point: the loss falls slowly at a small step size and at one that is too large alike, and around the best one it hardly
depends on it. An ambiguous match says nothing about the relation and is counted, not used.

Source: Leclerc and Madry, The Two Regimes of Deep Network Training, 2020, App. B.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics import Array, BoolArray, bootstrap, percentile_interval
from analysis.tables import distances
from tune_regimes.results.curves import by_momentum

CLEAR = 4.0
"""Factor within which all learning rates must lie that come near to a curve, for its match to be clear."""


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
    """How matched learning rates relate, over the clear matches inside the range of the candidates.

    Args:
        slope: Slope of log(match) over log(lr), with its 90 % bootstrap interval.
        ratio: Geometric mean of match / lr, with its 90 % bootstrap interval.
        distance: Median L2 distance between a curve and its match.
        n: How many such matches.
        ambiguous: How many were left out because learning rates far apart match as well.
    """

    slope: tuple[float, float, float]
    ratio: tuple[float, float, float]
    distance: float
    n: int
    ambiguous: int


def clear_matches(candidates: Array, between: Array, noise: float) -> BoolArray:
    """Whether all candidates that match as well as the best, up to the noise, lie within a factor `CLEAR`.

    Args:
        candidates: Learning rates, increasing, shape [m].
        between: Distances of n curves to those of the candidates, shape [n, m].
        noise: Distance of the curves of two seeds of one point.

    Returns:
        Shape [n].
    """
    near = between <= between.min(axis=1, keepdims=True) + np.nan_to_num(noise)
    highest, lowest = np.where(near, candidates, 0.0).max(axis=1), np.where(near, candidates, np.inf).min(axis=1)
    return np.asarray(highest <= CLEAR * lowest)


def relate(base: Sweep, other: Sweep, noise: float = 0.0, fewest: int = 3) -> Relation:
    """Relate the learning rates of ``base`` to their matches in ``other``; all NaN and n = 0 with less than ``fewest``.

    Resamples draw the points of both with replacement.

    Args:
        base: Whose learning rates are matched; those with an ambiguous match are left out.
        other: Among whose learning rates.
        noise: Distance of the curves of two seeds of one point; 0, or NaN where it is not known, takes every match as
            clear.
        fewest: Matches that a relation needs.
    """
    between = distances(base.curves, other.curves)
    clear = clear_matches(other.lrs, between, noise)
    ambiguous = int((~clear).sum())
    base, between = Sweep(base.momentum, base.lrs[clear], base.curves[clear]), between[clear]
    if len(base.lrs) < fewest:
        unknown = (float("nan"),) * 3
        return Relation(unknown, unknown, float("nan"), 0, ambiguous)
    slope, ratio, distance, n = _fit(base.lrs, other.lrs, between, fewest)

    def draw(rng: np.random.Generator) -> Array:
        rows = rng.integers(len(base.lrs), size=len(base.lrs))
        columns = np.sort(rng.integers(len(other.lrs), size=len(other.lrs)))
        return np.array(_fit(base.lrs[rows], other.lrs[columns], between[np.ix_(rows, columns)], fewest)[:2])

    draws = bootstrap(draw) if n else np.empty((0, 2))
    intervals = [percentile_interval(column[np.isfinite(column)]) for column in draws.T]
    return Relation((slope, *intervals[0]), (ratio, *intervals[1]), distance, n, ambiguous)


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
