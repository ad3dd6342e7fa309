"""Total variation between distributions of class predictions, and how far its estimate lies above it.

Intrinsic learning rate, conjecture 5.3 and figure 3b: for every test image the predicted classes of n independent
trainings of one schedule are compared with those of another; the mean over images is plotted.
"""

from math import lgamma

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count
from tune_regimes.theory.matrices import check_array


def total_variation(first: object, second: object) -> float:
    """Return sup_A abs(P(A) - Q(A)) = sum_c abs(p_c - q_c) / 2 of two distributions over C classes.

    Raises:
        TheoryError: Probabilities that are negative or do not sum to 1, or of different lengths.

    Examples:
        >>> total_variation([0.5, 0.5], [0.25, 0.75])
        0.25
    """
    p = _distribution(first)
    q = check_array("second distribution", _distribution(second), p.shape)
    return float(np.abs(p - q).sum() / 2.0)


def estimated_total_variation(first: object, second: object, classes: int) -> float:
    """Return figure 3b's estimate: the mean over images of the distance between frequencies of predicted classes.

    Args:
        first: Predicted classes of the trainings of one schedule, integers of shape (trials, images).
        second: Those of another, shape (other trials, images).
        classes: Number of classes C.

    Returns:
        A number in [0, 1]. It is biased upwards: equal distributions do not give 0 (`expected_same_schedule`).

    Raises:
        TheoryError: No trial, a class outside 0..C-1, or different numbers of images.
    """
    p, q = _frequencies(first, classes), _frequencies(second, classes)
    if p.shape != q.shape:
        raise TheoryError(
            f"both schedules must predict the same images: received {p.shape[0]} and {q.shape[0]}. Align them."
        )
    return float(np.abs(p - q).sum(axis=1).mean() / 2.0)


def split_half(predictions: object, classes: int, rng: np.random.Generator, splits: int = 20) -> float:
    """Return the same-schedule baseline: the estimate between random halves of one schedule's trials, mean of `splits`.

    With 2 n trials this is what two schedules of n trials each give if they do not differ at all.

    Raises:
        TheoryError: Fewer than two trials, or a class outside 0..C-1.
    """
    trials = check_array("predictions", predictions, (None, None))
    half = check_count("trials", len(trials), low=2) // 2
    orders = (rng.permutation(len(trials)) for _ in range(check_count("splits", splits)))
    halves = ((trials[order[:half]], trials[order[half : 2 * half]]) for order in orders)
    return float(np.mean([estimated_total_variation(one, other, classes) for one, other in halves]))


def expected_same_schedule(distribution: object, trials: int) -> float:
    """Return the exact mean of the estimate between two groups of n trials that share one distribution.

    sum_c E abs(X_c - Y_c) / (2 n) with X_c, Y_c independent binomial(n, p_c). For (.9, .05, .03, .02): .123 at n = 10,
    .064 at 50, .046 at 100, .021 at 500.

    Args:
        distribution: Probabilities of the classes, shape (C,).
        trials: n, in each group.

    Raises:
        TheoryError: Not a distribution, or no trial.
    """
    n = check_count("trials", trials)
    distances = np.abs(np.arange(-n, n + 1))
    weights = [_binomial(n, float(p)) for p in _distribution(distribution)]
    return float(sum((distances * np.convolve(w, w[::-1])).sum() for w in weights) / (2.0 * n))


def baseline_printed(first_error: float, second_error: float) -> float:
    """Return the paper's dashed line, the sum of two mean test errors: no same-schedule baseline."""
    return first_error + second_error


def _binomial(n: int, p: float) -> Array:
    if p in (0.0, 1.0):
        return np.asarray(np.eye(n + 1)[n if p else 0], dtype=np.float64)
    k = np.arange(n + 1)
    choose = np.array([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in k])
    return np.asarray(np.exp(choose + k * np.log(p) + (n - k) * np.log1p(-p)))


def _frequencies(predictions: object, classes: int) -> Array:
    labels = check_array("predictions", predictions, (None, None))
    count = check_count("classes", classes, low=2)
    if ((labels < 0) | (labels >= count) | (labels % 1 != 0)).any():
        raise TheoryError(
            f"predictions must be classes 0..{count - 1}: received {labels.min():g}..{labels.max():g}. "
            "Give the index of the predicted class."
        )
    return np.stack([(labels == c).mean(axis=0) for c in range(count)], axis=1)


def _distribution(values: object) -> Array:
    p = check_array("distribution", values, (None,))
    if (p < 0).any() or abs(p.sum() - 1.0) > 1e-9:
        raise TheoryError(f"probabilities must be at least 0 and sum to 1: received {p.tolist()}. Normalise them.")
    return p
