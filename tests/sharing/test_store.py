"""The store on a disk: several processes at once, entries that were tampered with, and disks that refuse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import UsageError
from tune_regimes.sharing import entries
from tune_regimes.sharing.store import Epoch, Store
from tune_regimes.storage import Storage

ROOT = "0" * 64
KEYS = [ROOT, *(f"{n:064x}" for n in range(1, 8))]


def history(epochs, study="s"):
    return [Epoch(KEYS[n], {"train_loss": 1 / n, "seconds": 0.1}, study, "t1") for n in range(1, epochs + 1)]


@pytest.fixture
def shelf(tmp_path: Path):
    return Store(Storage(tmp_path / "states")).shelf(ROOT, {"seed": 0, "tune_regimes": "0.1.0"})


def processes(code, *arguments):
    """Run the code in one process for each list of arguments, all at once, and return what each printed."""
    running = [
        subprocess.Popen([sys.executable, "-c", PREAMBLE + code, *map(str, a)], stdout=subprocess.PIPE, text=True)
        for a in arguments
    ]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return [text.split() for text in printed]


PREAMBLE = f"""
import sys
from tune_regimes.errors import StorageError
from tune_regimes.sharing.store import Epoch, Store
from tune_regimes.storage import Storage
KEYS = {KEYS}
def history(n, study):
    return [Epoch(KEYS[m], {{"seconds": 0.1}}, study, "t") for m in range(1, n + 1)]
"""

TOGETHER = """
folder, study, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
shelf, seen = Store(Storage(folder)).shelf(KEYS[0], {"seed": 0}), set()
for _ in range(rounds):
    n = 1 + _ % 7
    shelf.publish(KEYS[n], history(n, study * 50), bytes([n]) * 300_000)
    state, found = shelf.state(KEYS[n]), shelf.history(KEYS[n])
    assert state in (None, bytes([n]) * 300_000), "a wrong state"
    assert found is None or len({epoch.study for epoch in found}) == 1, "a mixed history"
    assert shelf.longest(KEYS) is None or found is not None
    if _ % 3 == 0:
        shelf.drop(KEYS[n])
print(sum(shelf.problems.values()))
"""


def test_processes_that_publish_read_and_drop_the_same_keys_never_meet_half_an_entry(tmp_path):
    assert processes(TOGETHER, (tmp_path, "a", 60), (tmp_path, "b", 60)) == [["0"], ["0"]]
    stored = Store(Storage(tmp_path)).shelf(ROOT)
    assert all(stored.has_history(key) for key in KEYS[1:])
    assert not [name for name in os.listdir(tmp_path / ROOT) if name.startswith(".")]


TWO_STUDIES = """
folder, study, quota = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(Storage(folder), quota=quota)
shelf, missing = store.shelf(KEYS[0]), 0
for turn in range(40):
    key = f"{study}{turn:03d}"
    chain = [*history(1, study), Epoch(key, {"seconds": 0.1}, study, "t")]
    assert shelf.publish(key, chain, study.encode() * 4000, pin=f"{study}~{turn}"), shelf.problems
    missing += shelf.state(key) != study.encode() * 4000
    if turn >= 2:
        shelf.unpin(f"{study}{turn - 2:03d}", f"{study}~{turn - 2}")
print(missing, shelf.problems["damaged"])
"""


def test_two_studies_on_one_store_under_pressure_keep_what_they_need_and_the_quota(tmp_path):
    quota = 60_000
    assert processes(TWO_STUDIES, (tmp_path, "a", quota), (tmp_path, "b", quota)) == [["0", "0"], ["0", "0"]]
    store = Store(Storage(tmp_path), quota=quota)
    shelf = store.shelf(ROOT)
    assert [shelf.state(f"{study}{turn:03d}") for study in "ab" for turn in (38, 39)] == [b"a" * 4000] * 2 + [
        b"b" * 4000
    ] * 2
    assert store.usage().bytes <= quota + 2 * 4600
    store.unpin_all("a")
    store.unpin_all("b")
    assert store.usage().pinned == 0


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_an_entry_that_was_tampered_with_is_a_miss_and_never_other_bytes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("s")
    shelf = Store(Storage(folder)).shelf(ROOT)
    shelf.publish(KEYS[2], history(2), b"weights" * 20)
    kind = data.draw(st.sampled_from(["state", "history"]))
    path = folder / ROOT / f"{KEYS[2]}.{kind}"
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(0, 255).filter(lambda change: change != whole[at]))
    path.write_bytes(data.draw(st.sampled_from([whole[:at], whole[:at] + bytes([change]) + whole[at + 1 :]])))
    assert (shelf.state if kind == "state" else shelf.history)(KEYS[2]) is None
    assert sum(shelf.problems.values()) == 1
    assert (shelf.history(KEYS[2]) if kind == "state" else shelf.state(KEYS[2])) is not None


def test_an_entry_of_another_version_is_ignored_counted_and_replaced(shelf, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(entries, "VERSION", "0.0.1")
        shelf.publish(KEYS[2], history(2, "old"), b"old")
    assert shelf.state(KEYS[2]) is shelf.history(KEYS[2]) is None
    assert shelf.problems == {"foreign": 2}
    assert shelf.damaged == set()
    shelf.publish(KEYS[2], history(2, "new"), b"new")
    assert shelf.state(KEYS[2]) == b"new"
    assert shelf.history(KEYS[2]) == history(2, "new")


def test_the_identity_lies_beside_the_entries_and_is_written_once(shelf, tmp_path):
    path = tmp_path / "states" / ROOT / "identity.json"
    assert not path.exists()
    shelf.publish(KEYS[1], history(1))
    assert '"seed": 0' in path.read_text()
    again = Store(Storage(tmp_path / "states")).shelf(ROOT, {"seed": 1})
    again.publish(KEYS[2], history(2))
    assert '"seed": 0' in path.read_text()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a.b", "a b", "k" * 65])
def test_a_key_that_is_no_file_name_is_refused(shelf, tmp_path, name):
    for attempt in (shelf.state, shelf.has_history, shelf.drop, Store(Storage(tmp_path)).shelf):
        with pytest.raises(UsageError, match=r"must match .*; choose a shorter"):
            attempt(name)


@pytest.mark.parametrize("owner", ["", "a/b", "..", "~x", "o" * 151])
def test_an_owner_that_is_no_file_name_is_refused(shelf, owner):
    with pytest.raises(UsageError, match=r"must match .*; choose a shorter"):
        shelf.publish(KEYS[1], history(1), b"x", pin=owner)
    assert shelf.longest(KEYS) is None


def test_the_longest_owner_that_is_admitted_makes_a_name_that_a_disk_takes(shelf):
    shelf.pin(KEYS[1], "o" * 150)


@pytest.mark.parametrize("wrong", [[], history(2)])
def test_a_history_that_does_not_end_at_the_key_is_refused(shelf, wrong):
    with pytest.raises(ValueError, match="must end with the entry's key"):
        shelf.publish(KEYS[1], wrong, b"x")


REFUSING_DISKS = """
import os, subprocess
folder = sys.argv[1]
def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
mount("size=128k")
store = Store(Storage(folder))
shelf = store.shelf(KEYS[0], {"seed": 0})
shelf.publish(KEYS[1], history(1, "s"), b"small", pin="s")
for state in (bytes(1 << 20), bytes(1 << 20)):
    try:
        shelf.publish(KEYS[2], history(2, "s"), state, pin="s~t")
    except StorageError as error:
        print("full:", "free some space" in str(error))
print("left:", sorted(name[64:] for name in os.listdir(f"{folder}/{KEYS[0]}") if name.startswith(KEYS[2])))
print("kept:", shelf.state(KEYS[1]), shelf.longest(KEYS), store.usage().entries)
mount("remount,ro")
for attempt in (lambda: shelf.publish(KEYS[3], history(3, "s"), b"x"), lambda: shelf.pin(KEYS[1], "t")):
    try:
        attempt()
    except StorageError as error:
        print("read-only:", "may write to" in str(error))
shelf.unpin(KEYS[5], "nobody")
print("read:", shelf.state(KEYS[1]), shelf.longest(KEYS), len(shelf.history(KEYS[1])))
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("unshare") is None, reason="needs Linux namespaces")
def test_a_full_or_read_only_disk_is_an_error_and_what_was_stored_is_still_read(tmp_path):
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*enter, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    command = [*enter, sys.executable, "-c", PREAMBLE + REFUSING_DISKS, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "full: True",
        "full: True",
        "left: ['.history']",
        "kept: b'small' 1 1",
        "read-only: True",
        "read-only: True",
        "read: b'small' 1 1",
    ]
