"""Parquet files: rows in order, only those that are needed, and every defect named with its file and row."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tune_regimes.errors import DataError
from tune_regimes.tasks.datasets import parquet
from tune_regimes.tasks.datasets.parquet import ParquetFiles
from tune_regimes.tasks.registry import DATASETS

INFO = DATASETS["cifar10"]


def source(folder: Path, dataset: str = "cifar10") -> ParquetFiles:
    found = ParquetFiles.find(DATASETS[dataset], folder)
    assert found is not None
    return found


def test_rows_come_in_the_order_of_the_files(pack: Path) -> None:
    train = source(pack).read("train", None, 0)
    assert train.images[:, 0, 0, 0].tolist() == list(range(30))
    assert train.labels.tolist() == [row % 10 for row in range(30)]
    assert source(pack).rows("train") == 30


def test_a_smaller_split_holds_the_same_rows_as_a_draw_from_the_whole(pack: Path) -> None:
    drawn = source(pack).read("train", 10, 3)
    assert sorted(drawn.labels.tolist()) == list(range(10))
    assert drawn.images[:, 0, 0, 0].tolist() == sorted(drawn.images[:, 0, 0, 0].tolist())
    assert np.array_equal(drawn.images[:, 0, 0, 0] % 10, drawn.labels)


def test_only_the_rows_that_are_drawn_are_decoded(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    decode_all = parquet.decode_all
    monkeypatch.setattr(parquet, "decode_all", lambda count, *rest: (counts.append(count), decode_all(count, *rest))[1])
    source(pack).read("train", 12, 0)
    assert sum(counts) == 12


@pytest.mark.parametrize("options", [{"image": "image"}, {"flat": True}, {"image": "image", "flat": True}])
def test_the_image_column_has_either_name_and_either_form(
    write: SimpleNamespace, tmp_path: Path, options: dict[str, object]
) -> None:
    write.parquet(tmp_path / "train-0.parquet", **options)
    assert source(tmp_path).read("train", None, 0).images[:, 0, 0, 0].tolist() == list(range(20))


def test_cifar100_is_labelled_by_its_fine_label(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", 100, classes=100, label="fine_label")
    assert source(tmp_path, "cifar100").read("train", None, 0).labels.tolist() == list(range(100))


def test_a_folder_below_is_looked_into(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "plain_text" / "train-0.parquet")
    assert source(tmp_path).rows("train") == 20


def test_grey_images_have_one_channel(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", size=28, channels=1)
    assert source(tmp_path, "mnist").read("train", None, 0).images.shape == (20, 28, 28, 1)


def test_a_missing_split_is_named(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet")
    with pytest.raises(DataError, match=r"has no file test-\*\.parquet"):
        source(tmp_path).rows("test")


def test_imagenet_is_tested_on_its_validation_images(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "test-0.parquet", 3, labels=[-1] * 3)
    with pytest.raises(DataError, match=r"has no file val-\*\.parquet or validation-\*\.parquet; add the test split"):
        source(tmp_path, "imagenet32").rows("test")
    write.parquet(tmp_path / "validation-0.parquet", 5)
    assert source(tmp_path, "imagenet32").rows("test") == 5


def test_a_missing_file_of_several_is_named(pack: Path) -> None:
    (pack / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"lacks train-00000-of-00002\.parquet"):
        source(pack).read("train", None, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_file_cut_off_anywhere_is_named(write: SimpleNamespace, tmp_path: Path, share: float) -> None:
    path = tmp_path / "train-0.parquet"
    if not (tmp_path / "whole").exists():
        write.parquet(path)
        (tmp_path / "whole").write_bytes(path.read_bytes())
    whole = (tmp_path / "whole").read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"train-0\.parquet is no complete Parquet file"):
        source(tmp_path).read("train", None, 0)


def test_a_file_with_a_hole_is_named(write: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "train-0.parquet"
    write.parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(3000) + content[3004:])
    with pytest.raises(DataError, match=r"train-0\.parquet"):
        source(tmp_path).read("train", None, 0)


def test_an_image_that_cannot_be_decoded_is_named_with_file_and_row(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", replace_bytes={13: b"no image"})
    with pytest.raises(DataError, match=r"row 13 \(counted from 0\) of .*train-0\.parquet cannot be decoded"):
        source(tmp_path).read("train", None, 0)


def test_an_image_that_is_only_a_path_is_named_with_file_and_row(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", replace_bytes={8: None})
    with pytest.raises(DataError, match=r"row 8 .*train-0\.parquet has no image bytes"):
        source(tmp_path).read("train", None, 0)


def test_an_image_of_another_size_is_named_with_file_and_row(write: SimpleNamespace, tmp_path: Path) -> None:
    other = write.encoded(write.pixels(0, 31))
    write.parquet(tmp_path / "train-0.parquet", replace_bytes={19: other})
    with pytest.raises(DataError, match=r"must be 32x32 RGB, row 19 .*train-0\.parquet is 31x31 RGB"):
        source(tmp_path).read("train", None, 0)


def test_a_label_out_of_range_is_named_with_file_and_row(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", labels=[*range(10), 10, *range(9)])
    with pytest.raises(DataError, match=r"0\.\.9, got 10 in row 10 .*train-0\.parquet"):
        source(tmp_path).read("train", None, 0)


def test_a_row_without_a_label_is_refused(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", labels=[*range(10), None, *range(9)])
    with pytest.raises(DataError, match="1 have none"):
        source(tmp_path).read("train", None, 0)


def test_labels_that_are_no_numbers_are_refused(write: SimpleNamespace, tmp_path: Path) -> None:
    write.parquet(tmp_path / "train-0.parquet", labels=["cat"] * 20)
    with pytest.raises(DataError, match="must hold whole numbers, got"):
        source(tmp_path).read("train", None, 0)


@pytest.mark.parametrize(("change", "said"), [({"image": "picture"}, "'img' or 'image'"), ({"label": "y"}, "'label'")])
def test_a_missing_column_is_named_with_those_that_are_there(
    write: SimpleNamespace, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    write.parquet(tmp_path / "train-0.parquet", **change)
    with pytest.raises(DataError, match=f"must have the .* column {said}, got "):
        source(tmp_path).read("train", None, 0)


def test_the_data_of_another_data_set_are_refused(pack: Path) -> None:
    with pytest.raises(DataError, match="must hold all 100 classes, got 10"):
        source(pack, "cifar100").read("train", None, 0)


def test_a_source_changes_with_its_files(pack: Path, write: SimpleNamespace) -> None:
    before = source(pack)
    assert before == source(pack)
    assert hash(before) == hash(source(pack))
    write.parquet(pack / "test-00000-of-00001.parquet", 20)
    assert source(pack) != before
