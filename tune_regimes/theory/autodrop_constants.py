"""What follows from AutoDrop's recommended constants alone: levels of the learning rate, thresholds, averaging weights.

Source: AutoDrop, algorithm 1.
"""

import math

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number


def drops_to_floor(lr: float, factor: float, floor: float) -> int:
    """The number of drops lr <- max(floor, factor lr) from the first learning rate to the smallest.

    A rate within a relative 1e-9 of the floor stands on it: 0.1 * 0.1 * 0.1 * 0.1 > 1e-4 in floating point.

    Raises:
        TheoryError: A factor outside (0, 1), a learning rate that is not above 0, or a floor above it.

    Examples:
        >>> [drops_to_floor(0.1, factor, 1e-4) for factor in (0.1, 0.2, 0.5)]
        [3, 5, 10]
    """
    first, last = check_number("lr", lr, positive=True), check_number("floor", floor, positive=True)
    step = check_number("factor", factor, below=1.0, positive=True)
    if last > first:
        raise TheoryError(
            f"the floor must not be above the first lr: received {last:g} and {first:g}. Lower the floor."
        )
    return max(0, math.ceil(math.log(last * (1.0 + 1e-9) / first) / math.log(step)))


def thresholds(first: float, highest: float, factor: float, drops: int) -> Array:
    """The threshold before each drop and after the last, theta <- min(highest, theta / factor), shape (drops + 1,).

    Args:
        first: Threshold of the first drop, degrees per epoch (recommended: 0.01).
        highest: Upper limit, degrees per epoch (recommended: 1).
        factor: Factor of each drop of the learning rate.
        drops: Number of drops.

    Raises:
        TheoryError: A value out of range, or a limit below the first threshold.

    Examples:
        >>> thresholds(0.01, 1.0, 0.2, 4).round(12).tolist()
        [0.01, 0.05, 0.25, 1.0, 1.0]
    """
    start, limit = check_number("first", first, positive=True), check_number("highest", highest, positive=True)
    step = check_number("factor", factor, below=1.0, positive=True)
    if limit < start:
        raise TheoryError(
            f"the highest threshold must not be below the first: received {limit:g} and {start:g}. Raise it."
        )
    return np.asarray(np.minimum(limit, start / step ** np.arange(check_count("drops", drops, low=0) + 1)))


def averaging_weights(delay: int) -> Array:
    """The weights of the epochs that enter AutoDrop's average; they sum to 1.

    They grow linearly, k / ((n_d + 1)(n_d + 2) / 2) for k = 1, ..., n_d + 1; the text calls the average exponential.

    Args:
        delay: n_d, epochs from the trigger to the drop (recommended: 20).

    Returns:
        Shape (n_d + 1,): algorithm 1 counts the epoch of the trigger too.

    Raises:
        TheoryError: A delay below 1.
    """
    counts = np.arange(1.0, check_count("delay", delay) + 2.0)
    return np.asarray(counts / counts.sum())


def averaging_weights_printed(delay: int) -> Array:
    """The weights as algorithm 1 prints them, k / ((n_d + 1) n_d / 2); they sum to (n_d + 2) / n_d, 1.1 for n_d = 20.

    The divisor is that of n_d epochs, the sum that of n_d + 1. Argument, shape and errors: see `averaging_weights`.
    """
    return averaging_weights(delay) * ((delay + 2) / delay)
