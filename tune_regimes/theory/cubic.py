"""Interpolating components that are not quadratic, on which the lemmas of SGDL about a neighbourhood can be tried."""

from dataclasses import dataclass

import numpy as np

from tune_regimes.theory.checks import Array
from tune_regimes.theory.components import Components, linearised
from tune_regimes.theory.matrices import check_array, check_symmetric


@dataclass(frozen=True)
class CubicComponents:
    """f_i(x) = x^T H_i x / 2 + (1/6) sum_j c_ij x_j^3, each with its minimum over the neighbourhood at x* = 0.

    The Hessian is H_i + diag(c_i x), so L = max |c_ij|, and e_i(x) = c_i x^2 / 2 exactly.

    Args:
        hessians: H_i, shape (N, n, n), symmetric positive semi-definite.
        cubic: c, shape (N, n).

    Raises:
        TheoryError: A shape that does not fit, or a Hessian that is not symmetric or is indefinite.
    """

    hessians: Array
    cubic: Array

    def __post_init__(self) -> None:
        stack = check_array("hessians", self.hessians, (None, None, None))
        object.__setattr__(self, "hessians", check_symmetric("each Hessian", stack))
        object.__setattr__(self, "cubic", check_array("cubic", self.cubic, stack.shape[:2]))

    @property
    def lipschitz(self) -> float:
        """L, the largest Lipschitz constant of a component's Hessian at x*."""
        return float(np.abs(self.cubic).max())

    @property
    def at_solution(self) -> Components:
        """The quadratic components with the Hessians at x*."""
        return linearised(self.hessians, np.zeros(self.cubic.shape[1]))

    def gradients(self, weights: Array) -> Array:
        """Return the gradient of every component, shape (..., N, n) for weights of shape (..., n)."""
        return np.asarray(np.einsum("kij,...j->...ki", self.hessians, weights) + self.remainders(weights))

    def remainders(self, weights: Array) -> Array:
        """Return e_i(x) = gradient f_i(x) - H_i x of SGDL, eqs. 3-5, shape (..., N, n): at most L norm(x)^2 in norm."""
        return np.asarray(self.cubic * weights[..., None, :] ** 2 / 2.0)

    def gradient_bounds(self, radius: float) -> Array:
        """Return L e^2 + norm(H_i) e of SGDL, Lemma 1, shape (N,): norm(gradient f_i) stays below on the e-ball."""
        return np.asarray(self.lipschitz * radius**2 + np.linalg.norm(self.hessians, ord=2, axis=(1, 2)) * radius)
