"""How far the predictions of two ways to train are apart, beside how far those of one way are.

The distance is the paper's: the total variation between the shares of runs that predict each class, averaged over test
examples (``tune_regimes.theory.total_variation``). From n runs it is biased upwards, so that it means something only
next to the distance between two halves of the runs of one way, which the paper does not give.

Source: Li, Lyu and Arora, 2020, Sec. 6.1, Fig. 3b.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import Array, Effect
from tune_regimes.theory.total_variation import estimated_total_variation

Predictions = NDArray[np.integer]
"""Predicted classes, shape [runs, examples]."""

DRAWS = 40
"""Random choices of runs over which a distance is averaged."""


def distances_between(
    first: Predictions, second: Predictions, classes: int, counts: Sequence[int], draws: int = DRAWS
) -> Array:
    """The distance from n runs of each way, by n: a mean over random choices of the runs, shape [counts]."""
    rng = np.random.default_rng(0)

    def chosen(count: int) -> float:
        return estimated_total_variation(_some(rng, first, count), _some(rng, second, count), classes)

    return np.array([np.mean([chosen(count) for _ in range(draws)]) for count in counts])


def distances_within(predictions: Predictions, classes: int, counts: Sequence[int], draws: int = DRAWS) -> Array:
    """The distance of n runs of one way from n others of the same, by n, at most half of the runs; shape [counts]."""
    rng = np.random.default_rng(0)

    def split(count: int) -> float:
        runs = _some(rng, predictions, 2 * count)
        return estimated_total_variation(runs[:count], runs[count:], classes)

    return np.array([np.mean([split(count) for _ in range(draws)]) for count in counts])


def excess(first: Predictions, second: Predictions, classes: int, draws: int = DRAWS) -> Effect:
    """How much further apart the two ways are than runs of one way, from equally many runs, with its error.

    The distance of half of the runs of the one from half of those of the other, less the mean of those between the two
    halves of each, averaged over random halvings: the bias cancels, so that zero is no difference. The standard error
    is a jackknife over runs.

    Args:
        first: Predictions of the one, shape [n, examples].
        second: Predictions of the other, shape [m, examples].
        classes: How many there are.
        draws: Halvings to average over.
    """
    hot = [_one_hot(each, classes) for each in (first, second)]
    examples = first.shape[1]
    whole = _excess(*hot, examples, draws)
    variance = 0.0
    for which in (0, 1):
        others = [hot[0], hot[1]]
        left_out = []
        for run in range(len(hot[which])):
            others[which] = np.delete(hot[which], run, axis=0)
            left_out.append(_excess(*others, examples, draws))
        n = len(left_out)
        variance += (n - 1) / n * float(((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    return Effect(whole, float(np.sqrt(variance)), min(map(len, hot)) - 1)


def _some(rng: np.random.Generator, predictions: Predictions, count: int) -> Predictions:
    return predictions[rng.permutation(len(predictions))[:count]]


def _one_hot(predictions: Predictions, classes: int) -> Array:
    """Shape [runs, examples x classes]."""
    return cast(Array, np.equal.outer(predictions, np.arange(classes)).reshape(len(predictions), -1).astype(float))


def _excess(first: Array, second: Array, examples: int, draws: int) -> float:
    rng = np.random.default_rng(0)
    size = min(len(first), len(second)) // 2
    a, b = (_halves(rng, each, size, draws) for each in (first, second))
    across = np.mean([_mean_distance(one, other, examples) for one in a for other in b])
    within = (_mean_distance(*a, examples) + _mean_distance(*b, examples)) / 2
    return float(across - within)


def _halves(rng: np.random.Generator, hot: Array, size: int, draws: int) -> tuple[Array, Array]:
    """Shares of two disjoint random halves of the runs, both of shape [draws, examples x classes]."""
    orders = np.array([rng.permutation(len(hot)) for _ in range(draws)])
    weights = np.zeros((2, draws, len(hot)))
    for half, chosen in enumerate((orders[:, :size], orders[:, size : 2 * size])):
        np.put_along_axis(weights[half], chosen, 1 / size, axis=1)
    return weights[0] @ hot, weights[1] @ hot


def _mean_distance(first: Array, second: Array, examples: int) -> float:
    return float(np.abs(first - second).sum(axis=1).mean() / 2 / examples)
