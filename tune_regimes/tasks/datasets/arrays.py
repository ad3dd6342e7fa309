"""Decoded images and their labels as arrays, and the stratified draw of a smaller split."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tune_regimes.errors import DataError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Arrays(NamedTuple):
    """One split: images uint8 ``[N, height, width, channels]`` and labels int64 ``[N]``."""

    images: Images
    labels: Labels


def stratified(labels: Labels, size: int, seed: int) -> Labels:
    """Row numbers, ascending, of a random draw of ``size`` rows with the classes in proportion.

    Rows are shuffled within their class and taken in order of their relative rank there, so that each class gets its
    share up to about one row, and a smaller draw with the same seed is part of a larger one.

    Examples:
        >>> rows = stratified(np.array([0, 0, 0, 0, 1, 1]), 3, seed=0)
        >>> np.array([0, 0, 0, 0, 1, 1])[rows].tolist()
        [0, 0, 1]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        rank[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    chosen: Labels = np.sort(order[np.argsort(rank[order], kind="stable")][:size])
    return chosen


def draw(labels: Labels, size: int | None, seed: int, where: str) -> Labels:
    """The rows of a split of ``size`` rows: all of them for None.

    Raises:
        DataError: when there are fewer.
    """
    check_size(len(labels), size, where)
    return np.arange(len(labels)) if size is None else stratified(labels, size, seed)


def check_size(rows: int, size: int | None, where: str) -> None:
    """Check that a split of ``size`` rows can be drawn from ``rows``; None asks for all.

    Raises:
        DataError: when there are fewer, or none.
    """
    if rows < (size or 1):
        raise DataError(f"{where} holds {rows} images, {size or 'some'} were asked for; ask for fewer or add images")


def check_classes(labels: Labels, num_classes: int, where: str) -> Labels:
    """The labels of a whole split, when every class occurs: another data set's would lack some.

    Raises:
        DataError: otherwise.
    """
    found = len(np.unique(labels))
    if found < num_classes:
        raise DataError(f"{where} must hold all {num_classes} classes, got {found}; is this another data set?")
    return labels


def check_labels(labels: Labels, num_classes: int, where: Callable[[int], str]) -> Labels:
    """The labels, when all of them lie in ``0 .. num_classes - 1``.

    Raises:
        DataError: otherwise, for the first that does not; ``where`` says where a row lies.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"labels must lie in 0..{num_classes - 1}, got {labels[row]} in {where(row)}; "
            "is this another data set, or are the labels damaged?"
        )
    return labels
