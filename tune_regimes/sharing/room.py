"""The quota of a store: what there is, what may go, and in which order."""

import re
import time
from dataclasses import dataclass

from tune_regimes.errors import UsageError
from tune_regimes.storage import Storage, StoredFile

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
    def place(self) -> tuple[str, str]:
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

    Listing the store costs; so a listing is good for as many bytes as a sixteenth of the room that it found. Several
    writers that look at the same moment may exceed the quota by a state each, until the next of them looks.

    Args:
        storage: The store's folder.
        quota: Bytes of all its files; None for no limit.
    """

    def __init__(self, storage: Storage, quota: int | None) -> None:
        self._storage, self.quota = storage, quota
        self._allowance = 0

    def usage(self) -> Usage:
        """What the store holds now."""
        found = items(self._storage)
        pinned = {item.place for item in found if is_held(item)}
        return Usage(
            sum(item.kind == STATE for item in found),
            sum(item.file.size for item in found),
            sum(item.file.size for item in found if item.place in pinned),
        )

    def make(self, size: int, place: tuple[str, str]) -> bool:
        """Make room for ``size`` bytes of the entry ``place``, evicting others if need be.

        States that nobody has pinned go first, the least recently used one before the others, then histories that have
        no state and no pin.

        Returns:
            Whether there is room.
        """
        if self.quota is None or size <= self._allowance:
            self._allowance -= size
            return True
        found = items(self._storage)
        free = self.quota - sum(item.file.size for item in found)
        free += self._evict(found, size - free, place)
        self._allowance = max(0, free - size) // 16
        return free >= size

    def check_fits(self, size: int) -> None:
        """UsageError when a state of ``size`` bytes alone exceeds the quota."""
        if self.quota is not None and size > self.quota:
            raise UsageError(
                f"the quota must hold at least one state: got {self.quota / 1e6:.3g} MB, a state of this task has "
                f"{size / 1e6:.3g} MB; give a larger quota, or none"
            )

    def _evict(self, found: list[Item], wanted: int, place: tuple[str, str]) -> int:
        pinned = {item.place for item in found if is_held(item)} | {place}
        loose = sorted((i for i in found if i.place not in pinned), key=lambda i: i.file.modified)
        freed = self._drop([i for i in loose if i.kind == STATE], wanted)
        if freed < wanted:
            stateful = {i.place for i in found if i.kind == STATE and i.place in pinned}
            freed += self._drop([i for i in loose if i.kind == HISTORY and i.place not in stateful], wanted - freed)
        return freed

    def _drop(self, candidates: list[Item], wanted: int) -> int:
        freed = 0
        for item in candidates:
            if freed >= wanted:
                break
            self._storage.remove(item.file.name)
            freed += item.file.size
        return freed
