"""Incremental gradient descent with a constant step t: one sweep over N components is an affine map x' = K_N x + t c.

SGDL, section 5 and appendix A.2. Sweeps converge from every start exactly when the spectral radius of K_N(t) is below
1. The paper derives a range of steps from the matrix AM-GM inequality and commuting factors instead; its own Example 1
contradicts it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_choice, check_count, check_number
from tune_regimes.theory.components import Components
from tune_regimes.theory.matrices import check_array, spectral_radius

ORDERS = ("forward", "printed")
BISECTIONS = 60


@dataclass(frozen=True)
class Sweep:
    """One sweep as a map: x' = matrix @ x + offset, with shapes (n, n) and (n,)."""

    matrix: Array
    offset: Array

    @property
    def radius(self) -> float:
        """The spectral radius of the matrix (not its norm, nor its largest signed eigenvalue)."""
        return float(spectral_radius(self.matrix))

    @property
    def fixed_point(self) -> Array:
        """Where sweeps end, shape (n,).

        Raises:
            TheoryError: The sweep does not converge.
        """
        if self.radius >= 1.0:
            raise TheoryError(
                f"a sweep must contract to have a limit: received a spectral radius of {self.radius:g}. "
                "Take a step inside `true_range`."
            )
        return np.asarray(np.linalg.solve(np.eye(self.offset.size) - self.matrix, self.offset), dtype=np.float64)


def sweep(components: Components, step: float, order: str = "forward") -> Sweep:
    """Return one sweep with a step size t.

    Args:
        components: The N functions.
        step: t, above 0.
        order: "forward" visits the components 1, 2, ..., N, so K = M_N ... M_1 with M_i = I - t H_i. "printed" is the
            paper's K = M_1 ... M_N and c = sum_j b_j K_{j-1} a_j, which visits N first and 1 last; the spectral
            radius is the same.

    Raises:
        TheoryError: A step that is not positive, or an unknown order.
    """
    t = _check_step(step)
    check_choice("order of a sweep", order, ORDERS)
    matrix, offset = np.eye(components.pulls.shape[1]), np.zeros(components.pulls.shape[1])
    if order == "printed":
        for hessian, pull in zip(components.hessians, components.pulls, strict=True):
            offset = offset + t * matrix @ pull
            matrix = matrix @ (np.eye(len(pull)) - t * hessian)
        return Sweep(matrix, offset)
    for hessian, pull in zip(components.hessians, components.pulls, strict=True):
        factor = np.eye(len(pull)) - t * hessian
        matrix, offset = factor @ matrix, factor @ offset + t * pull
    return Sweep(matrix, offset)


def iterate(components: Components, start: object, step: float, sweeps: int, order: str = "forward") -> Array:
    """Return the weights after every sweep, by the component steps x' = x - t (H_i x - v_i) themselves.

    Args:
        components: The N functions.
        start: Shape (n,).
        step: t, above 0.
        sweeps: Number of sweeps.
        order: "forward", or "printed" for N first.

    Returns:
        Shape (sweeps + 1, n), the start first.

    Raises:
        TheoryError: A start of another shape, a step that is not positive, or an unknown order.
    """
    check_choice("order of a sweep", order, ORDERS)
    t = _check_step(step)
    x = check_array("start", start, components.pulls.shape[1:])
    visits = range(len(components.pulls))[:: 1 if order == "forward" else -1]
    path = [x]
    for _ in range(check_count("sweeps", sweeps)):
        for i in visits:
            x = x - t * (components.hessians[i] @ x - components.pulls[i])
        path.append(x)
    return np.stack(path)


def radii(components: Components, steps: object) -> Array:
    """Return the spectral radius of K_N(t) for many steps at once: shape (T,) for t of shape (T,)."""
    t = check_array("steps", steps, (None,))[:, None, None]
    identity = np.eye(components.pulls.shape[1])
    product = np.broadcast_to(identity, (len(t), *identity.shape))
    for hessian in components.hessians:
        product = (identity - t * hessian) @ product
    return spectral_radius(product)


def range_printed(components: Components) -> float:
    """Return the upper end of the printed range, 2 N / lambda_max(sum H_i), of Examples 3 and 4 (and section 5).

    It is neither necessary nor sufficient: for Example 1 it gives N where the true end is 1, and for
    H = 1, 3 in one dimension 1 where the true end is 4/3.
    """
    return float(2.0 / np.linalg.eigvalsh(components.mean_hessian)[-1])


def true_range(components: Components, *, upper: float | None = None, points: int = 2000) -> float:
    """Return the largest t such that sweeps with every smaller step converge, found on the spectral radius.

    Args:
        components: The N functions.
        upper: How far to look; twice the printed range by default.
        points: Size of the scan that brackets the first crossing of 1, which is then bisected.

    Returns:
        The upper end t of the range (0, t); 0.0 where a flat direction holds an eigenvalue of exactly 1
        (Example 2), so that no step converges from every start.

    Raises:
        TheoryError: The radius stays below 1 as far as the scan goes.
    """
    if components.singular:
        return 0.0
    steps = _scan(components, upper, points)
    outside = radii(components, steps) >= 1.0
    if not outside.any():
        raise TheoryError(f"the range must end within the scan: received upper {steps[-1]:g}. Give a larger `upper`.")
    first = int(outside.argmax())
    below = float(steps[first - 1]) if first else 0.0
    return _bisect(lambda t: float(radii(components, [t])[0]) < 1.0, below, float(steps[first]))


def best_step(components: Components, *, upper: float | None = None, points: int = 2000) -> tuple[float, float]:
    """Return the step of the smallest spectral radius on a scan, and that radius; arguments as for `true_range`."""
    steps = _scan(components, upper, points)
    found = radii(components, steps)
    best = int(found.argmin())
    return float(steps[best]), float(found[best])


def _scan(components: Components, upper: float | None, points: int) -> Array:
    end = 2.0 * range_printed(components) if upper is None else check_number("upper", upper, positive=True)
    return np.linspace(0.0, end, check_count("points", points, low=2) + 1)[1:]


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _check_step(step: float) -> float:
    return check_number("step size t", step, positive=True)
