"""The files of the store: a header line that vouches for the payload behind it, and histories as such a payload.

The header is canonical: it can be made from the payload alone, so a file is whole exactly when its header equals the
one that its payload asks for.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_regimes._version import VERSION

FORMAT = 2
"""To be raised when a state or a history comes to hold something else: then what is stored is ignored, counted, and
written anew under the same key. Since 2: observations of the weights in records, weights at the start of the last epoch
and the average of the weights in states."""


class DamagedEntryError(Exception):
    """The bytes are not those that were written."""


class ForeignEntryError(Exception):
    """The file is of another format or was written by another version."""


@dataclass(frozen=True)
class Epoch:
    """One epoch of a history.

    Attributes:
        key: Key after the epoch.
        record: What `Trajectory.advance` measured, seconds included; values may be NaN or infinite.
        study: Name of the study that trained it.
        trial_id: The trial that trained it.
        readings: What probes saw in it, as JSON values whose numbers may be NaN or infinite.
    """

    key: str
    record: Mapping[str, float]
    study: str
    trial_id: str
    readings: Sequence[Mapping[str, Any]] = ()


def pack(kind: str, key: str, payload: bytes) -> bytes:
    """The file of an entry: one line of JSON, then the payload."""
    return _header(kind, key, payload) + payload


def unpack(kind: str, key: str, data: bytes) -> bytes:
    """The payload of a file.

    Raises:
        DamagedEntryError: The file is cut, altered, or belongs to another key or kind.
        ForeignEntryError: Another format or version wrote it.
    """
    end = data.find(b"\n") + 1
    payload = data[end:]
    if end and data[:end] == _header(kind, key, payload):
        return payload
    raise ForeignEntryError if _is_foreign(data[:end]) else DamagedEntryError


def pack_history(history: Sequence[Epoch]) -> bytes:
    """A history as compressed JSON; every float is read back as it was, NaN and infinities included."""
    rows = [
        [epoch.key, dict(epoch.record), epoch.study, epoch.trial_id, *([epoch.readings] if epoch.readings else [])]
        for epoch in history
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def unpack_history(payload: bytes) -> list[Epoch]:
    """The history that `pack_history` wrote.

    Raises:
        DamagedEntryError: It is something else.
    """
    try:
        return [Epoch(*row) for row in json.loads(zlib.decompress(payload))]
    except (zlib.error, ValueError, TypeError) as error:
        raise DamagedEntryError from error


def _header(kind: str, key: str, payload: bytes) -> bytes:
    header = {
        "format": FORMAT,
        "tune_regimes": VERSION,
        "kind": kind,
        "key": key,
        "size": len(payload),
        "blake2b": hashlib.blake2b(payload, digest_size=32).hexdigest(),
    }
    return json.dumps(header).encode() + b"\n"


def _is_foreign(line: bytes) -> bool:
    try:
        header: Any = json.loads(line)
    except ValueError:
        return False
    if not isinstance(header, dict) or not {"format", "tune_regimes"} <= header.keys():
        return False
    return bool((header["format"], header["tune_regimes"]) != (FORMAT, VERSION))
