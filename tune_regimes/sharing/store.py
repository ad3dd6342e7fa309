"""The states of one trial, content-addressed: a state lies under the key of the prefix that led to it."""

from collections.abc import Sequence

from tune_regimes.storage import Storage

_SUFFIX = ".pt"


class TrialStates:
    """The stored states of one trial below ``states/<trial_id>/`` of a study.

    A state under a key that is not of the trial's chain (another version, another schedule) is never found, so it can
    never be loaded by mistake.

    Args:
        study: The study's folder.
        trial_id: The trial.
    """

    def __init__(self, study: Storage, trial_id: str) -> None:
        self._folder = study.child("states").child(trial_id)

    def longest(self, keys: Sequence[str]) -> tuple[int, bytes] | None:
        """The state of the longest stored prefix.

        Args:
            keys: The trial's key chain, ``keys[n]`` after n epochs.

        Returns:
            The number of epochs and the state, or None where no state of the chain is stored.
        """
        stored = set(self._folder.list("", _SUFFIX))
        for epoch in range(len(keys) - 1, 0, -1):
            name = keys[epoch] + _SUFFIX
            if name in stored:
                return epoch, self._folder.read(name)
        return None

    def publish(self, key: str, payload: bytes) -> None:
        """Store a state, then drop the earlier ones: there is a whole state at every moment."""
        self._folder.write(key + _SUFFIX, payload)
        for name in self._folder.list("", _SUFFIX):
            if name != key + _SUFFIX:
                self._folder.delete(name)

    def clear(self) -> None:
        """Drop all states of the trial."""
        for name in self._folder.list("", _SUFFIX):
            self._folder.delete(name)
