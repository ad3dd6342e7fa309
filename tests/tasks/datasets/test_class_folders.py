"""Image folders: one folder per class, the classes numbered by name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.class_folders import ClassFolders
from tune_regimes.tasks.registry import DATASETS


def source(folder: Path) -> ClassFolders:
    found = ClassFolders.find(DATASETS["cifar10"], folder)
    assert found is not None
    return found


def test_every_image_has_the_number_of_its_class(class_folders: Path) -> None:
    train = source(class_folders).read("train", None, 0)
    assert np.bincount(train.labels).tolist() == [3] * 10
    assert np.array_equal(train.images[:, 0, 0, 0] % 10, train.labels)
    assert source(class_folders).rows("test") == 10


def test_a_smaller_split_is_balanced_though_the_files_are_sorted_by_class(class_folders: Path) -> None:
    assert source(class_folders).read("train", 20, 0).labels.tolist() == sorted([*range(10)] * 2)


def test_classes_named_by_numbers_are_in_the_order_of_the_numbers(write: SimpleNamespace, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in range(2, 12):
            inside = tmp_path / split / str(label)
            inside.mkdir(parents=True)
            (inside / "a.png").write_bytes(write.encoded(write.pixels(label)))
    train = source(tmp_path).read("train", None, 0)
    assert sorted(zip(train.labels.tolist(), train.images[:, 0, 0, 0].tolist(), strict=True)) == [
        (n, n + 2) for n in range(10)
    ]


def test_other_files_are_left_alone(class_folders: Path) -> None:
    (class_folders / "train" / "class0" / "notes.txt").write_text("no image")
    assert source(class_folders).rows("train") == 30


def test_an_image_that_cannot_be_decoded_is_named(class_folders: Path) -> None:
    (class_folders / "train" / "class3" / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"train/class3/1\.png cannot be decoded"):
        source(class_folders).read("train", None, 0)


def test_a_missing_split_is_named(class_folders: Path) -> None:
    (class_folders / "test").rename(class_folders / "validation")
    with pytest.raises(DataError, match="has no images in test/<class>/"):
        source(class_folders).read("train", None, 0)


def test_imagenet_is_tested_on_its_validation_images(class_folders: Path) -> None:
    (class_folders / "test").rename(class_folders / "val")
    found = ClassFolders.find(DATASETS["imagenet32"], class_folders)
    assert found is not None
    assert (found.rows("train"), found.rows("test")) == (30, 10)


def test_both_splits_must_have_all_the_classes(class_folders: Path) -> None:
    (class_folders / "test" / "class9").rename(class_folders / "test" / "klass9")
    with pytest.raises(DataError, match=r"the same 10 class folders, got 10 and 10 \(only in one: .*klass9"):
        source(class_folders).read("train", None, 0)


def test_a_folder_without_class_folders_is_none(tmp_path: Path) -> None:
    assert ClassFolders.find(DATASETS["cifar10"], tmp_path) is None
