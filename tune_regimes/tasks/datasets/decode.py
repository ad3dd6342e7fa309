"""Decoding image files in parallel, each checked for its size and mode."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Images

MODES = {1: "L", 3: "RGB"}
_BATCH = 256


def decode(encoded: bytes, shape: tuple[int, int, int], where: str) -> Images:
    """One image, uint8 ``[height, width, channels]``.

    Raises:
        DataError: when it cannot be decoded, or has another size or mode; ``where`` says which one it is.
    """
    height, width, channels = shape
    try:
        with Image.open(BytesIO(encoded)) as image:
            wanted, found = (width, height, MODES[channels]), (*image.size, image.mode)
            pixels = np.asarray(image) if found == wanted else None
    except Exception as error:  # decoders raise errors of any class on damaged bytes
        raise DataError(f"{where} cannot be decoded as an image: {_short(error)}; fetch the file again") from None
    if pixels is None:
        raise DataError(
            f"images must be {_size(wanted)}, {where} is {_size(found)}; "
            "convert the images, or is this another data set?"
        )
    return pixels.reshape(shape)


def _short(error: BaseException) -> str:
    return "the format is not recognised" if "cannot identify" in str(error) else str(error)


def _size(found: tuple[int, int, str]) -> str:
    return f"{found[0]}x{found[1]} {found[2]}"


def decode_all(
    count: int, get: Callable[[int], bytes], shape: tuple[int, int, int], where: Callable[[int], str]
) -> Images:
    """``count`` images, uint8 ``[count, height, width, channels]``, decoded by a few threads.

    Args:
        count: how many.
        get: the encoded bytes of the n-th.
        shape: height, width and channels of each.
        where: says where the n-th lies, for the error.

    Raises:
        DataError: for the first image that cannot be decoded or has another size or mode.
    """
    images = np.empty((count, *shape), dtype=np.uint8)

    def fill(batch: Sequence[int]) -> None:
        for n in batch:
            images[n] = decode(get(n), shape, where(n))

    batches = [range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for _ in pool.map(fill, batches):
            pass
    return images
