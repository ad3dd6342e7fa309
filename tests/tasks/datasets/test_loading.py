"""Loading and checking a data set, whatever the kind of its folder."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tune_regimes.errors import DataError
from tune_regimes.tasks import check_data, task


def test_files_that_stay_are_read_once_and_files_that_change_again(pack: Path, write: SimpleNamespace) -> None:
    spec = task("cifar10/mlp", data=pack, batch_size=5)
    first = spec.build().data
    assert spec.build().data is first
    write.parquet(pack / "test-00000-of-00001.parquet", 20)
    assert len(spec.build().data.test) == 20


def test_kinds_of_source_give_the_same_images(pack: Path, class_folders: Path) -> None:
    parquet, folders = (task("cifar10/mlp", data=f, batch_size=5).build().data for f in (pack, class_folders))
    assert sorted(parquet.train.inputs[:, 0, 0, 0].tolist()) == sorted(folders.train.inputs[:, 0, 0, 0].tolist())


def test_a_check_tells_the_kind_and_the_sizes(pack: Path) -> None:
    assert check_data(task("cifar10/mlp", data=pack, batch_size=5)) == [
        f"cifar10: Parquet files in {pack}",
        "train: 30 images",
        "test: 10 images",
    ]
    assert check_data(task("digits/mlp")) == ["digits: 1797 images that come with scikit-learn"]


@pytest.mark.parametrize("sizes", [{"train_size": 31}, {"test_size": 11}])
def test_a_check_finds_that_there_are_too_few_rows(pack: Path, sizes: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"holds \d+ images, \d+ were asked for"):
        check_data(task("cifar10/mlp", data=pack, batch_size=5, **sizes))


def test_a_check_finds_a_file_that_is_cut_off(pack: Path) -> None:
    path = pack / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"test-00000-of-00001\.parquet is no complete Parquet file"):
        check_data(task("cifar10/mlp", data=pack, batch_size=5))


def test_the_real_images_have_the_statistics_that_are_assumed(real_pack: Path) -> None:
    data = task("cifar10/simple_cnn", data=real_pack, train_size=3000, test_size=500).build().data
    assert (data.train.inputs.shape, data.test.inputs.shape) == ((3000, 32, 32, 3), (500, 32, 32, 3))
    assert data.train.targets.bincount().tolist() == [300] * 10
    scaled = data.train.inputs.double() / 255
    assert data.mean is not None
    assert data.std is not None
    assert torch.allclose(scaled.mean((0, 1, 2)), torch.tensor(data.mean).double(), atol=0.01)
    assert torch.allclose(scaled.std((0, 1, 2)), torch.tensor(data.std).double(), atol=0.01)


def test_the_real_images_are_complete(real_pack: Path) -> None:
    assert check_data(task("cifar10/simple_cnn", data=real_pack))[1:] == ["train: 50000 images", "test: 10000 images"]
