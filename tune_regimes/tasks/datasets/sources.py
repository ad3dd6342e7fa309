"""Telling the kinds of data folder apart."""

from pathlib import Path
from typing import Protocol

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays
from tune_regimes.tasks.datasets.class_folders import ClassFolders
from tune_regimes.tasks.datasets.npz import NpzFiles
from tune_regimes.tasks.datasets.original import Original, download_into
from tune_regimes.tasks.datasets.parquet import ParquetFiles
from tune_regimes.tasks.registry import DatasetInfo


class Source(Protocol):
    """A folder that holds a data set. Hashable: equal while the files in it keep their sizes and times."""

    def __hash__(self) -> int: ...

    @property
    def kind(self) -> str:
        """What it is, in words."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    def rows(self, split: str) -> int:
        """How many images a split ("train" or "test") has.

        Raises:
            DataError: when the split is missing or damaged.
        """

    def read(self, split: str, size: int | None, seed: int) -> Arrays:
        """A stratified draw of ``size`` rows of a split by ``seed``, in the order of the files; all rows for None.

        Raises:
            DataError: when rows are missing or damaged, naming the file and the row.
        """


def detect(info: DatasetInfo, folder: Path, *, download: bool) -> Source:
    """The source that a folder holds, found by its contents.

    Raises:
        DataError: when the folder is missing or holds none, or the download that was asked for fails.
    """
    source = _find(info, folder)
    if source is None and download and info.original:
        download_into(info, folder)
        source = _find(info, folder)
    if source is None:
        raise DataError(_nothing(info, folder))
    return source


def _find(info: DatasetInfo, folder: Path) -> Source | None:
    if not folder.is_dir():
        return None
    published = Original.find(info, folder) if info.original else NpzFiles.find(info, folder)
    return published or ParquetFiles.find(info, folder) or ClassFolders.find(info, folder)


def _nothing(info: DatasetInfo, folder: Path) -> str:
    if not folder.exists():
        state = f"data folder {folder} does not exist"
    elif not folder.is_dir():
        state = f"data must be a folder, {folder} is a file"
    else:
        names = sorted(path.name for path in folder.iterdir())
        held = f"holds only {', '.join(names[:5])}{', ...' if names[5:] else ''}" if names else "is empty"
        state = f"data folder {folder} {held}"
    test = info.test_names[0]
    published = f"torchvision's {info.folder}/" if info.original else "train_data_batch_*.npz and val_data.npz"
    fetched = "download=True fetches torchvision's" if info.original else "torchvision has none that could be fetched"
    return (
        f"{state}; it must hold {published}, or Parquet files train-*.parquet and {test}-*.parquet, "
        f"or images in train/<class>/ and {test}/<class>/ ({fetched})"
    )
