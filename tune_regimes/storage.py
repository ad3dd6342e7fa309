"""Where states and results lie: a local folder, or an address that pyarrow can open (``s3://``, ``gs://``, ...).

Whatever is written appears whole or not at all, so a reader never meets half a file and a failed write leaves the
previous version as it was. Every failure is a :class:`~tune_regimes.errors.StorageError` with its remedy.
"""

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from tune_regimes._filesystems import (
    Bytes,
    cause,
    is_file,
    is_temporary,
    listing,
    names,
    open_address,
    publish,
    remedy,
    temporary_name,
)
from tune_regimes.errors import StorageError

Names = list[str]
Files = list["StoredFile"]
T = TypeVar("T")
R = TypeVar("R")

_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class StoredFile:
    """A file as a listing shows it.

    Attributes:
        name: Path below the folder that was listed.
        size: Bytes.
        modified: Seconds since 1970, by the clock of the file system.
    """

    name: str
    size: int
    modified: float


class Storage:
    """A folder that is local or remote, with atomic writes.

    ``uri`` identifies it on every machine (a local folder by its absolute path); a pickled Storage is reopened from it,
    so it can be passed to Ray workers. Printing hides what stands before an ``@`` in an address (access keys).

    Args:
        location: A path (``~`` is expanded, a relative path made absolute) or an address that
            ``pyarrow.fs.FileSystem.from_uri`` understands. Nothing is created until something is written.

    Raises:
        StorageError: The location is empty, or its scheme is unknown or cannot be opened.

    Examples:
        >>> Storage("/data/studies").child("vgg").uri
        '/data/studies/vgg'
        >>> Storage("file:///data/my%20studies").uri
        '/data/my studies'
    """

    def __init__(self, location: "str | os.PathLike[str] | Storage") -> None:
        text = location.uri if isinstance(location, Storage) else os.fspath(location)
        if not text.strip():
            raise StorageError(f"storage must be a path or an address; got {text!r}; give a folder such as ~/studies")
        filesystem, base = _open(text) if "://" in text else (pafs.LocalFileSystem(), text)
        local = filesystem.type_name == "local"
        self._set(os.path.abspath(os.path.expanduser(base)) if local else text, filesystem, base)

    def _set(self, uri: str, filesystem: pafs.FileSystem, base: str) -> None:
        self.uri = uri
        self.filesystem = filesystem
        self.is_local = filesystem.type_name == "local"
        self._base = uri if self.is_local else base

    def child(self, name: str) -> "Storage":
        """The folder ``name`` inside this one."""
        child = object.__new__(Storage)
        address, mark, query = self.uri.partition("?") if not self.is_local else (self.uri, "", "")
        child._set(posixpath.join(address, name) + mark + query, self.filesystem, self.path(name))
        return child

    def path(self, relative: str = "") -> str:
        """Where ``relative`` lies, as ``filesystem`` wants it; ValueError when it leads out of this folder."""
        if relative.startswith("/") or ".." in relative.split("/"):
            raise ValueError(f"a path inside the storage is relative and has no '..'; got {relative!r}")
        return posixpath.join(self._base, relative) if relative else self._base

    def write(self, relative: str, data: Bytes) -> None:
        """Publish ``data`` under ``relative`` atomically, making folders as needed.

        Raises:
            StorageError: Not writable, full, or a file where a folder is needed. The previous version is untouched.
        """
        with self._explained("write", relative):
            publish(self.filesystem, self.path(relative), data)

    def read(self, relative: str) -> bytes:
        """The content of a file; StorageError when it is missing or cannot be read."""
        with self._explained("read", relative):
            return self._content(relative)

    def read_if_present(self, relative: str) -> bytes | None:
        """The content of a file, or None when it is missing; StorageError when it cannot be read."""
        with self._explained("read", relative):
            try:
                return self._content(relative)
            except FileNotFoundError:
                return None

    def _content(self, relative: str) -> bytes:
        with self.filesystem.open_input_file(self.path(relative)) as file:
            content: bytes = file.read()
            return content

    def first_present(self, relatives: Sequence[str]) -> int | None:
        """The position of the first of these files that is there, or None: at most one look at each.

        Other places than local ones are asked for several at a time, which costs the same however many files lie there;
        a listing would not. StorageError when they cannot be asked.
        """
        paths = [self.path(relative) for relative in relatives]
        with self._explained("look into", ""):
            if self.is_local:
                return self._first_local(paths)
            for start in range(0, len(paths), _REQUESTS_AT_ONCE):
                found = list(self._each(self._is_file, paths[start : start + _REQUESTS_AT_ONCE]))
                if any(found):
                    return start + found.index(True)
        return None

    def _first_local(self, paths: Sequence[str]) -> int | None:
        if paths:
            with suppress(OSError):
                # An NFS client may remember for a minute that a file is missing; a changed folder makes it ask again.
                os.utime(os.path.dirname(paths[0]))
        return next((position for position, path in enumerate(paths) if self._is_file(path)), None)

    def _is_file(self, path: str) -> bool:
        return is_file(self.filesystem, path)

    def _each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The values of a function, computed several at a time where each waits for a network."""
        if self.is_local:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            yield from pool.map(function, items)

    def exists(self, relative: str = "") -> bool:
        """Whether there is a file or folder of this name."""
        with self._explained("look at", relative):
            info = self.filesystem.get_file_info(self.path(relative))
        return bool(info.type != pafs.FileType.NotFound)

    def list(self, relative: str = "", suffix: str = "") -> Names:
        """Sorted names of the files in a folder that end in ``suffix``; none when the folder is missing."""
        return self._names(relative, pafs.FileType.File, suffix)

    def folders(self, relative: str = "") -> Names:
        """Sorted names of the folders in a folder; none when it is missing."""
        return self._names(relative, pafs.FileType.Directory, "")

    def walk(self, relative: str = "") -> Files:
        """All files in a folder and below it, in no order; none when the folder is missing."""
        start = len(self.path(relative).rstrip("/")) + 1
        with self._explained("list", relative):
            found = listing(self.filesystem, self.path(relative), recursive=True)
        files = (info for info in found if info.type == pafs.FileType.File)
        return [StoredFile(info.path[start:], info.size, info.mtime_ns / 1e9) for info in files]

    def touch(self, *relatives: str) -> None:
        """Set the time of local files to now, where that is allowed; elsewhere they keep the time of writing."""
        if self.is_local:
            for relative in relatives:
                with suppress(OSError):
                    os.utime(self.path(relative))

    def renew(self, *relatives: str) -> None:
        """Set the time of empty files to now, writing those that are missing and, in object stores, all of them."""
        for _ in self._each(self._renew, relatives):
            pass

    def _renew(self, relative: str) -> None:
        if self.is_local:
            with suppress(OSError):
                os.utime(self.path(relative))
                return
        self.write(relative, b"")

    def remove(self, *relatives: str) -> None:
        """Remove files; nothing happens where one is missing."""
        for _ in self._each(self._remove, relatives):
            pass

    def _remove(self, relative: str) -> None:
        path = self.path(relative)
        with self._explained("delete", relative):
            try:
                self.filesystem.delete_file(path)
            except OSError:
                if self._is_file(path):
                    raise

    def delete(self, relative: str = "") -> None:
        """Remove a file, or a folder with all it holds; nothing happens when it is missing."""
        with self._explained("delete", relative):
            path = self.path(relative)
            kind = self.filesystem.get_file_info(path).type
            if kind == pafs.FileType.Directory:
                self.filesystem.delete_dir(path)
            elif kind != pafs.FileType.NotFound:
                self.filesystem.delete_file(path)

    def check_writable(self) -> None:
        """Write and remove a small file, making the folder if needed; StorageError when that fails."""
        with self._explained("write to", ""):
            path = self.path(temporary_name("check"))
            publish(self.filesystem, path, bytes(4096))
            self.filesystem.delete_file(path)

    def sweep(self, *, older_than: float = 3600.0) -> int:
        """Remove what writers that were killed in the middle of a write left behind, here and in every folder below.

        Args:
            older_than: Age in seconds from which a temporary file counts as abandoned.

        Returns:
            How many files were removed.
        """
        limit = datetime.now(UTC) - timedelta(seconds=older_than)
        with self._explained("sweep", ""):
            found = listing(self.filesystem, self.path(), recursive=True)
            stale = [info.path for info in found if is_temporary(info.base_name) and info.mtime <= limit]
            for path in stale:
                self.filesystem.delete_file(path)
        return len(stale)

    def _names(self, relative: str, kind: pafs.FileType, suffix: str) -> Names:
        with self._explained("list", relative):
            found = names(self.filesystem, self.path(relative), kind)
            return sorted(name for name in found if name.endswith(suffix) and not name.startswith((".", "_")))

    @contextmanager
    def _explained(self, action: str, relative: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            place = self.child(relative) if relative else self
            raise StorageError(f"could not {action} {place}: {cause(error)}; {remedy(error)}") from error

    def __str__(self) -> str:
        return re.sub(r"://[^/@]*@", "://***@", self.uri)

    def __repr__(self) -> str:
        return f"Storage({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Storage) and self.uri == other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __reduce__(self) -> "tuple[Callable[[str], Storage], tuple[str]]":
        return Storage, (self.uri,)


def _open(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system that serves an address, and the path in it."""
    shown = re.sub(r"://[^/@]*@", "://***@", uri)
    try:
        filesystem, base = open_address(uri)
    except (OSError, ImportError, ValueError, pa.ArrowException) as error:
        raise StorageError(
            f"storage must be a path or an address that pyarrow can open; got {shown!r} ({cause(error)}); "
            "give a folder, or an address of the form file://, s3://, gs://, abfs:// or hdfs://"
        ) from error
    return filesystem, base
