"""What a training can inherit: the history of the longest prefix from which it can go on, or of all of it."""

from collections.abc import Iterator, Sequence

from tune_regimes.sharing.course import Course, has_diverged
from tune_regimes.sharing.room import HISTORY, STATE
from tune_regimes.sharing.store import Epoch, Shelf


class Prefixes:
    """The prefixes on one shelf, found by following a course.

    A fixed schedule has known keys, and looks for them from the last to the first. What an adaptive policy is told
    depends on the records, so it follows the stored histories epoch by epoch; these are read once.

    Args:
        shelf: Where states and histories lie.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._epochs: dict[str, Epoch] = {}
        self._read: set[str] = set()

    def longest(self, start: Course) -> list[Epoch]:
        """The epochs that a training need not train.

        Args:
            start: Its course before the first epoch.

        Returns:
            The whole history, where all epochs are known, or all up to divergence; else as many epochs as the longest
            stored prefix with a state has.
        """
        adaptive = start.policy.adaptive
        keys = () if adaptive else _keys(start)
        known = list(self._followed(start)) if adaptive else self._stored(keys, HISTORY)
        if known and (len(known) == start.policy.epochs or has_diverged(known[-1].record)):
            return known
        if adaptive:
            return known[: self.shelf.longest([start.key, *(epoch.key for epoch in known)]) or 0]
        return self._stored(keys, STATE)

    def _stored(self, keys: Sequence[str], kind: str) -> list[Epoch]:
        """The history of the longest prefix under which an entry of a kind lies; damaged ones are passed over."""
        while (number := self.shelf.longest(keys, kind)) is not None:
            history = self.shelf.history(keys[number])
            if history is not None:
                return history
            keys = keys[:number]
        return []

    def _followed(self, course: Course) -> Iterator[Epoch]:
        """The known epochs of an adaptive policy, in order."""
        self._read_new()
        while not course.over and (epoch := self._epochs.get(course.next_key)) is not None:
            yield epoch
            course = course.after(epoch.record)

    def _read_new(self) -> None:
        for key in self.shelf.histories():
            if key not in self._read:
                self._read.add(key)
                for epoch in self.shelf.history(key) or ():
                    self._epochs.setdefault(epoch.key, epoch)


def _keys(start: Course) -> Sequence[str]:
    """The key chain of a policy that ignores observations."""
    keys, course = [start.key], start
    while not course.over:
        course = course.after({})
        keys.append(course.key)
    return keys
