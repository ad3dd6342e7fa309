"""``locate``: the two regimes of a task, a picture of them, and a two-phase search space ready to run."""

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import output
from tune_regimes.cli.reporting import show_findings
from tune_regimes.cli.running import given

if TYPE_CHECKING:
    import pandas as pd

    from tune_regimes.tasks import TaskSpec

_SEARCH = ("epochs", "seeds", "warm_up", "weight_decay", "lowest", "highest", "store", "device", "threads")


def locate(args: Namespace) -> int:
    """Search the regimes, draw them, and write report and search space.

    Raises:
        UsageError: As `tune_regimes.locate`, and where a regime was not found: then the report is written, and no
            search space.
    """
    from tune_regimes.search.two_phase_study import FILE, plain_name

    task = _task(args)
    folder = args.output or os.path.join("locate", plain_name(task))
    options = given(args, _SEARCH) | ({} if args.momentum is None else {"momenta": args.momentum})
    return _locate(args, task, folder, os.path.join(folder, FILE), options)


def _locate(args: Namespace, task: "TaskSpec", folder: str, file: str, options: dict[str, Any]) -> int:
    from analysis.located import Located
    from tune_regimes.search.locate import locate

    stream = sys.stderr if args.json else sys.stdout
    show = None if args.quiet else lambda run: output.line(_progress(run), stream=stream)
    found = locate(task, output=folder, on_point=show, **options)
    command = ["tune-regimes", "run", file, "--store", options.get("store", os.path.join(folder, "states"))]
    document = Located(found, command)
    paths = document.write(folder)
    found.write_study(file)
    if args.json:
        output.document({**document.content(), "paths": [*paths, file], "next": command})
        return 0
    output.line(stream=stream)
    show_findings(document, [*paths, file])
    return 0


def _task(args: Namespace) -> "TaskSpec":
    """The task that the command line names; one of the user's own is registered by its module."""
    from tune_regimes.cli.sources import imported
    from tune_regimes.tasks import task

    module, _, name = args.task.rpartition(":")
    if module:
        imported(module)
    named = given(args, ("data", "augment"))
    return task(name, **named, **dict(args.option or ()))


def _progress(run: "pd.Series[Any]") -> str:
    ended = "diverges" if run["diverges"] else f"falls in {run['falling']:.0%} of epochs, to {run['final_loss']:.4g}"
    return f"momentum {run['momentum']:g}  lr {run['lr']:<8.3g}  step size {run['step_size']:<8.3g}  {ended}"
