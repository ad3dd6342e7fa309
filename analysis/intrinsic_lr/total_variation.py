"""How far the predictions of two ways to train are apart, beside how far those of one way are.

The distance is the paper's: the total variation between the shares of runs that predict each class, averaged over test
examples (``tune_regimes.theory.total_variation``). From n runs it is biased upwards, so that it means something only
next to the distance between two halves of the runs of one way, which the paper does not give.

Runs of two ways that have one seed see the same batches, and so end nearer to each other than independent runs do.
Distances here are between runs of different seeds only, as those within one way are.

Source: Li, Lyu and Arora, 2020, Sec. 6.1, Fig. 3b.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import Array, Effect
from tune_regimes.theory.total_variation import estimated_total_variation

Predictions = NDArray[np.integer]
"""Predicted classes, shape [runs, examples]; of two ways, rows of the same number are runs of the same seed."""

DRAWS = 40
"""Random choices of runs over which a distance is averaged."""


def distances_between(
    first: Predictions, second: Predictions, classes: int, counts: Sequence[int], draws: int = DRAWS
) -> Array:
    """The distance of n runs of one way from n of the other, by n, at most half of the runs; shape [counts].

    A mean over random choices of the runs, with different seeds for the two. Of one way twice it is the distance
    within that way.
    """
    rng = np.random.default_rng(0)

    def split(count: int) -> float:
        order = rng.permutation(len(first))
        return estimated_total_variation(first[order[:count]], second[order[count : 2 * count]], classes)

    return np.array([np.mean([split(count) for _ in range(draws)]) for count in counts])


def excess(first: Predictions, second: Predictions, classes: int, draws: int = DRAWS) -> Effect:
    """How much further apart the two ways are than runs of one way, from equally many runs, with its error.

    The distance of half of the runs of the one from the other half of those of the other, less the mean of those
    between the two halves of each, averaged over random halvings: the bias cancels, so that zero is no difference. The
    standard error is a jackknife over seeds, each left out of the half that it is in.

    Args:
        first: Predictions of the one, shape [n, examples], n at least 4.
        second: Predictions of the other, shape [n, examples].
        classes: How many there are.
        draws: Halvings to average over.
    """
    hot = [_one_hot(each, classes) for each in (first, second)]
    n, examples = first.shape
    weights = _halves(n, draws)
    shares = [[half @ each for half in weights] for each in hot]

    def without(seed: int) -> list[list[Array]]:
        """The shares of every half without one seed: unchanged where it is not in that half."""
        inside = [(half[:, seed] > 0)[:, None] / (n // 2 - 1) for half in weights]
        return [
            [share + factor * (share - runs[seed]) for share, factor in zip(own, inside, strict=True)]
            for own, runs in zip(shares, hot, strict=True)
        ]

    left_out = np.array([_excess(without(seed), examples) for seed in range(n)])
    variance = (n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum())
    return Effect(_excess(shares, examples), float(np.sqrt(variance)), n - 1)


def _one_hot(predictions: Predictions, classes: int) -> Array:
    """Shape [runs, examples x classes]."""
    return cast(Array, np.equal.outer(predictions, np.arange(classes)).reshape(len(predictions), -1).astype(float))


def _halves(runs: int, draws: int) -> tuple[Array, Array]:
    """Weights that take the means over two disjoint random halves of the runs, both of shape [draws, runs]."""
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(runs) for _ in range(draws)])
    weights, size = np.zeros((2, draws, runs)), runs // 2
    for half, chosen in enumerate((orders[:, :size], orders[:, size : 2 * size])):
        np.put_along_axis(weights[half], chosen, 1 / size, axis=1)
    return weights[0], weights[1]


def _excess(shares: Sequence[Sequence[Array]], examples: int) -> float:
    """From the shares in both halves of both ways, each of shape [draws, examples x classes]."""
    (a, other_a), (b, other_b) = shares
    across = _mean_distance(a, other_b, examples) + _mean_distance(other_a, b, examples)
    within = _mean_distance(a, other_a, examples) + _mean_distance(b, other_b, examples)
    return (across - within) / 2


def _mean_distance(first: Array, second: Array, examples: int) -> float:
    return float(np.abs(first - second).sum(axis=1).mean() / 2 / examples)
