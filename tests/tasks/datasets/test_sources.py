"""The kind of a data folder is told by what it holds."""

from pathlib import Path

import numpy as np
import pytest

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.sources import detect
from tune_regimes.tasks.registry import DATASETS

INFO = DATASETS["cifar10"]


def test_every_kind_is_recognised(pack: Path, class_folders: Path, tmp_path: Path) -> None:
    (tmp_path / "torchvision" / "cifar-10-batches-py").mkdir(parents=True)
    kinds = [detect(INFO, folder, download=False).kind for folder in (pack, class_folders, tmp_path / "torchvision")]
    assert kinds == ["Parquet files", "class folders", "torchvision's files"]


def test_published_npz_files_are_recognised_where_torchvision_has_no_class(pack: Path) -> None:
    np.savez(pack / "val_data.npz", data=np.zeros((1, 3072), np.uint8), labels=[1])
    assert detect(DATASETS["imagenet32"], pack, download=False).kind == "npz files"
    assert detect(INFO, pack, download=False).kind == "Parquet files"


def test_what_torchvision_has_not_is_not_fetched(tmp_path: Path) -> None:
    wanted = (
        r"is empty; it must hold train_data_batch_\*\.npz and val_data\.npz, or Parquet files train-\*\.parquet and "
        r"val-\*\.parquet, or images in train/<class>/ and val/<class>/ \(torchvision has none that could be fetched\)"
    )
    with pytest.raises(DataError, match=wanted):
        detect(DATASETS["imagenet64"], tmp_path, download=True)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data folder .*nowhere does not exist; it must hold"):
        detect(INFO, tmp_path / "nowhere", download=False)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty; it must hold"):
        detect(INFO, tmp_path, download=False)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match=r"data must be a folder, .* is a file"):
        detect(INFO, tmp_path / "data", download=False)


def test_what_a_folder_holds_instead_is_said(tmp_path: Path) -> None:
    for name in "fedcba":
        (tmp_path / f"{name}.txt").touch()
    with pytest.raises(DataError, match=r"holds only a\.txt, b\.txt, c\.txt, d\.txt, e\.txt, \.\.\.; it must hold"):
        detect(INFO, tmp_path, download=False)
