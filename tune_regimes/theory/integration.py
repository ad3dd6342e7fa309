"""The classical fourth-order Runge-Kutta method, against which closed forms are checked."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count
from tune_regimes.theory.matrices import check_array

Derivative = Callable[[float, Array], Array]


def runge_kutta(derivative: Derivative, start: Array, times: object, *, substeps: int = 1) -> Array:
    """Return the solution of dy/dt = derivative(t, y) at given times.

    Args:
        derivative: Of (t, y), same shape as y.
        start: y at the first time, any shape.
        times: Rising, shape (T,).
        substeps: Steps of the method between two times.

    Returns:
        Shape (T, ...), the start first.

    Raises:
        TheoryError: Times that do not rise, or no substep.

    Examples:
        >>> round(float(runge_kutta(lambda t, y: -y, np.array(1.0), [0.0, 1.0], substeps=20)[-1]), 6)
        0.367879
    """
    instants = check_array("times", times, (None,))
    if (np.diff(instants) <= 0).any():
        raise TheoryError(f"times must rise: received {instants.tolist()[:5]}... Sort them, without repeats.")
    values = [np.asarray(start, dtype=np.float64)]
    for begin, end in pairwise(instants):
        h, value = (end - begin) / check_count("substeps", substeps), values[-1]
        for k in range(substeps):
            value = _step(derivative, begin + k * h, value, h)
        values.append(value)
    return np.stack(values)


def _step(derivative: Derivative, t: float, y: Array, h: float) -> Array:
    first = derivative(t, y)
    second = derivative(t + h / 2.0, y + h / 2.0 * first)
    third = derivative(t + h / 2.0, y + h / 2.0 * second)
    fourth = derivative(t + h, y + h * third)
    return np.asarray(y + h / 6.0 * (first + 2.0 * second + 2.0 * third + fourth))
