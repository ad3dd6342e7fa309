"""Scale-invariant losses whose derivatives are known: quadratics of the direction of the weights.

Intrinsic learning rate, section 3 and appendix B. With u = w / norm(w) and g_k(u) = u^T A_k u / 2 + b_k u, the loss of
batch k is f_k(w) = g_k(u): multiplying the weights by c > 0 leaves it, divides its gradient by c and its Hessian by c^2
(Lemma 3.1).
"""

from dataclasses import dataclass

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array
from tune_regimes.theory.matrices import check_array, check_symmetric


@dataclass(frozen=True)
class SphereLoss:
    """One loss for each of K batches, f_k(w) = u^T A_k u / 2 + b_k u with u = w / norm(w).

    Args:
        curvatures: A_k, shape (K, n, n), symmetric, of any sign.
        slopes: b_k, shape (K, n).

    Raises:
        TheoryError: A shape that does not fit, or a matrix that is not symmetric.

    Examples:
        >>> loss = SphereLoss(np.diag([2.0, 0.0])[None], np.zeros((1, 2)))
        >>> loss.value(np.array([3.0, 4.0])), loss.value(np.array([30.0, 40.0]))
        (0.36, 0.36)
    """

    curvatures: Array
    slopes: Array

    def __post_init__(self) -> None:
        stack = check_array("curvatures", self.curvatures, (None, None, None))
        object.__setattr__(self, "curvatures", check_symmetric("each curvature", stack, low=None))
        object.__setattr__(self, "slopes", check_array("slopes", self.slopes, stack.shape[:2]))

    def value(self, weights: Array, batch: int = 0) -> float:
        """Return the loss of one batch at weights of shape (n,)."""
        u = _direction(weights)
        return float(u @ self.curvatures[batch] @ u / 2.0 + self.slopes[batch] @ u)

    def gradient(self, weights: Array, batch: int = 0) -> Array:
        """Return the gradient of one batch, shape (n,): (I - u u^T) (A u + b) / norm(w)."""
        u = _direction(weights)
        outer = self.outer_gradient(u, batch)
        return np.asarray((outer - (outer @ u) * u) / np.linalg.norm(weights))

    def outer_gradient(self, direction: Array, batch: int = 0) -> Array:
        """Return A u + b, the gradient of g_k, shape (n,)."""
        return np.asarray(self.curvatures[batch] @ direction + self.slopes[batch])

    def hessian(self, weights: Array, batch: int = 0) -> Array:
        """Return the Hessian of one batch, shape (n, n).

        (P A P - (u g) P - P g u^T - u g^T P) / norm(w)^2 with g = A u + b and P = I - u u^T.
        """
        u = _direction(weights)
        outer, tangent = self.outer_gradient(u, batch), np.eye(u.size) - np.outer(u, u)
        cross = np.outer(tangent @ outer, u)
        inner = tangent @ self.curvatures[batch] @ tangent - (u @ outer) * tangent - cross - cross.T
        return np.asarray(inner / (weights @ weights))

    def noise_covariance(self, weights: Array) -> Array:
        """Return Sigma_w, the covariance of the gradient over the batches, shape (n, n)."""
        gradients = np.stack([self.gradient(weights, k) for k in range(len(self.slopes))])
        centred = gradients - gradients.mean(axis=0)
        return np.asarray(centred.T @ centred / len(centred))


def tangent_curvature(loss: SphereLoss, weights: Array, along: Array, batch: int = 0) -> float:
    """Return v^T Hess f(w) v for v orthogonal to w in closed form: Lemma B.3, eq. 14.

    (v^T Hess g(u) v - (u grad g(u)) norm(v)^2) / norm(w)^2. The proof prints grad g^T v where u^T grad g is meant.

    Args:
        loss: The loss.
        weights: w, shape (n,).
        along: v, shape (n,).
        batch: Which batch.

    Raises:
        TheoryError: v is not orthogonal to w.
    """
    v = check_array("v", along, weights.shape)
    if abs(slant := float(v @ weights / (np.linalg.norm(v) * np.linalg.norm(weights)))) > 1e-9:
        raise TheoryError(f"v must be orthogonal to w: received a cosine of {slant:g}. Subtract its part along w.")
    u = _direction(weights)
    outer = float(u @ loss.outer_gradient(u, batch))
    return float((v @ loss.curvatures[batch] @ v - outer * (v @ v)) / (weights @ weights))


def random_sphere_loss(seed: int, dimension: int, batches: int) -> SphereLoss:
    """Return losses with standard normal curvatures (symmetrised) and slopes."""
    rng = np.random.default_rng(seed)
    square = rng.standard_normal((batches, dimension, dimension))
    return SphereLoss((square + square.transpose(0, 2, 1)) / 2.0, rng.standard_normal((batches, dimension)))


def _direction(weights: Array) -> Array:
    norm = float(np.linalg.norm(weights))
    if not norm > 0.0:
        raise TheoryError(
            f"weights must not be zero: received norm {norm:g}. A scale-invariant loss has no value there."
        )
    return np.asarray(weights / norm)
