"""torchvision's own folder: read as it is, fetched on request only."""

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets import sources
from tune_regimes.tasks.datasets.original import Original
from tune_regimes.tasks.registry import DATASETS


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(folder: Path, name: str = "MNIST", classes: int = 10) -> np.ndarray:
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(20) % classes)
    return images


def write_cifar10(folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The format of torchvision with ten rows per batch, its check sums (those of the real files) turned off."""
    inside = folder / "cifar-10-batches-py"
    inside.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (12, 3072), dtype=np.uint8)
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    for n, name in enumerate(names):
        batch = {"data": np.tile(images[2 * n : 2 * n + 2], (5, 1)), "labels": list(range(10))}
        (inside / name).write_bytes(pickle.dumps(batch))
    (inside / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(n) for n in range(10)]}))
    from torchvision import datasets

    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(datasets.cifar, "check_integrity", lambda *args: True)
    return images


def source(dataset: str, folder: Path) -> Original:
    found = Original.find(DATASETS[dataset], folder)
    assert found is not None
    return found


@pytest.mark.parametrize(("dataset", "name"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_the_grey_data_sets_are_read_with_one_channel(tmp_path: Path, dataset: str, name: str) -> None:
    images = write_mnist(tmp_path, name)
    train = source(dataset, tmp_path).read("train", None, 0)
    assert np.array_equal(train.images, images[..., None])
    assert train.labels.tolist() == [*range(10)] * 2
    assert source(dataset, tmp_path).rows("test") == 20


def test_cifar10_is_read_with_its_channels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = write_cifar10(tmp_path, monkeypatch)
    train = source("cifar10", tmp_path).read("train", None, 0)
    assert train.images.shape == (50, 32, 32, 3)
    assert np.array_equal(train.images[0], images[0].reshape(3, 32, 32).transpose(1, 2, 0))


def test_a_smaller_split_is_a_balanced_draw(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    assert sorted(source("mnist", tmp_path).read("train", 10, 0).labels.tolist()) == list(range(10))


def test_files_that_torchvision_finds_damaged_are_named(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match=r"cifar-10-batches-py is not complete.*fetch it again"):
        source("cifar10", tmp_path).read("train", None, 0)


def test_a_file_that_ends_early_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="MNIST is not complete"):
        source("mnist", tmp_path).read("train", None, 0)


def test_labels_of_another_data_set_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, classes=9)
    with pytest.raises(DataError, match="must hold all 10 classes, got 9"):
        source("mnist", tmp_path).read("train", None, 0)
    write_mnist(tmp_path / "more", classes=12)
    with pytest.raises(DataError, match=r"must lie in 0\.\.9, got 10 in row 10 of split train"):
        source("mnist", tmp_path / "more").read("train", None, 0)


class Fetches:
    """Stands for torchvision's class where there is a network: writes the files into the folder it is given."""

    calls = 0

    def __init__(self, root: str, train: bool, download: bool) -> None:
        if download:
            type(self).calls += 1
            write_mnist(Path(root))
        from torchvision.datasets import MNIST

        whole = MNIST(root, train=train)
        self.data, self.targets = whole.data, whole.targets


def refuses(root: str, train: bool, download: bool) -> Any:
    raise OSError("no route to host")


def test_nothing_is_fetched_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist.*download=True"):
        sources.detect(DATASETS["mnist"], tmp_path / "new", download=False)
    assert not (tmp_path / "new").exists()


def test_what_was_asked_for_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tune_regimes.tasks.datasets.original._reader", lambda info: Fetches)
    for _ in range(2):
        found = sources.detect(DATASETS["mnist"], tmp_path / "new", download=True)
        assert found.rows("train") == 20
    assert Fetches.calls == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["MNIST"]


def test_without_a_network_the_error_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_regimes.tasks.datasets.original._reader", lambda info: refuses)
    with pytest.raises(DataError, match=r"MNIST cannot be fetched into .*no route to host.*a network"):
        sources.detect(DATASETS["mnist"], tmp_path / "new", download=True)
    assert list((tmp_path / "new").iterdir()) == []
