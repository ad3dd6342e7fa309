"""What kinds of file systems differ in: how one is opened, how a file appears whole or not at all, what went wrong."""

import errno
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs

Bytes = bytes | bytearray | memoryview

_OBJECT_STORES = ("s3", "gcs", "abfs")
_ONE_PUT = "allow_delayed_open"
_TEMPORARY = re.compile(r"^\..+\.[0-9a-f]{12}\.tmp$")
_IN_THE_WAY = "a file stands where a folder is needed: move it, or choose another location"
_NOT_ALLOWED = "choose a location that this user may write to"
_NO_SPACE = "free some space or choose another location; what was stored before is intact"
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: _NOT_ALLOWED,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "a folder stands where a file is needed: move it, or choose another location",
    errno.ENOENT: "check the location and the spelling",
}


def open_address(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system that serves an address, and the path in it.

    S3 is told to open files late where this pyarrow can: a small file is then one request in place of three.
    """
    late = f"{uri}{'&' if '?' in uri else '?'}{_ONE_PUT}=true"
    opened: tuple[pafs.FileSystem, str]
    try:
        opened = pafs.FileSystem.from_uri(late if uri.startswith("s3://") and _ONE_PUT not in uri else uri)
    except pa.ArrowInvalid as error:
        if _ONE_PUT not in str(error) or _ONE_PUT in uri:
            raise
        opened = pafs.FileSystem.from_uri(uri)
    return opened


def is_file(filesystem: pafs.FileSystem, path: str) -> bool:
    """Whether a file is there, by one request."""
    try:
        if filesystem.type_name == "local":
            os.stat(path)
        else:
            filesystem.open_input_file(path).close()
    except FileNotFoundError:
        return False
    return True


def listing(filesystem: pafs.FileSystem, path: str, *, recursive: bool) -> Iterable[pafs.FileInfo]:
    """What a folder holds; nothing when it is missing."""
    selector = pafs.FileSelector(path, allow_not_found=True, recursive=recursive)
    found: Iterable[pafs.FileInfo] = filesystem.get_file_info(selector)
    return found


def names(filesystem: pafs.FileSystem, path: str, kind: pafs.FileType) -> Iterator[str]:
    """Names of the files or folders in a folder: locally without a look at each file."""
    if filesystem.type_name != "local":
        yield from (info.base_name for info in listing(filesystem, path, recursive=False) if info.type == kind)
        return
    with suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_file() if kind == pafs.FileType.File else entry.is_dir():
                yield entry.name


def publish(filesystem: pafs.FileSystem, path: str, data: Bytes) -> None:
    """Put ``data`` at ``path`` atomically, making folders as needed.

    Locally: a temporary file beside the target (hidden, so that no reader of the folder takes it for data), flushed
    to the disk, then renamed. Object stores: one put, which is atomic there. Elsewhere: a temporary, then a move.
    """
    if filesystem.type_name == "local":
        _publish_locally(path, data)
    elif filesystem.type_name in _OBJECT_STORES:
        _put(filesystem, path, data)
    else:
        _put_and_move(filesystem, path, data)


def temporary_name(name: str) -> str:
    """A name beside ``name`` that no other writer uses."""
    return f".{name}.{uuid4().hex[:12]}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a file of this name is a write that has not ended, or never will."""
    return _TEMPORARY.match(name) is not None


def _publish_locally(path: str, data: Bytes) -> None:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, temporary_name(name))
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _put(filesystem: pafs.FileSystem, path: str, data: Bytes) -> None:
    with filesystem.open_output_stream(path, compression=None) as stream:
        stream.write(data)


def _put_and_move(filesystem: pafs.FileSystem, path: str, data: Bytes) -> None:
    folder, name = posixpath.split(path)
    temporary = posixpath.join(folder, temporary_name(name))
    filesystem.create_dir(folder, recursive=True)
    try:
        _put(filesystem, temporary, data)
        filesystem.move(temporary, path)
    except BaseException:
        with suppress(OSError, pa.ArrowException):
            filesystem.delete_file(temporary)
        raise


def cause(error: BaseException) -> str:
    """What went wrong, in one line."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).partition("\n")[0]


def remedy(error: BaseException) -> str:
    """What a user can do about it."""
    return _REMEDIES.get(getattr(error, "errno", None) or 0, "check the address, the credentials and the connection")
