"""Telling the searcher which trials a scheduler of Ray's has paused: Ray itself does not."""

from typing import Any

from ray.tune import Callback

from tune_regimes.search.progress import trial_name
from tune_regimes.search.searcher import StudySearcher


class PauseCallback(Callback):
    """Tells the searcher of trials that the scheduler has paused: what they have not reached is given to others."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher
        self._live: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing of it is state: Ray pickles its callbacks."""
        return {"_searcher": None, "_live": {}}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Watch a trial."""
        self._live[trial.trial_id] = trial

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Pass on who has been paused, once each, and forget who has ended."""
        for name in [name for name, trial in self._live.items() if trial.status != "RUNNING"]:
            trial = self._live.pop(name)
            if trial.status == "PAUSED":
                self._searcher.paused(trial_name(trial))
