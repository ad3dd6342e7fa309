"""Decoded images and their labels as arrays, and the stratified draw of a smaller split."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Arrays(NamedTuple):
    """One split: images uint8 ``[N, height, width, channels]`` and labels int64 ``[N]``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def stratified(labels: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Row numbers, ascending, of a random draw of ``size`` rows with the classes in proportion.

    Rows are shuffled within their class and taken in order of their relative rank there, so that each class gets its
    share up to one row, and a smaller draw with the same seed is part of a larger one.

    Examples:
        >>> stratified(np.array([0, 0, 0, 0, 1, 1]), 3, seed=0).size
        3
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        rank[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    chosen: NDArray[np.int64] = np.sort(order[np.argsort(rank[order], kind="stable")][:size])
    return chosen
