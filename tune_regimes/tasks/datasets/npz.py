"""The downsampled forms of ImageNet as they are published: ``train_data_batch_<n>.npz`` and ``val_data.npz``.

Each file holds ``data``, uint8 ``[N, channels * height * width]``, and ``labels``, which count from 1.

Source: Chrabaszcz, Loshchilov and Hutter, "A Downsampled Variant of ImageNet as an Alternative to the CIFAR datasets"
(2017).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays, Images, Labels, check_classes, check_labels, draw
from tune_regimes.tasks.datasets.files import Stamp, stamps
from tune_regimes.tasks.registry import DatasetInfo

_BATCH = re.compile(r"train_data_batch_([1-9]\d*)\.npz")


@dataclass(frozen=True)
class NpzFiles:
    """A folder of such files. A file is read whole, one at a time: an array in it cannot be read in part."""

    kind: ClassVar[str] = "npz files"
    info: DatasetInfo
    folder: Path
    files: tuple[Stamp, ...]

    @classmethod
    def find(cls, info: DatasetInfo, folder: Path) -> "NpzFiles | None":
        """The files of a folder."""
        found = stamps(p for p in folder.glob("*.npz") if _BATCH.fullmatch(p.name) or p.name == "val_data.npz")
        return cls(info, folder, found) if found else None

    def rows(self, split: str) -> int:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        return sum(len(self._labels(path)) for path in self._paths(split))

    def read(self, split: str, size: int | None, seed: int) -> Arrays:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        paths, where = self._paths(split), f"split {split} in {self.folder}"
        parts = [self._labels(path) for path in paths]
        labels = np.concatenate(parts)
        rows = draw(check_classes(labels, self.info.num_classes, where), size, seed, where)
        images = np.empty((len(rows), *self.info.shape), dtype=np.uint8)
        start = 0
        for path, part in zip(paths, parts, strict=True):
            own = (rows >= start) & (rows < start + len(part))
            if own.any():
                images[own] = self._images(path, len(part))[rows[own] - start]
            start += len(part)
        return Arrays(images, labels[rows])

    def _paths(self, split: str) -> list[Path]:
        found = {stamp.path.name: stamp.path for stamp in self.files}
        numbers = [int(match[1]) for name in found if (match := _BATCH.fullmatch(name))]
        batches = [f"train_data_batch_{number}.npz" for number in range(1, max(numbers, default=1) + 1)]
        wanted = ["val_data.npz"] if split == "test" else batches
        missing = ", ".join(name for name in wanted if name not in found)
        if missing:
            raise DataError(f"data folder {self.folder} is incomplete, it lacks {missing}; add the {split} split")
        return [found[name] for name in wanted]

    def _labels(self, path: Path) -> Labels:
        labels = _read(path, "labels")
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"labels of {path} must be whole numbers [N], got {labels.dtype} {list(labels.shape)}")
        counted = labels.astype(np.int64) - 1
        return check_labels(counted, self.info.num_classes, lambda row: f"row {row} of {path}, less 1")

    def _images(self, path: Path, rows: int) -> Images:
        height, width, channels = self.info.shape
        images = _read(path, "data")
        if images.dtype != np.uint8 or images.shape != (rows, channels * height * width):
            raise DataError(
                f"data of {path} must be uint8 [{rows}, {channels * height * width}] (images of {height}x{width} with "
                f"a label each), got {images.dtype} {list(images.shape)}; is this another data set?"
            )
        return images.reshape(rows, channels, height, width).transpose(0, 2, 3, 1)


def _read(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            if name not in file.files:
                raise DataError(f"{path} must have the arrays data and labels, got {', '.join(file.files)}")
            found: np.ndarray = file[name]
            return found
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} is no complete npz file: {error}; fetch the file again") from None
