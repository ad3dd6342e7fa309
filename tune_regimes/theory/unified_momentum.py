"""Unified Momentum: heavy ball, Nesterov's method and gradient descent as three faces of one update.

Source: AutoDrop, Eq. 7, after Yang, Lin and Li, arXiv:1604.03257.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_number, check_vector

Gradient = Callable[[Array, int], npt.ArrayLike]
"""``gradient(x, t)``, the gradient at x in iteration t, of the shape of x; t tells it whose noise to draw."""


def unified_momentum(
    gradient: Gradient, start: npt.ArrayLike, lrs: npt.ArrayLike, *, momentum: float, s: float
) -> Array:
    """Run the unified update: y' = x - lr g, ys' = x - s lr g, x' = y' + momentum (ys' - ys), with ys_0 = x_0.

    It is `heavy_ball` for s = 0, `nesterov` for s = 1 and `gradient_descent` with lr / (1 - momentum) for
    s = `descent_factor(momentum)`, whatever the learning rates do.

    Args:
        gradient: See `Gradient`.
        start: x_0, of any shape; replicates and coordinates are alike.
        lrs: Learning rate of each iteration, above 0, shape (T,).
        momentum: In [0, 1).
        s: Which face, at least 0.

    Returns:
        The iterates x_0, ..., x_T, shape (T + 1, ...).

    Raises:
        TheoryError: A value out of range, or a gradient of another shape than x.

    Examples:
        >>> unified_momentum(lambda x, t: x, [1.0], [0.1, 0.1], momentum=0.5, s=0.0).round(6).ravel().tolist()
        [1.0, 0.9, 0.76]
    """
    mu, face = _momentum(momentum), check_number("s", s)
    rates, iterates = _begin(start, lrs)
    shadow = iterates[0]
    for t, lr in enumerate(rates):
        x = iterates[-1]
        g = _evaluate(gradient, x, t)
        before, shadow = shadow, x - face * lr * g
        iterates.append(x - lr * g + mu * (shadow - before))
    return np.array(iterates)


def heavy_ball(gradient: Gradient, start: npt.ArrayLike, lrs: npt.ArrayLike, *, momentum: float) -> Array:
    """Run x' = x - lr g + momentum (x - x_before), the two-step form.

    After a change of the learning rate it is not torch's SGD, whose lr multiplies the whole buffer of past gradients.
    Arguments, result and errors are those of `unified_momentum`.
    """
    mu = _momentum(momentum)
    rates, iterates = _begin(start, lrs)
    before = iterates[0]
    for t, lr in enumerate(rates):
        x = iterates[-1]
        iterates.append(x - lr * _evaluate(gradient, x, t) + mu * (x - before))
        before = x
    return np.array(iterates)


def nesterov(gradient: Gradient, start: npt.ArrayLike, lrs: npt.ArrayLike, *, momentum: float) -> Array:
    """Run y' = x - lr g, x' = y' + momentum (y' - y), with y_0 = x_0.

    Arguments, result and errors are those of `unified_momentum`.
    """
    mu = _momentum(momentum)
    rates, iterates = _begin(start, lrs)
    y = iterates[0]
    for t, lr in enumerate(rates):
        x = iterates[-1]
        before, y = y, x - lr * _evaluate(gradient, x, t)
        iterates.append(y + mu * (y - before))
    return np.array(iterates)


def gradient_descent(gradient: Gradient, start: npt.ArrayLike, lrs: npt.ArrayLike) -> Array:
    """Run x' = x - lr g. Arguments, result and errors are those of `unified_momentum`."""
    rates, iterates = _begin(start, lrs)
    for t, lr in enumerate(rates):
        iterates.append(iterates[-1] - lr * _evaluate(gradient, iterates[-1], t))
    return np.array(iterates)


def descent_factor(momentum: float) -> float:
    """The s with which the unified update is gradient descent, 1 / (1 - momentum); its step is lr times that factor.

    Raises:
        TheoryError: A momentum outside [0, 1).
    """
    return 1.0 / (1.0 - _momentum(momentum))


def _momentum(momentum: object) -> float:
    return check_number("momentum", momentum, below=1.0)


def _begin(start: npt.ArrayLike, lrs: npt.ArrayLike) -> tuple[list[float], list[Array]]:
    return check_vector("lrs", lrs, positive=True).tolist(), [np.array(start, dtype=np.float64)]


def _evaluate(gradient: Gradient, x: Array, t: int) -> Array:
    value = np.asarray(gradient(x, t), dtype=np.float64)
    if value.shape != x.shape:
        raise TheoryError(
            f"a gradient must have the shape of the point: received {value.shape} at a point of shape {x.shape} in "
            f"iteration {t}. Return an array of that shape."
        )
    return value
