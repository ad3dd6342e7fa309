"""SGD with a constant step, SGD-CS: SGDL, section 4.

x' = x - alpha (1/m) sum_j gradient f_j(x) with m components j drawn with replacement.
"""

from dataclasses import dataclass

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number
from tune_regimes.theory.components import Components, check_interpolating
from tune_regimes.theory.matrices import check_array, spectral_radius


@dataclass(frozen=True)
class Neighbourhood:
    """Where Theorem 2 is applied: radius epsilon around x*, and the largest Lipschitz constant L of the Hessians there.

    Quadratic components have L = 0, and then any radius will do.
    """

    radius: float = 0.0
    lipschitz: float = 0.0

    def __post_init__(self) -> None:
        for name in ("radius", "lipschitz"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))

    @property
    def slack(self) -> float:
        """L epsilon."""
        return self.lipschitz * self.radius


FLAT = Neighbourhood()


def contraction_factor(components: Components, step: float, where: Neighbourhood = FLAT) -> float:
    """Return rho of SGDL, Theorem 2, eq. 6a.

    rho = lambda_max(I - 2 a H* + a^2 (H*)^2 + a^2 Sigma* + a^2 L^2 e^2 I + 2 a L e I), with step a. Under 6b and 6c,
    E norm(x_k - x*)^2 <= rho^k norm(x_0 - x*)^2. The proof is sound for one example per step (m = 1): it moves an
    expectation inside a maximum over the mini-batch.

    Args:
        components: The N functions.
        step: alpha, above 0.
        where: Radius and Lipschitz constant.

    Raises:
        TheoryError: A step that is not positive.
    """
    a = check_number("step", step, positive=True)
    mean, identity = components.mean_hessian, np.eye(components.pulls.shape[1])
    spread = mean @ mean + components.hessian_variance
    inner = identity - 2.0 * a * mean + a**2 * spread + (a**2 * where.slack**2 + 2.0 * a * where.slack) * identity
    return float(np.linalg.eigvalsh(inner)[-1])


def step_limit(components: Components) -> float:
    """Return the largest step of 6b as its proof needs it: min(1 / max_i lambda_max(H_i), 1 / (2 lambda_max(H*)))."""
    single = float(np.linalg.eigvalsh(components.hessians)[:, -1].max())
    return min(1.0 / single, 1.0 / (2.0 * float(np.linalg.eigvalsh(components.mean_hessian)[-1])))


def radius_limit(components: Components, lipschitz: float) -> float:
    """Return the largest radius of 6b as its proof, eq. 15, needs it: lambda_min(H*) / L; infinite for L = 0."""
    least = float(np.linalg.eigvalsh(components.mean_hessian)[0])
    return least / lipschitz if check_number("lipschitz", lipschitz) else float("inf")


def step_limit_printed(components: Components, lipschitz: float) -> float:
    """Return 6b as printed: one minimum over both limits, so that lambda_min(H*) / L bounds the step too."""
    return min(step_limit(components), radius_limit(components, lipschitz))


def contracting_limit(components: Components, where: Neighbourhood = FLAT) -> float:
    """Return the step below which rho < 1, SGDL, eq. 6c: 2 lambda_min(S^(-1/2) (H* - L e I) S^(-1/2)).

    S = (H*)^2 + Sigma* + L^2 e^2 I.

    Raises:
        TheoryError: The radius is not below lambda_min(H*) / L, or H* is singular.
    """
    mean, identity = components.mean_hessian, np.eye(components.pulls.shape[1])
    if components.singular or where.radius >= radius_limit(components, where.lipschitz):
        raise TheoryError(
            f"H* - L e I must be positive definite: received radius {where.radius!r} with L {where.lipschitz!r} and "
            f"lambda_min(H*) = {np.linalg.eigvalsh(mean)[0]:g}. Take a smaller radius, or regularise the components."
        )
    values, vectors = np.linalg.eigh(mean @ mean + components.hessian_variance + where.slack**2 * identity)
    root = vectors / np.sqrt(values) @ vectors.T
    return float(2.0 * np.linalg.eigvalsh(root @ (mean - where.slack * identity) @ root)[0])


def second_moments(components: Components, start: object, step: float, steps: int, batch: int = 1) -> Array:
    """Return E norm(x_k - x*)^2 for k = 0..steps exactly, for components that interpolate.

    The covariance P_k = E (x_k - x*)(x_k - x*)^T obeys P' = K P K + (E[M_i P M_i] - K P K) / m with M_i = I - a H_i and
    K = I - a H*.

    Args:
        components: N functions with a common minimiser.
        start: x_0, shape (n,).
        step: alpha, above 0.
        steps: Number of updates.
        batch: m, drawn with replacement.

    Returns:
        Shape (steps + 1,).

    Raises:
        TheoryError: The components do not interpolate, or a step that is not positive.
    """
    check_interpolating(components)
    error = check_array("start", start, components.pulls.shape[1:]) - components.solution
    factors = np.eye(error.size) - check_number("step", step, positive=True) * components.hessians
    mean, m = factors.mean(axis=0), check_count("batch", batch)
    covariance, moments = np.outer(error, error), [float(error @ error)]
    for _ in range(check_count("steps", steps)):
        together = mean @ covariance @ mean
        alone = (factors @ covariance @ factors).mean(axis=0)
        covariance = together + (alone - together) / m
        moments.append(float(np.trace(covariance)))
    return np.array(moments)


def mean_square_rate(components: Components, step: float) -> float:
    """Return the exact rate at which the second moment falls per step for m = 1; Theorem 2's rho is never below it."""
    return float(spectral_radius(_moment_map(components, step)))


def stationary_covariance(components: Components, step: float) -> Array:
    """Return the limit of E (x_k - x*)(x_k - x*)^T for m = 1, shape (n, n): zero exactly when the model interpolates.

    Solves P = E[M_i P M_i] + a^2 E[gradient f_i(x*) gradient f_i(x*)^T].

    Raises:
        TheoryError: The second moment does not settle at this step.
    """
    moment_map = _moment_map(components, step)
    if (rate := float(spectral_radius(moment_map))) >= 1.0:
        raise TheoryError(
            f"the second moment must contract to have a limit: received step {step!r} with a rate of {rate:g}. "
            "Take a step below `contracting_limit`."
        )
    noise = components.gradients(components.solution)
    forcing = step**2 * noise.T @ noise / len(noise)
    solved = np.linalg.solve(np.eye(forcing.size) - moment_map, forcing.ravel())
    return np.asarray(solved.reshape(forcing.shape), dtype=np.float64)


def simulate(
    components: Components, start: object, step: float, steps: int, runs: int, rng: np.random.Generator, batch: int = 1
) -> Array:
    """Return norm(x_k - x*)^2 of independent runs of SGD-CS, shape (runs, steps + 1)."""
    first = check_array("start", start, components.pulls.shape[1:])
    a, m = check_number("step", step, positive=True), check_count("batch", batch)
    x, solution = np.tile(first, (check_count("runs", runs), 1)), components.solution
    squares = [((x - solution) ** 2).sum(axis=1)]
    for _ in range(check_count("steps", steps)):
        drawn = rng.integers(len(components.pulls), size=(m, runs))
        gradients = np.einsum("mrij,rj->ri", components.hessians[drawn], x) - components.pulls[drawn].sum(axis=0)
        x = x - a / m * gradients
        squares.append(((x - solution) ** 2).sum(axis=1))
    return np.stack(squares, axis=1)


def exit_bound(radius: float, distance: float) -> float:
    """Return the delta of SGDL, Lemma 3: a run that starts at this distance from x* ever leaves with at most delta.

    norm(x_0 - x*) <= sqrt(delta) epsilon gives P(never leaves) >= 1 - delta, so delta = (distance / radius)^2.

    Raises:
        TheoryError: The start lies outside the radius.
    """
    size = check_number("radius", radius, positive=True)
    return (check_number("distance from x* inside the radius", distance, below=size) / size) ** 2


def _moment_map(components: Components, step: float) -> Array:
    n = components.pulls.shape[1]
    factors = np.eye(n) - check_number("step", step, positive=True) * components.hessians
    return np.asarray(np.einsum("kab,kcd->acbd", factors, factors).reshape(n * n, n * n) / len(factors))
