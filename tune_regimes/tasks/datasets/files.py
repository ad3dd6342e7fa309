"""Stamps of files: what tells whether a folder has changed since it was read."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Stamp(NamedTuple):
    """A file with its size in bytes and its time of modification in nanoseconds."""

    path: Path
    size: int
    modified: int


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """The stamps of files, sorted by path."""
    found = ((path, path.stat()) for path in sorted(paths))
    return tuple(Stamp(path, stat.st_size, stat.st_mtime_ns) for path, stat in found)
