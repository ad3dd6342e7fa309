"""Hub-style Parquet files: ``<split>-*.parquet`` with an image column (``img`` or ``image``) and a label column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets.arrays import Arrays, Images, Labels, check_classes, check_labels, draw
from tune_regimes.tasks.datasets.decode import decode_all
from tune_regimes.tasks.datasets.files import Stamp, stamps
from tune_regimes.tasks.registry import DatasetInfo

IMAGE_COLUMNS = ("img", "image")
_SHARD = re.compile(r"-(\d+)-of-(\d+)\.parquet$")


@dataclass(frozen=True)
class ParquetFiles:
    """A folder of Parquet files, the layout of image data sets on the Hugging Face hub.

    The image column is ``struct<bytes, path>`` or plain binary, each value an encoded image (PNG, JPEG, ...).
    """

    kind: ClassVar[str] = "Parquet files"
    info: DatasetInfo
    folder: Path
    files: tuple[Stamp, ...]

    @classmethod
    def find(cls, info: DatasetInfo, folder: Path) -> "ParquetFiles | None":
        """The Parquet files of a folder, or of the one folder directly below it that has some."""
        for pattern in ("*.parquet", "*/*.parquet"):
            files = stamps(folder.glob(pattern))
            if files:
                return cls(info, folder, files)
        return None

    def rows(self, split: str) -> int:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        return sum(_open(path).metadata.num_rows for path in self._paths(split))

    def read(self, split: str, size: int | None, seed: int) -> Arrays:
        """See :class:`tune_regimes.tasks.datasets.sources.Source`."""
        paths = self._paths(split)
        parts = [self._labels(path) for path in paths]
        labels = np.concatenate(parts)
        where = f"split {split} in {self.folder}"
        rows = draw(check_classes(labels, self.info.num_classes, where), size, seed, where)
        starts = np.cumsum([0, *map(len, parts)])
        images = [
            self._images(path, rows[(rows >= start) & (rows < end)] - start)
            for path, start, end in zip(paths, starts, starts[1:], strict=False)
        ]
        return Arrays(np.concatenate(images), labels[rows])

    def _paths(self, split: str) -> list[Path]:
        names = self.info.names(split)
        for name in names:
            paths = [stamp.path for stamp in self.files if stamp.path.name.startswith(f"{name}-")]
            if paths:
                _check_shards(paths)
                return paths
        wanted = " or ".join(f"{name}-*.parquet" for name in names)
        raise DataError(f"data folder {self.folder} has no file {wanted}; add the {split} split")

    def _labels(self, path: Path) -> Labels:
        name = _column(path, (self.info.label, "label"), "label")
        column = _read(path, lambda file: file.read(columns=[name])).column(0)
        if not pa.types.is_integer(column.type):
            raise DataError(f"column {name!r} of {path} must hold whole numbers, got {column.type}")
        if column.null_count:
            raise DataError(f"column {name!r} of {path} must have a label in every row, {column.null_count} have none")
        labels = column.to_numpy().astype(np.int64)
        return check_labels(labels, self.info.num_classes, lambda row: _row(path, row))

    def _images(self, path: Path, rows: Labels) -> Images:
        name = _column(path, IMAGE_COLUMNS, "image")
        encoded = list(_encoded(path, name, rows))
        return decode_all(len(rows), encoded.__getitem__, self.info.shape, lambda n: _row(path, int(rows[n])))


def _row(path: Path, row: int) -> str:
    return f"row {row} (counted from 0) of {path}"


def _check_shards(paths: list[Path]) -> None:
    found = {path.name for path in paths}
    for path in paths:
        shard = _SHARD.search(path.name)
        if shard is None:
            continue
        digits, total, stem = len(shard[1]), int(shard[2]), path.name[: shard.start()]
        wanted = {f"{stem}-{n:0{digits}d}-of-{shard[2]}.parquet" for n in range(total)}
        if not wanted <= found:
            raise DataError(f"data folder {path.parent} is incomplete, it lacks {', '.join(sorted(wanted - found))}")


def _read(path: Path, what: Any) -> Any:
    try:
        return what(pq.ParquetFile(path))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no complete Parquet file: {error}; fetch the file again") from None


def _open(path: Path) -> pq.ParquetFile:
    return _read(path, lambda file: file)


def _column(path: Path, accepted: tuple[str, ...], what: str) -> str:
    names = _open(path).schema_arrow.names
    for name in accepted:
        if name in names:
            return name
    raise DataError(
        f"{path} must have the {what} column {' or '.join(map(repr, dict.fromkeys(accepted)))}, "
        f"got {', '.join(names)}; rename the column, or is this another data set?"
    )


def _encoded(path: Path, name: str, rows: Labels) -> Iterator[bytes]:
    """The encoded images of some rows, ascending; row groups without any of them are not read."""
    file, start = _open(path), 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        wanted = rows[(rows >= start) & (rows < end)]
        if wanted.size:
            column = _read(path, lambda file, group=group: file.read_row_group(group, columns=[name])).column(0)
            values = column.combine_chunks()
            values = values.field("bytes") if pa.types.is_struct(values.type) else values
            for row, value in zip(wanted, values.take(wanted - start).to_pylist(), strict=True):
                yield _bytes(value, _row(path, int(row)))
        start = end


def _bytes(value: object, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise DataError(f"{where} has no image bytes, got {type(value).__name__}; store the images in the file")
    return value
