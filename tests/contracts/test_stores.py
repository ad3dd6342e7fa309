"""What a store holds to wherever it lies: on a disk, behind a file address, or in S3, with and without errors there."""

import pickle
import random
from pathlib import Path

import pytest

from tune_regimes.errors import StorageError, UsageError
from tune_regimes.sharing.store import Epoch, Store
from tune_regimes.storage import Storage

ROOT = "0" * 64
KEYS = [ROOT, *(f"{n:064x}" for n in range(1, 9))]
STATE = b"weights" * 700


def history(epochs, study="s"):
    return [Epoch(KEYS[n], {"train_loss": 1 / n, "test_loss": float("inf")}, study, "t1") for n in range(1, epochs + 1)]


@pytest.fixture(params=["local", "file", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return Storage(tmp_path / "store")
    if request.param == "file":
        return Storage((tmp_path / "store").as_uri())
    return request.getfixturevalue("object_store").open()


def names(storage, suffix=""):
    return storage.list(ROOT, suffix)


def test_what_one_publishes_another_finds_whole(storage):
    Store(storage).shelf(ROOT).publish(KEYS[3], history(3), STATE)
    Store(storage).shelf(ROOT).publish(KEYS[5], history(5))
    shelf = Store(storage).shelf(ROOT)
    assert shelf.longest(KEYS) == 3
    assert shelf.longest(KEYS, "history") == 5
    assert shelf.longest(KEYS[:3]) is None
    assert shelf.state(KEYS[3]) == STATE
    assert shelf.history(KEYS[5]) == history(5)
    assert shelf.state(KEYS[5]) is shelf.state(KEYS[4]) is shelf.history(KEYS[4]) is None
    assert sorted(shelf.histories()) == [KEYS[3], KEYS[5]]
    assert [shelf.has_history(key) for key in KEYS[3:6]] == [True, False, True]
    assert not shelf.problems


def test_an_empty_store_is_read_without_being_made(storage):
    store = Store(storage)
    shelf = store.shelf(ROOT)
    assert shelf.longest(KEYS) is None
    assert shelf.state(KEYS[1]) is None
    assert list(shelf.histories()) == []
    assert store.census() == {}
    assert store.usage().bytes == 0
    store.unpin_all("s")
    shelf.unpin(KEYS[1], "s")
    shelf.drop(KEYS[1])
    assert not storage.exists()


def test_a_whole_entry_is_left_and_a_damaged_one_is_a_miss_until_it_is_replaced(storage):
    shelf = Store(storage).shelf(ROOT)
    shelf.publish(KEYS[2], history(2, "first"), STATE)
    shelf.publish(KEYS[2], history(2, "second"), STATE)
    assert {epoch.study for epoch in shelf.history(KEYS[2])} == {"first"}
    for kind in ("state", "history"):
        whole = storage.read(f"{ROOT}/{KEYS[2]}.{kind}")
        storage.write(f"{ROOT}/{KEYS[2]}.{kind}", whole[:-1] + bytes([whole[-1] ^ 1]))
    assert shelf.state(KEYS[2]) is shelf.history(KEYS[2]) is None
    assert shelf.problems == {"damaged": 2}
    assert shelf.damaged == {f"{ROOT}/{KEYS[2]}.state", f"{ROOT}/{KEYS[2]}.history"}
    assert shelf.publish(KEYS[2], history(2, "third"), STATE)
    assert shelf.state(KEYS[2]) == STATE
    assert {epoch.study for epoch in shelf.history(KEYS[2])} == {"third"}


def test_a_pin_holds_a_state_until_its_owner_or_the_owners_study_lets_go(storage):
    store = Store(storage)
    shelf = store.shelf(ROOT)
    shelf.publish(KEYS[1], history(1), STATE, pin="study~t1")
    shelf.pin(KEYS[1], "other.study")
    store.unpin_all("study")
    shelf.drop(KEYS[1])
    assert shelf.longest(KEYS) == 1
    store.unpin(ROOT, KEYS[1], "other.study")
    assert names(storage, ".pin") == []
    shelf.drop(KEYS[1])
    assert shelf.longest(KEYS) is None
    assert shelf.has_history(KEYS[1])


def test_a_quota_takes_what_nobody_needs_and_never_what_is_pinned(storage):
    plain = Store(storage).shelf(ROOT)
    for n in (1, 2, 3):
        plain.publish(KEYS[n], history(n), STATE, pin="s" if n == 2 else None)
    full = Store(storage).usage()
    store = Store(storage, quota=full.bytes + 1000)
    shelf = store.shelf(ROOT)
    assert shelf.publish(KEYS[4], history(4), STATE, pin="s")
    assert shelf.publish(KEYS[5], history(5), STATE, pin="s")
    assert not shelf.publish(KEYS[6], history(6), STATE, pin="s")
    assert [shelf.state(key) for key in KEYS[1:7]] == [None, STATE, None, STATE, STATE, None]
    assert shelf.problems == {"no_room": 1}
    assert f"{KEYS[6]}.s.pin" not in names(storage)
    assert store.usage().bytes <= full.bytes + 1000


def test_a_state_larger_than_the_quota_is_refused_and_leaves_nothing(storage):
    shelf = Store(storage, quota=1000).shelf(ROOT)
    message = r"quota must hold at least one state: got 0.001 MB, a state of this task has 0\.00\d+ MB; give a larger"
    with pytest.raises(UsageError, match=message) as caught:
        shelf.publish(KEYS[1], history(1), bytes(5000), pin="s")
    assert not isinstance(caught.value, StorageError)
    assert names(storage) == []


def test_the_census_counts_the_states_of_each_version(storage):
    store = Store(storage)
    for root, identity, states in [("a", {"tune_regimes": "0.0.9"}, 2), ("b", {"tune_regimes": "0.1.0"}, 1)]:
        for n in range(1, states + 1):
            store.shelf(root, identity).publish(KEYS[n], history(n), STATE)
    store.shelf("c").publish(KEYS[1], history(1), STATE)
    store.shelf("d", {"tune_regimes": "0.0.8"}).publish(KEYS[1], history(1))
    assert store.census() == {"0.0.9": 2, "0.1.0": 1, "unknown": 1}


def test_a_store_sent_to_another_process_is_the_same_store(tmp_path, object_store):
    for storage in (Storage(tmp_path), Storage(object_store.bucket())):
        store = pickle.loads(pickle.dumps(Store(storage, quota=10_000)))
        shelf = pickle.loads(pickle.dumps(store.shelf(ROOT)))
        shelf.publish(KEYS[1], history(1), STATE)
        assert Store(storage).shelf(ROOT).state(KEYS[1]) == STATE


def test_a_small_object_is_written_by_one_request(object_store):
    storage = Storage(object_store.bucket())
    object_store.requests.clear()
    storage.write("x", b"1")
    assert object_store.requests == {"PUT": 1}


@pytest.mark.parametrize("fault", [500, 503, "drop"])
def test_a_server_that_fails_is_an_error_and_leaves_nothing(object_store, fault):
    storage = object_store.open()
    shelf = Store(storage, quota=10_000).shelf(ROOT)
    object_store.fault = lambda method, path: fault
    attempts = [
        lambda: shelf.publish(KEYS[1], history(1), STATE, pin="s"),
        lambda: shelf.publish(KEYS[1], history(1), STATE),
        lambda: shelf.longest(KEYS),
        lambda: shelf.state(KEYS[1]),
        lambda: shelf.history(KEYS[1]),
        lambda: list(shelf.histories()),
        lambda: shelf.drop(KEYS[1]),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError, match="check the address, the credentials and the connection"):
            attempt()
    object_store.fault = lambda method, path: None
    assert names(storage) == []


@pytest.mark.parametrize("fault", [500, 503, "drop"])
@pytest.mark.parametrize("kind", ["pin", "history", "state"])
def test_a_publication_that_fails_on_the_way_leaves_no_pin_and_no_state(object_store, kind, fault):
    storage = object_store.open()
    shelf = Store(storage).shelf(ROOT)
    object_store.fault = lambda method, path: fault if method == "PUT" and path.endswith(kind) else None
    with pytest.raises(StorageError):
        shelf.publish(KEYS[2], history(2), STATE, pin="s")
    object_store.fault = lambda method, path: None
    assert names(storage, ".pin") == []
    assert shelf.longest(KEYS) is None
    assert shelf.history(KEYS[2]) == (history(2) if kind == "state" else None)
    assert shelf.publish(KEYS[2], history(2), STATE, pin="s")
    assert shelf.state(KEYS[2]) == STATE


def test_a_pin_whose_acknowledgement_was_lost_is_taken_back(object_store):
    storage = object_store.open()
    shelf = Store(storage).shelf(ROOT)
    object_store.fault = lambda method, path: "lost" if method == "PUT" and path.endswith("pin") else None
    with pytest.raises(StorageError):
        shelf.publish(KEYS[2], history(2), STATE, pin="s")
    object_store.fault = lambda method, path: None
    assert names(storage) == []


def test_a_state_whose_acknowledgement_was_lost_is_whole(object_store):
    storage = object_store.open()
    shelf = Store(storage).shelf(ROOT)
    object_store.fault = lambda method, path: "lost" if method == "PUT" and path.endswith("state") else None
    with pytest.raises(StorageError):
        shelf.publish(KEYS[2], history(2), STATE, pin="s")
    object_store.fault = lambda method, path: None
    assert (shelf.longest(KEYS), shelf.state(KEYS[2]), shelf.history(KEYS[2])) == (2, STATE, history(2))


def test_a_large_state_of_which_one_part_is_lost_is_not_there(object_store):
    storage = object_store.open()
    shelf = Store(storage).shelf(ROOT)
    large = random.Random(0).randbytes(25 << 20)
    parts = []

    def fail_the_second(method, path):
        if method == "PUT" and path.endswith("state"):
            parts.append(path)
            return 500 if len(parts) == 2 else None
        return None

    object_store.fault = fail_the_second
    with pytest.raises(StorageError):
        shelf.publish(KEYS[1], history(1), large)
    object_store.fault = lambda method, path: None
    assert len(parts) > 1
    assert shelf.longest(KEYS) is None
    shelf.publish(KEYS[1], history(1), large)
    assert shelf.state(KEYS[1]) == large


@pytest.mark.parametrize("fault", ["cut", "flip"])
def test_an_answer_that_was_altered_on_the_way_is_no_state(object_store, fault):
    storage = object_store.open()
    shelf = Store(storage).shelf(ROOT)
    shelf.publish(KEYS[1], history(1), STATE)
    object_store.fault = lambda method, path: fault
    for read in (shelf.state, shelf.history):
        try:
            assert read(KEYS[1]) is None
            assert shelf.problems["damaged"]
        except StorageError:
            pass
    object_store.fault = lambda method, path: None
    assert shelf.state(KEYS[1]) == STATE


def test_an_error_that_passes_is_tried_again(object_store):
    storage = object_store.open(attempts=3)
    shelf = Store(storage).shelf(ROOT)
    seen = set()

    def first_time(method, path):
        repeated = (method, path) in seen
        seen.add((method, path))
        return None if repeated else 503

    object_store.fault = first_time
    assert shelf.publish(KEYS[1], history(1), STATE)
    assert shelf.state(KEYS[1]) == STATE


def test_whatever_fails_and_when_no_state_is_wrong_and_none_lacks_its_history(object_store):
    storage = object_store.open()
    store = Store(storage, quota=9_000)
    shelf, chance = store.shelf(ROOT, {"tune_regimes": "0.1.0"}), random.Random(1)
    faults = [500, 503, "drop", "lost", "cut", "flip"]
    states = {key: bytes([n]) * 1500 for n, key in enumerate(KEYS)}
    failures = 0
    for _ in range(60):
        object_store.fault = lambda method, path: chance.choice(faults) if chance.random() < 0.1 else None
        n = chance.randint(1, 8)
        try:
            if chance.random() < 0.5:
                shelf.publish(KEYS[n], history(n), states[KEYS[n]], pin=chance.choice([None, "a", "b~t"]))
            elif chance.random() < 0.3:
                store.unpin_all(chance.choice("ab"))
            elif (found := shelf.longest(KEYS[: n + 1])) is not None:
                assert shelf.state(KEYS[found]) in (None, states[KEYS[found]])
                assert shelf.history(KEYS[found]) in (None, history(found))
        except StorageError:
            failures += 1
    object_store.fault = lambda method, path: None
    assert failures > 5
    stored = [name.partition(".")[0] for name in names(storage, ".state")]
    assert 0 < len(stored) < 6
    for key in stored:
        assert shelf.state(key) == states[key]
        assert shelf.history(key) == history(KEYS.index(key))
    assert store.usage().bytes <= 9_000
