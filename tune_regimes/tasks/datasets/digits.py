"""scikit-learn's 1,797 handwritten digits (8x8, grey): real images that need no download."""

import numpy as np

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays, stratified

ROWS = 1797


def read(train_size: int, test_size: int | None, seed: int) -> tuple[Arrays, Arrays]:
    """Training and test images, uint8 ``[N, 8, 8, 1]``; the grey levels 0..16 are scaled to 0..255.

    The training rows are a stratified draw; the test rows are drawn likewise from the others (all of them for None).

    Raises:
        DataError: when there are not that many images.
    """
    from sklearn.datasets import load_digits

    if train_size + (test_size or 1) > ROWS:
        raise DataError(f"digits has {ROWS} images, {train_size} for training and {test_size or 1} for test are more")
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    train = stratified(labels, train_size, seed)
    rest = np.setdiff1d(np.arange(ROWS), train)
    test = rest if test_size is None else rest[stratified(labels[rest], test_size, seed)]
    return Arrays(images[train], labels[train]), Arrays(images[test], labels[test])
