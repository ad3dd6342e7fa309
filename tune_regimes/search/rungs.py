"""Rungs of successive halving within a phase: at which progress trials are compared, with whom, and how they stand.

Pure bookkeeping, without Ray: `RegimeASHA` decides by it.
"""

from bisect import bisect_right, insort
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tune_regimes.search.readings import Reading

# Powers of a factor that is not whole are not exact.
_CLOSE = 1e-9


@dataclass(frozen=True)
class Ladder:
    """The progress at which trials are compared: ``grace_period * reduction_factor**k`` for k = 0, 1, 2, ...

    Args:
        grace_period: Progress at the first rung.
        reduction_factor: Ratio of a rung to the one below.

    Examples:
        >>> ladder = Ladder(grace_period=1, reduction_factor=3)
        >>> [progress for progress in range(30) if ladder.acts_at(progress)]
        [1, 3, 9, 27]
        >>> ladder.level(8)
        2
    """

    grace_period: float
    reduction_factor: float

    def level(self, progress: float) -> int:
        """Number of rungs that have been reached."""
        level, rung = 0, self.grace_period
        while rung <= progress + _CLOSE:
            level, rung = level + 1, rung * self.reduction_factor
        return level

    def acts_at(self, progress: float) -> bool:
        """Whether a result with this progress is the first whole epoch at or past a rung: all others decide nothing."""
        return self.level(progress) > self.level(progress - 1)


@dataclass(frozen=True)
class Standing:
    """How a trial stands in its cohort.

    Attributes:
        size: Trials of the cohort, itself included.
        better: How many of them are better.
    """

    size: int
    better: int

    def among_best(self, reduction_factor: float, *, closed: bool = False) -> bool:
        """Whether the trial is among the best ``size // reduction_factor``.

        Args:
            reduction_factor: The factor by which a cohort shrinks from rung to rung.
            closed: Whether nothing more can arrive: then the best of a small cohort counts too.
        """
        places = int(self.size / reduction_factor + _CLOSE)
        return self.better < (max(1, places) if closed else places)


@dataclass
class Rung:
    """The scores of all trials at one rung, by remaining budget.

    Attributes:
        budget_ratio: The largest ratio of two remaining budgets that counts as equal.
        entries: Remaining budget and score of every trial.
    """

    budget_ratio: float
    entries: dict[str, tuple[float, float]] = field(default_factory=dict)
    _scores: dict[float, list[float]] = field(default_factory=dict)

    def enter(self, trial_id: str, remaining: float, score: float) -> None:
        """Enter a trial that is not in the rung yet."""
        self.entries[trial_id] = remaining, score
        insort(self._scores.setdefault(remaining, []), score)

    def standing(self, trial_id: str) -> Standing:
        """How a trial stands among those whose remaining budget is about equal to its own."""
        remaining, score = self.entries[trial_id]
        size = better = 0
        for other, scores in self._scores.items():
            if max(remaining, other) <= self.budget_ratio * min(remaining, other):
                size += len(scores)
                better += len(scores) - bisect_right(scores, score)
        return Standing(size, better)


Place = tuple[Hashable, int]


class Rungs:
    """All rungs of a study.

    A trial enters a rung with the first result at or past it, but only where it is known to have come from below: what
    starts in the middle of a phase does not fill the rungs it has skipped. A result that passes several rungs at once
    enters the highest.

    Args:
        ladder: Where the rungs are.
        budget_ratio: The largest ratio of two remaining budgets that counts as equal.
    """

    def __init__(self, ladder: Ladder, budget_ratio: float) -> None:
        self._ladder, self._budget_ratio = ladder, budget_ratio
        self._rungs: dict[Place, Rung] = {}
        self._reached: dict[str, Place] = {}

    def enter(self, trial_id: str, reading: Reading) -> Place | None:
        """Take note of a result.

        Returns:
            The rung that the trial has entered by it, if any. It enters a rung once: what it repeats changes nothing.
        """
        level = self._ladder.level(reading.progress)
        if trial_id in self._reached:
            kind, before = self._reached[trial_id]
            below = before if kind == reading.kind else 0
        else:
            below = self._ladder.level(reading.progress - 1)
        self._reached[trial_id] = place = reading.kind, level
        if level <= below or reading.remaining <= 0:
            return None
        rung = self._rungs.setdefault(place, Rung(self._budget_ratio))
        if trial_id in rung.entries:
            return None
        rung.enter(trial_id, reading.remaining, reading.score)
        return place

    def entry(self, trial_id: str, place: Place) -> tuple[float, float]:
        """Remaining budget and score with which a trial has entered a rung."""
        return self._rungs[place].entries[trial_id]

    def standing(self, trial_id: str, place: Place) -> Standing:
        """How a trial stands in a rung that it has entered."""
        return self._rungs[place].standing(trial_id)

    def left(self, trial_id: str) -> None:
        """A trial has ended: what it has entered stays."""
        self._reached.pop(trial_id, None)

    def __iter__(self) -> Iterator[tuple[Place, dict[str, tuple[float, float]]]]:
        """Every rung, and its entries."""
        for place, rung in self._rungs.items():
            yield place, rung.entries

    def get_state(self) -> list[tuple[Place, dict[str, tuple[float, float]]]]:
        """All entries, as plain values."""
        return [(place, dict(entries)) for place, entries in self]

    def set_state(self, state: list[tuple[Any, dict[str, tuple[float, float]]]]) -> None:
        """Replace all entries."""
        self._rungs.clear()
        self._reached.clear()
        for place, entries in state:
            rung = self._rungs.setdefault(place, Rung(self._budget_ratio))
            for trial_id, (remaining, score) in entries.items():
                rung.enter(trial_id, remaining, score)
