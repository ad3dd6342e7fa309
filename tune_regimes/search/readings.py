"""What a scheduler reads from a result: progress, remaining budget, and a score where there is one."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from tune_regimes.errors import StudyError

WORST = 1e30
"""What a diverged trial reports in place of a value that is not finite: worse than any result, and still a number."""

SIGNS = {"max": 1.0, "min": -1.0}


@dataclass(frozen=True)
class Reading:
    """What a result says of a trial.

    Attributes:
        kind: What cohorts must have in common beside rung and remaining budget.
        time: Epochs that the trial has been through.
        progress: Epochs completed in its last phase.
        remaining: Epochs to its end.
        score: The metric, or its negative where the smallest is the best: larger is better.
    """

    kind: Hashable
    time: float
    progress: float
    remaining: float
    score: float


@dataclass(frozen=True)
class ResultKeys:
    """Under which keys a result holds what a scheduler needs.

    Attributes:
        time: Epochs trained.
        progress: Epochs completed in the last phase, 0 before.
        remaining: Epochs to the end of the trial; None counts all trials as equal.
        phase: Number of the phase; None, or a key that is not there, counts all as equal.
        cohort: Anything else that is compared only among equals; as for the phase.
    """

    time: str
    progress: str
    remaining: str | None
    phase: str | None
    cohort: str | None

    def progress_of(self, result: Mapping[str, Any]) -> float:
        """The progress that a result reports.

        Raises:
            StudyError: If the result lacks it.
        """
        return _number(result, self.progress, "progress_attr", "the epochs completed in the last phase")

    def read(self, result: Mapping[str, Any], metric: str, mode: str) -> Reading | None:
        """What a result says, or None where its trial has diverged.

        Raises:
            StudyError: If the result lacks something.
        """
        value = _number(result, metric, "metric", "the metric")
        time = _number(result, self.time, "time_attr", "the epochs trained")
        progress, remaining = self.progress_of(result), 1.0
        if self.remaining is not None:
            what = "the epochs to the end (None: trials are compared without)"
            remaining = _number(result, self.remaining, "remaining_attr", what)
        if not math.isfinite(value) or abs(value) >= WORST or result.get("status") == "diverged":
            return None
        kind = tuple(None if key is None else result.get(key) for key in (self.phase, self.cohort))
        return Reading(kind, time, progress, remaining, SIGNS[mode] * value)


def _number(result: Mapping[str, Any], key: str, argument: str, what: str) -> float:
    try:
        return float(result[key])
    except KeyError as error:
        raise StudyError(
            f"every result must hold {what}: no {key!r} among {sorted(result)}; "
            f"report it, or name the key that holds it: RegimeASHA({argument}=...)"
        ) from error
    except (TypeError, ValueError) as error:
        raise StudyError(f"{what} must be a number: {key!r} is {result[key]!r}; report a number") from error
