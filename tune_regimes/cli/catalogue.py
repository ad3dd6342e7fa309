"""``studies``: the catalogue of studies that can be run by name."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import output

if TYPE_CHECKING:
    from search_spaces.catalogue import StudyEntry


def studies(args: Namespace) -> int:
    """List the studies with their figures, claims and scales."""
    from search_spaces.catalogue import studies as entries

    if args.json:
        output.document([as_document(entry) for entry in entries()])
        return 0
    for entry in entries():
        output.line(entry.name, "bold")
        output.pairs(
            [
                ("what", entry.summary),
                ("source", entry.source),
                ("figures", ", ".join(entry.figures)),
                ("claims", ", ".join(entry.claims)),
                *((f"--scale {name}", scale.summary) for name, scale in entry.scales.items()),
            ]
        )
        output.line()
    return 0


def as_document(entry: "StudyEntry") -> dict[str, Any]:
    """An entry of the catalogue as JSON."""
    fields = ("summary", "task", "epochs", "samples", "seeds")
    scales = {name: {field: getattr(scale, field) for field in fields} for name, scale in entry.scales.items()}
    named = ("name", "summary", "source", "figures", "claims")
    return {**{field: getattr(entry, field) for field in named}, "scales": scales}
