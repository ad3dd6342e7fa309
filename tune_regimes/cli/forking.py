"""``fork``: another tail for a trial that has ended."""

import os
import shlex
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output, summary
from tune_regimes.cli.display import Display, make_display
from tune_regimes.cli.running import HOW, INTERRUPTED, flags, given

if TYPE_CHECKING:
    from tune_regimes.tasks import TaskSpec

Row = dict[str, Any]


def fork(args: Namespace) -> int:
    """Continue a trial that has ended from one of its epochs with another tail.

    Raises:
        UsageError: As `Study.fork`, and where the task cannot be built from ``study.json``.
    """
    from tune_regimes.results import Storage, read_spec, read_trial
    from tune_regimes.search import StudyInterrupted
    from tune_regimes.search.fork import fork_trial, requested

    folder, how = Storage(args.path), given(args, HOW)
    study = read_spec(folder)
    requested(folder, args.trial, args.at, args.tail, how)
    title = f"{study['name']}, trial {args.trial} from epoch {args.at} on with another tail"
    display = make_display(title, study["metric"], sys.stderr if args.json else sys.stdout, quiet=args.quiet)
    task = _task(study, given(args, ("data",)))
    try:
        with display:
            name = fork_trial(folder, args.trial, args.at, args.tail, how, task=task, on_progress=display)
    except (StudyInterrupted, KeyboardInterrupt):
        return _interrupted(args, how, display)
    trial = read_trial(folder, name)
    follow = ["tune-regimes", "diff", args.path, args.trial, name]
    if args.json:
        output.document({**_document(trial, display), "state": "complete", "next": follow})
    else:
        _show(trial, read_trial(folder, args.trial), study["metric"], display, follow)
    return 1 if trial["status"] == "failed" else 0


def _task(study: Row, changes: Row) -> "TaskSpec":
    """The study's task, with its data where they lie now; a module of the user's is looked for where they stand."""
    from tune_regimes.tasks import TaskSpec

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    task = study["task"]
    return TaskSpec.from_dict({**task, "options": {**task["options"], **changes}})


def _interrupted(args: Namespace, how: Row, display: Display) -> int:
    from tune_regimes.schedule import phase_to_text

    tail = [part for phase in args.tail for part in ("--tail", phase_to_text(phase))]
    again = ["tune-regimes", "fork", args.path, args.trial, "--at", f"{args.at}", *tail, *flags(how)]
    if args.json:
        output.document({"state": "interrupted", "notes": _notes(display), "next": again})
    else:
        summary.show_notes(_notes(display))
        output.line("Interrupted; the same fork goes on where it was left", "bold yellow")
        output.line(f"  {shlex.join(again)}")
    return INTERRUPTED


def _show(trial: Row, original: Row, metric: str, display: Display, follow: list[str]) -> None:
    output.line(f"Trial {trial['trial_id']}, forked from {original['trial_id']}", "bold")
    output.pairs(
        [
            ("status", f"{trial['status']}: {trial['reason']}" if trial["reason"] else trial["status"]),
            ("epochs", formatting.epochs(trial["epochs_trained"] or 0, trial["epochs_inherited"] or 0)),
            (metric, f"{_final(trial, metric)}; {original['trial_id']} ended at {_final(original, metric)}"),
        ]
    )
    summary.show_notes(_notes(display))
    output.line()
    output.line("Side by side", "bold")
    output.line(f"  {shlex.join(follow)}")


def _final(trial: Row, metric: str) -> str:
    return formatting.metric(trial.get(f"final_{metric}"))


def _notes(display: Display) -> list[str]:
    return [] if display.last is None else list(display.last.notes)


def _document(trial: Row, display: Display) -> Row:
    from tune_regimes.cli.reading import decoded

    return {"trial": decoded(trial), "notes": _notes(display)}
