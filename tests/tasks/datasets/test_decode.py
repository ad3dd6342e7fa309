"""Decoding: exact pixels, or one clear error."""

from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.decode import decode, decode_all


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lossless_image_comes_back_exactly(write: SimpleNamespace, channels: int) -> None:
    image = write.pixels(5, 28, channels)
    assert np.array_equal(decode(write.encoded(image), (28, 28, channels), "x"), image)


def test_many_images_keep_their_order(write: SimpleNamespace) -> None:
    images = [write.pixels(row, 8, 1) for row in range(600)]
    encoded = [write.encoded(image) for image in images]
    assert np.array_equal(decode_all(600, encoded.__getitem__, (8, 8, 1), str), np.stack(images))


def test_no_images_make_an_empty_array() -> None:
    assert decode_all(0, lambda n: b"", (8, 8, 1), str).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(("size", "channels", "found"), [(16, 3, "16x16 RGB"), (32, 1, "32x32 L")])
def test_another_size_or_mode_is_refused(write: SimpleNamespace, size: int, channels: int, found: str) -> None:
    encoded = write.encoded(write.pixels(0, size, channels))
    with pytest.raises(DataError, match=f"images must be 32x32 RGB, the third is {found}"):
        decode(encoded, (32, 32, 3), "the third")


def test_an_image_that_ends_early_is_refused(write: SimpleNamespace) -> None:
    for kind in ("PNG", "JPEG"):
        encoded = write.encoded(write.pixels(0), kind)
        with pytest.raises(DataError, match="row 3 cannot be decoded as an image"):
            decode(encoded[: len(encoded) // 2], (32, 32, 3), "row 3")


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_bytes_that_are_no_image_are_refused(damaged: bytes) -> None:
    with pytest.raises(DataError, match="row 3"):
        decode(damaged, (32, 32, 3), "row 3")


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None)
@given(kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF"]), at=st.floats(0, 1), byte=st.integers(0, 255))
def test_a_damaged_image_is_decoded_or_refused_but_never_breaks_the_decoder(kind: str, at: float, byte: int) -> None:
    encoded = bytearray(_IMAGES[kind])
    encoded[int(at * (len(encoded) - 1))] = byte
    with suppress(DataError):
        assert decode(bytes(encoded), (32, 32, 3), "row 3").shape == (32, 32, 3)


def _image(kind: str) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


_IMAGES = {kind: _image(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF")}
