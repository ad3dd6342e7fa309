"""The quota of a store: what there is, what may go, and in which order."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tune_regimes.errors import UsageError
from tune_regimes.storage import Storage, StoredFile

Place = tuple[str, str]
"""An entry: its root and its key."""

STATE, HISTORY, PIN = "state", "history", "pin"
PIN_SECONDS = 7 * 24 * 3600.0
_NAME = re.compile(r"([0-9A-Za-z_-]+)/([0-9A-Za-z_-]+)\.(?:(state|history)|(.+)\.pin)")


@dataclass(frozen=True)
class Usage:
    """What a store holds: stored states, bytes of all its files, and bytes of those that are pinned."""

    entries: int
    bytes: int
    pinned: int


@dataclass(frozen=True)
class Item:
    """One file of a store: of the entry ``key`` below ``root``; ``owner`` is who holds a pin."""

    root: str
    key: str
    kind: str
    owner: str
    file: StoredFile

    @property
    def place(self) -> Place:
        """The entry it belongs to."""
        return self.root, self.key


def items(storage: Storage, root: str | None = None) -> list[Item]:
    """All files of a store, or of the shelf ``root`` whose folder is given, by one listing; others are none of ours."""
    found = []
    for file in storage.walk():
        match = _NAME.fullmatch(file.name if root is None else f"{root}/{file.name}")
        if match:
            found.append(Item(match[1], match[2], match[3] or PIN, match[4] or "", file))
    return found


def is_held(item: Item, seconds: float = PIN_SECONDS) -> bool:
    """Whether it is a pin that counts: one that was not touched for so long is abandoned."""
    return item.kind == PIN and item.file.modified > time.time() - seconds


class Room:
    """Keeps a store within its quota.

    A look at the whole store costs a listing; so what it found is relied on until this writer has added a sixteenth of
    the room that was free. Several writers that look at one moment may exceed the quota by a state each; the next of
    them to look mends it. "Used" is the file's time: local files are touched when they are read; in object stores it
    stays the time of publication.

    Args:
        storage: The store's folder.
        quota: Bytes of all its files; None for no limit.
    """

    def __init__(self, storage: Storage, quota: int | None) -> None:
        self._storage, self._quota = storage, quota
        self._allowance = 0

    def usage(self) -> Usage:
        """What the store holds now."""
        found = items(self._storage)
        held = _held(found)
        return Usage(
            entries=sum(item.kind == STATE for item in found),
            bytes=_size(found),
            pinned=_size(item for item in found if item.place in held),
        )

    def check_fits(self, size: int) -> None:
        """UsageError when a state of ``size`` bytes, with its history, exceeds the quota by itself."""
        if self._quota is not None and size > self._quota:
            raise UsageError(
                f"quota must hold at least one state: got {self._quota / 1e6:.3g} MB, a state of this task has "
                f"{size / 1e6:.3g} MB; give a larger quota, or none"
            )

    def make(self, size: int, place: Place, *, evict: bool = True) -> bool:
        """Make room for ``size`` bytes of the entry ``place``, evicting others if need be and allowed.

        States that nobody has pinned go first, the least recently used before the others; then histories that have
        neither a state nor a pin. A few states more than needed may go, so that the next listing is not due at once.

        Returns:
            Whether there is room; if not, nothing was evicted.
        """
        if self._quota is None:
            return True
        if size > self._allowance:
            found, free, victims = self._plan(size, place, evict)
            if free + _size(victims) < size:
                return False
            self._evict(victims, found)
            self._allowance = size + (free + _size(victims) - size) // 16
        self._allowance -= size
        return True

    def _plan(self, size: int, place: Place, evict: bool) -> tuple[list[Item], int, list[Item]]:
        """All files, the bytes that are free, and who has to go: nobody whom a second look shows to be pinned now."""
        assert self._quota is not None
        while True:
            found = items(self._storage)
            free = self._quota - _size(found)
            victims = _victims(found, place, size - free, slack=self._quota // 20) if evict else []
            if not victims or _held(items(self._storage)).isdisjoint(item.place for item in victims):
                return found, free, victims

    def _evict(self, victims: list[Item], found: list[Item]) -> None:
        if victims:
            gone = {item.place for item in victims}
            abandoned = [item for item in found if item.kind == PIN and item.place in gone]
            self._storage.remove(*(item.file.name for item in victims + abandoned))
            self._storage.sweep()


def _victims(found: list[Item], place: Place, wanted: int, slack: int) -> list[Item]:
    """What has to go for ``wanted`` bytes, the first to go first; all that may go where that is not enough."""
    if wanted <= 0:
        return []
    held = _held(found) | {place}
    loose = sorted((item for item in found if item.place not in held), key=lambda item: item.file.modified)
    states = [item for item in loose if item.kind == STATE]
    histories = [item for item in loose if item.kind == HISTORY]
    chosen, freed = [], 0
    for item in states + histories:
        extra = slack if item.kind == STATE else 0
        if freed >= wanted and freed + item.file.size > wanted + extra:
            break
        chosen.append(item)
        freed += item.file.size
    return chosen


def _held(found: list[Item]) -> set[Place]:
    return {item.place for item in found if is_held(item)}


def _size(found: Iterable[Item]) -> int:
    return sum(item.file.size for item in found)
