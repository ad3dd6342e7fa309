"""The quota: who goes, in which order, and who never does."""

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.sharing import room
from tune_regimes.sharing.store import Epoch, Store
from tune_regimes.storage import Storage

KEYS = [f"{n:064x}" for n in range(12)]
STATE = bytes(1000)


def history(n):
    return [Epoch(KEYS[n], {"train_loss": 1.0}, "s", "t")]


@pytest.fixture
def entry(tmp_path):
    """Bytes of one entry."""
    store = Store(Storage(tmp_path / "scale"))
    store.shelf("r").publish(KEYS[0], history(0), STATE)
    return store.usage().bytes


def filled(folder, keys, ages=None, **options):
    """A shelf with these entries, the first the least recently used one."""
    shelf = Store(Storage(folder), **options).shelf("r")
    for n in keys:
        shelf.publish(KEYS[n], history(n), STATE)
        for kind in ("state", "history"):
            used(folder, n, ages[n] if ages else 1000 - n, kind)
    return shelf


def used(folder, n, ago, kind="state"):
    os.utime(folder / "r" / f"{KEYS[n]}.{kind}", (time.time() - ago,) * 2)


def states(shelf):
    return [n for n, key in enumerate(KEYS) if shelf.longest(["", key])]


def test_the_least_recently_used_state_goes_first_and_its_history_stays(tmp_path, entry):
    filled(tmp_path, [0, 1, 2])
    shelf = Store(Storage(tmp_path), quota=4 * entry - 1).shelf("r")
    assert shelf.state(KEYS[0]) == STATE
    shelf.publish(KEYS[3], history(3), STATE)
    assert states(shelf) == [0, 2, 3]
    assert shelf.has_history(KEYS[1])


def test_publishing_what_is_there_counts_as_use(tmp_path, entry):
    filled(tmp_path, [0, 1])
    shelf = Store(Storage(tmp_path), quota=3 * entry - 1).shelf("r")
    shelf.publish(KEYS[0], history(0), STATE)
    shelf.publish(KEYS[2], history(2), STATE)
    assert states(shelf) == [0, 2]


def test_histories_go_only_when_no_state_is_left_that_may_go(tmp_path, entry):
    filled(tmp_path, [0, 1])
    shelf = Store(Storage(tmp_path), quota=2 * entry + 20).shelf("r")
    shelf.pin(KEYS[1], "s")
    assert shelf.publish(KEYS[2], history(2), STATE)
    assert states(shelf) == [1, 2]
    assert [shelf.has_history(key) for key in KEYS[:3]] == [False, True, True]


def test_nothing_is_evicted_in_vain(tmp_path, entry):
    filled(tmp_path, [0, 1, 2])
    shelf = Store(Storage(tmp_path), quota=3 * entry + 20).shelf("r")
    for n in (0, 1):
        shelf.pin(KEYS[n], "s")
    large = history(3), bytes(len(STATE) * 2)
    assert not shelf.publish(KEYS[3], *large, pin="s")
    assert states(shelf) == [0, 1, 2]
    assert shelf.problems == {"no_room": 1}
    assert Store(Storage(tmp_path)).usage().entries == 3


def test_without_room_for_the_state_the_history_is_stored_where_it_fits(tmp_path, entry):
    shelf = Store(Storage(tmp_path), quota=entry + 400).shelf("r")
    shelf.publish(KEYS[0], history(0), STATE, pin="s")
    assert not shelf.publish(KEYS[1], history(1), STATE)
    assert shelf.has_history(KEYS[1])


def test_a_pin_that_was_there_before_stays_when_there_is_no_room(tmp_path, entry):
    shelf = Store(Storage(tmp_path), quota=entry + 400).shelf("r")
    shelf.publish(KEYS[0], history(0), STATE, pin="s")
    shelf.pin(KEYS[1], "s")
    assert not shelf.publish(KEYS[1], history(1), STATE, pin="s")
    assert not shelf.publish(KEYS[2], history(2), STATE, pin="s")
    pins = sorted(name for name in os.listdir(tmp_path / "r") if name.endswith(".pin"))
    assert pins == [f"{KEYS[0]}.s.pin", f"{KEYS[1]}.s.pin"]


def test_a_state_never_takes_the_place_of_its_own_history(tmp_path, entry):
    shelf = Store(Storage(tmp_path)).shelf("r")
    shelf.publish(KEYS[0], history(0))
    tight = Store(Storage(tmp_path), quota=entry - 10).shelf("r")
    assert not tight.publish(KEYS[0], history(0), STATE)
    assert tight.has_history(KEYS[0])
    assert states(tight) == []


def test_a_pin_that_was_not_touched_for_seven_days_holds_nothing(tmp_path, entry):
    filled(tmp_path, [0, 1])
    store = Store(Storage(tmp_path), quota=3 * entry - 1)
    shelf = store.shelf("r")
    day, pins = 24 * 3600, {0: "gone", 1: "late~t1"}
    for n, owner in pins.items():
        shelf.pin(KEYS[n], owner)
        os.utime(tmp_path / "r" / f"{KEYS[n]}.{owner}.pin", (time.time() - 7.1 * day,) * 2)
    assert store.usage().pinned == 0
    store.touch_pins("late")
    assert shelf.publish(KEYS[2], history(2), STATE)
    assert states(shelf) == [1, 2]
    assert [name for name in os.listdir(tmp_path / "r") if name.endswith(".pin")] == [f"{KEYS[1]}.late~t1.pin"]


def test_the_store_is_listed_only_when_the_quota_might_be_exceeded(tmp_path, entry, monkeypatch):
    listings = []
    monkeypatch.setattr(room, "items", lambda storage: listings.append(1) or [])
    free = Store(Storage(tmp_path / "a")).shelf("r")
    wide = Store(Storage(tmp_path / "b"), quota=1000 * entry).shelf("r")
    for n in range(12):
        free.publish(KEYS[n], history(n), STATE)
        wide.publish(KEYS[n], history(n), STATE)
    assert len(listings) == 1


def test_what_is_pinned_while_room_is_made_stays(tmp_path, entry, monkeypatch):
    filled(tmp_path, [0, 1])
    shelf, look, looks = Store(Storage(tmp_path), quota=3 * entry - 1).shelf("r"), room.items, []

    def pin_after_the_first_look(storage):
        found = look(storage)
        if not looks:
            shelf.pin(KEYS[0], "s")
        looks.append(1)
        return found

    monkeypatch.setattr(room, "items", pin_after_the_first_look)
    assert shelf.publish(KEYS[2], history(2), STATE)
    assert states(shelf) == [0, 2]


def test_files_of_others_are_neither_counted_nor_evicted(tmp_path, entry):
    filled(tmp_path, [0])
    strangers = ["r/notes.txt", "states.state", "r/deep/x.state", "r/two words.state"]
    for name in strangers:
        Storage(tmp_path).write(name, bytes(5000))
    store = Store(Storage(tmp_path), quota=2 * entry - 1)
    assert store.usage().bytes == entry
    store.shelf("r").publish(KEYS[1], history(1), STATE)
    assert states(store.shelf("r")) == [1]
    assert all((tmp_path / name).exists() for name in strangers)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    pinned=st.sets(st.integers(0, 11), max_size=4),
    quota=st.integers(4000, 12_000),
)
def test_under_any_load_the_quota_holds_and_the_pinned_stay(tmp_path_factory, sizes, pinned, quota):
    store = Store(Storage(tmp_path_factory.mktemp("s")), quota=quota)
    shelf = store.shelf("r")
    stored = {}
    for n, size in enumerate(sizes):
        if shelf.publish(KEYS[n], history(n), bytes([n]) * size, pin="s" if n in pinned else None):
            stored[n] = bytes([n]) * size
        assert store.usage().bytes <= quota
        assert all(shelf.state(KEYS[m]) == stored[m] for m in pinned & stored.keys())
    assert all(shelf.has_history(KEYS[n]) for n in states(shelf))
    assert not shelf.problems["damaged"]
