"""The schema: one type rule for every file, plain values from whatever a space gives."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tune_regimes.results.schema import ENDED, STATUSES, TABLES, arrow_schema, config_columns, extra_type, extra_value


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_means(table: str) -> None:
    columns = TABLES[table]
    assert all(column.meaning and not column.meaning.endswith(".") for column in columns)
    assert len({column.name for column in columns}) == len(columns)
    assert arrow_schema(table).names == [column.name for column in columns]


def test_extra_columns_follow_those_of_the_table() -> None:
    schema = arrow_schema("epochs", {"angle": pa.float64()})
    assert schema.names[-2:] == ["source_trial_id", "angle"]
    assert schema.metadata == {b"table": b"epochs", b"schema_version": b"1"}


def test_a_resumed_study_runs_again_what_failed_or_was_interrupted() -> None:
    assert set(STATUSES) - set(ENDED) == {"failed", "running"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], pa.float64()),
        ([np.int64(1), np.float32(2)], pa.float64()),
        ([None], pa.float64()),
        ([], pa.float64()),
        ([True, None], pa.bool_()),
        ([np.bool_(True)], pa.bool_()),
        (["a"], pa.string()),
        ([[1, 2]], pa.string()),
        ([True, 1], pa.string()),
    ],
)
def test_the_type_of_an_extra_column_follows_from_its_values(values: list[object], kind: pa.DataType) -> None:
    assert extra_type(values) == kind
    stored = pa.array([extra_value(value, kind) for value in values], kind)
    assert stored.null_count == values.count(None)


def test_numbers_of_numpy_and_nested_settings_become_plain_json() -> None:
    columns = config_columns({"a": np.float64(0.5), "b": {"c": np.int64(3), "d": (1, 2)}, "e": np.array([1, 2])})
    assert json.loads(columns["config"]) == {"a": 0.5, "b": {"c": 3, "d": [1, 2]}, "e": [1, 2]}
    assert set(columns) == {"config", "config.a", "config.b.c", "config.b.d", "config.e"}


def test_a_setting_that_is_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="a setting must be a number, a truth value, text"):
        config_columns({"loss": object()})
