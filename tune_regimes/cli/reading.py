"""``status``, ``show`` and ``best``: read a study back from its Parquet tables, also while it runs."""

import json
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output
from tune_regimes.cli.schedules import schedule_rows
from tune_regimes.cli.summary import failures, forks_of, show_best, states_of, stored_states

if TYPE_CHECKING:
    import pandas as pd

    from tune_regimes.results import Results

Row = dict[str, Any]

_LONGEST = 30
"""Epochs of a history that are shown; of a longer one the ends of its phases and evenly spaced others."""


def status(args: Namespace) -> int:
    """Trials by state and epochs done, from the tables as they are now.

    Raises:
        UsageError: There is no study in the folder.
    """
    results = _load(args.path)
    found = _status(results)
    if args.json:
        output.document(found)
        return 0
    output.line(f"{found['study']}: {found['ended']} of {formatting.counted(found['expected'], 'trial')} ended", "bold")
    output.pairs(
        [
            ("trials", stored_states(found["trials"])),
            *([("forks", stored_states(found["forks"]))] if found["forks"] else []),
            ("epochs", formatting.epochs(found["epochs_trained"], found["epochs_inherited"])),
            ("task", found["task"]),
            ("begun", f"{formatting.moment(found['created'])} on {found['host']}"),
            ("last write", _ago(found["seconds_since_write"])),
        ]
    )
    for reason in failures(results):
        output.line(f"  failed  {reason}", "red")
    if found["ended"]:
        output.line()
        show_best(results, complete=found["ended"] == found["expected"])
    return 0


def _status(results: "Results") -> Row:
    spec = results.spec
    expected = int(spec.get("trials", len(results.trials)))
    states = states_of(results, expected)
    return {
        "study": spec["name"],
        "path": str(results.storage),
        "task": spec.get("task", {}).get("name"),
        "created": spec.get("created"),
        "host": spec.get("host"),
        "expected": expected,
        "ended": sum(count for state, count in states.items() if state not in ("running", "waiting")),
        "trials": states,
        "forks": forks_of(results),
        **{name: int(results.trials[name].sum()) for name in ("epochs", "epochs_trained", "epochs_inherited")},
        "seconds_since_write": _age(results),
    }


def _age(results: "Results") -> float | None:
    """Seconds since a trial was last stored; None before the first."""
    from pyarrow.fs import FileSelector

    selector = FileSelector(results.storage.path("trials"), allow_not_found=True)
    times = [info.mtime_ns for info in results.storage.filesystem.get_file_info(selector)]
    return time.time() - max(times) / 1e9 if times else None


def _ago(seconds: float | None) -> str:
    return "none yet" if seconds is None else f"{formatting.duration(max(seconds, 0.0))} ago"


def show(args: Namespace) -> int:
    """One trial: its config, schedule and history.

    Raises:
        UsageError: There is no such study or trial.
    """
    from tune_regimes.results import read_epoch_rows, read_trial
    from tune_regimes.schedule import policy_from_json

    storage = _load(args.path).storage
    trial = read_trial(storage, args.trial)
    history = read_epoch_rows(storage, args.trial)
    if args.json:
        output.document({**decoded(trial), "history": history})
        return 0
    output.line(f"Trial {args.trial} of {trial['study']}", "bold")
    output.pairs(
        [
            ("status", f"{trial['status']}: {trial['reason']}" if trial["reason"] else trial["status"]),
            ("point, seed", f"{trial['point']}, {trial['seed']}"),
            ("config", formatting.config(json.loads(trial["config"]))),
            *_schedule(policy_from_json(trial["schedule"])),
            ("trained", _trained(trial)),
        ]
    )
    output.line()
    _show_history(history, whole=args.all)
    return 0


def decoded(trial: Row) -> Row:
    """The row of a trial with its JSON columns as values."""
    return {**trial, **{name: json.loads(trial[name]) for name in ("config", "schedule", "versions") if trial[name]}}


def _schedule(schedule: Any) -> list[tuple[str, str]]:
    return [(name, f"{epochs}: {settings}") for name, epochs, settings in schedule_rows(schedule)]


def _trained(trial: Row) -> str:
    epochs = formatting.counted(trial["epochs_trained"] or 0, "epoch")
    inherited = f"; {trial['epochs_inherited']} inherited" if trial["epochs_inherited"] else ""
    return (
        f"{epochs} in {formatting.duration(trial['train_seconds'])} on {trial['host']} ({trial['device']}){inherited}"
    )


def _show_history(history: Sequence[Row], *, whole: bool) -> None:
    shown = list(history) if whole else thinned(history)
    metrics = [name for name in (history[0] if history else {}) if name.startswith(("train_", "test_"))]
    columns = dict.fromkeys(("epoch", "phase", "lr", "momentum", *metrics), "right")
    columns |= {"source_trial_id": "left"} if any(row.get("inherited") for row in shown) else {}
    output.table(columns, [[_cell(name, row[name]) for name in columns] for row in shown])
    if len(shown) < len(history):
        output.line(f"{len(shown)} of {len(history)} epochs; --all shows every one", "dim")


def _cell(name: str, value: Any) -> str:
    if isinstance(value, int | str):
        return str(value)
    return formatting.metric(value) if name.startswith(("train_", "test_")) else formatting.number(value)


def thinned(history: Sequence[Row]) -> list[Row]:
    """The first and last epoch of every phase, and others evenly spaced, about thirty in all."""
    if len(history) <= _LONGEST:
        return list(history)
    phases = [row["phase"] for row in history]
    last = len(history) - 1
    ends = {i for i in range(last) if phases[i] != phases[i + 1]}
    spaced = {round(i * last / (_LONGEST - 1)) for i in range(_LONGEST)}
    return [history[i] for i in sorted(spaced | ends | {i + 1 for i in ends})]


def best(args: Namespace) -> int:
    """The best points with mean, interval, n and config.

    Raises:
        UsageError: There is no study in the folder, or no trial has a value yet.
    """
    results = _load(args.path)
    results.best()
    points = _records(results.ranking().head(args.n))
    if args.json:
        schedules = results.trials.drop_duplicates("point").set_index("point")["schedule"]
        output.document([_point(row, schedules[row["point"]]) for row in points])
        return 0
    _show_points(points, results.metric)
    output.line()
    if not results.forks.empty:
        _show_forks(results, args.n)
    show_best(results)
    return 0


def _show_forks(results: "Results", count: int) -> None:
    """The best forked trials by themselves: in a study of several seeds they rank behind its points."""
    metric = f"final_{results.metric}"
    valued = results.forks.dropna(subset=[metric]) if metric in results.forks else results.forks.iloc[:0]
    ordered = valued.sort_values(metric, ascending=results.mode == "min", kind="stable").head(count)
    columns = {"fork": "left", results.metric: "right", "of": "left", "after epoch": "right", "tail": "left"}
    names = ("trial_id", metric, "config.fork.trial", "config.fork.epoch", "config.fork.tail")
    rows = [[row[name] for name in names] for row in _records(ordered)]
    output.table(columns, [[row[0], formatting.metric(row[1]), row[2], f"{row[3]:.0f}", row[4]] for row in rows])
    output.line()


def _show_points(points: Sequence[Row], metric: str) -> None:
    named = [name for name in points[0] if name.startswith("config.") and not name.startswith("config.fork.")]
    settings = [name for name in named if any(row[name] is not None for row in points)]
    columns = {"point": "right", metric: "right", "95 % interval": "left", "n": "right", "trials": "left"}
    columns |= {name.removeprefix("config."): _justified([row[name] for row in points]) for name in settings}
    output.table(columns, [[*_ranking(row), *(formatting.setting(row[name]) for name in settings)] for row in points])


def _justified(values: Sequence[Any]) -> str:
    return "right" if all(isinstance(value, float | int | None) for value in values) else "left"


def _ranking(row: Row) -> list[str]:
    interval = f"{formatting.metric(row['low'])} to {formatting.metric(row['high'])}" if row["n"] > 1 else "none"
    states = {name.removeprefix("n_"): row[name] for name in row if name.startswith("n_") and name != "n_seeds"}
    return [str(row["point"]), formatting.metric(row["mean"]), interval, str(row["n"]), formatting.states(states)]


def _point(row: Row, schedule: str) -> Row:
    kept = {name: value for name, value in row.items() if not name.startswith("config.")}
    return {**kept, "config": json.loads(row["config"]), "schedule": json.loads(schedule)}


def _records(frame: "pd.DataFrame") -> list[Row]:
    return [{str(name): output.plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _load(path: str) -> "Results":
    from tune_regimes.results import Results

    return Results.load(path)
