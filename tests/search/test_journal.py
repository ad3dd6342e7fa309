"""The journal: what cannot be used, what a kill or a full disk leaves, and copies to remote folders."""

import errno
import tempfile

import pytest
from optuna.storages.journal import JournalFileBackend

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.search import journal
from tune_regimes.search.journal import Journal
from tune_regimes.storage import Storage

GOAL = {"test_accuracy": "max"}


def opened(folder, name="s", objectives=GOAL):
    return Journal(name, objectives, folder if isinstance(folder, Storage) else Storage(folder))


def add(found, x):
    """Adds a trial that is not told yet."""
    with found.writing():
        trial = found.study.ask()
        trial.set_user_attr("x", x)
    return trial


def held(found):
    return [trial.user_attrs["x"] for trial in found.study.trials]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_journal_is_read_by_optuna_alone_and_names_its_objectives(loaded, tmp_path):
    search = opened(tmp_path / "new" / "s", objectives={**GOAL, "epochs": "min"})
    add(search, 1)
    search.close()
    study = loaded(tmp_path / "new" / "s")
    assert study.metric_names == ["test_accuracy", "epochs"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert len(study.trials) == 1


def test_half_a_line_that_a_killed_writer_left_is_no_damage(tmp_path):
    add(opened(tmp_path), 1)
    with (tmp_path / "optuna.journal").open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    add(opened(tmp_path), 2)
    assert held(opened(tmp_path)) == [1, 2]


def test_a_journal_that_was_begun_and_never_written_is_no_damage(tmp_path):
    for content in (b"", b'{"op_code":0,"wor'):
        (tmp_path / "optuna.journal").write_bytes(content)
        assert held(opened(tmp_path)) == []


@pytest.mark.parametrize(
    "damaged",
    [
        lambda lines: [lines[0], b"\x00\x00rubbish\n", *lines[1:]],
        lambda lines: [*lines, b"{}\n"],
        lambda lines: lines[2:],
        lambda lines: [b"PAR1\n"],
    ],
    ids=["rubbish inside", "no operation", "no beginning", "another file"],
)
def test_a_damaged_journal_is_refused_with_the_remedy(tmp_path, damaged):
    add(opened(tmp_path), 1)
    path = tmp_path / "optuna.journal"
    path.write_bytes(b"".join(damaged(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(StudyError, match=r"optuna\.journal must be .* it is damaged .* delete it and resume the study"):
        opened(tmp_path)


@pytest.mark.parametrize("changes", [{"name": "t"}, {"objectives": {"test_accuracy": "min"}}])
def test_a_journal_of_another_study_is_refused(tmp_path, changes):
    add(opened(tmp_path), 1)
    with pytest.raises(StudyError, match="must be of this study; it holds s, to maximize; move it away"):
        opened(tmp_path, **changes)


def test_a_full_disk_is_a_mistake_with_a_remedy_and_nothing_is_appended_after_it(tmp_path, monkeypatch):
    search = opened(tmp_path)
    kept = (tmp_path / "optuna.journal").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", full)
        with pytest.raises(StorageError, match=r"No space left on device; mend this .* resume the study"):
            add(search, 1)
    with pytest.raises(StorageError, match="No space left"):
        add(search, 2)
    assert (tmp_path / "optuna.journal").read_bytes() == kept


def test_a_file_where_the_folder_should_be_is_a_mistake_with_a_remedy(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(StorageError, match=r"could not write .*optuna\.journal"):
        opened(tmp_path / "s")


def test_a_remote_folder_gets_copies_from_which_the_next_run_goes_on(scratch, monkeypatch):
    folder = Storage("mock:///studies/s")
    first = opened(folder)
    add(first, 1)
    assert not folder.exists("optuna.journal")
    monkeypatch.setattr(journal, "PUBLISH_EVERY", 0.0)
    add(first, 2)
    assert folder.read("optuna.journal").count(b'"x"') == 2
    monkeypatch.setattr(journal, "PUBLISH_EVERY", 30.0)
    add(first, 3)
    first.close()
    assert list(scratch.iterdir()) == []
    assert held(opened(folder)) == [1, 2, 3]


def test_a_remote_folder_that_fails_for_a_while_does_not_end_the_search(scratch, monkeypatch):
    def failing(self, relative, data):
        raise StorageError("the connection was lost")

    folder = Storage("mock:///studies/s")
    monkeypatch.setattr(journal, "PUBLISH_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write", failing)
        search = opened(folder)
        add(search, 1)
    add(search, 2)
    assert folder.read("optuna.journal").count(b'"x"') == 2
    monkeypatch.setattr(Storage, "write", failing)
    with pytest.raises(StorageError, match="connection was lost"):
        search.close()
    assert list(scratch.iterdir()) == []


def test_a_remote_journal_that_cannot_be_used_leaves_no_temporary_file(scratch):
    folder = Storage("mock:///studies/s")
    folder.write("optuna.journal", b"rubbish\n")
    with pytest.raises(StudyError, match=r"mock:///studies/s/optuna\.journal must be a journal of Optuna"):
        opened(folder)
    assert list(scratch.iterdir()) == []
