"""What trainings left behind, content-addressed: under the key of a prefix lie the state and the history it led to.

A folder holds one shelf for each root key, and a shelf is flat: ``<root>/identity.json``, ``<root>/<key>.state``,
``<root>/<key>.history`` and ``<root>/<key>.<owner>.pin``. A history is written before its state, so a state never lacks
its history. Whatever is damaged or of another version is a miss: it is counted, named and never returned.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from tune_regimes.errors import StorageError, UsageError
from tune_regimes.sharing.entries import (
    DamagedEntryError,
    Epoch,
    ForeignEntryError,
    pack,
    pack_history,
    unpack,
    unpack_history,
)
from tune_regimes.sharing.room import HISTORY, PIN, STATE, Item, Room, Usage, is_held, items
from tune_regimes.storage import Storage

__all__ = ["Epoch", "Shelf", "Store", "Usage"]

T = TypeVar("T")

_IDENTITY = "identity.json"
_KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")
_OWNER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._~-]{0,149}")
_FRESH_SECONDS = 3600.0


class Store:
    """A folder of states and histories: one study's, or one that several studies share.

    Args:
        storage: The folder; nothing is created until something is published.
        quota: Bytes that all its files together may have; None for no limit.
    """

    def __init__(self, storage: Storage, *, quota: int | None = None) -> None:
        self._storage = storage
        self._room = Room(storage, quota)

    def shelf(self, root: str, identity: Mapping[str, Any] | None = None) -> "Shelf":
        """All entries of trainings whose first key is ``root``.

        Args:
            root: ``key[0]``.
            identity: What the root key was made of; written beside the entries with the first of them.
        """
        return Shelf(self._storage.child(_checked(_KEY, root)), self._room, root, identity)

    def usage(self) -> Usage:
        """What the store holds; costs one listing."""
        return self._room.usage()

    def check_fits(self, size: int) -> None:
        """UsageError when a state of ``size`` bytes exceeds the quota by itself."""
        self._room.check_fits(size)

    def unpin(self, root: str, key: str, owner: str) -> None:
        """Give up the claim of ``owner`` on an entry."""
        self.shelf(root).unpin(key, owner)

    def unpin_all(self, *owners: str) -> None:
        """Give up all claims of each owner and of ``<owner>~<anything>``; costs one listing."""
        self._storage.remove(*(item.file.name for item in self._pins(*owners)))

    def touch_pins(self, owner: str) -> None:
        """Say that ``owner`` and ``<owner>~<anything>`` are still alive: pins not touched for seven days do not count.

        Costs one listing; a pin touched within the hour is left alone.
        """
        late = [item.file.name for item in self._pins(owner) if not is_held(item, _FRESH_SECONDS)]
        self._storage.touch(*late) if self._storage.is_local else self._storage.renew(*late)

    def census(self) -> Mapping[str, int]:
        """Stored states by the version of tune-regimes that their identity names; "unknown" where none is written."""
        states = Counter(item.root for item in items(self._storage) if item.kind == STATE)
        versions: Counter[str] = Counter()
        for root, number in states.items():
            versions[self._version(root)] += number
        return versions

    def _version(self, root: str) -> str:
        try:
            return str(json.loads(self._storage.read_if_present(f"{root}/{_IDENTITY}") or b"")["tune_regimes"])
        except (ValueError, KeyError, TypeError):
            return "unknown"

    def _pins(self, *owners: str) -> list[Item]:
        pins = (item for item in items(self._storage) if item.kind == PIN)
        return [item for item in pins if item.owner in owners or item.owner.partition("~")[0] in owners]


class Shelf:
    """The entries of one root key; get it from `Store.shelf`.

    Attributes:
        problems: How often an entry was "damaged" or "foreign" (another format or version), or found "no_room".
        damaged: Names of the damaged files below the store's folder.
    """

    def __init__(self, folder: Storage, room: Room, root: str, identity: Mapping[str, Any] | None) -> None:
        self._folder, self._room, self._root, self._identity = folder, room, root, identity
        self.problems: Counter[str] = Counter()
        self.damaged: set[str] = set()

    def publish(
        self, key: str, history: Sequence[Epoch], state: bytes | None = None, *, pin: str | None = None
    ) -> bool:
        """Store a history and, after it, its state; what lies whole under the key is left.

        Args:
            key: Key after the last epoch of the history.
            history: All epochs up to the key.
            state: The state; None to store the history alone.
            pin: Who needs the entry: it is not evicted until this owner unpins it.

        Returns:
            False when the quota leaves no room for it.

        Raises:
            StorageError: Full, read-only or out of reach. What was stored stays, no pin is left.
            UsageError: The state alone exceeds the quota.
            ValueError: The history does not end at the key.
        """
        if not history or history[-1].key != key:
            raise ValueError("the history of an entry must end with the entry's key")
        if pin is None:
            return self._store(key, history, state)
        new = self._folder.first_present([_pin_name(key, pin)]) is None
        stored = False
        try:
            self.pin(key, pin)
            stored = self._store(key, history, state)
        finally:
            if new and not stored:
                with suppress(StorageError):
                    self.unpin(key, pin)
        return stored

    def _store(self, key: str, history: Sequence[Epoch], state: bytes | None) -> bool:
        """Write what does not lie there whole, the history first; whether there was room for all of it."""
        files = {}
        if self.history(key) is None:
            files[HISTORY] = pack(HISTORY, key, pack_history(history))
        if state is not None and self.state(key) is None:
            files[STATE] = pack(STATE, key, state)
            self._room.check_fits(sum(map(len, files.values())))
        if not files or self._write(key, files):
            return True
        self.problems["no_room"] += 1
        if STATE in files and HISTORY in files:
            self._write(key, {HISTORY: files[HISTORY]}, evict=False)
        return False

    def _write(self, key: str, files: Mapping[str, bytes], *, evict: bool = True) -> bool:
        if not self._room.make(sum(map(len, files.values())), (self._root, key), evict=evict):
            return False
        self._describe()
        for kind, data in files.items():
            self._folder.write(f"{key}.{kind}", data)
        return True

    def longest(self, keys: Sequence[str], kind: str = STATE) -> int | None:
        """The largest n >= 1 with a stored state (or history) under ``keys[n]``, or None.

        Costs one look at each key at most.
        """
        names = [f"{key}.{kind}" for key in reversed(keys[1:])]
        found = self._folder.first_present(names)
        return None if found is None else len(keys) - 1 - found

    def has_history(self, key: str) -> bool:
        """Whether a history lies under the key."""
        return self._folder.first_present([f"{_checked(_KEY, key)}.{HISTORY}"]) is not None

    def history(self, key: str) -> list[Epoch] | None:
        """All epochs up to the key; None when they are not stored, damaged or of another version."""
        return self._read(HISTORY, key, unpack_history)

    def state(self, key: str) -> bytes | None:
        """The state, as it was published; None when it is not stored, damaged or of another version."""
        return self._read(STATE, key, bytes)

    def histories(self) -> Iterator[str]:
        """Keys of all stored histories; costs one listing."""
        return (name.removesuffix(f".{HISTORY}") for name in self._folder.list("", f".{HISTORY}"))

    def pin(self, key: str, owner: str) -> None:
        """Keep the entry of a key until ``owner`` unpins it."""
        self._folder.renew(_pin_name(key, owner))

    def unpin(self, key: str, owner: str) -> None:
        """Give up the claim of ``owner``; nothing happens when there is none."""
        self._folder.remove(_pin_name(key, owner))

    def drop(self, key: str) -> None:
        """Remove the state of a key unless somebody has pinned it; costs one listing of the shelf's names."""
        pins = self._folder.list("", f".{PIN}")
        if not any(name.startswith(f"{key}.") for name in pins):
            self._folder.remove(f"{_checked(_KEY, key)}.{STATE}")

    def _read(self, kind: str, key: str, parse: Callable[[bytes], T]) -> T | None:
        name = f"{_checked(_KEY, key)}.{kind}"
        data = self._folder.read_if_present(name)
        if data is None:
            return None
        try:
            content = parse(unpack(kind, key, data))
        except DamagedEntryError:
            self.problems["damaged"] += 1
            self.damaged.add(f"{self._root}/{name}")
            return None
        except ForeignEntryError:
            self.problems["foreign"] += 1
            return None
        self._folder.touch(name)
        return content

    def _describe(self) -> None:
        """Write the identity beside the entries, once."""
        if self._identity is not None and self._folder.first_present([_IDENTITY]) is None:
            self._folder.write(_IDENTITY, json.dumps(dict(self._identity), indent=1).encode())
        self._identity = None


def _pin_name(key: str, owner: str) -> str:
    return f"{_checked(_KEY, key)}.{_checked(_OWNER, owner)}.{PIN}"


def _checked(pattern: re.Pattern[str], name: str) -> str:
    if not pattern.fullmatch(name):
        raise UsageError(
            f"a name in the store must match {pattern.pattern}: got {name!r}; choose a shorter, plain name"
        )
    return name
