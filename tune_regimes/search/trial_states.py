"""What one trial takes from the store of states, and what it leaves there; the search goes on where that fails."""

from collections.abc import Sequence

from tune_regimes.search.job import TrialSpec
from tune_regimes.search.workplace import Workplace
from tune_regimes.sharing.course import Course
from tune_regimes.sharing.store import Epoch
from tune_regimes.training import Trajectory, state_from_bytes, state_to_bytes


class TrialStates:
    """The states and histories of one trial's prefixes.

    Args:
        place: The process that works on the trial.
        spec: The trial.

    Attributes:
        kept: Key of the state that is kept for this trial alone, to take it up again; "" for none.
    """

    def __init__(self, place: Workplace, spec: TrialSpec) -> None:
        self._place = place
        self._prefixes = place.prefixes(spec)
        self._study, self._owner = place.job.owner, f"{place.job.owner}~{spec.trial_id}"
        self._published: list[tuple[int, str, str]] = []
        self.kept = ""

    def inherited(self, start: Course) -> list[Epoch]:
        """The epochs that need not be trained; none where the store is out of reach."""
        if not self._place.unshared:
            with self._place.bearing_losses():
                return self._prefixes.longest(start)
        return []

    def restore(self, trajectory: Trajectory, root: str, history: Sequence[Epoch]) -> None:
        """Load the longest stored state that is whole; where there is none, the trajectory stays at its beginning."""
        keys = [root, *(epoch.key for epoch in history)]
        with self._place.bearing_losses():
            while (number := self._prefixes.shelf.longest(keys)) is not None:
                payload = self._prefixes.shelf.state(keys[number])
                if payload is not None:
                    trajectory.restore(state_from_bytes(payload))
                    return
                keys = keys[:number]

    def publish(self, root: str, history: Sequence[Epoch], trajectory: Trajectory | None, *, pinned: bool) -> None:
        """Store a history, and the state of a trajectory where one is given.

        Args:
            root: ``key[0]``.
            history: All epochs up to now.
            trajectory: As it stands after them; None to store the history alone.
            pinned: Whether other trials of the study wait for it.
        """
        if self._store(history, trajectory, self._study if pinned else None) and pinned:
            self._published.append((len(history), root, history[-1].key))

    def published(self) -> list[tuple[int, str, str]]:
        """Epoch, root and key of what was stored for other trials since the last call."""
        published, self._published = self._published, []
        return published

    def keep(self, history: Sequence[Epoch], trajectory: Trajectory) -> None:
        """Store the state for this trial alone, in place of the one that was kept before."""
        before, key = self.kept, history[-1].key
        self._store(history, trajectory, self._owner)
        self.kept = key
        if before and before != key:
            self._release(before)

    def release(self) -> None:
        """Give up the state that was kept for this trial."""
        if self.kept:
            self._release(self.kept)

    def _release(self, key: str) -> None:
        with self._place.bearing_losses():
            self._prefixes.shelf.unpin(key, self._owner)
            self._prefixes.shelf.drop(key)

    def _store(self, history: Sequence[Epoch], trajectory: Trajectory | None, pin: str | None) -> bool:
        if self._place.unshared:
            return False
        payload = None if trajectory is None else state_to_bytes(trajectory.capture())
        with self._place.bearing_losses():
            stored = self._prefixes.shelf.publish(history[-1].key, history, payload, pin=pin)
            self._place.has_stored()
            return stored
        return False
