"""Storage: atomic, reopened by its address, and clear about what went wrong."""

import errno
import os
import pickle
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tune_regimes._filesystems as module
from tune_regimes.errors import StorageError
from tune_regimes.storage import Storage


@pytest.fixture(params=["local", "remote"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store" if request.param == "local" else "mock:///store")


def raiser(number: int):
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_what_is_written_is_read_back_and_replaced_by_the_next_write(storage: Storage) -> None:
    storage.write("a/b.bin", b"first")
    storage.write("a/b.bin", memoryview(b"second"))
    assert storage.read("a/b.bin") == b"second"
    assert storage.exists("a/b.bin")
    assert storage.exists("a")
    assert not storage.exists("a/c.bin")


def test_a_folder_lists_its_files_by_suffix_and_its_folders_apart(storage: Storage) -> None:
    for name in ("t/b.pt", "t/a.pt", "t/a.json", "t/inner/x.pt", "t/.hidden.pt", "t/_part.pt"):
        storage.write(name, b"")
    assert storage.list("t", ".pt") == ["a.pt", "b.pt"]
    assert storage.list("t") == ["a.json", "a.pt", "b.pt"]
    assert storage.folders("t") == ["inner"]
    assert storage.list("nowhere") == storage.folders("nowhere") == []


def test_walking_names_every_file_below_with_its_size_and_time(storage: Storage) -> None:
    assert storage.walk("nowhere") == []
    before = time.time() - 5
    for name in ("t/a.pt", "t/inner/b.pt", "c.pt"):
        storage.write(name, bytes(len(name)))
    assert {(file.name, file.size) for file in storage.walk()} == {("t/a.pt", 6), ("t/inner/b.pt", 12), ("c.pt", 4)}
    assert {file.name for file in storage.walk("t")} == {"a.pt", "inner/b.pt"}
    assert all(before < file.modified < time.time() + 5 for file in storage.walk())


def test_reading_what_may_be_missing(storage: Storage) -> None:
    storage.write("x", b"1")
    assert storage.read_if_present("x") == b"1"
    assert storage.read_if_present("y") is None
    assert storage.read_if_present("nowhere/y") is None


def test_the_first_of_several_files_that_is_there_is_found(storage: Storage) -> None:
    names = [f"t/{n}" for n in range(40)]
    assert storage.first_present(names) is None
    for n in (39, 33, 21):
        storage.write(names[n], b"")
        assert storage.first_present(names) == n
    assert storage.first_present(names[22:33]) is None
    assert storage.first_present([]) is None


def test_removing_takes_files_and_does_not_mind_what_is_missing(storage: Storage) -> None:
    for name in ("a", "b", "c"):
        storage.write(name, b"")
    storage.remove("a", "nowhere/x", "c", "d")
    storage.remove()
    assert storage.list() == ["b"]


def test_a_file_that_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not delete"):
        Storage(tmp_path).remove("x")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        Storage(tmp_path).remove("file/y")


def test_touching_tells_when_a_local_file_was_used_and_renewing_writes_what_is_missing(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write("x", b"content")
    os.utime(tmp_path / "x", (0, 0))
    storage.touch("x", "missing")
    assert (tmp_path / "x").stat().st_mtime > 1e9
    os.utime(tmp_path / "x", (0, 0))
    storage.renew("x", "y")
    assert (tmp_path / "x").stat().st_mtime > 1e9
    assert (storage.read("x"), storage.read("y"), storage.list()) == (b"content", b"", ["x", "y"])


def test_asking_for_files_where_a_file_is_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for ask in (Storage(tmp_path / "file").read_if_present, lambda x: Storage(tmp_path / "file").first_present([x])):
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            ask("x")


def test_a_child_is_the_folder_inside(storage: Storage) -> None:
    storage.child("study").child("states").write("x", b"1")
    assert storage.read("study/states/x") == b"1"
    assert storage.child("study").uri.endswith("/store/study")


def test_deleting_takes_files_and_folders_and_does_not_mind_what_is_missing(storage: Storage) -> None:
    storage.write("a/b/c", b"1")
    storage.delete("a/b/c")
    assert storage.list("a/b") == []
    storage.delete("a")
    storage.delete("a")
    assert not storage.exists("a")


def test_checking_leaves_nothing_behind(storage: Storage) -> None:
    storage.check_writable()
    assert storage.list() == []
    storage.delete()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage("runs").uri == str(tmp_path / "runs")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Storage("~/studies").uri == "/home/somebody/studies"


def test_a_pickled_storage_is_the_same_place(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write("x", b"1")
    again = pickle.loads(pickle.dumps(storage.child("y")))
    assert again == storage.child("y")
    assert hash(again) == hash(storage.child("y"))
    assert pickle.loads(pickle.dumps(storage)).read("x") == b"1"
    assert Storage(storage) == storage == Storage(f"file://{tmp_path}")


def test_a_child_of_an_address_keeps_its_options_and_printing_hides_its_keys() -> None:
    storage = Storage("s3://key:secret@bucket/studies?region=eu-west-1&endpoint_override=localhost%3A9000")
    child = storage.child("vgg")
    assert child.uri == "s3://key:secret@bucket/studies/vgg?region=eu-west-1&endpoint_override=localhost%3A9000"
    assert child.path("x") == "bucket/studies/vgg/x"
    assert "secret" not in f"{child}{child!r}"


@pytest.mark.parametrize(
    "location", ["", "  ", "nosuch://bucket/x", "file://relative/x", "s3://key:secret@bucket?nosuch=1"]
)
def test_a_location_that_cannot_be_opened_is_refused_without_showing_keys(location: str) -> None:
    with pytest.raises(StorageError, match=r"storage must be a path or an address.*; give a folder") as caught:
        Storage(location)
    assert "secret" not in str(caught.value)


def test_an_s3_address_opens_also_where_pyarrow_does_not_know_the_option_for_single_puts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    class Old:
        @staticmethod
        def from_uri(uri: str) -> tuple[str, str]:
            asked.append(uri)
            if "allow_delayed_open" in uri or "nosuch" in uri:
                raise module.pa.ArrowInvalid(f"Unexpected query parameter in S3 URI: {uri.partition('?')[2]!r}")
            return "filesystem", "path"

    monkeypatch.setattr(module.pafs, "FileSystem", Old)
    assert module.open_address("s3://bucket/x") == ("filesystem", "path")
    assert module.open_address("s3://bucket/x?region=eu") == ("filesystem", "path")
    assert module.open_address("gs://bucket/x") == ("filesystem", "path")
    assert asked[:2] == ["s3://bucket/x?allow_delayed_open=true", "s3://bucket/x"]
    assert asked[2:] == ["s3://bucket/x?region=eu&allow_delayed_open=true", "s3://bucket/x?region=eu", "gs://bucket/x"]
    for wrong in ("s3://bucket/x?nosuch=1", "s3://bucket/x?allow_delayed_open=maybe"):
        with pytest.raises(module.pa.ArrowInvalid):
            module.open_address(wrong)


@pytest.mark.parametrize("relative", ["/etc/passwd", "../x", "a/../../x"])
def test_a_path_that_leads_out_of_the_folder_is_refused(storage: Storage, relative: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        storage.write(relative, b"")


def test_reading_what_is_missing_says_what_and_where(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"could not read {tmp_path}/x: No such file or directory; check the loc"):
        Storage(tmp_path).read("x")


def test_a_file_where_a_folder_is_needed_is_said_to_be_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for attempt in (Storage(tmp_path / "file").check_writable, lambda: Storage(tmp_path).write("file/a/b", b"")):
        with pytest.raises(StorageError, match="a file stands where a folder is needed: move it"):
            attempt()
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        Storage(tmp_path).list("file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_where_a_file_is_needed_is_said_to_be_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    with pytest.raises(StorageError, match="a folder stands where a file is needed"):
        Storage(tmp_path).write("x", b"")
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied; choose a location that this user may write to"):
        Storage(tmp_path).check_writable()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"), (errno.EROFS, "may write to")],
)
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_failed_write_keeps_the_previous_version_and_leaves_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, remedy: str
) -> None:
    storage = Storage(tmp_path)
    storage.write("x", b"previous")
    with monkeypatch.context() as patch:
        patch.setattr(module if step == "open" else module.os, step, raiser(number), raising=False)
        with pytest.raises(StorageError, match=f"could not write {tmp_path}/x: .*{remedy}"):
            storage.write("x", b"next")
    assert storage.read("x") == b"previous"
    assert os.listdir(tmp_path) == ["x"]


def test_a_failed_write_to_a_remote_store_keeps_the_previous_version(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("mock:///store")
    storage.write("x", b"previous")
    put = module._put

    def half(filesystem, path, data):
        put(filesystem, path, data[:2])
        raise OSError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_put", half)
        with pytest.raises(StorageError, match="connection lost; check the address, the credentials"):
            storage.write("x", b"next")
    assert storage.read("x") == b"previous"
    assert storage.sweep(older_than=-10) == 0


FILL = """
import subprocess, sys
from tune_regimes.errors import StorageError
from tune_regimes.storage import Storage
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", sys.argv[1]], check=True)
storage = Storage(sys.argv[1])
storage.write("x", b"previous")
try:
    storage.write("x", bytes(1 << 20))
except StorageError as error:
    print(error)
storage.check_writable()
print(storage.read("x"), storage.filesystem.get_file_info(storage.path("x")).size)
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("unshare") is None, reason="needs Linux namespaces")
def test_a_disk_that_is_really_full_keeps_the_previous_version(tmp_path: Path) -> None:
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*enter, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    run = subprocess.run([*enter, sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "No space left on device; free some space" in run.stdout
    assert "b'previous' 8" in run.stdout


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    storage, versions, stop = Storage(tmp_path), [bytes([i]) * 300_000 for i in range(2)], threading.Event()
    storage.write("x", versions[0])

    def keep_writing() -> None:
        while not stop.is_set():
            for version in versions:
                storage.write("x", version)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    seen = {storage.read("x") for _ in range(200)}
    stop.set()
    writer.join()
    assert seen <= set(versions)
    assert storage.list() == ["x"]


def test_files_have_the_permissions_that_the_user_gives_new_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    Storage(tmp_path).write("x", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_sweeping_removes_abandoned_writes_and_nothing_else(storage: Storage) -> None:
    names = ["a/x.pt", "a/.notes.tmp", f"a/{module.temporary_name('x.pt')}", f"{module.temporary_name('study.json')}"]
    for name in names:
        storage.write(name, b"")
    assert storage.sweep(older_than=3600) == 0
    assert storage.sweep(older_than=-10) == 2
    assert [storage.exists(name) for name in names] == [True, True, False, False]
