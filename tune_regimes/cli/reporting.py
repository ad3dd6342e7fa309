"""``report`` and ``export``: figures and verdicts from a study, and its tables as single files."""

from argparse import Namespace

from tune_regimes.cli import output
from tune_regimes.cli.locations import located


def report(args: Namespace) -> int:
    """Draw the figures of a study and judge its claims.

    Raises:
        UsageError: There is no study in the folder, or none that has an analysis.
    """
    from analysis import report as write_report
    from tune_regimes.results import Results

    paths = write_report(Results.load(args.path), args.output or located(args.path, "report"))
    if args.json:
        output.document({"paths": [str(path) for path in paths]})
        return 0
    for path in paths:
        output.line(str(path))
    return 0


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
