"""The built-in data sets, decoded once per process and kept as tensors.

``digits`` comes with scikit-learn. The others lie in a folder, ``data=``, of one of four kinds, told apart by what it
holds: torchvision's own files, the npz files in which downsampled ImageNet is published, hub-style Parquet files, or
one folder of images per class. ``train_size`` and ``test_size`` ask for a smaller split: a stratified draw of the rows
by ``split_seed``, whatever the kind of source, and only the rows drawn are decoded.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets import digits
from tune_regimes.tasks.datasets.arrays import Arrays, check_size
from tune_regimes.tasks.datasets.sources import Source, detect
from tune_regimes.tasks.options import Options
from tune_regimes.tasks.registry import DATASETS

if TYPE_CHECKING:
    from tune_regimes.tasks.data import Data, Split


def load(dataset: str, options: Options) -> "Data":
    """The data set with its splits drawn.

    It is kept: while files and options stay as they are, the same value is given again. Do not write to its tensors.

    Raises:
        DataError: when the data are missing, incomplete or damaged, naming the file and the row.
    """
    source = None if dataset == "digits" else _source(dataset, options)
    sizes = options.train_size, options.test_size, options.split_seed
    return _data(dataset, source, sizes, bool(options.normalize))


def check(dataset: str, given: Mapping[str, Any]) -> list[str]:
    """Look at the source, the labels of both splits and one image of each; see :func:`tune_regimes.tasks.check_data`.

    Raises:
        DataError: when something is missing, incomplete or damaged.
    """
    options = Options(**given)
    if dataset == "digits":
        return [f"digits: {digits.ROWS} images that come with scikit-learn"]
    source = _source(dataset, options)
    found = [f"{dataset}: {source.kind} in {source.folder}"]
    for split, size in (("train", options.train_size), ("test", options.test_size)):
        rows = source.rows(split)
        check_size(rows, size, f"split {split} in {source.folder}")
        source.read(split, 1, options.split_seed)
        found.append(f"{split}: {rows} images")
    return found


def _source(dataset: str, options: Options) -> Source:
    if options.data is None:
        raise DataError(
            f"{dataset} needs data=<folder> (on the command line --data): its published "
            f"files, Parquet files or class folders; digits is the data set that needs none"
        )
    return detect(DATASETS[dataset], Path(options.data), download=options.download)


@lru_cache(maxsize=4)
def _data(dataset: str, source: Source | None, sizes: tuple[int | None, int | None, int], normalize: bool) -> "Data":
    from tune_regimes.tasks.data import Data

    info = DATASETS[dataset]
    train, test = _splits(source, *sizes)
    mean, std = (info.mean, info.std) if normalize else (None, None)
    return Data(_as_split(train), _as_split(test), info.num_classes, mean, std)


def _splits(source: Source | None, train_size: int | None, test_size: int | None, seed: int) -> tuple[Arrays, Arrays]:
    if source is None:
        return digits.read(train_size or 500, test_size, seed)
    return source.read("train", train_size, seed), source.read("test", test_size, seed)


def _as_split(arrays: Arrays) -> "Split":
    import torch

    from tune_regimes.tasks.data import Split

    return Split(torch.from_numpy(arrays.images), torch.from_numpy(arrays.labels))
