"""``diff``: two trials side by side."""

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output

if TYPE_CHECKING:
    from tune_regimes.results import Difference

Pair = tuple[str, str]


def diff(args: Namespace) -> int:
    """Where two trials part, what they share and how they ended.

    Raises:
        UsageError: There is no such study or trial.
    """
    from tune_regimes.results import Storage, difference, read_spec

    folder = Storage(args.path)
    read_spec(folder)
    found = difference(folder, args.first, args.second)
    if args.json:
        output.document(_document(found))
        return 0
    ids = str(found.first["trial_id"]), str(found.second["trial_id"])
    output.line(f"Trials {ids[0]} and {ids[1]} of {found.first['study']}", "bold")
    output.pairs([("part", _part(found)), ("share", _share(found))])
    if found.parting is not None:
        output.line()
        _show(f"Epoch {found.parting.epoch}", ids, _told(found))
    output.line()
    _show("How they ended", ids, _ended(found))
    return 0


def _show(heading: str, ids: Pair, rows: list[output.Row]) -> None:
    output.table({heading: "left", ids[0]: "right", ids[1]: "right"}, rows)


def _part(found: "Difference") -> str:
    parting = found.parting
    if parting is None:
        known = f" in the {formatting.counted(found.alike, 'epoch')} that are known of both"
        return f"nowhere: their schedules agree{known}"
    before = formatting.counted(found.alike, "epoch")
    if None in parting.places:
        shorter = found.first if parting.places[0] is None else found.second
        return f"after {before}: the schedule of {shorter['trial_id']} ends there"
    return f"in epoch {parting.epoch}, told alike for {before} before" if found.alike else "in their first epoch"


def _share(found: "Difference") -> str:
    if not found.same_seed:
        seeds = f"{found.first['seed']} and {found.second['seed']}"
        return f"nothing: their seeds differ ({seeds})" + (
            ", though their schedules agree so far" if found.alike else ""
        )
    shared = formatting.counted(found.shared, "epoch") if found.shared else "nothing"
    if found.equal >= found.shared:
        return shared
    return (
        f"{shared} by their schedules, but their values differ from epoch {found.equal + 1} on: they were trained "
        "apart, on other hosts, devices, versions or numbers of threads"
    )


def _told(found: "Difference") -> list[output.Row]:
    """The settings in which the epoch differs."""
    parting = found.parting
    assert parting is not None
    places = [f"{place[0]}, epoch {place[1]} in it" if place else "ended" for place in parting.places]
    rows: list[output.Row] = [
        (name.replace("_", " "), *map(formatting.setting, pair)) for name, pair in parting.settings.items()
    ]
    return [("phase", places[0], places[1]), *(rows or [("settings", "differ within the epoch", "")])]


def _ended(found: "Difference") -> list[output.Row]:
    trials = found.first, found.second
    names = [name for name in found.first if name.startswith(("final_", "best_")) and name in found.second]
    counts = ("epochs", "epochs_trained", "epochs_inherited")
    rows: list[output.Row] = [("status", *(str(trial["status"]) for trial in trials))]
    rows += [(name.replace("_", " "), *(formatting.setting(trial[name]) for trial in trials)) for name in counts]
    return rows + [(name, *(formatting.metric(trial[name]) for trial in trials)) for name in names]


def _document(found: "Difference") -> dict[str, Any]:
    from tune_regimes.cli.reading import decoded

    return {
        "trials": [decoded(dict(found.first)), decoded(dict(found.second))],
        "same_seed": found.same_seed,
        "epochs_told_alike": found.alike,
        "epochs_shared": found.shared,
        "epochs_equal": found.equal,
        "parting": None if found.parting is None else asdict(found.parting),
    }
