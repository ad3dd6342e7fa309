"""Named tests on small samples: effects with t tests in either direction, and bootstrap intervals.

One observation is one point (one configuration, averaged over its seeds) unless a function says otherwise. Nothing here
knows of tables; values are plain arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ALPHA = 0.05
MARGIN = 0.01
"""Difference of accuracies that counts as none, unless told otherwise: one percentage point."""

BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class Effect:
    """An estimated difference with its standard error and degrees of freedom: what t tests in any direction need."""

    difference: float
    error: float
    dof: float

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p-value against "the difference is at most ``bound``"."""
        return self._tail(self.difference - bound)

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p-value against "the difference is at least ``bound``"."""
        return self._tail(bound - self.difference)

    def p_within(self, margin: float) -> float:
        """P-value of TOST: against "the difference is ``margin`` or more, in either direction" (Schuirmann, 1987)."""
        return max(self.p_above(-margin), self.p_below(margin))

    def p_beyond(self, margin: float) -> float:
        """Two-sided p-value against "the difference is at most ``margin`` in either direction"."""
        return min(1.0, 2 * min(self.p_above(margin), self.p_below(-margin)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student-t interval of the difference."""
        reach = float(stats.t.ppf((1 + level) / 2, self.dof)) * self.error
        return self.difference - reach, self.difference + reach

    def _tail(self, excess: float) -> float:
        if self.error == 0:
            return 0.5 if excess == 0 else float(excess < 0)
        return float(stats.t.sf(excess / self.error, self.dof))


def mean_effect(differences: ArrayLike) -> Effect:
    """The mean of paired differences; at least two are needed.

    Examples:
        >>> effect = mean_effect([0.01, 0.02, 0.03])
        >>> round(effect.difference, 3), effect.dof
        (0.02, 2)
    """
    values = np.asarray(differences, float)
    return Effect(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1)


def welch_effect(first: ArrayLike, second: ArrayLike) -> Effect:
    """The difference of two means, first minus second, without assuming equal variances (Welch, 1947)."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    total = parts.sum()
    weights = (parts**2 / [len(a) - 1, len(b) - 1]).sum()
    dof = total**2 / weights if weights > 0 else len(a) + len(b) - 2
    return Effect(float(a.mean() - b.mean()), float(np.sqrt(total)), float(dof))


def blocked_effect(first: ArrayLike, second: ArrayLike, blocks: ArrayLike) -> Effect:
    """The difference of two groups, first minus second, with the differences between blocks taken out.

    The additive two-way model value = group + block + noise, fitted by least squares. With one block it is the pooled t
    test, with blocks of one pair each the paired one. Where groups and blocks cannot be told apart, blocks are ignored.

    Args:
        first: Values of one group, shape [n].
        second: Values of the other group, shape [m].
        blocks: Block of each value, first group first, shape [n + m].
    """
    values = np.concatenate([np.asarray(first, float), np.asarray(second, float)])
    group = np.repeat([1.0, 0.0], [len(values) - len(np.atleast_1d(second)), len(np.atleast_1d(second))])
    dummies = np.equal.outer(np.asarray(blocks), np.unique(blocks)).astype(float)
    design = np.column_stack([group, dummies])
    rank = int(np.linalg.matrix_rank(design))
    if rank < design.shape[1] or rank >= len(values):
        design = np.column_stack([group, np.ones(len(values))])
    inverse = np.linalg.pinv(design.T @ design)
    fitted = inverse @ design.T @ values
    dof = len(values) - design.shape[1]
    variance = float(((values - design @ fitted) ** 2).sum()) / dof
    return Effect(float(fitted[0]), float(np.sqrt(variance * inverse[0, 0])), dof)


def quantile_blocks(values: ArrayLike, size: int = 4, most: int = 8) -> IntArray:
    """Blocks of about ``size`` neighbouring values each, at most ``most`` of them; equal values share a block.

    Examples:
        >>> quantile_blocks([1, 1, 2, 3, 7, 8, 9, 9]).tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
    """
    flat = np.asarray(values, float)
    count = int(np.clip(len(flat) // size, 1, most))
    return np.searchsorted(np.quantile(flat, np.arange(1, count) / count), flat)


def bootstrap(
    draw: Callable[[np.random.Generator], float | Array], draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Array:
    """A statistic, or several, over resamples, shape [draws] or [draws, k]; ``draw`` resamples with a generator."""
    rng = np.random.default_rng(seed)
    return np.array([draw(rng) for _ in range(draws)])


def percentile_interval(values: Array, level: float = 0.90) -> tuple[float, float]:
    """The central interval that holds ``level`` of the values; infinite where there are none."""
    if not len(values):
        return -np.inf, np.inf
    tail = (1 - level) / 2
    return float(np.quantile(values, tail)), float(np.quantile(values, 1 - tail))


def rank_p_value(first: ArrayLike, second: ArrayLike, alternative: str = "two-sided") -> float:
    """P-value of the Mann-Whitney test; 1 where all values are equal."""
    return float(stats.mannwhitneyu(first, second, alternative=alternative).pvalue)


def ks_p_value(first: ArrayLike, second: ArrayLike) -> float:
    """P-value of the two-sample Kolmogorov-Smirnov test of equal distributions."""
    return float(stats.ks_2samp(first, second).pvalue)


def fisher_p_value(first: tuple[int, int], second: tuple[int, int]) -> float:
    """P-value of Fisher's exact test of equal shares, each group given as (yes, no) counts."""
    return float(stats.fisher_exact([list(first), list(second)])[1])
