"""Which step size to try next, so that both regimes lie between two neighbours that are near to each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tune_regimes.errors import StudyError

FACTOR = math.sqrt(10.0)
"""Ratio of neighbours on the coarse grid."""
DIGITS = 3
"""Significant digits of a step size that is tried."""


@dataclass(frozen=True)
class Tried:
    """A step size that was tried, and what became of it.

    Attributes:
        step_size: lr / (1 - momentum).
        diverges: Whether it diverges in any seed.
        falls: Whether the loss falls consistently.
    """

    step_size: float
    diverges: bool
    falls: bool


@dataclass(frozen=True)
class Bracketing:
    """A coarse grid from below up to the first step size that diverges, then bisection around A and around B.

    A lies between the largest step size that does not diverge and the next one tried, B between the largest at which
    the loss falls consistently and the next one; each interval is halved, in logarithms, until its ends are near.

    Args:
        lowest: Where the grid begins.
        highest: Where it ends if nothing diverges.
        resolution: Ratio of the ends of an interval that is near enough.

    Raises:
        StudyError: The range or the resolution cannot be used.

    Examples:
        >>> plan, tried = Bracketing(lowest=0.01, highest=10.0, resolution=2.0), []
        >>> while (step := plan.next(tried)) is not None:
        ...     tried.append(Tried(step, diverges=step > 2.0, falls=step <= 0.05))
        >>> [each.step_size for each in tried]
        [0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 1.78, 0.0562]
    """

    lowest: float = 1e-3
    highest: float = 100.0
    resolution: float = 1.4

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest < math.inf:
            raise StudyError(
                f"the range of step sizes must be two positive numbers, the lowest first; got {self.lowest:g} to "
                f"{self.highest:g}: give others"
            )
        if not 1.05 <= self.resolution <= FACTOR:
            raise StudyError(f"resolution must lie in 1.05 to {FACTOR:.3g}; got {self.resolution:g}")

    def next(self, tried: Sequence[Tried]) -> float | None:
        """The step size to try next, of one momentum.

        Args:
            tried: What was tried so far, in any order.

        Returns:
            A step size that was not tried, or None when there is nothing more to learn.
        """
        ordered = sorted(tried, key=lambda each: each.step_size)
        if not ordered:
            return self.lowest
        sound = [number for number, each in enumerate(ordered) if not each.diverges]
        if sound[-1:] == [len(ordered) - 1]:
            return self._above(ordered[-1].step_size)
        falling = [number for number in sound if ordered[number].falls]
        steps = [each.step_size for each in ordered]
        # Nothing lies below the grid: without a sound or falling step size there is no interval to halve.
        edges = [found[-1] for found in (sound, falling) if found]
        return next(filter(None, (self._between(*steps[edge : edge + 2]) for edge in edges)), None)

    def _above(self, step_size: float) -> float | None:
        """The next step size of the coarse grid."""
        place = round(math.log(step_size / self.lowest, FACTOR))
        higher = _rounded(self.lowest * FACTOR ** (place + 1))
        return higher if higher <= self.highest else None

    def _between(self, below: float, above: float) -> float | None:
        middle = _rounded(math.sqrt(below * above))
        return middle if above / below > self.resolution and below < middle < above else None


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
