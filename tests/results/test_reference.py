"""docs/results.md is the schema in words."""

from pathlib import Path

from tune_regimes.results.reference import reference
from tune_regimes.results.schema import TABLES

DOCS = Path(__file__).parents[2] / "docs" / "results.md"


def test_the_committed_reference_is_in_step_with_the_schema() -> None:
    assert DOCS.read_text() == reference(), "run: python -m tune_regimes.results.reference > docs/results.md"


def test_the_reference_holds_every_column_once_per_table() -> None:
    text = reference()
    for columns in TABLES.values():
        for column in columns:
            assert f"| `{column.name}` | {column.type} | {column.unit}".rstrip() in text
