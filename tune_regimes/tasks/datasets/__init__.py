"""The built-in data sets, decoded once per process and kept as tensors."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets import digits
from tune_regimes.tasks.datasets.arrays import Arrays
from tune_regimes.tasks.registry import DATASETS, Options

if TYPE_CHECKING:
    from tune_regimes.tasks.task import Data, Split


def load(dataset: str, options: Options) -> "Data":
    """The data set with its splits drawn; the same tensors for the same files and options.

    Raises:
        DataError: when the data are missing, incomplete or damaged, naming the file and the row.
    """
    from tune_regimes.tasks.task import Data

    train, test = _splits(dataset, options.train_size, options.test_size, options.split_seed)
    info = DATASETS[dataset]
    mean, std = (info.mean, info.std) if options.normalize else (None, None)
    return Data(train, test, info.num_classes, mean, std)


@lru_cache(maxsize=4)
def _splits(dataset: str, train_size: int | None, test_size: int | None, seed: int) -> "tuple[Split, Split]":
    if dataset != "digits":
        raise DataError(f"{dataset} cannot be read yet")
    train, test = digits.read(train_size or 500, test_size, seed)
    return _as_split(train), _as_split(test)


def _as_split(arrays: Arrays) -> "Split":
    import torch

    from tune_regimes.tasks.task import Split

    return Split(torch.from_numpy(arrays.images), torch.from_numpy(arrays.labels))


def check(dataset: str, options: Mapping[str, Any]) -> list[str]:
    """See :func:`tune_regimes.tasks.check_data`."""
    return [f"digits: {digits.ROWS} images that come with scikit-learn"]
