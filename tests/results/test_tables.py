"""The tables: rows come back as they were written, by our reader and by everybody else's."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune_regimes.errors import StorageError, StudyError
from tune_regimes.results import (
    EPOCHS,
    TRIALS,
    config_columns,
    read_epoch_rows,
    read_epochs,
    read_trial,
    read_trials,
    write_epochs,
    write_trial,
)
from tune_regimes.storage import Storage

Add = Callable[..., str]


def names(columns) -> list[str]:
    return [column.name for column in columns]


def rows_of(count: int, **extra: object) -> list[dict[str, object]]:
    return [{"epoch": epoch + 1, "train_loss": 0.1 * epoch, "inherited": False, **extra} for epoch in range(count)]


def trial(trial_id: str, config: dict[str, object], **columns: object) -> dict[str, object]:
    row = {"study": "demo", "trial_id": trial_id, "point": 0, "seed": 0, "status": "completed"}
    return {**row, **config_columns(config), **columns}


def test_a_study_without_trials_reads_as_empty_tables_with_all_columns(storage: Storage) -> None:
    assert list(read_trials(storage).columns) == names(TRIALS)
    assert list(read_epochs(storage).columns) == names(EPOCHS)
    assert read_epoch_rows(storage, "00000-s0") == []


def test_rows_come_back_as_they_were_written(storage: Storage) -> None:
    rows = rows_of(3, lr=0.1 + 0.2, optimizer="sgd", test_loss=None, source_trial_id=None, angle=90)
    rows[2]["train_loss"] = math.inf
    write_epochs(storage, "t", rows)
    back = read_epoch_rows(storage, "t")
    assert [{name: row[name] for name in rows[0]} for row in back] == rows
    assert {row["trial_id"] for row in back} == {"t"}
    write_epochs(storage, "t", [*back, {**back[0], "epoch": 4}])
    assert read_epoch_rows(storage, "t")[:3] == back


def test_null_and_nan_stay_apart(storage: Storage) -> None:
    write_epochs(storage, "t", rows_of(1, train_accuracy=math.nan, test_loss=None))
    (row,) = read_epoch_rows(storage, "t")
    assert math.isnan(row["train_accuracy"])
    assert row["test_loss"] is None


def test_writing_again_replaces_the_history(storage: Storage) -> None:
    write_epochs(storage, "t", rows_of(5))
    write_epochs(storage, "t", rows_of(2))
    assert list(read_epochs(storage)["epoch"]) == [1, 2]


@pytest.mark.parametrize("epochs", [[2], [1, 1], [1, 3], [0, 1], [2, 1], [None]])
def test_a_history_with_a_gap_or_a_double_epoch_is_refused(storage: Storage, epochs: list[int]) -> None:
    with pytest.raises(ValueError, match="1, 2, 3"):
        write_epochs(storage, "t", [{"epoch": epoch} for epoch in epochs])
    assert not storage.exists("epochs")


def test_rows_of_another_trial_are_refused(storage: Storage) -> None:
    with pytest.raises(ValueError, match="rows of other"):
        write_epochs(storage, "t", [{"epoch": 1, "trial_id": "other"}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "finished"}, "status must be one of completed, pruned"),
        ({"status": None}, "status must be"),
        ({"seed": None}, "column seed of trials"),
        ({"config": None}, "column config of trials"),
    ],
)
def test_a_trial_without_what_every_trial_has_is_refused(
    storage: Storage, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_trial(storage, trial("t", {}) | change)
    assert not storage.exists("trials")


def test_chosen_trials_are_read_alone_and_those_without_epochs_are_left_out(storage: Storage) -> None:
    for trial_id in ("a", "b", "c"):
        write_epochs(storage, trial_id, rows_of(2))
    assert list(read_epochs(storage, ["c", "a", "nowhere"])["trial_id"]) == ["a", "a", "c", "c"]
    assert read_epochs(storage, []).empty


def test_one_trial_is_read_as_a_row(storage: Storage) -> None:
    write_trial(storage, trial("a", {"lr": 0.1}, reason=None, epochs=3))
    row = read_trial(storage, "a")
    assert (row["reason"], row["epochs"], row["config.lr"], row["schema_version"]) == (None, 3, 0.1, 1)
    with pytest.raises(StudyError, match=r"got 'b'; known: a$"):
        read_trial(storage, "b")


def test_settings_of_both_whole_and_fractional_numbers_are_one_column_of_doubles(storage: Storage) -> None:
    write_trial(storage, trial("a", {"lr": 1, "n": 3}))
    write_trial(storage, trial("b", {"lr": 0.5, "n": 4}))
    frame = read_trials(storage)
    assert list(frame["config.lr"]) == [1.0, 0.5]
    assert frame["config.lr"].dtype == frame["config.n"].dtype == float
    assert [read_trial(storage, name)["config"] for name in "ab"] == ['{"lr": 1, "n": 3}', '{"lr": 0.5, "n": 4}']


def test_a_setting_that_only_some_trials_have_is_null_elsewhere(storage: Storage) -> None:
    write_trial(storage, trial("a", {"lr": 1}))
    write_trial(storage, trial("b", {"lr": 1, "name": "x", "tail": {"epochs": 2}, "flag": True, "list": [1, 2]}))
    rows = [read_trial(storage, name) for name in "ab"]
    frame = read_trials(storage)
    assert rows[1]["config.name"] == "x"
    assert rows[1]["config.flag"] is True
    assert rows[1]["config.list"] == "[1, 2]"
    assert frame["config.tail.epochs"].isna().tolist() == frame["config.name"].isna().tolist() == [True, False]


def test_a_setting_that_mixes_numbers_and_text_reads_as_text(storage: Storage) -> None:
    for name, value in {"a": 4, "b": "auto", "c": None, "d": True}.items():
        write_trial(storage, trial(name, {"x": value}))
    frame = read_trials(storage)
    assert frame["config.x"].dropna().tolist() == ["4", "auto", "true"]
    assert frame["config.x"].isna().tolist() == [False, False, True, False]


def test_a_metric_that_is_null_throughout_does_not_spoil_the_column(storage: Storage) -> None:
    write_epochs(storage, "a", rows_of(1, test_top5=None))
    write_epochs(storage, "b", rows_of(1, test_top5=0.5))
    frame = read_epochs(storage)
    assert frame["test_top5"].dtype == float
    assert frame["test_top5"].isna().tolist() == [True, False]


def test_pandas_and_pyarrow_read_the_folders_without_our_code(study: Storage) -> None:
    trials, epochs = (pd.read_parquet(f"{study.uri}/{table}") for table in ("trials", "epochs"))
    assert len(trials) == 11
    assert len(epochs) == 10 * 3 + 2
    assert not epochs.duplicated(["trial_id", "epoch"]).any()
    assert trials["config.lr"].tolist() == read_trials(study)["config.lr"].tolist()
    table = ds.dataset(f"{study.uri}/epochs").to_table(filter=ds.field("epoch") == 2)
    assert table.num_rows == 11
    assert table["test_loss"].null_count == 1


def test_a_write_in_progress_is_no_data_to_any_reader(study: Storage) -> None:
    Path(study.path("epochs/.00009-s0.parquet.0123456789ab.tmp")).write_bytes(b"PAR1 half")
    assert len(read_epochs(study)) == len(pd.read_parquet(f"{study.uri}/epochs")) == 32


def test_units_meanings_and_version_travel_in_the_file(study: Storage) -> None:
    schema = pq.read_schema(study.path("trials/00000-s0.parquet"))
    assert schema.metadata[b"schema_version"] == b"1"
    assert schema.field("train_seconds").metadata[b"unit"] == b"seconds"
    assert b"seed" in schema.field("seed").metadata[b"meaning"].lower()


def test_a_damaged_file_is_named(study: Storage) -> None:
    path = Path(study.path("epochs/00001-s1.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"/demo/epochs/00001-s1.parquet is not .*; delete it and resume the study"):
        read_epochs(study)
    assert not read_epochs(study, ["00001-s0"]).empty


def test_a_study_is_read_while_trials_are_rewritten(study: Storage, add: Add) -> None:
    for seed in range(3, 8):
        add(0, seed, {"lr": 0.1, "only_now": seed}, "running")
        assert len(read_trials(study)) == 9 + seed
    assert sorted(os.listdir(study.path("trials"))) == study.list("trials")


NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
VALUES = st.none() | st.booleans() | NUMBERS | st.text("ab1é", max_size=5)
CONFIGS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), min_size=1, max_size=4)


@settings(deadline=None, max_examples=40)
@given(CONFIGS)
def test_any_configurations_read_as_one_table(configs: list[dict[str, object]]) -> None:
    storage = Storage("mock:///study")
    for index, config in enumerate(configs):
        write_trial(storage, trial(str(index), config))
    frame = read_trials(storage)
    assert frame["config"].tolist() == [config_columns(config)["config"] for config in configs]
    present = {f"config.{name}" for config in configs for name in config}
    assert set(frame.columns) == set(names(TRIALS)) | present
    for column in present:
        expected = [config.get(column.removeprefix("config.")) is None for config in configs]
        assert frame[column].isna().tolist() == expected
