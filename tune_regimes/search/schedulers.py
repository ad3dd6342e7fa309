"""Schedulers by name, set up for this platform's time attribute, ``epoch``."""

import copy
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandScheduler, TrialScheduler

from tune_regimes.errors import StudyError
from tune_regimes.search.regime_asha import RegimeASHA

SCHEDULERS = ("fifo", "asha", "regime_asha", "hyperband")


def make_scheduler(scheduler: str | TrialScheduler, *, epochs: int) -> TrialScheduler:
    """A Ray scheduler from its name, or a copy of an instance, so that a study can be run again.

    Args:
        scheduler: ``"fifo"``, ``"asha"``, ``"regime_asha"``, ``"hyperband"`` or a scheduler of Ray's.
        epochs: Length of the longest schedule known: the budget of ASHA and HyperBand. RegimeASHA first compares
            after a twentieth of it.

    Raises:
        StudyError: For an unknown name.
    """
    if isinstance(scheduler, RegimeASHA):
        return scheduler.fresh()
    if isinstance(scheduler, TrialScheduler):
        return copy.deepcopy(scheduler)
    if scheduler == "fifo":
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    if scheduler == "asha":
        return ASHAScheduler(time_attr="epoch", max_t=epochs, grace_period=max(1, epochs // 10), reduction_factor=3)
    if scheduler == "regime_asha":
        return RegimeASHA(grace_period=max(1, epochs // 20))
    if scheduler == "hyperband":
        return HyperBandScheduler(time_attr="epoch", max_t=epochs, reduction_factor=3)
    raise StudyError(f"scheduler must be one of {', '.join(SCHEDULERS)} or a Ray TrialScheduler; got {scheduler!r}")


def describe_scheduler(scheduler: str | TrialScheduler) -> str:
    """What study.json holds: the name, and of a `RegimeASHA` the arguments too.

    >>> describe_scheduler("asha")
    'asha'
    """
    if isinstance(scheduler, RegimeASHA):
        return repr(scheduler)
    return scheduler if isinstance(scheduler, str) else type(scheduler).__name__


def must_replay(scheduler: Any) -> bool:
    """Whether a resumed study passes its ended trials by the scheduler again, and every epoch of every trial at once.

    FIFO decides nothing, and `RegimeASHA` remembers ended trials and says at which epochs it decides.
    """
    return type(scheduler) is not FIFOScheduler and not isinstance(scheduler, RegimeASHA)


def bears_repeats(scheduler: Any) -> bool:
    """Whether a trial that is taken up again may report its first epochs again; a synchronous HyperBand counts them."""
    return not isinstance(scheduler, HyperBandScheduler)


def counts_paused(scheduler: Any) -> bool:
    """Whether the scheduler pauses trials to start others, so that paused ones must not count as running."""
    return isinstance(scheduler, RegimeASHA) and scheduler.pauses
