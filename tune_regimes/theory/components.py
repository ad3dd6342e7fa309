"""Sums of quadratic components f = sum_i f_i, the common ground of incremental gradient descent and SGD-CS."""

from dataclasses import dataclass

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number
from tune_regimes.theory.matrices import check_array, check_symmetric


@dataclass(frozen=True)
class Components:
    """N quadratic functions of n weights, with gradient f_i(x) = H_i x - v_i.

    Args:
        hessians: H_i, shape (N, n, n), each symmetric positive semi-definite.
        pulls: v_i, shape (N, n).

    Raises:
        TheoryError: A shape that does not fit, or a Hessian that is not symmetric or is indefinite.

    Examples:
        >>> separable_squares(2).gradients(np.array([1.0, 3.0])).tolist()
        [[2.0, 0.0], [0.0, 6.0]]
    """

    hessians: Array
    pulls: Array

    def __post_init__(self) -> None:
        hessians = check_array("hessians", self.hessians, (None, None, None))
        object.__setattr__(self, "hessians", check_symmetric("each Hessian", hessians))
        object.__setattr__(self, "pulls", check_array("pulls", self.pulls, hessians.shape[:2]))

    @property
    def mean_hessian(self) -> Array:
        """H* = (1/N) sum H_i, shape (n, n)."""
        return np.asarray(self.hessians.mean(axis=0))

    @property
    def hessian_variance(self) -> Array:
        """Sigma* = (1/N) sum H_i^2 - (H*)^2, shape (n, n)."""
        return np.asarray((self.hessians @ self.hessians).mean(axis=0) - self.mean_hessian @ self.mean_hessian)

    @property
    def singular(self) -> bool:
        """Whether some direction is flat in every component, so that the minimiser is not unique."""
        eigenvalues = np.linalg.eigvalsh(self.mean_hessian)
        return bool(eigenvalues[0] <= 1e-12 * eigenvalues[-1])

    @property
    def solution(self) -> Array:
        """The minimiser of the sum, shape (n,); the one of least norm where several exist."""
        return np.asarray(np.linalg.lstsq(self.mean_hessian, self.pulls.mean(axis=0), rcond=None)[0])

    def gradients(self, weights: Array) -> Array:
        """Return the gradient of every component at weights of shape (n,), shape (N, n)."""
        return np.asarray(self.hessians @ weights - self.pulls)

    def interpolation_residual(self) -> float:
        """Return max_i norm(gradient f_i(x*)): SGDL, Theorem 1, needs 0 for SGD to converge with a constant step."""
        return float(np.linalg.norm(self.gradients(self.solution), axis=1).max())


def separable_squares(dimension: int) -> Components:
    """Return f = sum_i x_i^2 with f_i = x_i^2: SGDL, Example 1."""
    units = np.eye(check_count("dimension", dimension))
    return Components(2.0 * units[:, :, None] * units[:, None, :], np.zeros_like(units))


def least_squares(rows: object, targets: object, *, penalty: float = 0.0, weighting: object = None) -> Components:
    """Return f = norm(A x - b)^2 / 2 + (mu / 2) norm(D^(1/2) x)^2, by rows: SGDL, eq. 8 and Examples 2 and 3.

    Every row carries its share mu / N of the penalty. (Example 3 prints mu / m: m and N both stand for the rows.)

    Args:
        rows: A, shape (N, n), one row a_i for each component.
        targets: b, shape (N,).
        penalty: mu, at least 0.
        weighting: D, shape (n, n), symmetric positive semi-definite; the identity by default.

    Returns:
        Components with H_i = a_i a_i^T + (mu / N) D and v_i = b_i a_i.

    Raises:
        TheoryError: A shape that does not fit, a negative penalty, or a D that is not positive semi-definite.
    """
    a = check_array("rows", rows, (None, None))
    b = check_array("targets", targets, (a.shape[0],))
    identity = np.eye(a.shape[1])
    d = check_symmetric("D", identity if weighting is None else weighting, dimension=a.shape[1])
    mu = check_number("penalty", penalty)
    return Components(a[:, :, None] * a[:, None, :] + (mu / a.shape[0]) * d, b[:, None] * a)


def linearised(hessians: object, solution: object) -> Components:
    """Return the components with Hessians H_i(x*) and a common minimiser x*: SGDL, Example 4, eqs. 22a-c.

    Args:
        hessians: Shape (N, n, n).
        solution: x*, shape (n,). Every gradient is zero there, so the model interpolates.

    Raises:
        TheoryError: A shape that does not fit, or a Hessian that is not symmetric or is indefinite.
    """
    stack = check_array("hessians", hessians, (None, None, None))
    return Components(stack, stack @ check_array("solution", solution, (stack.shape[-1],)))


def noisy_logistic(
    seed: int, *, points: int = 20, noise: float = 0.02, gain: float = 0.8, penalty: float = 0.1
) -> tuple[Components, Array]:
    """Return the example of SGDL, figure 2, and its data: x_hat = 1 / (1 + e^z) + N(0, noise^2), z uniform on (0, 10).

    The paper names neither A, D, mu, N nor the noise. Ours: A = gain I, b = A x_hat, and D takes second differences
    along the sorted z.

    Args:
        seed: Of the data.
        points: n = N.
        noise: Standard deviation of the noise.
        gain: Size of every row of A.
        penalty: mu.

    Returns:
        The components and x_hat, shape (n,).

    Raises:
        TheoryError: Fewer than three points, or a negative noise or penalty.
    """
    rng = np.random.default_rng(seed)
    z = np.sort(rng.uniform(0.0, 10.0, check_count("points", points, low=3)))
    data = 1.0 / (1.0 + np.exp(z)) + rng.normal(0.0, check_number("noise", noise), points)
    differences = np.diff(np.eye(points), 2, axis=0)
    rows = gain * np.eye(points)
    return least_squares(rows, rows @ data, penalty=penalty, weighting=differences.T @ differences), data


def check_interpolating(components: Components, tolerance: float = 1e-9) -> None:
    """Refuse components that have no common minimiser.

    Raises:
        TheoryError: The interpolation residual is above the tolerance, relative to the Hessians' size.
    """
    residual = components.interpolation_residual()
    if residual > tolerance * float(np.abs(components.hessians).max()):
        raise TheoryError(
            f"gradient f_i(x*) must be 0 for every component: received a residual of {residual:g}. "
            "Use `stationary_covariance` for a model that does not interpolate."
        )
