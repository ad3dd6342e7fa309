"""The toy loss x^2 / (x^2 + y^2): gradient descent with weight decay is chaotic on it, gradient flow is not.

Intrinsic learning rate, section 4 and figure 5a.
"""

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number
from tune_regimes.theory.integration import runge_kutta
from tune_regimes.theory.matrices import check_array


def loss(points: Array) -> Array:
    """Return x^2 / (x^2 + y^2) of points of shape (..., 2), shape (...)."""
    return np.asarray(points[..., 0] ** 2 / (points**2).sum(axis=-1))


def gradient(points: Array) -> Array:
    """Return the gradient at points of shape (..., 2), same shape: 2 x y (y, -x) / (x^2 + y^2)^2."""
    x, y = points[..., 0], points[..., 1]
    turned = np.stack([y, -x], axis=-1)
    return np.asarray((2.0 * x * y / (points**2).sum(axis=-1) ** 2)[..., None] * turned)


def descend(starts: object, *, lr: float, weight_decay: float, steps: int) -> Array:
    """Return gradient descent with weight decay, w' = (1 - lr wd) w - lr gradient(w), from several starts.

    Args:
        starts: Shape (S, 2), none at the origin.
        lr: Learning rate, above 0.
        weight_decay: At least 0, with lr wd < 1.
        steps: Number of updates.

    Returns:
        Shape (steps + 1, S, 2).

    Raises:
        TheoryError: lr 0, an intrinsic learning rate of 1 or more, a start at the origin or of another shape.
    """
    rate = check_number("learning rate", lr, positive=True)
    shrink = 1.0 - check_number("intrinsic learning rate lr * wd", rate * weight_decay, below=1.0)
    path = [_starts(starts)]
    for _ in range(check_count("steps", steps)):
        path.append(shrink * path[-1] - rate * gradient(path[-1]))
    return np.stack(path)


def flow(starts: object, *, times: object, weight_decay: float = 0.0, substeps: int = 20) -> Array:
    """Return gradient flow with weight decay, dw/dt = -gradient(w) - wd w, by Runge-Kutta; times of shape (T,).

    Returns:
        Shape (T, S, 2).

    Raises:
        TheoryError: A negative weight decay, times that do not rise, a start at the origin or of another shape.
    """
    decay = check_number("weight decay", weight_decay)
    return runge_kutta(lambda _, w: -gradient(w) - decay * w, _starts(starts), times, substeps=substeps)


def flow_ratio(start: Array, radii: Array) -> Array:
    """Return x / y along gradient flow without weight decay as implied by the ODE of the angle, shape of `radii`.

    The flow keeps the norm r, because the gradient is orthogonal to the weights, and with q = x / y obeys
    dq/dt = -2 q / r^2, so q(t) = q(0) exp(-2 t / r^2): abs(x / y) falls at every t, and weight decay only shrinks r.

    Args:
        start: (x, y), shape (2,), with y not 0.
        radii: Integrals of dt / r^2 from 0 to each time; t / r^2 without weight decay.
    """
    return np.asarray(start[0] / start[1] * np.exp(-2.0 * np.asarray(radii)))


def _starts(starts: object) -> Array:
    points = check_array("starts", starts, (None, 2))
    if not (np.linalg.norm(points, axis=1) > 0).all():
        raise TheoryError("starts must differ from the origin: received (0, 0). The loss has no value there.")
    return points
