"""A study while it runs: a live display in a terminal, sparse plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from tune_regimes.cli import formatting
from tune_regimes.cli.output import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tune_regimes.search import Progress

STATE_STYLES: Mapping[str, str] = {
    "completed": "green",
    "pruned": "blue",
    "diverged": "yellow",
    "failed": "bold red",
    "running": "cyan",
    "waiting": "dim",
}
"""The states of a trial in the order of the display, with their colours."""

LINE_EVERY = 10.0
"""Seconds between two plain lines while trials end."""

QUIET_AFTER = 60.0
"""Seconds after which a plain line is printed although no trial has ended."""

MOST_LINES = 50
"""Plain lines while the elapsed time doubles: those of a run of days are further apart."""


class Display(AbstractContextManager["Display"]):
    """What `Study.run` is given as ``on_progress``; this one shows nothing.

    Args:
        title: What is running, and where it is stored.
        metric: The metric that the study optimises.
        stream: Where to show it.
    """

    def __init__(self, title: str, metric: str, stream: TextIO) -> None:
        self.title, self.metric, self.stream = title, metric, stream
        self.last: Progress | None = None

    def __call__(self, progress: "Progress") -> None:
        """Show a snapshot."""
        self.last = progress

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the display; what it shows last stays or goes, as suits it."""


class LineDisplay(Display):
    """One line at most every ten seconds, rarer in a long run, and one at once for a trial that failed."""

    def __init__(self, title: str, metric: str, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(title, metric, stream)
        self._clock = clock
        self._shown: tuple[float, Progress] | None = None

    def __enter__(self) -> Self:
        """Say what is about to run: starting takes some seconds."""
        print(f"{self.title}: starting", file=self.stream, flush=True)
        return self

    def __call__(self, progress: "Progress") -> None:
        """Print a line if the snapshot is worth one."""
        self.last = progress
        if self._is_worth_a_line(progress):
            print(summary_line(progress, self.metric), file=self.stream, flush=True)
            self._shown = self._clock(), progress

    def _is_worth_a_line(self, progress: "Progress") -> bool:
        if self._shown is None:
            return progress.epochs > 0 or ended(progress) > 0
        shown_at, before = self._shown
        if progress.states.get("failed", 0) > before.states.get("failed", 0):
            return True
        least = LINE_EVERY if ended(progress) > ended(before) else QUIET_AFTER
        return self._clock() - shown_at >= max(least, progress.elapsed / MOST_LINES)


class LiveDisplay(Display):
    """Trials by state, the best so far, epochs per second and times, redrawn in place and gone at the end."""

    def __init__(self, title: str, metric: str, stream: TextIO) -> None:
        from rich.live import Live

        super().__init__(title, metric, stream)
        self._live = Live(self._starting(), console=console(stream), transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.__enter__()
        return self

    def __call__(self, progress: "Progress") -> None:
        """Draw a snapshot."""
        self.last = progress
        self._live.update(drawing(progress, self.title, self.metric))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Clear the drawing."""
        self._live.__exit__(kind, error, traceback)

    def _starting(self) -> "RenderableType":
        from rich.spinner import Spinner
        from rich.text import Text

        return Spinner("dots", Text(f"{self.title}: starting"))


def make_display(title: str, metric: str, stream: TextIO, *, quiet: bool) -> Display:
    """The display that fits the stream."""
    if quiet:
        return Display(title, metric, stream)
    return LiveDisplay(title, metric, stream) if stream.isatty() else LineDisplay(title, metric, stream)


def summary_line(progress: "Progress", metric: str) -> str:
    """A snapshot in one line."""
    left = progress.seconds_left
    parts = [
        f"{ended(progress)} of {formatting.counted(progress.trials, 'trial')} ended",
        formatting.states(ordered(progress.states)),
        formatting.epochs(progress.epochs, progress.epochs_inherited) if progress.epochs_inherited else "",
        f"best {best(progress, metric)}" if progress.best_trial else "",
        formatting.rate(progress.epochs_per_second, "epochs") if progress.epochs_per_second else "",
        f"about {formatting.duration(left)} left" if left else "",
    ]
    return f"[{formatting.duration(progress.elapsed)}] " + "; ".join(filter(None, parts))


def drawing(progress: "Progress", title: str, metric: str) -> "RenderableType":
    """A snapshot as a block of five lines."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("  epochs", _bar(progress))
    made.add_row("  trials", _trials(progress))
    made.add_row("  best", best(progress, metric))
    made.add_row("  speed", _speed(progress))
    return Group(Text(title, style="bold"), made)


def best(progress: "Progress", metric: str) -> str:
    """The best value so far and its trial."""
    if progress.best_trial is None:
        return "none yet: no trial has completed"
    return f"{metric} {formatting.metric(progress.best)} (trial {progress.best_trial})"


def ended(progress: "Progress") -> int:
    """How many trials have ended, in whichever way."""
    return sum(count for state, count in progress.states.items() if state not in ("running", "waiting"))


def ordered(states: Mapping[str, int]) -> dict[str, int]:
    """Counts by state in the order of the display."""
    return {state: states[state] for state in (*STATE_STYLES, *states) if state in states}


def _bar(progress: "Progress") -> "RenderableType":
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    done = progress.epochs + progress.epochs_inherited
    total = done + progress.epochs_left
    inherited = f", {progress.epochs_inherited} of them inherited" if progress.epochs_inherited else ""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_row(ProgressBar(max(total, 1), done, width=32), f"{done} of {total} at most{inherited}")
    return row


def _trials(progress: "Progress") -> "RenderableType":
    from rich.text import Text

    states = ordered(progress.states)
    shown = [(f"{count} {state}", STATE_STYLES.get(state, "")) for state, count in states.items() if count]
    return Text(f"{progress.trials}: ") + Text(", ").join(Text(text, style=style) for text, style in shown)


def _speed(progress: "Progress") -> str:
    left = progress.seconds_left
    measured = progress.epochs_per_second
    rate = formatting.rate(measured, "epochs") if measured else "starting"
    rest = "" if left is None else f", about {formatting.duration(left)} left"
    return f"{rate}, {formatting.duration(progress.elapsed)} elapsed{rest}"
