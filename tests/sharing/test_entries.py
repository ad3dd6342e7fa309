"""Files that vouch for themselves: whatever was done to one, it gives its own payload or none."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_regimes.sharing import entries
from tune_regimes.sharing.entries import (
    DamagedEntryError,
    Epoch,
    ForeignEntryError,
    pack,
    pack_history,
    unpack,
    unpack_history,
)

KEY = "ab" * 32
REFUSED = (DamagedEntryError, ForeignEntryError)


def same(one, other):
    return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))


@given(st.binary(max_size=2000))
def test_a_payload_is_given_back(payload):
    assert unpack("state", KEY, pack("state", KEY, payload)) == payload


@given(st.binary(max_size=300), st.data())
def test_a_file_with_any_byte_changed_is_refused(payload, data):
    file = bytearray(pack("state", KEY, payload))
    file[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(REFUSED):
        unpack("state", KEY, bytes(file))


@given(st.binary(max_size=300), st.data())
def test_a_file_cut_anywhere_is_refused(payload, data):
    file = pack("state", KEY, payload)
    with pytest.raises(REFUSED):
        unpack("state", KEY, file[: data.draw(st.integers(0, len(file) - 1))])


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=300), st.data())
def test_a_file_with_bytes_put_in_anywhere_is_refused(payload, more, data):
    file = pack("state", KEY, payload)
    at = data.draw(st.integers(0, len(file)))
    with pytest.raises(REFUSED):
        unpack("state", KEY, file[:at] + more + file[at:])


@given(st.binary(max_size=500))
def test_what_is_no_entry_at_all_is_refused(junk):
    with pytest.raises(REFUSED):
        unpack("state", KEY, junk)


def test_a_file_under_another_key_or_kind_is_damaged():
    file = pack("state", KEY, b"x")
    for kind, key in [("history", KEY), ("state", "cd" * 32)]:
        with pytest.raises(DamagedEntryError):
            unpack(kind, key, file)


@pytest.mark.parametrize(("name", "value"), [("VERSION", "99.0"), ("FORMAT", 99)])
def test_a_file_of_another_version_or_format_is_foreign_and_not_damaged(monkeypatch, name, value):
    with monkeypatch.context() as patch:
        patch.setattr(entries, name, value)
        file = pack("state", KEY, b"x")
    with pytest.raises(ForeignEntryError):
        unpack("state", KEY, file)


def test_the_first_line_tells_a_reader_what_the_file_is():
    header = json.loads(pack("state", KEY, b"abc").partition(b"\n")[0])
    assert (header["kind"], header["key"], header["size"]) == ("state", KEY, 3)


@given(st.lists(st.dictionaries(st.text(max_size=8), st.floats(), max_size=4), max_size=5))
def test_every_float_of_a_history_is_read_back_bit_for_bit(records):
    history = [Epoch(KEY, record, "study", "t1") for record in records]
    again = unpack_history(pack_history(history))
    assert [(epoch.key, epoch.study, epoch.trial_id) for epoch in again] == [(KEY, "study", "t1")] * len(records)
    for record, epoch in zip(records, again, strict=True):
        assert record.keys() == epoch.record.keys()
        assert all(same(value, epoch.record[name]) for name, value in record.items())


@pytest.mark.parametrize("payload", [b"", b"no zlib", pack_history([])[:-1]])
def test_what_is_no_history_is_damaged(payload):
    with pytest.raises(DamagedEntryError):
        unpack_history(payload)
