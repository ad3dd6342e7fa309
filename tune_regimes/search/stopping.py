"""Ending a whole study between two results: on request, at a deadline, or for a mistake."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray.tune.stopper import Stopper

from tune_regimes.errors import UsageError


class StopSwitch(Stopper):
    """Ends a study between two results: on request, at a deadline, or for a mistake that every trial would repeat.

    Args:
        time_budget: Seconds after which the study stops resumably, or None.
    """

    def __init__(self, time_budget: float | None = None) -> None:
        self.interrupted = False
        self.mistake: UsageError | None = None
        self._deadline = None if time_budget is None else time.monotonic() + time_budget

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget is spent."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped here."""
        return False

    def stop_all(self) -> bool:
        """Whether the study is to stop now."""
        return self.interrupted or self.mistake is not None or self.out_of_time

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Stop cleanly on the first SIGINT or SIGTERM; a second one falls through to the previous handler."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(number, previous[signal.Signals(number)])

        for number in previous:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
