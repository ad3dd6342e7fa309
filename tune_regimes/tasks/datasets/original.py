"""torchvision's own folder of a data set: reading it, and fetching it where nothing is there yet."""

import os
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays, check_classes, check_labels, draw
from tune_regimes.tasks.datasets.files import Stamp, stamps
from tune_regimes.tasks.registry import DatasetInfo

_FAILURES = (RuntimeError, OSError, EOFError, ValueError, KeyError, UnpicklingError)


@dataclass(frozen=True)
class Original:
    """The files that torchvision's data set class keeps, read through that class (which verifies them)."""

    kind: ClassVar[str] = "torchvision's files"
    info: DatasetInfo
    folder: Path
    files: tuple[Stamp, ...]

    @classmethod
    def find(cls, info: DatasetInfo, folder: Path) -> "Original | None":
        """The files, when torchvision's folder is there."""
        inside = folder / info.folder
        return cls(info, folder, stamps(p for p in inside.rglob("*") if p.is_file())) if inside.is_dir() else None

    def rows(self, split: str) -> int:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        return len(self._open(split).targets)

    def read(self, split: str, size: int | None, seed: int) -> Arrays:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        whole, where = self._open(split), f"split {split} in {self.folder / self.info.folder}"
        labels = check_labels(
            np.asarray(whole.targets, dtype=np.int64), self.info.num_classes, lambda row: f"row {row} of {where}"
        )
        rows = draw(check_classes(labels, self.info.num_classes, where), size, seed, where)
        images = np.asarray(whole.data, dtype=np.uint8)[rows]
        if images[0].size != np.prod(self.info.shape):
            raise DataError(f"images must be {self.info.shape}, {where} has {images.shape[1:]}; fetch the files again")
        return Arrays(images.reshape(-1, *self.info.shape), labels[rows])

    def _open(self, split: str) -> Any:
        try:
            return _reader(self.info)(root=str(self.folder), train=split == "train", download=False)
        except _FAILURES as error:
            raise DataError(
                f"{self.folder / self.info.folder} is not complete: {error}; "
                "remove it and fetch it again (download=True)"
            ) from None


def _reader(info: DatasetInfo) -> Any:
    from torchvision import datasets

    return getattr(datasets, info.original)


def download_into(info: DatasetInfo, folder: Path) -> None:
    """Fetch a data set with torchvision. The folder is filled in one step, so that several processes may try at once.

    Raises:
        DataError: when the folder cannot be written or the data cannot be fetched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".download-") as aside:
            _reader(info)(root=aside, train=True, download=True)
            _move(Path(aside) / info.folder, folder / info.folder)
    except _FAILURES as error:
        raise DataError(
            f"{info.original} cannot be fetched into {folder}: {error}; fetch it where there is a network, "
            f"or give a folder that holds it"
        ) from error


def _move(ready: Path, final: Path) -> None:
    try:
        os.replace(ready, final)
    except OSError:
        if not final.is_dir():
            raise
