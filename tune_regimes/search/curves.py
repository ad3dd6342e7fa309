"""The metric of a point on the way, as the mean over its seeds."""

import math
from collections.abc import Iterable


class Curves:
    """The values that the seeds of one point have reported, by epoch.

    The mean at an epoch is over the seeds that have been through it. Where one of them has not reported it (reports may
    be gathered), the epoch has no mean: means over changing seeds would look like changes of the metric.

    Args:
        seeds: The seeds of the point.

    Examples:
        >>> curves = Curves([0, 1])
        >>> for seed, epoch, value in [(0, 1, 0.25), (0, 2, 0.5), (1, 1, 0.75)]:
        ...     curves.note(seed, epoch, value)
        >>> curves.due(), curves.means()
        ({1: 0.5}, {1: 0.5, 2: 0.5})
    """

    def __init__(self, seeds: Iterable[int]) -> None:
        self._values: dict[int, dict[int, float]] = {seed: {} for seed in seeds}
        self._due_until = 0

    def note(self, seed: int, epoch: int, value: float | None) -> None:
        """Keep a value; one that is missing or not finite counts for nothing."""
        if value is not None and math.isfinite(value):
            self._values[seed][epoch] = value

    def means(self) -> dict[int, float]:
        """The mean by epoch, as far as it is known now."""
        found = {}
        for epoch in sorted({epoch for values in self._values.values() for epoch in values}):
            through = [values for values in self._values.values() if max(values, default=0) >= epoch]
            if all(epoch in values for values in through):
                found[epoch] = math.fsum(values[epoch] for values in through) / len(through)
        return found

    def due(self) -> dict[int, float]:
        """The means that have become final since the last call: every seed has been through their epochs."""
        until = min(max(values, default=0) for values in self._values.values())
        if until <= self._due_until:
            return {}
        since, self._due_until = self._due_until, until
        return {epoch: mean for epoch, mean in self.means().items() if since < epoch <= until}

    def rest(self) -> dict[int, float]:
        """The means that were not due before the point ended."""
        return {epoch: mean for epoch, mean in self.means().items() if epoch > self._due_until}
