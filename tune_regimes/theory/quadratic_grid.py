"""The grid of Two Regimes, figure 14: the log loss of heavy ball after 10,000 steps over learning rate and momentum."""

import numpy as np

from tune_regimes.theory.checks import Array, check_count, check_vector
from tune_regimes.theory.heavy_ball import Quadratic, transition
from tune_regimes.theory.matrices import check_array

STEPS = 10_000
LR_RANGE = (1e-7, 5e-5)
# Appendix C.3 prints 5 x 10^5 for the upper end, ten orders of magnitude above the largest stable learning rate.
LR_RANGE_PRINTED = (1e-7, 5e5)
COMPLEMENT_RANGE = (1e-3, 1.0)
# Coordinates this small add nothing to a loss, while subnormal numbers slow the arithmetic down by orders of magnitude.
FLUSH_BELOW = 1e-150
FLUSH_EVERY = 50
# Learning rates that are iterated together: few enough that all their numbers stay in the cache.
BLOCK = 5


def lr_grid(points: int = 50, *, printed: bool = False) -> Array:
    """Return log-spaced learning rates, shape (points,), over the corrected range of appendix C.3 or as printed."""
    return np.geomspace(*(LR_RANGE_PRINTED if printed else LR_RANGE), check_count("points", points, low=2))


def momentum_grid(points: int = 50) -> Array:
    """Return momentums, shape (points,), falling from 0.999 to 0 with 1 - mu log-spaced from 1e-3 to 1."""
    return 1.0 - np.geomspace(*COMPLEMENT_RANGE, check_count("points", points, low=2))


def log_losses(quadratic: Quadratic, start: object, lrs: object, momentums: object, steps: int = STEPS) -> Array:
    """Return the grid by matrix powers: about 2 log2(steps) products, whatever the number of steps.

    Args:
        quadratic: What is minimised, n coordinates.
        start: w_0 in the eigenbasis, shape (n,).
        lrs: Learning rates, shape (L,).
        momentums: Momentums, shape (M,).
        steps: Number of updates.

    Returns:
        log f(w_steps), natural logarithm, shape (L, M); +inf where the run has left the range of float64.

    Raises:
        TheoryError: An lr that is not positive, a momentum that is negative, or a start of another shape.
    """
    first, lr, mu = _grid(quadratic, start, lrs, momentums)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.linalg.matrix_power(transition(lr, mu, quadratic.hessian), check_count("steps", steps))
        return _log(quadratic.loss(power[..., 0, 0] * first))


def log_losses_by_iteration(
    quadratic: Quadratic, start: object, lrs: object, momentums: object, steps: int = STEPS
) -> Array:
    """Return the grid by the steps themselves, all settings at once; everything else as for `log_losses`."""
    first, lr, mu = _grid(quadratic, start, lrs, momentums)
    count = check_count("steps", steps)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        blocks = [lr[i : i + BLOCK] for i in range(0, len(lr), BLOCK)]
        return np.concatenate([_log(quadratic.loss(_iterated(quadratic.hessian, first, b, mu, count))) for b in blocks])


def _iterated(hessian: Array, start: Array, lr: Array, mu: Array, steps: int) -> Array:
    shape = np.broadcast_shapes(lr.shape, mu.shape, start.shape)
    weights, buffer, scratch = np.broadcast_to(start, shape).copy(), np.zeros(shape), np.empty(shape)
    for step in range(steps):
        buffer *= mu
        buffer += np.multiply(hessian, weights, out=scratch)
        weights -= np.multiply(lr, buffer, out=scratch)
        if step % FLUSH_EVERY == 0:
            _flush(weights)
            _flush(buffer)
    return weights


def best_lrs(lrs: Array, grid: Array) -> Array:
    """Return the learning rate of the smallest loss for each momentum, shape (M,), of a grid of shape (L, M)."""
    return np.asarray(lrs[grid.argmin(axis=0)])


def _grid(quadratic: Quadratic, start: object, lrs: object, momentums: object) -> tuple[Array, Array, Array]:
    first = check_array("start", start, quadratic.eigenvalues.shape)
    lr = check_vector("learning rates", lrs, positive=True)
    return first, lr[:, None, None], check_vector("momentums", momentums)[None, :, None]


def _flush(values: Array) -> None:
    values[np.abs(values) < FLUSH_BELOW] = 0.0


def _log(losses: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.where(np.isfinite(losses), losses, np.inf))
