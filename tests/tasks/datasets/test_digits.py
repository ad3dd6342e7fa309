"""The embedded data set: real images, drawn into two disjoint splits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets import digits
from tune_regimes.tasks.registry import DATASETS


def test_the_splits_are_disjoint_and_hold_every_image() -> None:
    train, test = digits.read(500, None, seed=0)
    assert (train.images.shape, test.images.shape) == ((500, 8, 8, 1), (1297, 8, 8, 1))
    both = np.concatenate([train.images, test.images]).reshape(1797, -1)
    original = np.round(load_digits().images * (255 / 16)).reshape(1797, -1)
    assert sorted(map(bytes, both)) == sorted(map(bytes, original.astype(np.uint8)))


def test_the_grey_levels_fill_a_byte() -> None:
    train, _ = digits.read(500, None, seed=0)
    assert train.images.dtype == np.uint8
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert len(np.unique(train.images)) == 17


def test_every_class_has_its_share_of_a_small_training_split() -> None:
    train, _ = digits.read(100, None, seed=3)
    assert set(np.bincount(train.labels)) <= {9, 10, 11}


def test_a_test_split_can_be_smaller() -> None:
    train, test = digits.read(500, 100, seed=0)
    assert (len(train.labels), len(test.labels)) == (500, 100)


@pytest.mark.parametrize(("train_size", "test_size"), [(1797, None), (1000, 798)])
def test_more_images_than_there_are_cannot_be_drawn(train_size: int, test_size: int | None) -> None:
    with pytest.raises(DataError, match="digits has 1797 images"):
        digits.read(train_size, test_size, seed=0)


def test_the_statistics_are_those_of_all_images() -> None:
    images = np.round(load_digits().images * (255 / 16)) / 255
    assert images.mean() == pytest.approx(DATASETS["digits"].mean[0], abs=1e-4)
    assert images.std() == pytest.approx(DATASETS["digits"].std[0], abs=1e-4)
