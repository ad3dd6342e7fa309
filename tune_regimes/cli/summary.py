"""The end of a run: the best schedule, the trials, the tables, and the command to type next."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tune_regimes.cli import formatting, output
from tune_regimes.cli.display import ordered
from tune_regimes.cli.locations import located
from tune_regimes.cli.schedules import schedule_rows
from tune_regimes.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

    from tune_regimes.results import Best, Results
    from tune_regimes.search import Progress


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        path: The study's folder as the user wrote it.
        results: What is stored; None where nothing is.
        state: "complete", "out of time" or "interrupted".
        states: All trials of the study by state, without forks; "waiting" are those that nothing is stored of.
        elapsed: Seconds that the run took.
        trained: Epochs trained in it.
        inherited: Epochs taken over in it instead of trained.
        notes: What the user should know of how it went.
        next: The command to type next, as its arguments; none where nothing is stored.
    """

    path: str
    results: "Results | None"
    state: str
    states: Mapping[str, int]
    elapsed: float
    trained: int
    inherited: int
    notes: tuple[str, ...]
    next: list[str]

    @classmethod
    def of(cls, path: str, trials: int, last: "Progress | None", resume: list[str], *, interrupted: bool) -> "Ending":
        """Read what a run has left behind.

        Args:
            path: The study's folder.
            trials: Trials of the study in all.
            last: The last that was seen of its progress.
            resume: The command that resumes it.
            interrupted: Whether a signal ended it.
        """
        results = _stored(path)
        states = {} if results is None else states_of(results, trials)
        complete = results is not None and not states.get("running") and not states.get("waiting")
        state = "interrupted" if interrupted else "complete" if complete else "out of time"
        follow = ["tune-regimes", "report", path] if complete and not states.get("failed") else resume
        elapsed, trained, inherited = (
            (0.0, 0, 0) if last is None else (last.elapsed, last.epochs, last.epochs_inherited)
        )
        notes = () if last is None else last.notes
        return cls(path, results, state, states, elapsed, trained, inherited, notes, [] if results is None else follow)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        found = {} if self.results is None else self.results.spec
        return {
            "study": found.get("name"),
            "path": self.path,
            "state": self.state,
            "trials": dict(self.states),
            "elapsed_seconds": self.elapsed,
            "epochs_trained": self.trained,
            "epochs_inherited": self.inherited,
            "notes": list(self.notes),
            "metric": found.get("metric"),
            "mode": found.get("mode"),
            "best": None if self.results is None else best_document(self.results),
            "tables": tables(self.path),
            "next": self.next,
        }


def show(ending: Ending) -> None:
    """Print how a run ended."""
    results = ending.results
    if results is None:
        show_notes(ending.notes)
        output.line("Interrupted before anything was stored", "bold yellow")
        return
    show_best(results, complete=ending.state == "complete")
    output.line()
    output.line(_HEADINGS[ending.state], "bold" if ending.state == "complete" else "bold yellow")
    run = f"{formatting.duration(ending.elapsed)}; {formatting.epochs(ending.trained, ending.inherited)}"
    output.pairs([("trials", stored_states(ending.states)), ("took", run), ("stored", stored_epochs(results))])
    show_notes(ending.notes)
    for reason in failures(results):
        output.line(f"  failed  {reason}", "red")
    output.line()
    output.line("Parquet tables", "bold")
    output.pairs(list(tables(ending.path).items()))
    output.line()
    output.line(_NEXT[ending.next[1]], "bold")
    output.line(f"  {shlex.join(ending.next)}")


_HEADINGS = {
    "complete": "Complete",
    "out of time": "The time budget is used up; what is stored can be resumed",
    "interrupted": "Interrupted; what is stored can be resumed",
}
_NEXT = {"report": "Figures and verdicts", "resume": "Go on with"}


def show_best(results: "Results", *, complete: bool = True) -> None:
    """Print the best schedule of a study, complete or not, or why there is none."""
    try:
        best = results.best()
    except StudyError as error:
        output.line("No best schedule", "bold yellow")
        output.line(f"  {error}")
        return
    output.line(f"Best schedule {'of' if complete else 'so far in'} {results.spec['name']}", "bold")
    interval = formatting.interval(best.mean, best.low, best.high, best.n)
    output.pairs(
        [
            (results.metric, interval),
            *((name, f"{epochs}: {settings}") for name, epochs, settings in schedule_rows(best.schedule)),
            ("config", formatting.config(best.config)),
            ("point", f"{best.point}; its best trial is {best.trial_id}"),
        ]
    )


def best_document(results: "Results") -> dict[str, Any] | None:
    """The best point as JSON; None where there is none."""
    try:
        return as_document(results.best())
    except StudyError:
        return None


def as_document(best: "Best") -> dict[str, Any]:
    """A best point as JSON."""
    fields = ("point", "trial_id", "mean", "low", "high", "n", "config")
    return {name: getattr(best, name) for name in fields} | {"schedule": best.schedule.to_dict()}


def states_of(results: "Results", trials: int) -> dict[str, int]:
    """Trials by state, without forks; those of which nothing is stored yet are waiting."""
    own = results.trials.drop(results.forks.index)
    return ordered({**_counts(own), "waiting": max(0, trials - len(own))})


def forks_of(results: "Results") -> dict[str, int]:
    """Forked trials by state."""
    return ordered(_counts(results.forks))


def _counts(trials: "pd.DataFrame") -> dict[str, int]:
    return {str(state): int(count) for state, count in trials["status"].value_counts().items()}


def stored_states(states: Mapping[str, int]) -> str:
    """Trials by state in words, as the tables know them: they cannot tell a trial in progress from an interrupted one.

    Examples:
        >>> stored_states({"completed": 3, "running": 2, "waiting": 1})
        '3 completed, 2 unfinished, 1 waiting'
    """
    return formatting.states({"unfinished" if state == "running" else state: n for state, n in states.items()})


def tables(path: str) -> dict[str, str]:
    """Where the Parquet tables lie."""
    return {name: located(path, name) for name in ("trials", "epochs")}


def failures(results: "Results") -> list[str]:
    """The trials that failed, each with its reason, at most three."""
    failed = results.trials[results.trials["status"] == "failed"]
    lines = [f"{trial}: {reason}" for trial, reason in zip(failed["trial_id"], failed["reason"], strict=True)]
    return lines[:3] + ([f"and {len(lines) - 3} more"] if len(lines) > 3 else [])


def _stored(path: str) -> "Results | None":
    from tune_regimes.results import Results

    try:
        return Results.load(path)
    except StudyError:
        return None


def stored_epochs(results: "Results") -> str:
    """The epochs of all trials by where they came from, and the time that went into training them."""
    trials = results.trials
    counts = (int(trials[name].sum()) for name in ("epochs_trained", "epochs_inherited"))
    return f"{formatting.epochs(*counts)}; {formatting.duration(float(trials['train_seconds'].sum()))} of training"


def show_notes(notes: Iterable[str]) -> None:
    """Print what the user should know, a line each."""
    for note in notes:
        output.line(f"  {note}", "yellow")
