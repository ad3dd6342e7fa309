"""The store: what was published is given back, exactly, or not at all."""

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.sharing.store import Epoch, Store
from tune_regimes.storage import Storage

ROOT = "0" * 64
KEYS = [ROOT, *(f"{n:064x}" for n in range(1, 8))]


def history(epochs, **record):
    return [Epoch(KEYS[n], {"train_loss": 1 / n, "seconds": 0.1} | record, "s", "t1") for n in range(1, epochs + 1)]


@pytest.fixture
def shelf(tmp_path: Path):
    return Store(Storage(tmp_path / "states")).shelf(ROOT, {"seed": 0, "tune_regimes": "0.1.0"})


def test_what_is_published_is_given_back(shelf):
    assert shelf.longest(KEYS) is None
    assert shelf.publish(KEYS[3], history(3), b"weights")
    assert shelf.longest(KEYS) == 3
    assert shelf.state(KEYS[3]) == b"weights"
    assert shelf.history(KEYS[3]) == history(3)
    assert list(shelf.histories()) == [KEYS[3]]
    assert shelf.has_history(KEYS[3])
    assert not shelf.problems


def test_a_history_can_be_stored_alone(shelf):
    assert shelf.publish(KEYS[2], history(2))
    assert shelf.longest(KEYS) is None
    assert shelf.state(KEYS[2]) is None
    assert shelf.has_history(KEYS[2])
    assert not shelf.has_history(KEYS[1])


def test_the_longest_stored_prefix_is_found(shelf):
    for n in (2, 5):
        shelf.publish(KEYS[n], history(n), b"x")
    assert [shelf.longest(KEYS[:length]) for length in (0, 1, 2, 3, 5, 6, 8)] == [None, None, None, 2, 2, 5, 5]


@given(st.lists(st.floats(), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_every_float_is_read_back_as_it_was(tmp_path_factory, values):
    shelf = Store(Storage(tmp_path_factory.mktemp("s"))).shelf(ROOT)
    shelf.publish(KEYS[1], history(1, **{f"v{i}": value for i, value in enumerate(values)}))
    record = shelf.history(KEYS[1])[0].record
    for i, value in enumerate(values):
        same = math.isnan(value) and math.isnan(record[f"v{i}"])
        assert same or struct.pack("d", value) == struct.pack("d", record[f"v{i}"])


def test_dropping_takes_the_state_and_leaves_what_is_pinned(shelf):
    shelf.publish(KEYS[1], history(1), b"x", pin="a")
    shelf.pin(KEYS[1], "b~1")
    shelf.unpin(KEYS[1], "a")
    shelf.drop(KEYS[1])
    assert shelf.longest(KEYS) == 1
    shelf.unpin(KEYS[1], "b~1")
    shelf.drop(KEYS[1])
    assert shelf.longest(KEYS) is None
    assert shelf.has_history(KEYS[1])


def test_all_pins_of_an_owner_and_its_trials_go_together(tmp_path):
    store = Store(Storage(tmp_path))
    shelf = store.shelf(ROOT)
    shelf.publish(KEYS[1], history(1), b"x", pin="study")
    shelf.pin(KEYS[1], "study~t1")
    shelf.pin(KEYS[1], "study2")
    store.unpin_all("study")
    assert [n for n in os.listdir(tmp_path / ROOT) if n.endswith(".pin")] == [f"{KEYS[1]}.study2.pin"]
    assert store.usage().pinned == store.usage().bytes > 0
    store.unpin(ROOT, KEYS[1], "study2")
    assert store.usage().pinned == 0
    assert store.usage().entries == 1


def test_the_census_counts_states_by_version(tmp_path):
    store = Store(Storage(tmp_path))
    for root, identity in [("a", {"tune_regimes": "0.0.9"}), ("b", {"tune_regimes": "0.1.0"}), ("c", None)]:
        for n in (1, 2):
            store.shelf(root, identity).publish(KEYS[n], history(n), b"x")
    assert store.census() == {"0.0.9": 2, "0.1.0": 2, "unknown": 2}
