"""The angular velocity as a function of time, and the approximate AutoDrop that drops where its derivative is small.

v(t) = (pi / 2) (1 + epsilon lr) (1 - 1 / (gamma lr (t + 1 / (gamma lr)))), in radians per iteration, t iterations after
the last drop. In the paper's "1/gamma alpha" both stand below the line. Source: AutoDrop, Eq. 10, algorithm 2 and
appendix B.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_count, check_number, check_vector

TAU_0_LIMIT_PRINTED = 2.0
"""Theorem 3 asks tau_0 < 2; see `TAU_0_LIMIT` for what its proof needs."""

TAU_0_LIMIT = 0.5
"""The last step of the proof of k_i <= kappa_2 / lr_i needs tau_0 <= 1/2, and gamma lr_i <= 1."""

TAU_0_LIMIT_SHARP = 2.0 * math.pi / 3.0 / (math.sqrt(4.0 * math.pi / 3.0) - 1.0) ** 2
"""1.91: up to here k_i <= kappa_2 / lr_i holds where gamma lr_i <= 1, since the proof gives away 1 / (gamma lr_i).

Derived here, not printed; it is for the real k_i, not for those that are rounded up."""


@dataclass(frozen=True)
class VelocityModel:
    """The angular velocity of training with a fixed learning rate.

    Args:
        epsilon: Height of the asymptote, (pi / 2) (1 + epsilon lr); above 0. To stay below 2 pi / 3 it must be below
            1 / (3 lr) for every learning rate.
        gamma: Curvature, above 0.

    Raises:
        TheoryError: A value that is not above 0.

    Examples:
        >>> model = VelocityModel(epsilon=0.6, gamma=0.05)
        >>> round(model.gap(0.5, tau_0=0.5), 3), model.drop_times([0.5, 0.25], tau_0=0.5)
        (40.836, array([ 41, 114]))
    """

    epsilon: float
    gamma: float

    def __post_init__(self) -> None:
        for name in ("epsilon", "gamma"):
            check_number(name, getattr(self, name), positive=True)

    def asymptote(self, lr: float) -> float:
        """The limit of the angular velocity, (pi / 2) (1 + epsilon lr), in radians per iteration.

        Raises:
            TheoryError: The learning rate is not above 0, or epsilon is not below 1 / (3 lr).
        """
        return 0.5 * math.pi * (1.0 + self.epsilon * self._lr(lr))

    def velocity(self, lr: float, t: npt.ArrayLike) -> Array:
        """The angular velocity in radians per iteration, t >= 0 iterations after the last drop; Eq. 10 simplified.

        Raises:
            TheoryError: As for `asymptote`, or a time below 0.
        """
        scaled = self.gamma * self._lr(lr) * _times(t)
        return np.asarray(self.asymptote(lr) * scaled / (1.0 + scaled))

    def derivative(self, lr: float, t: npt.ArrayLike) -> Array:
        """The derivative of `velocity` by t: pi (1 + epsilon lr) / (2 gamma lr (t + 1 / (gamma lr))^2).

        Raises:
            TheoryError: As for `velocity`.
        """
        rate = self.gamma * self._lr(lr)
        return np.asarray(self.asymptote(lr) / (rate * (_times(t) + 1.0 / rate) ** 2))

    def threshold(self, lr: float, tau_0: float) -> float:
        """The derivative at which algorithm 2 drops, min(tau_0, gamma lr / 2).

        Raises:
            TheoryError: As for `asymptote`, or a tau_0 outside (0, 2), the range that Theorem 3 prints.
        """
        return min(check_tau_0(tau_0), 0.5 * self.gamma * self._lr(lr))

    def gap(self, lr: float, tau_0: float) -> float:
        """The time k after which the derivative has fallen to the threshold tau.

        k = (gamma lr)^(-1/2) (sqrt(pi (1 + epsilon lr) / (2 tau)) - (gamma lr)^(-1/2)), a real number of iterations.

        Raises:
            TheoryError: As for `threshold`.
        """
        root = math.sqrt(self.gamma * self._lr(lr))
        return (math.sqrt(self.asymptote(lr) / self.threshold(lr, tau_0)) - 1.0 / root) / root

    def drop_times(self, lrs: npt.ArrayLike, tau_0: float) -> npt.NDArray[np.int64]:
        """The times t_1, ..., t_n of algorithm 2 in closed form: the sums of the gaps, each rounded up.

        Args:
            lrs: The learning rates lr_0, ..., lr_(n-1).
            tau_0: Upper limit of the thresholds.

        Raises:
            TheoryError: As for `threshold`.
        """
        rates = check_vector("lrs", lrs, positive=True)
        return np.cumsum([math.ceil(self.gap(lr, tau_0)) for lr in rates.tolist()])

    def _lr(self, lr: float) -> float:
        rate = check_number("lr", lr, positive=True)
        if self.epsilon * rate * 3.0 >= 1.0:
            raise TheoryError(
                "epsilon must be below 1 / (3 lr), so that the angular velocity stays below 120 degrees: received "
                f"{self.epsilon:g} with lr {rate:g}. Give an epsilon below {1.0 / (3.0 * rate):g}."
            )
        return rate


@dataclass(frozen=True, eq=False)
class ModelRun:
    """What algorithm 2 did.

    Args:
        drop_times: t_1, ..., t_n, shape (n,).
        lrs: Learning rate of each iteration, shape (T,).
        velocities: The model's angular velocity at the end of each iteration, radians, shape (T,).
    """

    drop_times: npt.NDArray[np.int64]
    lrs: Array
    velocities: Array


def algorithm_2(model: VelocityModel, lrs: npt.ArrayLike, tau_0: float, *, printed: bool = False) -> ModelRun:
    """Run algorithm 2 iteration by iteration.

    As printed, the test follows the update of its iteration: the drops fall on the times of `VelocityModel.drop_times`,
    but iteration t_(i+1) is still made with lr_i. So T = t_n + 1, and Eq. 9 (lr_i from t_i on) and T = sum k_i fail by
    one iteration. The corrected form, the default, tests before it updates and has both.

    Args:
        model: The angular velocity.
        lrs: The learning rates lr_0, ..., lr_(n-1).
        tau_0: Upper limit of the thresholds, in (0, 2).
        printed: Whether to update before the test, as printed.

    Returns:
        The drops, and the learning rate and velocity of each iteration.

    Raises:
        TheoryError: A value out of range.
    """
    rates = check_vector("lrs", lrs, positive=True).tolist()
    thresholds = [model.threshold(lr, tau_0) for lr in rates]
    times: list[int] = []
    elapsed: list[list[int]] = [[] for _ in rates]
    i = t = since = 0
    while i < len(rates):
        phase, age = i, t - since
        if model.derivative(rates[i], age) <= thresholds[i]:
            times.append(t)
            i, since = i + 1, t
        if printed:
            elapsed[phase].append(age)
        elif i < len(rates):
            elapsed[i].append(t - since)
        t += 1
    used = np.repeat(rates, [len(ages) for ages in elapsed])
    velocities = [model.velocity(lr, ages) for lr, ages in zip(rates, elapsed, strict=True)]
    return ModelRun(np.array(times, dtype=np.int64), used, np.concatenate(velocities))


def theorem_3_lrs(n: int) -> Array:
    """The learning rates that the proof of Theorem 3 uses, lr_i = 1 / (i + 2) for i = -1, ..., n - 1, shape (n + 1,).

    Raises:
        TheoryError: n is below 1.
    """
    return 1.0 / np.arange(1, check_count("n", n) + 2)


def theorem_3_lrs_printed(n: int) -> Array:
    """The learning rates that Theorem 3 prints, lr_i = (i + 1)^(-2/3) for i = -1, ..., n - 1, shape (n + 1,).

    The first is infinite, and all violate lr_i <= 1 / (i + 2), which Theorem 2 asks.

    Raises:
        TheoryError: n is below 1.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.arange(check_count("n", n) + 1.0) ** (-2.0 / 3.0))


def check_tau_0(tau_0: object) -> float:
    """Return a tau_0 of the printed range.

    Raises:
        TheoryError: It is outside (0, 2).
    """
    return check_number("tau_0", tau_0, below=TAU_0_LIMIT_PRINTED, positive=True)


def _times(t: npt.ArrayLike) -> Array:
    times = np.asarray(t, dtype=np.float64)
    if not (times >= 0.0).all():
        raise TheoryError(f"times since the last drop must be at least 0: received {times.min()}. Count from the drop.")
    return times
