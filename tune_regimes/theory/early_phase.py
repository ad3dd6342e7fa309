"""The early phase of training as The Break-Even Point models it: on the way to, and back from, the break-even point."""

from dataclasses import dataclass

import numpy as np

from tune_regimes.theory.break_even import break_even_curvature, stability
from tune_regimes.theory.checks import Array, check_count, check_number, check_vector


@dataclass(frozen=True)
class BreakEven:
    """A point at which Eq. 1 is an equality.

    Attributes:
        time: When, in steps from the start; below 0 where training starts unstable.
        curvature: lambda_H^1 there.
        distance: psi there.
        covariance: lambda_K^1 there.
    """

    time: float
    curvature: float
    distance: float
    covariance: float


@dataclass(frozen=True, eq=False)
class Course:
    """A training of `EarlyPhase`: curvature, distance and the left side of Eq. 1 at each step, shape (T + 1,)."""

    curvatures: Array
    distances: Array
    left_sides: Array


@dataclass(frozen=True)
class EarlyPhase:
    """The model of appendix B: what Assumptions 2 to 4 leave open is filled with constant rates.

    While training is stable the curvature grows by a factor and the distance to the minimum shrinks by another
    (Assumption 4); while it is not, both go back by the same factors (Assumption 3). So every learning rate and batch
    size moves along one curve, exp(growth t) lambda_0 and exp(-shrinkage t) psi_0, and stands where it is stable.

    Args:
        curvature: lambda_H^1 at the start, above 0.
        distance: psi at the start, above 0.
        alpha: lambda_K^1 / lambda_H^1, at least 0.
        count: Examples N in the training set.
        growth: Rate per step at which the curvature grows, above 0.
        shrinkage: Rate per step at which the distance shrinks, above 0.

    Raises:
        TheoryError: A value out of range.
    """

    curvature: float
    distance: float
    alpha: float
    count: int
    growth: float = 0.05
    shrinkage: float = 0.05

    def __post_init__(self) -> None:
        for name in ("curvature", "distance", "growth", "shrinkage"):
            check_number(name, getattr(self, name), positive=True)
        check_number("alpha", self.alpha)
        check_count("count", self.count)

    def at(self, time: float) -> tuple[float, float]:
        """Curvature and distance at a time on the curve."""
        return self.curvature * float(np.exp(self.growth * time)), self.distance * float(np.exp(-self.shrinkage * time))

    def left_side(self, lr: float, batch_size: int, time: float) -> float:
        """The left side of Eq. 3 at a time on the curve: that of Eq. 1 with s^2 = alpha lambda_H^1 / psi^2."""
        curvature, distance = self.at(time)
        return stability(lr, curvature, self.alpha * curvature / distance**2, batch_size, self.count)

    def break_even(self, lr: float, batch_size: int) -> BreakEven:
        """The one point of the curve at which the two sides of Eq. 3 are equal, by bisection.

        Raises:
            TheoryError: A learning rate not above 0, or a batch larger than the training set.
        """
        low, high = -1.0, 1.0
        while self._excess(lr, batch_size, low) > 0.0:
            low *= 2.0
        while self._excess(lr, batch_size, high) < 0.0:
            high *= 2.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self._excess(lr, batch_size, middle) > 0.0 else (middle, high)
        curvature, distance = self.at(low)
        return BreakEven(low, curvature, distance, self.alpha * curvature)

    def run(self, lr: float, batch_size: int, steps: int) -> Course:
        """Train step by step.

        Raises:
            TheoryError: A learning rate below 0, a batch larger than the training set, or no step.
        """
        times = [0]
        for _ in range(check_count("steps", steps)):
            stable = self.left_side(lr, batch_size, times[-1]) < 1.0
            times.append(times[-1] + (1 if stable else -1))
        curvatures, distances = np.array([self.at(time) for time in times]).T
        left_sides = check_vector("left sides", [self.left_side(lr, batch_size, time) for time in times])
        return Course(curvatures, distances, left_sides)

    def _excess(self, lr: float, batch_size: int, time: float) -> float:
        """Curvature less that of Eq. 4: below 0 where stable; it grows with time."""
        curvature, distance = self.at(time)
        return curvature - break_even_curvature(lr, self.alpha, distance, batch_size, self.count)
