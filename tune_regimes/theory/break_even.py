"""When SGD is stable along the top eigenvector of the Hessian, and the break-even point at which it ceases to be.

The loss of example i along that eigenvector is f_i(psi) = H_i psi^2 / 2, psi measured from the minimum; the curvature
is the mean of the H_i and s^2 their population variance. (Assumption 1 is printed without the 1/2 and the mean; Eq. 1
needs both.) A step on a batch B multiplies psi by 1 - lr mean_B(H), and the mean square of that factor is the left side
of Eq. 1. Source: The Break-Even Point on Optimization Trajectories of Deep Neural Networks, section 3, appendix B.
"""

from itertools import combinations
from math import comb

import numpy as np

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import check_count, check_number
from tune_regimes.theory.matrices import check_array

MOST_BATCHES = 500_000
"""Batches that `stability_by_enumeration` will go through at most."""


def batch_factor(batch_size: int, count: int) -> float:
    """(N - S) / (S (N - 1)): the variance of a batch's mean over that of an example, drawn without replacement.

    Args:
        batch_size: Examples S in a batch.
        count: Examples N in the training set.

    Raises:
        TheoryError: Not 1 <= S <= N.

    Examples:
        >>> batch_factor(1, 10), batch_factor(10, 10)
        (1.0, 0.0)
    """
    size, examples = check_count("batch_size", batch_size), check_count("count", count)
    if size > examples:
        raise TheoryError(
            f"a batch drawn without replacement must not be larger than the training set: received batch_size {size} "
            f"and count {examples}. Give a batch_size of at most {examples}."
        )
    return 0.0 if size == examples else (examples - size) / (size * (examples - 1))


def stability(lr: float, curvature: float, variance: float, batch_size: int, count: int) -> float:
    """The left side of Eq. 1, (1 - lr h)^2 + s^2 lr^2 (N - S) / (S (N - 1)): SGD is stable where it is at most 1.

    Args:
        lr: Learning rate.
        curvature: The mean h of the H_i, lambda_H^1.
        variance: Their population variance s^2. (Appendix B once prints s for it.)
        batch_size: Examples S in a batch.
        count: Examples N in the training set.

    Raises:
        TheoryError: A learning rate or variance below 0, or a batch larger than the training set.
    """
    rate, spread = check_number("lr", lr), check_number("variance", variance)
    return (1.0 - rate * curvature) ** 2 + rate**2 * spread * batch_factor(batch_size, count)


def stability_by_enumeration(lr: float, curvatures: object, batch_size: int) -> float:
    """The same, as the mean of (1 - lr mean_B(H))^2 over all batches B of S out of N examples.

    Args:
        lr: Learning rate.
        curvatures: H_i, shape (N,), of any sign.
        batch_size: Examples S in a batch.

    Raises:
        TheoryError: More than `MOST_BATCHES` batches, or a batch larger than the training set.

    Examples:
        >>> h = np.array([1.0, 2.0, 6.0])
        >>> by_formula = stability(0.2, h.mean(), h.var(), batch_size=2, count=3)
        >>> bool(np.isclose(stability_by_enumeration(0.2, h, 2), by_formula))
        True
    """
    values = check_array("curvatures", curvatures, (None,))
    batch_factor(batch_size, len(values))
    if (batches := comb(len(values), batch_size)) > MOST_BATCHES:
        raise TheoryError(
            f"enumeration must not go through more than {MOST_BATCHES:,} batches: received {len(values)} examples in "
            f"batches of {batch_size}, {batches:,} of them. Give fewer examples."
        )
    means = np.array([values[list(batch)].mean() for batch in combinations(range(len(values)), batch_size)])
    return float(np.mean((1.0 - lr * means) ** 2))


def stable_curvatures(lr: float, variance: float, batch_size: int, count: int) -> tuple[float, float] | None:
    """The interval of curvatures at which SGD is stable, (1 -+ sqrt(1 - s^2 lr^2 c)) / lr, c being `batch_factor`.

    Returns:
        Its ends; None where the noise is so large that no curvature is stable, s^2 lr^2 c > 1.

    Raises:
        TheoryError: A learning rate not above 0, a variance below 0, or a batch larger than the training set.

    Examples:
        >>> stable_curvatures(0.5, variance=3.0, batch_size=10, count=10)
        (0.0, 4.0)
    """
    rate, spread = check_number("lr", lr, positive=True), check_number("variance", variance)
    inside = 1.0 - spread * rate**2 * batch_factor(batch_size, count)
    if inside < 0.0:
        return None
    return (1.0 - inside**0.5) / rate, (1.0 + inside**0.5) / rate


def break_even_curvature(lr: float, alpha: float, distance: float, batch_size: int, count: int) -> float:
    """The curvature at which Eq. 3 is an equality, (2 - (alpha / psi^2) (N - S) / (N - 1) lr / S) / lr, Eqs. 4 and 5.

    There lambda_K^1 = alpha lambda_H^1 (Assumption 2), so that s^2 = alpha lambda_H^1 / psi^2.

    Args:
        lr: Learning rate.
        alpha: lambda_K^1 / lambda_H^1.
        distance: psi, from the minimum along the eigenvector; its sign does not matter.
        batch_size: Examples S in a batch.
        count: Examples N in the training set (n in the appendix).

    Returns:
        2 / lr where S = N. Not above 0 where the noise leaves no stable curvature above 0.

    Raises:
        TheoryError: A learning rate not above 0, an alpha below 0, a distance of 0, or a batch that is too large.
    """
    rate, ratio = check_number("lr", lr, positive=True), check_number("alpha", alpha)
    psi = check_number("distance", abs(distance), positive=True)
    return 2.0 / rate - ratio / psi**2 * batch_factor(batch_size, count)


def break_even_curvature_printed(lr: float, alpha: float, distance: float, batch_size: int, count: int) -> float:
    """Eqs. 4 and 5 as printed, with alpha / psi: an equality in Eq. 3 only where psi = 1.

    Raises:
        TheoryError: As `break_even_curvature`, or a distance that is not above 0: its sign would matter here.
    """
    rate, ratio = check_number("lr", lr, positive=True), check_number("alpha", alpha)
    psi = check_number("distance", distance, positive=True)
    return 2.0 / rate - ratio / psi * batch_factor(batch_size, count)


def first_unstable(left_sides: object) -> int | None:
    """Index of the first left side of Eq. 1 that reaches 1, the break-even point; None where none does.

    Args:
        left_sides: In the order of training, shape (T,); NaN where nothing was measured.

    Examples:
        >>> first_unstable([0.3, float("nan"), 1.0, 0.9])
        2
    """
    reached = np.asarray(left_sides, dtype=np.float64) >= 1.0
    return int(np.argmax(reached)) if reached.any() else None
