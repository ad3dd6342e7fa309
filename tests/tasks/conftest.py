"""Small data folders of every kind, written on demand."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pixels(row: int, size: int = 32, channels: int = 3) -> np.ndarray:
    """An image that says which row it is: its first pixel."""
    image = np.random.default_rng(row).integers(0, 256, (size, size, channels), dtype=np.uint8)
    image[0, 0] = row % 256
    return image


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(buffer, kind)
    return buffer.getvalue()


def write_parquet(
    path: Path,
    rows: int = 20,
    *,
    first: int = 0,
    classes: int = 10,
    size: int = 32,
    channels: int = 3,
    image: str = "img",
    label: str = "label",
    flat: bool = False,
    group: int = 7,
    replace_bytes: dict[int, bytes | None] | None = None,
    labels: list[int | None] | None = None,
) -> None:
    values = [encoded(pixels(first + row, size, channels)) for row in range(rows)]
    for row, other in (replace_bytes or {}).items():
        values[row] = other
    cells = values if flat else [{"bytes": value, "path": None} for value in values]
    numbers = [row % classes for row in range(rows)] if labels is None else labels
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({image: cells, label: numbers}), path, row_group_size=group)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A complete folder of Parquet files for cifar10: 30 rows in two training files, 10 test rows."""
    folder = tmp_path / "pack"
    write_parquet(folder / "train-00000-of-00002.parquet", 20)
    write_parquet(folder / "train-00001-of-00002.parquet", 10, first=20)
    write_parquet(folder / "test-00000-of-00001.parquet", 10, first=100)
    return folder


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A complete image folder for cifar10: 3 training images and 1 test image of each of ten classes."""
    folder = tmp_path / "folders"
    for split, count in (("train", 3), ("test", 1)):
        for label in range(10):
            inside = folder / split / f"class{label}"
            inside.mkdir(parents=True)
            for n in range(count):
                (inside / f"{n}.png").write_bytes(encoded(pixels(10 * n + label)))
    return folder


@pytest.fixture
def write() -> SimpleNamespace:
    """The writers, for tests that need a special folder."""
    return SimpleNamespace(parquet=write_parquet, encoded=encoded, pixels=pixels)


@pytest.fixture
def real_pack() -> Path:
    """The folder with all of CIFAR-10 as Parquet files; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10-jpeg"
    folder = Path(os.environ.get("TUNE_REGIMES_CIFAR10", beside))
    if not folder.is_dir():
        pytest.skip(f"no CIFAR-10 in {folder}: set TUNE_REGIMES_CIFAR10 to a folder with its Parquet files")
    return folder
