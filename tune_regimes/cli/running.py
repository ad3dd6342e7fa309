"""``run`` and ``resume``: start a study, show it, and say at the end what came out and what to type next."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output, summary
from tune_regimes.cli.display import Display, make_display
from tune_regimes.cli.locations import located, parted

if TYPE_CHECKING:
    from tune_regimes.results import Results
    from tune_regimes.search import Study

STUDY_OPTIONS = (
    "data",
    "model",
    "augment",
    "epochs",
    "samples",
    "seeds",
    "scheduler",
    "searcher",
    "cost",
    "name",
    "probes",
)
_PLACES = ("max_concurrent", "cpus_per_trial", "gpus_per_trial", "address", "time_budget", "save_every")
HOW = (*_PLACES, "share", "store", "quota", "keep_every")
INTERRUPTED = 130


def run(args: Namespace) -> int:
    """Run a study of the catalogue or of a user's module; one that is stored already goes on.

    Raises:
        UsageError: As `Study.run`, and for what the command line alone can get wrong.
    """
    from tune_regimes.cli.sources import build

    study = build(args.study, args.scale, given(args, STUDY_OPTIONS))
    return _drive(study, args, args.storage, study.run)


def resume(args: Namespace) -> int:
    """Go on with the study in a folder, built again from its ``study.json``.

    Raises:
        UsageError: As `Study.resume`, and where the study cannot be built again.
    """
    from tune_regimes.cli.sources import rebuild
    from tune_regimes.results import Storage, read_spec

    spec = read_spec(Storage(args.path))
    storage = parted(args.path, spec["name"])
    study = rebuild(spec, args.path, given(args, ("data",)))
    return _drive(study, args, storage, study.resume)


def given(args: Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The options that the user gave; the place of the data is made absolute, as a worker may stand elsewhere."""
    found = {name: getattr(args, name) for name in names if name in args}
    # A quota of None is one that was given: no limit.
    found = {name: value for name, value in found.items() if value is not None or name == "quota"}
    if "data" in found:
        found["data"] = os.path.abspath(os.path.expanduser(found["data"]))
    return found


def _drive(study: "Study", args: Namespace, storage: str, call: "Callable[..., Results]") -> int:
    """Run a study under a display, then sum it up; a signal ends it with what is stored and how to go on."""
    from tune_regimes.search import StudyInterrupted

    path = located(storage, study.name)
    how = given(args, HOW)
    stream = sys.stderr if args.json else sys.stdout
    title = f"{study.name}, {formatting.counted(study.trials, 'trial')} into {path}"
    display = make_display(title, study.metric, stream, quiet=args.quiet)
    try:
        with display:
            call(storage, **how, on_progress=display)
    except (StudyInterrupted, KeyboardInterrupt):
        return _finish(study, path, how, display, args, interrupted=True)
    return _finish(study, path, how, display, args, interrupted=False)


def _finish(
    study: "Study", path: str, how: dict[str, Any], display: Display, args: Namespace, *, interrupted: bool
) -> int:
    command = ["tune-regimes", "resume", path, *flags(how)]
    ending = summary.Ending.of(path, study.trials, display.last, command, interrupted=interrupted)
    if args.json:
        output.document(ending.document())
    else:
        summary.show(ending)
    if interrupted:
        return INTERRUPTED
    return 1 if ending.states.get("failed") else 0


def flags(how: Mapping[str, Any]) -> list[str]:
    """Options as they were given, but for the time budget, which has been spent.

    Examples:
        >>> flags({"cpus_per_trial": 2.0, "share": False, "quota": None, "time_budget": 60.0})
        ['--cpus-per-trial', '2.0', '--no-share', '--quota', 'none']
    """
    found: list[str] = []
    for name, value in how.items():
        if name == "share":
            found.append("--no-share")
        elif name != "time_budget":
            text = formatting.size_argument(value) if name == "quota" else f"{value}"
            found += [f"--{name.replace('_', '-')}", text]
    return found
