"""What a change of learning rate or weight decay does to the effective learning rate, and how long settling takes.

Intrinsic learning rate, section 5.3 and appendix E. All at a constant Tr Sigma = sigma^2.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import TheoryError
from tune_regimes.theory.checks import Array, check_number
from tune_regimes.theory.effective_lr import effective_lr, equilibrium_gamma, gamma_after, gamma_of


@dataclass(frozen=True)
class Change:
    """Factors by which learning rate and weight decay are multiplied, at equilibrium, both above 0.

    Examples:
        >>> lr_tenth = Change(lr=0.1)
        >>> lr_tenth.immediate, round(lr_tenth.settled, 4)
        (0.1, 0.3162)
        >>> Change(weight_decay=0.1).immediate, round(Change(lr=0.1, weight_decay=10.0).settled, 4)
        (1.0, 1.0)
    """

    lr: float = 1.0
    weight_decay: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay"):
            object.__setattr__(self, name, check_number(f"factor of {name}", getattr(self, name), positive=True))

    @property
    def immediate(self) -> float:
        """The factor of the effective learning rate lr / G in the step of the change: G has not moved yet."""
        return self.lr

    @property
    def settled(self) -> float:
        """Its factor once the norm has settled again, the root of the factor of the intrinsic learning rate.

        Section 5.3 prints that the effective learning rate "equilibrates to the value le^(-1/2)"; it is le^(+1/2).
        """
        return math.sqrt(self.lr * self.weight_decay)

    @property
    def gamma_jump(self) -> float:
        """The factor of gamma in the step of the change, (lr_old / lr_new)^2."""
        return self.lr**-2

    def effective_lr_after(self, times: npt.ArrayLike, intrinsic_lr: float, sigma: float) -> Array:
        """Return the effective learning rate t steps after the change, from equilibrium at `intrinsic_lr`."""
        start = self.gamma_jump * equilibrium_gamma(intrinsic_lr, sigma**2, discrete=False)
        return effective_lr(gamma_after(times, start, intrinsic_lr * self.lr * self.weight_decay, sigma**2))


@dataclass(frozen=True)
class Settling:
    """The two processes of appendix E from one norm: all of it at lr, or first at K lr until the norm settles.

    The paper normalises sigma^2 / (2 lr wd) = 1; here gamma is measured in units of that equilibrium.

    Args:
        norm_squared: G_0.
        lr: Learning rate that both processes end with.
        weight_decay: Constant, above 0.
        sigma: Root of Tr Sigma; None for the paper's normalisation.
        tolerance: gamma has settled when it is within this fraction of its equilibrium.

    Raises:
        TheoryError: A value that is not positive, a tolerance of 1 or more.
    """

    norm_squared: float
    lr: float
    weight_decay: float
    sigma: float | None = None
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        for name in ("norm_squared", "lr", "weight_decay"):
            object.__setattr__(self, name, check_number(name, getattr(self, name), positive=True))
        check_number("intrinsic learning rate", self.intrinsic_lr, below=1.0, positive=True)
        if self.sigma is not None:
            check_number("sigma", self.sigma, positive=True)
        check_number("tolerance", self.tolerance, below=1.0, positive=True)

    @property
    def intrinsic_lr(self) -> float:
        """Of the final stage: lr x wd."""
        return self.lr * self.weight_decay

    @property
    def equilibrium(self) -> float:
        """The gamma of the final stage at equilibrium; 1 in the paper's normalisation."""
        return 1.0 if self.sigma is None else equilibrium_gamma(self.intrinsic_lr, self.sigma**2, discrete=False)

    @property
    def start(self) -> float:
        """gamma_0 = G_0^2 / lr^2 in units of the equilibrium."""
        return float(gamma_of(self.norm_squared, self.lr)) / self.equilibrium

    @property
    def start_printed(self) -> float:
        """gamma_0 = G_0 / lr^2 as appendix E prints it, with G_0 where its square is meant."""
        return self.norm_squared / self.lr**2 / self.equilibrium

    def direct(self) -> float:
        """Return the steps until gamma has settled at constant lr: ln(abs(gamma_0 - 1) / tolerance) / (4 le)."""
        return settling_steps(self.start, 1.0, self.intrinsic_lr, self.tolerance)

    def two_stage(self, factor: float) -> tuple[float, float]:
        """Return the steps of the stage at K lr and of the stage at lr that follows.

        The first ends with gamma at 1 / K, within the tolerance on the side from which it came; the change of lr
        multiplies it by K^2.

        Raises:
            TheoryError: K of 1 or less, or an intrinsic learning rate K lr wd of 1 or more.
        """
        k, le = self._factor(factor), self.intrinsic_lr
        begin = self.start / k**2
        first = settling_steps(begin, 1.0 / k, k * le, self.tolerance)
        reached = float(gamma_after(first, begin, k * le, 2.0 * le))
        return first, settling_steps(k**2 * reached, 1.0, le, self.tolerance)

    def direct_order(self, *, printed: bool = False) -> float:
        """Return the first expression under appendix E's O: max(ln gamma_0, 1) / (lr wd)."""
        start = self.start_printed if printed else self.start
        return max(math.log(start), 1.0) / self.intrinsic_lr

    def two_stage_order(self, factor: float, *, printed: bool = False) -> float:
        """Return what is under the O of eq. 15: max(ln(gamma_0'), 1) / (K lr wd) + ln K / (lr wd).

        gamma_0' is K gamma_0 / K^2, the start of the first stage in units of its equilibrium 1 / K: G_0 / (K lr^2) as
        printed, G_0^2 / (K lr^2) corrected.
        """
        k, start = self._factor(factor), self.start_printed if printed else self.start
        return max(math.log(start / k), 1.0) / (k * self.intrinsic_lr) + math.log(k) / self.intrinsic_lr

    def _factor(self, factor: float) -> float:
        k = check_number("factor K of the first stage", factor, low=1.0, positive=True)
        check_number("intrinsic learning rate K lr wd", k * self.intrinsic_lr, below=1.0)
        return k


def settling_steps(start: float, target: float, intrinsic_lr: float, tolerance: float) -> float:
    """Return the steps until gamma, relaxing from `start` to `target`, is within the tolerance: 0 if it is already.

    Raises:
        TheoryError: A number that is not positive.
    """
    distance = abs(check_number("gamma", start) / check_number("equilibrium", target, positive=True) - 1.0)
    rate = 4.0 * check_number("intrinsic learning rate", intrinsic_lr, positive=True)
    return max(math.log(distance / tolerance), 0.0) / rate if distance > 0.0 else 0.0


def log_norm_slope(intrinsic_lr: float, momentum: float = 0.0) -> float:
    """Return the change of ln norm(w)^2 per step while the gradient is negligible: 2 ln z, about -2 le / (1 - mu).

    z is the larger root of z^2 - (1 + mu - le) z + mu, the recursion of weights that weight decay alone moves; for
    mu = 0, z = 1 - le. Figure 8's slopes for (K, wd) = (1, 1), (10, 1), (1, 5), (10, 5) are as 1:10:5:50.

    Raises:
        TheoryError: The weights would oscillate: le is above (1 - sqrt(mu))^2.
    """
    mu, le = check_number("momentum", momentum, below=1.0), check_number("intrinsic learning rate", intrinsic_lr)
    if le >= (edge := (1.0 - math.sqrt(mu)) ** 2):
        raise TheoryError(
            f"the intrinsic learning rate must be below {edge:g} at momentum {mu!r}: received {le!r}. Lower lr or wd."
        )
    trace = 1.0 + mu - le
    return 2.0 * math.log((trace + math.sqrt(trace**2 - 4.0 * mu)) / 2.0)


def figure_8_slopes(lr: float, weight_decay: float, momentum: float = 0.0) -> Array:
    """Return the four slopes of figure 8, shape (4,): (lr, wd), (10 lr, wd), (lr, 5 wd), (10 lr, 5 wd)."""
    le = lr * weight_decay
    return np.array([log_norm_slope(times * le, momentum) for times in (1.0, 10.0, 5.0, 50.0)])
