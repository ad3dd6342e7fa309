"""One folder of image files per class: ``train/<class>/*`` and ``test/<class>/*`` (ImageNet: ``val/<class>/*``)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays, draw
from tune_regimes.tasks.datasets.decode import decode_all
from tune_regimes.tasks.datasets.files import Stamp, stamps
from tune_regimes.tasks.registry import DatasetInfo

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")


@dataclass(frozen=True)
class ClassFolders:
    """Image files in class folders; classes are numbered by name (by value, where all the names are numbers)."""

    kind: ClassVar[str] = "class folders"
    info: DatasetInfo
    folder: Path
    files: tuple[Stamp, ...]

    @classmethod
    def find(cls, info: DatasetInfo, folder: Path) -> "ClassFolders | None":
        """The class folders below ``train`` and ``test``."""
        names = (*info.names("train"), *info.names("test"))
        found = [path for name in names for path in (folder / name).glob("*/*")]
        images = stamps(path for path in found if path.suffix.lower() in SUFFIXES)
        return cls(info, folder, images) if images else None

    def rows(self, split: str) -> int:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        return len(self._paths(split))

    def read(self, split: str, size: int | None, seed: int) -> Arrays:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        paths, numbers = self._paths(split), self._numbers()
        labels = np.array([numbers[path.parent.name] for path in paths], dtype=np.int64)
        rows = draw(labels, size, seed, f"split {split} in {self.folder}")
        chosen = [paths[row] for row in rows]
        images = decode_all(len(rows), lambda n: _bytes(chosen[n]), self.info.shape, lambda n: str(chosen[n]))
        return Arrays(images, labels[rows])

    def _paths(self, split: str) -> list[Path]:
        names = self.info.names(split)
        for name in names:
            paths = [stamp.path for stamp in self.files if stamp.path.parents[1].name == name]
            if paths:
                return paths
        wanted = " or ".join(f"{name}/<class>/" for name in names)
        raise DataError(f"data folder {self.folder} has no images in {wanted}; add the {split} split")

    def _numbers(self) -> dict[str, int]:
        per_split = [{path.parent.name for path in self._paths(split)} for split in ("train", "test")]
        classes = sorted(per_split[0] | per_split[1])
        if len(classes) != self.info.num_classes or per_split[0] != per_split[1]:
            odd = sorted(per_split[0] ^ per_split[1])
            raise DataError(
                f"train and test in {self.folder} must have the same {self.info.num_classes} class folders, "
                f"got {len(per_split[0])} and {len(per_split[1])}{f' (only in one: {odd[:5]})' if odd else ''}"
            )
        if all(name.isdecimal() for name in classes):
            classes.sort(key=int)
        return {name: number for number, name in enumerate(classes)}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check its permissions") from None
