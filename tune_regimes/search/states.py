"""The driver's side of the store: where it lies, in whose name it is used, and what may go."""

import hashlib
import time
from contextlib import suppress

from tune_regimes._version import VERSION
from tune_regimes.errors import StorageError
from tune_regimes.search.options import RunOptions
from tune_regimes.sharing.store import Store
from tune_regimes.storage import Storage

SWEEP_EVERY = 30.0
"""Seconds between two looks for states that ended trials have left pinned."""


class StudyStates:
    """The states of one study, in its own folder or in a store that several studies share.

    Nothing that goes wrong here ends a study: states only save time.

    Args:
        study: The study's name.
        folder: Its folder.
        options: Where the store lies, and how much it may hold.

    Raises:
        StorageError: If the store's location cannot be opened at all.

    Attributes:
        uri: Where the store lies.
        owner: Under what name the study claims entries; two studies of one name do not meet.
    """

    def __init__(self, study: str, folder: Storage, options: RunOptions) -> None:
        self.shared = options.store is not None
        place = Storage(options.store) if options.store is not None else folder.child("states")
        self.uri = place.uri
        self.owner = f"{study}.{hashlib.blake2b(folder.uri.encode(), digest_size=4).hexdigest()}"
        self._store = Store(place, quota=options.quota)
        self._ended: list[str] = []
        self._swept_at = time.monotonic()

    def notes(self) -> list[str]:
        """What is to be said of a shared store before the study begins."""
        if not self.shared:
            return []
        try:
            census = self._store.census()
        except StorageError as error:
            return [f"the store cannot be read, so trials begin anew: {error}"]
        others = {version: number for version, number in census.items() if version != VERSION}
        return [
            f"the store holds {number} states of version {version}, which {VERSION} does not use"
            for version, number in sorted(others.items())
        ]

    def free(self, root: str, key: str) -> None:
        """No trial waits for a state any more."""
        with suppress(StorageError):
            self._store.unpin(root, key, self.owner)

    def ended(self, trial_id: str) -> None:
        """A trial has ended; what it stored for itself may go, once its worker has turned to another one."""
        self._ended.append(f"{self.owner}~{trial_id}")
        if time.monotonic() - self._swept_at > SWEEP_EVERY:
            with suppress(StorageError):
                self._store.unpin_all(*self._ended)
            self._ended, self._swept_at = self._ended[-1:], time.monotonic()

    def settle(self, *, ended: bool) -> None:
        """The run is over: a study that has ended needs no state any more, an interrupted one all that it had."""
        with suppress(StorageError):
            if ended:
                self._store.unpin_all(self.owner)
            else:
                self._store.touch_pins(self.owner)
