"""Convergence of Unified Momentum under discrete drops: AutoDrop's theorems 2 and 3, their conditions, and Lemma 1.

Where the paper's form fails there are two functions, the corrected one and one whose name ends in ``_printed``.
Learning rates are lr_(-1), lr_0, ..., lr_(n-1), decreasing; lr_i is applied in the k_i iterations from t_i on, until
t_(i+1) = t_i + k_i (Eq. 9).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number, check_vector
from tune_regimes.theory.velocity_model import check_tau_0


@dataclass(frozen=True)
class ConvexProblem:
    """A convex function with bounded gradients, and the update that minimises it.

    Args:
        loss_gap: f(x_0) - f*.
        distance: L2 norm of x_0 - x*.
        gradient_bound: G, above every gradient's norm.
        noise_variance: delta^2, at least E|G - E G|^2 everywhere. (Printed without the square; the proof has it.)
        momentum: beta, in [0, 1).
        s: The face of Unified Momentum.

    Raises:
        TheoryError: A value out of range.
    """

    loss_gap: float
    distance: float
    gradient_bound: float
    noise_variance: float
    momentum: float = 0.0
    s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("loss_gap", "distance", "gradient_bound", "noise_variance", "s"):
            check_number(name, getattr(self, name))
        check_number("momentum", self.momentum, below=1.0)

    def bound(self, total: float, drops: float, products: float) -> float:
        """The bound of Eq. 31 on min_t E[f(x_t) - f*] from three sums of learning rates.

        Args:
            total: The sum of all lr_t, or less.
            drops: The sum of lr_i over the drops, or more. (The paper bounds each E[f(x_t)] - f* by f(x_0) - f*, which
                need not hold; summed by parts, decreasing rates give lr_0 (f(x_0) - f*), less than its bound.)
            products: The sum of lr_t lr_(t-1), or more.
        """
        rest, energy = 1.0 - self.momentum, self.gradient_bound**2 + self.noise_variance
        start = self.momentum * self.loss_gap * drops / rest + rest * self.distance**2 / 2.0
        return (start + (2.0 * self.s * self.momentum + 1.0) * energy * products / (2.0 * rest)) / total


def bound_from_rates(problem: ConvexProblem, lrs: npt.ArrayLike, gaps: npt.ArrayLike) -> float:
    """Eq. 31 with the sums themselves: the sharpest of the bounds, for any decreasing learning rates.

    Args:
        problem: The function and the update.
        lrs: lr_(-1), ..., lr_(n-1), shape (n + 1,).
        gaps: k_0, ..., k_(n-1), whole numbers of at least 1, shape (n,).

    Raises:
        TheoryError: Lengths that do not fit, a gap that is no count, or learning rates that grow or leave (0, 1].
    """
    rates, lengths = _schedule(lrs, gaps)
    before, now = rates[:-1], rates[1:]
    products = now @ ((lengths - 1.0) * now + before)
    return problem.bound(float(lengths @ now), float(now.sum()), float(products))


class Conditions(NamedTuple):
    """Whether each inequality of Eq. 8 holds, for i = 0, ..., n - 1; each of shape (n,)."""

    lr: npt.NDArray[np.bool_]
    lower: npt.NDArray[np.bool_]
    upper: npt.NDArray[np.bool_]


def theorem_2_conditions(lrs: npt.ArrayLike, gaps: npt.ArrayLike, kappa_1: float, kappa_2: float) -> Conditions:
    """Eq. 8: lr_i <= 1 / (i + 2), k_i lr_i >= kappa_1, k_i lr_i lr_(i-1) <= kappa_2 / (i + 1).

    Equality is granted a relative 1e-12, for rounding. Arguments and errors: see `bound_from_rates`.
    """
    rates, lengths = _schedule(lrs, gaps)
    index, now, slack = np.arange(len(lengths)), rates[1:], 1.0 + 1e-12
    return Conditions(
        now * (index + 2) <= slack,
        lengths * now * slack >= check_number("kappa_1", kappa_1, positive=True),
        lengths * now * rates[:-1] * (index + 1) <= check_number("kappa_2", kappa_2, positive=True) * slack,
    )


def theorem_2_constants(lrs: npt.ArrayLike, gaps: npt.ArrayLike) -> tuple[float, float]:
    """The best kappa_1 and kappa_2 of Eq. 8: min k_i lr_i, and max (i + 1) k_i lr_i lr_(i-1).

    Arguments and errors: see `bound_from_rates`.
    """
    rates, lengths = _schedule(lrs, gaps)
    masses = lengths * rates[1:]
    return float(masses.min()), float((masses * rates[:-1] * np.arange(1, len(lengths) + 1)).max())


def theorem_2_bound(problem: ConvexProblem, n: int, kappa_1: float, kappa_2: float) -> float:
    """The bound of Theorem 2 on min_t E[f(x_t) - f*] after n drops, with the sums that its proof replaces by integrals.

    The sum of 1 / (i + 2) is the harmonic number H_(n+1) - 1, that of 1 / (i + 1) is H_n.

    Raises:
        TheoryError: n below 1, or a constant that is not above 0.
    """
    count = check_count("n", n)
    return _in_drops(problem, count, kappa_1, kappa_2, harmonic(count + 1) - 1.0, harmonic(count))


def theorem_2_bound_printed(problem: ConvexProblem, n: int, kappa_1: float, kappa_2: float) -> float:
    """The bound of Theorem 2 as printed, with log(n + 1) - log 2 and log n for the sums.

    Both are too small: by 0.27 and 0.58 for large n, by 1 in the second for n = 1. So this is no bound by proof.

    Raises:
        TheoryError: n below 1, or a constant that is not above 0.
    """
    count = check_count("n", n)
    return _in_drops(problem, count, kappa_1, kappa_2, math.log(count + 1) - math.log(2), math.log(count))


def theorem_3_constants(gamma: float, tau_0: float) -> tuple[float, float]:
    """kappa_1 = (sqrt(pi) - 1) / gamma and kappa_2 = sqrt(2 pi / (3 tau_0)) / gamma.

    Between them lie the gaps of algorithm 2, kappa_1 / lr_i <= k_i <= kappa_2 / lr_i, Eq. 38; the proof needs
    tau_0 <= `TAU_0_LIMIT` and gamma lr_i <= 1.

    Raises:
        TheoryError: gamma is not above 0, or tau_0 is outside (0, 2).
    """
    curvature = check_number("gamma", gamma, positive=True)
    return (math.sqrt(math.pi) - 1.0) / curvature, math.sqrt(2.0 * math.pi / (3.0 * check_tau_0(tau_0))) / curvature


def theorem_3_constants_printed(gamma: float, tau_0: float) -> tuple[float, float]:
    """The constants as the theorem's text sets them, "sqrt(2 pi / 3 tau_0)" read from left to right.

    That kappa_2 is too small wherever tau_0 < 1; the proof has tau_0 below the line. Errors: see `theorem_3_constants`.
    """
    kappa_1, kappa_2 = theorem_3_constants(gamma, tau_0)
    return kappa_1, kappa_2 * tau_0


def theorem_3_bound(problem: ConvexProblem, iterations: float, kappa_1: float, kappa_2: float) -> float:
    """The bound of Theorem 3 on min_t E[f(x_t) - f*] after T iterations, with harmonic numbers for the logarithms.

    It holds with lr_i = 1 / (i + 2), as in the proof; the theorem prints (i + 1)^(-2/3), which breaks Eq. 8.

    Raises:
        TheoryError: Too few iterations for the bound, sqrt(2 T / kappa_2) <= 3, or a constant that is not above 0.
    """
    least, most = drop_range(iterations, kappa_1, kappa_2)
    count = math.floor(most)
    return _in_drops(problem, _some(least, kappa_2), kappa_1, kappa_2, harmonic(count + 1) - 1.0, harmonic(count))


def theorem_3_bound_printed(problem: ConvexProblem, iterations: float, kappa_1: float, kappa_2: float) -> float:
    """The bound of Theorem 3 as printed, with logarithms for the sums. Errors: see `theorem_3_bound`."""
    least, most = drop_range(iterations, kappa_1, kappa_2)
    logs = math.log(most + 1.0) - math.log(2.0), math.log(most)
    return _in_drops(problem, _some(least, kappa_2), kappa_1, kappa_2, *logs)


def iteration_range(n: int, kappa_1: float, kappa_2: float) -> tuple[float, float]:
    """Lemma 1, Eq. 36: kappa n (n + 3) / 2 for both constants, between which T lies. The sum of i + 2 is n (n + 3) / 2.

    Raises:
        TheoryError: n below 1, or a constant that is not above 0.
    """
    weight = check_count("n", n) * (n + 3) / 2.0
    low, high = (check_number("kappa", kappa, positive=True) for kappa in (kappa_1, kappa_2))
    return low * weight, high * weight


def drop_range(iterations: float, kappa_1: float, kappa_2: float) -> tuple[float, float]:
    """Eq. 41: sqrt(2 T / kappa_2) - 3 <= n <= sqrt(2 T / kappa_1), from Eq. 36.

    Raises:
        TheoryError: A value that is not above 0.
    """
    twice = 2.0 * check_number("iterations", iterations, positive=True)
    low, high = (check_number("kappa", kappa, positive=True) for kappa in (kappa_1, kappa_2))
    return math.sqrt(twice / high) - 3.0, math.sqrt(twice / low)


def harmonic(n: int) -> float:
    """The harmonic number H_n, the sum of 1 / i for i = 1, ..., n (0 for n = 0)."""
    return float(np.sum(1.0 / np.arange(1, n + 1)))


def _in_drops(problem: ConvexProblem, n: float, kappa_1: float, kappa_2: float, drops: float, products: float) -> float:
    low, high = (check_number("kappa", kappa, positive=True) for kappa in (kappa_1, kappa_2))
    return problem.bound(low * n, drops, high * products)


def _some(least: float, kappa_2: float) -> float:
    if least <= 0.0:
        raise TheoryError(
            f"the bound of Theorem 3 needs more than 9 kappa_2 / 2 = {4.5 * kappa_2:g} iterations: received "
            f"{kappa_2 * (least + 3.0) ** 2 / 2.0:g}. Give more."
        )
    return least


def _schedule(lrs: npt.ArrayLike, gaps: npt.ArrayLike) -> tuple[Array, Array]:
    rates, lengths = check_vector("lrs", lrs, positive=True), check_vector("gaps", gaps, positive=True)
    if len(rates) != len(lengths) + 1 or (lengths % 1.0).any():
        raise TheoryError(
            f"n whole gaps need n + 1 learning rates, the first of them lr_(-1): received {len(lengths)} gaps and "
            f"{len(rates)} learning rates. Give one rate more than gaps, and gaps in whole iterations."
        )
    if rates[0] > 1.0 or (np.diff(rates) > 0.0).any():
        raise TheoryError(
            f"learning rates must decrease within (0, 1]: received {rates.tolist()}. Sort them, the largest first."
        )
    return rates, lengths
