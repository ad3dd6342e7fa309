"""Dynamics of the effective learning rate of scale-invariant weights under SGD with weight decay.

Intrinsic learning rate, section 5. G = norm(w)^2, le = lr x wd the intrinsic learning rate, gamma = (G / lr)^2, so the
effective learning rate is lr / G = gamma^(-1/2). One unit of time is one step. (After eq. 10 the text calls gamma the
"squared effective LR": it is the inverse of that square.)
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tune_regimes.theory.checks import Array, check_count, check_number
from tune_regimes.theory.integration import runge_kutta


def gamma_of(norm_squared: npt.ArrayLike, lr: npt.ArrayLike) -> Array:
    """Return gamma = (norm(w)^2 / lr)^2."""
    return np.asarray((np.asarray(norm_squared) / np.asarray(lr)) ** 2)


def effective_lr(gamma: npt.ArrayLike) -> Array:
    """Return the effective learning rate lr / norm(w)^2 = gamma^(-1/2)."""
    return np.asarray(1.0 / np.sqrt(gamma))


def norm_rate(norm_squared: Array, lr: float, intrinsic_lr: float, trace: float) -> Array:
    """Return dG/dt = -2 le G + (lr^2 / G) Tr Sigma: eq. 7, Tr Sigma being that of the gradient at the unit weights."""
    return np.asarray(-2.0 * intrinsic_lr * norm_squared + lr**2 / norm_squared * trace)


def ratio_rate(ratio: Array, intrinsic_lr: float, trace: float) -> Array:
    """Return d(G / lr)/dt = -2 le (G / lr) + (lr / G) Tr Sigma: eq. 8, in which lr occurs only as part of the ratio."""
    return np.asarray(-2.0 * intrinsic_lr * ratio + trace / ratio)


def gamma_rate(gamma: Array, intrinsic_lr: float, trace: float) -> Array:
    """Return dgamma/dt = -4 le gamma + 2 Tr Sigma: eq. 10."""
    return np.asarray(-4.0 * intrinsic_lr * gamma + 2.0 * trace)


def gamma_after(times: npt.ArrayLike, start: float, intrinsic_lr: float, trace: float) -> Array:
    """Return gamma after t steps for a constant Tr Sigma: eq. 12 with epsilon 0.

    gamma_t = e^(-4 le t) gamma_0 + Tr Sigma / (2 le) (1 - e^(-4 le t)); without weight decay gamma_0 + 2 Tr Sigma t.

    Args:
        times: t >= 0, any shape.
        start: gamma_0.
        intrinsic_lr: le, at least 0.
        trace: Tr Sigma at the unit weights, at least 0.

    Raises:
        TheoryError: A start, intrinsic learning rate or trace that is negative.
    """
    first, noise = check_number("gamma_0", start), check_number("Tr Sigma", trace)
    t, le = np.asarray(times, dtype=np.float64), check_number("intrinsic learning rate", intrinsic_lr)
    if le == 0.0:
        return np.asarray(first + 2.0 * noise * t)
    return np.asarray(np.exp(-4.0 * le * t) * first - noise / (2.0 * le) * np.expm1(-4.0 * le * t))


def gamma_bounds(
    times: npt.ArrayLike, start: float, intrinsic_lr: float, sigma: float, spread: float
) -> tuple[Array, Array]:
    """Return what gamma lies between while sigma^2 <= Tr Sigma <= (1 + spread) sigma^2: Lemma 5.2, both ends exact."""
    low = gamma_after(times, start, intrinsic_lr, sigma**2)
    return low, gamma_after(times, start, intrinsic_lr, (1.0 + check_number("spread", spread)) * sigma**2)


def gamma_running_average(
    time: float, start: float, intrinsic_lr: float, trace: Callable[[Array], Array], points: int = 2000
) -> float:
    """Return gamma at one time for a trace that varies, by quadrature of eq. 11 (Simpson's rule).

    gamma_t = e^(-4 le t) gamma_0 + 2 int_0^t e^(-4 le (t - u)) Tr Sigma(u) du.

    Args:
        time: t > 0, in steps.
        start: gamma_0.
        intrinsic_lr: le, at least 0.
        trace: Tr Sigma as a function of an array of times.
        points: Number of intervals of the rule, halved and doubled to be even.

    Raises:
        TheoryError: A time that is not positive, or a negative start or intrinsic learning rate.
    """
    t, le = check_number("time", time, positive=True), check_number("intrinsic learning rate", intrinsic_lr)
    count = 2 * (check_count("points", points, low=2) // 2)
    u = np.linspace(0.0, t, count + 1)
    values = np.exp(-4.0 * le * (t - u)) * trace(u)
    integral = (values[0] + values[-1] + 4.0 * values[1::2].sum() + 2.0 * values[2:-1:2].sum()) * t / (3.0 * count)
    return float(np.exp(-4.0 * le * t) * check_number("gamma_0", start) + 2.0 * integral)


def integrate_gamma(
    times: object, start: float, intrinsic_lr: float, trace: Callable[[float], float], substeps: int = 20
) -> Array:
    """Return gamma at rising times, shape (T,), by Runge-Kutta on eq. 10 for any Tr Sigma(t)."""
    return runge_kutta(
        lambda t, gamma: gamma_rate(gamma, intrinsic_lr, trace(t)), np.array(start), times, substeps=substeps
    )


def next_norm_squared(
    norm_squared: npt.ArrayLike, lr: float, intrinsic_lr: float, second_moment: npt.ArrayLike
) -> Array:
    """Return norm(w')^2 after one step, exactly: G' = (1 - le)^2 G + lr^2 q / G.

    Args:
        norm_squared: G before the step.
        lr: Learning rate.
        intrinsic_lr: le = lr x wd.
        second_moment: q, the squared norm of this batch's gradient at the unit weights: norm(w)^2 norm(gradient)^2.
    """
    g = np.asarray(norm_squared, dtype=np.float64)
    return np.asarray((1.0 - intrinsic_lr) ** 2 * g + lr**2 * np.asarray(second_moment) / g)


def equilibrium_gamma(intrinsic_lr: float, second_moment: float, *, discrete: bool = True) -> float:
    """Return the gamma at which the norm settles.

    Args:
        intrinsic_lr: le in (0, 1): without weight decay the norm never settles.
        second_moment: E norm(gradient at the unit weights)^2, the full second moment; Tr Sigma for the SDE.
        discrete: Whether for steps, q / (2 le - le^2), or for the SDE, Tr Sigma / (2 le).

    Raises:
        TheoryError: An intrinsic learning rate outside (0, 1), or a second moment that is negative.
    """
    le = check_number("intrinsic learning rate", intrinsic_lr, below=1.0, positive=True)
    return check_number("second moment", second_moment) / (2.0 * le - (le**2 if discrete else 0.0))


def equilibrium_effective_lr(intrinsic_lr: float, sigma: float) -> float:
    """Return sqrt(2 le) / sigma, the effective learning rate that eq. 12 settles at: proportional to le^(1/2)."""
    return float(effective_lr(equilibrium_gamma(intrinsic_lr, sigma**2, discrete=False)))


def equilibrium_effective_lr_printed(intrinsic_lr: float, sigma: float) -> float:
    """Return sigma / sqrt(2 le) as the text below eq. 12 prints it: that is gamma^(+1/2), the inverse."""
    return 1.0 / equilibrium_effective_lr(intrinsic_lr, sigma)


def relaxation_steps(intrinsic_lr: float) -> float:
    """Return 1 / (4 le), the steps in which the distance of gamma from its equilibrium falls by a factor of e.

    Raises:
        TheoryError: An intrinsic learning rate outside (0, 1).
    """
    return 1.0 / (4.0 * check_number("intrinsic learning rate", intrinsic_lr, below=1.0, positive=True))
