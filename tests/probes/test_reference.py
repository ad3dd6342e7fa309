"""docs/probes.md is the probes in words."""

from pathlib import Path

from tune_regimes.probes import PROBES, probe_class
from tune_regimes.probes.reference import cell, reference

DOCS = Path(__file__).parents[2] / "docs" / "probes.md"


def test_the_committed_reference_is_in_step_with_the_probes() -> None:
    assert DOCS.read_text() == reference(), "run: python -m tune_regimes.probes.reference > docs/probes.md"


def test_the_reference_holds_every_column_with_its_meaning() -> None:
    text = reference()
    for name in PROBES:
        for column in probe_class(name)().columns():
            assert f"| `{column.name}` | {column.unit}".rstrip() in text
            assert cell(column.meaning) in text
