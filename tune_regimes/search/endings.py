"""How a point ended as Optuna is told it: one state and value for all its seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from tune_regimes.search.points import Outcome
from tune_regimes.search.readings import WORST

_FROM_GOOD_TO_BAD = ("completed", "pruned", "diverged", "failed")


@dataclass(frozen=True)
class Ending:
    """The end of a point.

    Attributes:
        outcome: How its worst seed ended: ``"completed"``, ``"pruned"``, ``"diverged"`` or ``"failed"``.
        epochs: Mean number of epochs that its seeds have been through.
        state: State of Optuna's trial.
        values: Values of the objectives; None where the state has none of its own.
    """

    outcome: str
    epochs: float
    state: TrialState
    values: list[float] | None

    @classmethod
    def of(cls, outcomes: Mapping[int, Outcome], *, with_epochs: bool, diverged: float | str) -> "Ending":
        """The end of a point whose seeds ended so.

        Args:
            outcomes: Of all its seeds.
            with_epochs: Whether the number of epochs is the second objective.
            diverged: ``"fail"``, or the value of a diverged point.
        """
        outcome = max((_status(outcome) for outcome in outcomes.values()), key=_FROM_GOOD_TO_BAD.index)
        epochs = _mean([outcome.epochs for outcome in outcomes.values()])
        if outcome == "completed":
            value = _mean([outcome.value for outcome in outcomes.values() if outcome.value is not None])
            return cls(outcome, epochs, TrialState.COMPLETE, [value, epochs] if with_epochs else [value])
        if outcome == "pruned":
            return cls(outcome, epochs, TrialState.PRUNED, None)
        if outcome == "diverged" and not isinstance(diverged, str):
            return cls(outcome, epochs, TrialState.COMPLETE, [diverged])
        return cls(outcome, epochs, TrialState.FAIL, None)


def is_result(value: float | None) -> bool:
    """Whether a value was measured: it is a number, and none that stands for a diverged trial."""
    return value is not None and abs(value) < WORST


def has_ended(trial: FrozenTrial) -> bool:
    """Whether a trial tells how its point ended; one that crashed or was interrupted does not."""
    told = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return told or (trial.state == TrialState.FAIL and trial.user_attrs.get("outcome") == "diverged")


def _status(outcome: Outcome) -> str:
    """A loss can stay finite where the metric does not: then there is no value to tell, as for a diverged trial."""
    ended_well = outcome.status in ("completed", "pruned")
    return "diverged" if ended_well and not is_result(outcome.value) else outcome.status


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
