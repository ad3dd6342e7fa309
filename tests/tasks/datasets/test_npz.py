"""Downsampled ImageNet as it is published: labels from 1, channels before pixels, defects named with their file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tasks.conftest import pixels
from tune_regimes.errors import DataError
from tune_regimes.tasks import Augmentation, task
from tune_regimes.tasks.datasets.npz import NpzFiles
from tune_regimes.tasks.registry import DATASETS

CLASSES = 1000
SIDE = DATASETS["imagenet32"].shape[0]


def write(path: Path, first: int, rows: int, **replaced: np.ndarray) -> None:
    """Images `first` and following, whose first pixel says which they are, labelled by their number from 1."""
    images = np.stack([pixels(row, SIDE) for row in range(first, first + rows)])
    planes = images.transpose(0, 3, 1, 2).reshape(rows, -1)
    labels = 1 + np.arange(first, first + rows) % CLASSES
    np.savez(path, **{"data": planes, "labels": labels, "mean": planes.mean(axis=0)} | replaced)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1200 training images in eleven files, of which the tenth and eleventh follow the ninth, and 1000 test images."""
    folder = tmp_path_factory.mktemp("imagenet32")
    for number in range(1, 12):
        write(folder / f"train_data_batch_{number}.npz", 109 * (number - 1), 109 if number < 11 else 110)
    write(folder / "val_data.npz", 0, CLASSES)
    return folder


def source(folder: Path) -> NpzFiles:
    found = NpzFiles.find(DATASETS["imagenet32"], folder)
    assert found is not None
    return found


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same files."""
    for path in published.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def replace(path: Path, rows: int = 10, **replaced: np.ndarray) -> None:
    path.unlink()
    write(path, 0, rows, **replaced)


def test_rows_come_in_the_order_of_the_files_numbers(published: Path) -> None:
    train = source(published).read("train", None, 0)
    assert train.images.shape == (1200, SIDE, SIDE, 3)
    assert train.images[:, 0, 0, 0].tolist() == [row % 256 for row in range(1200)]
    assert train.labels.tolist() == [row % CLASSES for row in range(1200)]
    assert (source(published).rows("train"), source(published).rows("test")) == (1200, 1000)


def test_channels_stand_before_pixels_in_the_files(published: Path) -> None:
    test = source(published).read("test", None, 0)
    assert all(np.array_equal(test.images[row], pixels(row, SIDE)) for row in (0, 1, 500, 999))


def test_a_smaller_split_is_a_stratified_draw_of_the_same_rows(published: Path) -> None:
    drawn, whole = (source(published).read("train", size, 3) for size in (1000, None))
    assert np.bincount(drawn.labels, minlength=CLASSES).max() == 1
    seen = {whole.images[row].tobytes(): whole.labels[row] for row in range(1200)}
    assert [seen[image.tobytes()] for image in drawn.images] == drawn.labels.tolist()


@pytest.mark.parametrize(
    ("lost", "match"),
    [
        (["train_data_batch_2.npz", "train_data_batch_7.npz"], r"lacks train_data_batch_2\.npz, train_data_batch_7"),
        (
            [f"train_data_batch_{number}.npz" for number in range(1, 12)],
            r"lacks train_data_batch_1\.npz; add the train",
        ),
        (["val_data.npz"], r"lacks val_data\.npz; add the test split"),
    ],
)
def test_missing_files_are_named(copied: Path, lost: list[str], match: str) -> None:
    for name in lost:
        (copied / name).unlink()
    with pytest.raises(DataError, match=match):
        source(copied).read("test" if lost == ["val_data.npz"] else "train", None, 0)


@pytest.mark.parametrize(
    ("replaced", "match"),
    [
        ({"labels": np.arange(10)}, r"got -1 in row 0 of .*train_data_batch_11\.npz"),
        ({"labels": 992 + np.arange(10)}, r"must lie in 0\.\.999, got 1000 in row 9"),
        ({"labels": np.ones(10)}, r"must be whole numbers \[N\], got float64 \[10\]"),
        ({"data": np.zeros((10, 64 * 64 * 3), np.uint8)}, r"must be uint8 \[10, 3072\] .*got uint8 \[10, 12288\]"),
        ({"data": np.zeros((9, 3072), np.uint8)}, r"with a label each\), got uint8 \[9, 3072\]"),
        ({"data": np.zeros((10, 3072))}, r"got float64 \[10, 3072\]; is this another data set\?"),
    ],
)
def test_a_damaged_array_is_named_with_its_file(copied: Path, replaced: dict[str, np.ndarray], match: str) -> None:
    replace(copied / "train_data_batch_11.npz", **replaced)
    with pytest.raises(DataError, match=match):
        source(copied).read("train", None, 0)


def test_a_file_that_is_cut_short_is_named(copied: Path) -> None:
    path = copied / "val_data.npz"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"val_data\.npz is no complete npz file: .*; fetch the file again"):
        source(copied).rows("test")


def test_pickled_objects_are_not_loaded(copied: Path) -> None:
    replace(copied / "val_data.npz", labels=np.array([1] * 10, dtype=object))
    with pytest.raises(DataError, match=r"val_data\.npz is no complete npz file: Object arrays cannot be loaded"):
        source(copied).rows("test")


def test_a_file_without_the_arrays_is_named(copied: Path) -> None:
    path = copied / "val_data.npz"
    path.unlink()
    np.savez(path, images=np.zeros(3))
    with pytest.raises(DataError, match=r"must have the arrays data and labels, got images"):
        source(copied).rows("test")


def test_a_task_on_it_is_judged_by_the_five_largest_scores_too(published: Path) -> None:
    built = task("imagenet32/mlp", data=str(published), width=0.1).build()
    assert list(built.metrics) == ["accuracy", "top5_accuracy"]
    assert (built.data.num_classes, built.batch_size, built.augmentation) == (CLASSES, 256, Augmentation(True, 4))
    assert built.model()(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, CLASSES)
    assert list(task("digits/mlp").build().metrics) == ["accuracy"]


def test_another_folder_has_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", data=np.zeros(3))
    assert NpzFiles.find(DATASETS["imagenet32"], tmp_path) is None
