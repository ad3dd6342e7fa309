"""Heavy ball on a quadratic: every eigen-coordinate is a linear recursion of two numbers, so all of it is exact.

The update is torch's (Two Regimes, eqs. 1-2): ``g' = mu g + gradient(w)``, ``w' = w - lr g'``, with g_0 = 0. In the
eigenbasis of f(w) = w A w^T the gradient is 2 A w and the Hessian 2 A (appendix C.3), hence with h = 2 lambda

    (w', g') = T (w, g),   T = [[1 - lr h, -lr mu], [h, mu]].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number, check_vector
from tune_regimes.theory.matrices import check_array, check_symmetric


@dataclass(frozen=True)
class Quadratic:
    """f(w) = w A w^T with its minimum, 0, at the origin; weights are given in the eigenbasis of A.

    Args:
        eigenvalues: Those of A, shape (n,), above 0. The Hessian is 2 A.

    Raises:
        TheoryError: An eigenvalue that is not positive and finite.

    Examples:
        >>> conditioned(3, 100.0).eigenvalues.tolist()
        [1.0, 10.0, 100.0]
    """

    eigenvalues: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "eigenvalues", check_vector("eigenvalues", self.eigenvalues, positive=True))

    @property
    def hessian(self) -> Array:
        """The eigenvalues of the Hessian, shape (n,)."""
        return 2.0 * self.eigenvalues

    def loss(self, weights: Array) -> Array:
        """Return f of weights, shape (..., n), as shape (...)."""
        return np.asarray(weights**2 @ self.eigenvalues)


def conditioned(dimension: int = 30, condition: float = 1e5) -> Quadratic:
    """Return the quadratic of appendix C.3: eigenvalues of A from 1 to `condition` (log-spaced: ours)."""
    check_count("dimension", dimension, low=2)
    return Quadratic(np.geomspace(1.0, check_number("condition", condition, low=1.0), dimension))


def diagonalised(matrix: object) -> tuple[Quadratic, Array]:
    """Return the quadratic of a symmetric positive definite matrix A, and its eigenbasis.

    Args:
        matrix: A, shape (n, n).

    Returns:
        The quadratic and Q, shape (n, n), with A = Q diag(eigenvalues) Q^T: weights w have the coordinates ``w @ Q``.

    Raises:
        TheoryError: A is not symmetric or not positive definite.
    """
    eigenvalues, basis = np.linalg.eigh(check_symmetric("A", matrix))
    return Quadratic(eigenvalues), basis


def stability_edge(momentum: npt.ArrayLike, hessian: npt.ArrayLike) -> Array:
    """Return 2 (1 + mu) / h, the learning rate at which heavy ball stops converging on an eigenvalue h of the Hessian.

    For A with a largest eigenvalue of 1e5 this is (1 + mu) 1e-5: the edge of figure 14.
    """
    return np.asarray(2.0 * (1.0 + np.asarray(momentum)) / np.asarray(hessian))


def transition(lr: npt.ArrayLike, momentum: npt.ArrayLike, hessian: npt.ArrayLike) -> Array:
    """Return T, shape (..., 2, 2) with the arguments broadcast together, which maps (w, g) to (w', g')."""
    lr, mu, h = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (lr, momentum, hessian)))
    return np.stack([np.stack([1.0 - lr * h, -lr * mu], axis=-1), np.stack([h, mu], axis=-1)], axis=-2)


def contraction(lr: npt.ArrayLike, momentum: npt.ArrayLike, hessian: npt.ArrayLike) -> Array:
    """Return the spectral radius of T in closed form, from the roots of z^2 - (1 + mu - lr h) z + mu."""
    trace = 1.0 + np.asarray(momentum) - np.asarray(lr) * np.asarray(hessian)
    root = np.sqrt((trace**2 - 4.0 * np.asarray(momentum)).astype(complex))
    return np.asarray(np.maximum(abs(trace + root), abs(trace - root)) / 2.0)


def alignment(buffer: Array, weights: Array, *, printed: bool = False) -> Array:
    """Return the cosine between the step direction -g and the direction to the optimum at the origin.

    Two Regimes, eq. 3, prints +g, which accumulates gradients and so points away from the optimum: that tends to -1
    on a convex function, where the text says +1.

    Args:
        buffer: g, shape (..., n).
        weights: w, shape (..., n).
        printed: Whether to give the cosine of eq. 3 as printed, the negative.

    Returns:
        Cosines, shape (...); NaN where g or w is zero.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (buffer * weights).sum(-1) / (np.linalg.norm(buffer, axis=-1) * np.linalg.norm(weights, axis=-1))
    return np.asarray(-cosine if printed else cosine)


def scale(buffer: Array, gradient: Array) -> Array:
    """Return norm(g) / norm(gradient), shape (...): Two Regimes, eq. 4."""
    return np.asarray(np.linalg.norm(buffer, axis=-1) / np.linalg.norm(gradient, axis=-1))


def scale_limit(momentum: float, *, correlated: bool = True) -> float:
    """Return what the scale tends to: 1 / (1 - mu) for equal gradients, 1 / sqrt(1 - mu^2) for uncorrelated ones."""
    mu = check_number("momentum", momentum, below=1.0)
    return float(1.0 / (1.0 - mu) if correlated else 1.0 / np.sqrt(1.0 - mu**2))


def slow_scale_limit(quadratic: Quadratic, lr: float, momentum: float) -> float:
    """Return 1 / (z - mu), where the scale ends at a finite lr: z < 1 is the real root of the slowest coordinate.

    Raises:
        TheoryError: The slowest coordinate oscillates (its roots are complex), so that the scale has no limit.
    """
    trace = 1.0 + momentum - lr * float(quadratic.hessian.min())
    if trace**2 <= 4.0 * momentum:
        raise TheoryError(
            f"the slowest coordinate must be overdamped for the scale to settle: received lr {lr!r} with momentum "
            f"{momentum!r}. Lower the momentum or the lr."
        )
    return float(1.0 / ((trace + np.sqrt(trace**2 - 4.0 * momentum)) / 2.0 - momentum))


@dataclass(frozen=True)
class Trace:
    """A run of heavy ball, one row for each t = 0..steps: weights w_t and buffers g_t, shape (steps + 1, n)."""

    quadratic: Quadratic
    weights: Array
    buffers: Array

    @property
    def losses(self) -> Array:
        """f(w_t), shape (steps + 1,)."""
        return self.quadratic.loss(self.weights)

    @property
    def alignments(self) -> Array:
        """The corrected alignment from t = 1 on, shape (steps,); g_0 = 0 has no direction."""
        return alignment(self.buffers[1:], self.weights[1:])

    @property
    def alignments_printed(self) -> Array:
        """The alignment with the sign of eq. 3 as printed, shape (steps,)."""
        return -self.alignments

    @property
    def scales(self) -> Array:
        """norm(g_t) / norm(gradient(w_t)) from t = 1 on, shape (steps,)."""
        return scale(self.buffers[1:], self.quadratic.hessian * self.weights[1:])


def run(quadratic: Quadratic, start: object, *, lr: float, momentum: float, steps: int) -> Trace:
    """Return the run that iterates the update: Two Regimes, figure 2.

    Args:
        quadratic: What is minimised.
        start: w_0 in the eigenbasis, shape (n,).
        lr: Learning rate, below the stability edge.
        momentum: mu, in [0, 1).
        steps: Number of updates.

    Raises:
        TheoryError: A start of another shape, a momentum out of range, lr 0 or an lr at which the run diverges.
    """
    weights, buffers = (np.zeros((check_count("steps", steps) + 1, quadratic.eigenvalues.size)) for _ in range(2))
    weights[0] = check_array("start", start, quadratic.eigenvalues.shape)
    check_stable(quadratic, lr, momentum)
    for t in range(steps):
        buffers[t + 1] = momentum * buffers[t] + quadratic.hessian * weights[t]
        weights[t + 1] = weights[t] - lr * buffers[t + 1]
    return Trace(quadratic, weights, buffers)


def state_at(quadratic: Quadratic, start: object, *, lr: float, momentum: float, step: int) -> tuple[Array, Array]:
    """Return (w_t, g_t) at t = step by powers of T, without the steps between; arguments and errors as for `run`."""
    first = check_array("start", start, quadratic.eigenvalues.shape)
    check_stable(quadratic, lr, momentum)
    power = np.linalg.matrix_power(transition(lr, momentum, quadratic.hessian), check_count("step", step, low=0))
    return power[:, 0, 0] * first, power[:, 1, 0] * first


def check_stable(quadratic: Quadratic, lr: float, momentum: float) -> None:
    """Refuse a learning rate at which heavy ball does not converge.

    Raises:
        TheoryError: lr is not in (0, edge), or the momentum not in [0, 1).
    """
    mu = check_number("momentum", momentum, below=1.0)
    edge = float(stability_edge(mu, quadratic.hessian.max()))
    check_number("lr below the stability edge 2 (1 + mu) / h", lr, below=edge, positive=True)
