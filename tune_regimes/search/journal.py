"""The file in which Optuna keeps a search: ``optuna.journal``, next to the results.

Anybody opens it with Optuna's own means, while the search runs too::

    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend("studies/vgg/optuna.journal"))
    optuna.load_study(study_name="vgg", storage=storage)
"""

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import optuna
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.results.spec import JOURNAL
from tune_regimes.storage import Storage

PUBLISH_EVERY = 30.0
"""Seconds between two copies of the journal to a remote folder; one more follows when the search is closed."""

_DIRECTIONS = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
_REBUILT = "delete it and resume the study: it is rebuilt from the trials"


class Journal:
    """An Optuna study in the folder of a study.

    A local folder holds the file itself. Optuna cannot append to a file at a remote address, so there the journal is
    kept in a temporary file on this machine and copied to the folder from time to time and when it is closed.

    Args:
        name: The study's name, in Optuna too.
        objectives: What is optimised, each ``"max"`` or ``"min"``.
        folder: The study's folder; None keeps everything in memory.

    Attributes:
        study: Optuna's study. Writing to it belongs into `writing`.

    Raises:
        StudyError: The journal is damaged, or is of another study.
        StorageError: The folder cannot be read or written.
    """

    def __init__(self, name: str, objectives: Mapping[str, str], folder: Storage | None) -> None:
        self._folder, self._scratch = folder, ""
        self._failure: StorageError | None = None
        self._published = time.monotonic()
        try:
            with self.writing():
                self.study = self._open(name, objectives, self._fetched())
        except BaseException:
            self.discard()
            raise

    def _fetched(self) -> str:
        """The path of the journal on this machine; "" where it is only in memory."""
        if self._folder is None:
            return ""
        if self._folder.is_local:
            os.makedirs(self._folder.path(), exist_ok=True)
            return self._folder.path(JOURNAL)
        self._scratch = tempfile.mkdtemp(prefix="tune-regimes-")
        path = os.path.join(self._scratch, JOURNAL)
        if self._folder.exists(JOURNAL):
            with open(path, "xb") as file:
                file.write(self._folder.read(JOURNAL))
        return path

    def _open(self, name: str, objectives: Mapping[str, str], path: str) -> optuna.Study:
        begun = os.path.exists(path) and _whole_lines(path) > 0
        directions = [_DIRECTIONS[mode] for mode in objectives.values()]
        try:
            storage = JournalStorage(JournalFileBackend(path)) if path else InMemoryStorage()
            names = optuna.get_all_study_names(storage)
            if begun and not names:
                raise ValueError("its beginning is missing")
            if names:
                study = optuna.load_study(storage=storage, study_name=names[0])
            else:
                study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        except OSError:
            raise
        except Exception as error:
            raise StudyError(
                f"{self.place} must be a journal of Optuna; it is damaged ({error!r}); {_REBUILT}"
            ) from error
        if names not in ([], [name]) or study.directions != directions:
            held = ", ".join(direction.name.lower() for direction in study.directions)
            raise self.mismatch(f"it holds {', '.join(names)}, to {held}")
        if study.metric_names is None:
            with quiet():
                study.set_metric_names(list(objectives))
        return study

    @property
    def place(self) -> str:
        """Where the journal lies, for messages."""
        return "Optuna's memory" if self._folder is None else str(self._folder.child(JOURNAL))

    def mismatch(self, found: str) -> StudyError:
        """The error for a journal that is not of this study."""
        return StudyError(f"{self.place} must be of this study; {found}; move it away, or {_REBUILT}")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around everything that writes to the study.

        Raises:
            StorageError: It could not be written, now or before: after a failure nothing more is appended, as half a
                line may stand at the end.
        """
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except OSError as error:
            self._failure = StorageError(
                f"could not write {self.place}: {error.strerror or error}; mend this (free some space, allow writing) "
                "and resume the study; what was stored before is intact"
            )
            raise self._failure from error
        # What cannot be copied now is copied the next time, or its failure is reported when the journal is closed.
        if time.monotonic() - self._published >= PUBLISH_EVERY:
            with suppress(StorageError):
                self._publish()

    def _publish(self) -> None:
        if self._folder is not None and self._scratch:
            with open(os.path.join(self._scratch, JOURNAL), "rb") as file:
                self._folder.write(JOURNAL, file.read())
        self._published = time.monotonic()

    def close(self) -> None:
        """Copy the journal to a remote folder and drop the temporary file.

        Raises:
            StorageError: It could not be copied.
        """
        try:
            self._publish()
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop the temporary file without copying it."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch = ""


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's warnings that a feature is young."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _whole_lines(path: str) -> int:
    """The bytes of the journal, without what a killed writer left of a line: Optuna would append the next one to it."""
    with open(path, "rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
    return whole
