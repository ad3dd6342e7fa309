"""``plan``: what a study will train and store, before anything runs."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output
from tune_regimes.cli.running import STUDY_OPTIONS, given
from tune_regimes.cli.summary import show_notes

if TYPE_CHECKING:
    from tune_regimes.search.planning import StudyPlan
    from tune_regimes.sharing.plan import Assignment

_HOW = ("max_concurrent", "cpus_per_trial", "quota", "keep_every")
_SHOWN = 10
"""Trials that are shown of who trains what."""


def plan(args: Namespace) -> int:
    """Print the stage tree of a study, what it will cost, and who trains what.

    Raises:
        UsageError: For an unknown study, scale or option, or a quota smaller than one state.
    """
    from tune_regimes.cli.sources import build

    study = build(args.study, args.scale, given(args, STUDY_OPTIONS))
    found = study.plan(storage=args.storage, build=args.build, **given(args, _HOW))
    if args.json:
        output.document(_document(found, whole=args.all))
    else:
        _show(found, whole=args.all)
    return 0


def _show(found: "StudyPlan", *, whole: bool) -> None:
    from tune_regimes.cli.stages import COLUMNS, stage_rows

    made = found.plan
    output.line(f"{found.study}: {_counts(found)}", "bold")
    output.pairs(
        [("asked for", f"{made.asked:,} epochs"), ("trained", _trained(found)), ("duration", _duration(found))]
    )
    output.pairs([("states", _states(found)), ("storage", _storage(found))], width=11)
    show_notes(found.notes)
    if not made.assignments:
        return
    output.line()
    output.line("Stage tree" + (f", alike for each of {found.seeds} seeds" if found.seeds > 1 else ""), "bold")
    output.table(COLUMNS, stage_rows(next(iter(made.tree.roots.values()))))
    output.line()
    output.line("Who trains what; it begins after so many epochs", "bold")
    shown = made.assignments if whole else made.assignments[:_SHOWN]
    columns = {"begins": "right", "trial": "left", "trains": "left", "inherits": "left"}
    output.table(columns, [_assignment(each) for each in shown])
    if len(shown) < len(made.assignments):
        output.line(f"{len(shown)} of {len(made.assignments):,} trials; --all lists every one", "dim")


def _counts(found: "StudyPlan") -> str:
    points = formatting.counted(found.points, "point")
    planned = "" if found.known == found.points else f", {found.known} of them known"
    trials = f"{found.known * found.seeds:,} trials planned"
    return f"{points}{planned}, {formatting.counted(found.seeds, 'seed')} each, {trials}"


def _trained(found: "StudyPlan") -> str:
    return f"{found.plan.trained:,} epochs, {100 * found.plan.saving:.1f} % less"


def _duration(found: "StudyPlan") -> str:
    made = found.plan
    workers = formatting.counted(made.workers, "worker")
    return f"{made.span:,} epochs on {workers}, {made.span_unshared:,} without sharing"


def _states(found: "StudyPlan") -> str:
    made = found.plan
    running = found.states_at_once - made.states_at_once
    kept = f"; others every {formatting.counted(found.kept_every, 'epoch')}" if found.kept_every else ""
    return (
        f"{made.states:,} stored for other trials, at most {made.states_at_once:,} of them needed at once, and one of "
        f"each of {running} running trials{kept}"
    )


def _storage(found: "StudyPlan") -> str:
    if found.state_bytes is None:
        return "unknown"
    at_once, in_all = formatting.size(found.bytes_at_once), formatting.size(found.bytes_in_all)
    quota = "no quota" if found.quota is None else f"quota {formatting.size(found.quota)}"
    return (
        f"{formatting.size(found.state_bytes)} a state: {at_once} needed at once, {in_all} if none is evicted ({quota})"
    )


def _assignment(each: "Assignment") -> tuple[str, str, str, str]:
    trains = formatting.epoch_range(each.inherited + 1, each.epochs) if each.inherited < each.epochs else "nothing"
    inherits = "" if not each.inherited else formatting.epoch_range(1, each.inherited)
    source = f" from {each.source}" if each.source is not None else ""
    return f"{each.begins:,}", str(each.trial), trains, f"{inherits}{source}"


def _document(found: "StudyPlan", *, whole: bool) -> dict[str, Any]:
    made = found.plan
    names = ("workers", "asked", "distinct", "trained", "saving", "span", "span_unshared", "states")
    columns = ("trial", "seed", "source", "inherited", "epochs", "branches", "begins")
    shown = made.assignments if whole else made.assignments[:_SHOWN]
    return {
        **{name: getattr(found, name) for name in ("study", "points", "known", "seeds")},
        **{name: getattr(made, name) for name in names},
        **{name: getattr(found, name) for name in ("states_at_once", "kept_every", "state_bytes", "bytes_at_once")},
        "bytes_in_all": found.bytes_in_all,
        "quota": found.quota,
        "notes": list(found.notes),
        "trials": len(made.assignments),
        "assignments": [{name: getattr(each, name) for name in columns} for each in shown],
    }
