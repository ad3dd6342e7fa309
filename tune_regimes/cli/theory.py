"""``theory``: the toy experiments of the papers, which need no network and no study."""

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import output
from tune_regimes.cli.reporting import show_findings

if TYPE_CHECKING:
    from analysis.theory.experiments import Experiment


def theory(args: Namespace) -> int:
    """Run one toy experiment and write its report, or list what there is.

    Raises:
        UsageError: There is no experiment of that name, or the report cannot be written.
    """
    return _list(args) if args.name is None else _run(args)


def _list(args: Namespace) -> int:
    from analysis.theory.experiments import experiments

    if args.json:
        output.document([as_document(experiment) for experiment in experiments()])
        return 0
    for experiment in experiments():
        output.line(experiment.name, "bold")
        output.pairs([(name, text) for name, text in _words(experiment).items()])
        output.line()
    return 0


def _run(args: Namespace) -> int:
    from analysis.theory.experiments import find_experiment

    found = find_experiment(args.name)()
    paths = found.write(args.output or f"theory/{args.name}")
    if args.json:
        verdicts = [asdict(verdict) for verdict in found.verdicts]
        output.document({"verdicts": verdicts, "sections": found.sections, "paths": paths})
        return 0
    show_findings(found, paths)
    return 0


def as_document(experiment: "Experiment") -> dict[str, Any]:
    """An experiment as JSON."""
    return {field: getattr(experiment, field) for field in ("name", "summary", "source", "figures", "claims")}


def _words(experiment: "Experiment") -> dict[str, str]:
    return {
        "what": experiment.summary,
        "source": experiment.source,
        "figures": ", ".join(experiment.figures),
        "claims": ", ".join(experiment.claims),
    }
