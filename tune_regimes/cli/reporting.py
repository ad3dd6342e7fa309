"""``report`` and ``export``: verdicts and figures from a study, and its tables as single files."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from tune_regimes.cli import output
from tune_regimes.cli.locations import located
from tune_regimes.cli.summary import tables

if TYPE_CHECKING:
    from analysis.document import Document
    from analysis.verdicts import Verdict

_STYLES = {"holds": "green", "does not hold": "red", "undecided": "yellow"}


def report(args: Namespace) -> int:
    """Judge the claims of a study, draw its figures and write both down.

    Raises:
        UsageError: There is no study in the folder, or nothing to report yet.
    """
    from analysis import analyse
    from tune_regimes.results import Results

    found = analyse(Results.load(args.path), [Results.load(path) for path in args.others])
    paths = found.write(args.output or located(args.path, "report"))
    if args.json:
        verdicts = [asdict(verdict) for verdict in found.verdicts]
        output.document({"verdicts": verdicts, "sections": found.sections, "paths": paths, "tables": tables(args.path)})
        return 0
    show_findings(found, paths)
    output.line("Parquet tables", "bold")
    output.pairs(list(tables(args.path).items()))
    return 0


def show_findings(found: "Document", paths: Sequence[str]) -> None:
    """Print what a report says, and where it was written."""
    for heading, lines in found.sections.items():
        _show_list(heading, lines.splitlines() if isinstance(lines, str) else lines)
    if found.verdicts:
        output.line("Verdicts", "bold")
    for verdict in found.verdicts:
        _show_verdict(verdict)
    if found.verdicts:
        output.line()
    _show_list("Report and figures", paths)


def _show_verdict(verdict: "Verdict") -> None:
    grounds = "; ".join(filter(None, (verdict.measured, verdict.counted and f"n: {verdict.counted}", verdict.note)))
    name = f"{verdict.claim:<6} {verdict.verdict}"
    output.pairs([(name, f"{verdict.statement}\n{grounds}")], _STYLES[verdict.verdict], width=22)


def _show_list(heading: str, lines: Sequence[str]) -> None:
    output.line(heading, "bold")
    for text in lines:
        output.line(f"  {text}")
    output.line()


def export(args: Namespace) -> int:
    """Write trials, epochs and points as one file each.

    Raises:
        UsageError: There is no study in the folder, or the files exist and are not to be replaced.
    """
    from tune_regimes.results import Results

    paths = Results.load(args.path).export(args.directory, args.format, overwrite=args.overwrite)
    if args.json:
        output.document({"paths": paths})
        return 0
    for path in paths:
        output.line(path)
    return 0
