"""Schedulers by name, set up for this platform's time attribute, ``epoch``."""

from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandScheduler, TrialScheduler

from tune_regimes.errors import StudyError

SCHEDULERS = ("fifo", "asha", "hyperband")


def make_scheduler(scheduler: str | TrialScheduler, *, epochs: int) -> TrialScheduler:
    """A Ray scheduler from its name; an instance is passed through.

    Args:
        scheduler: ``"fifo"``, ``"asha"``, ``"hyperband"`` or a scheduler of Ray's.
        epochs: Length of the longest schedule known, the budget of ASHA and HyperBand.

    Raises:
        StudyError: For an unknown name.
    """
    if isinstance(scheduler, TrialScheduler):
        return scheduler
    if scheduler == "fifo":
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    if scheduler == "asha":
        return ASHAScheduler(time_attr="epoch", max_t=epochs, grace_period=max(1, epochs // 10), reduction_factor=3)
    if scheduler == "hyperband":
        return HyperBandScheduler(time_attr="epoch", max_t=epochs, reduction_factor=3)
    raise StudyError(f"scheduler must be one of {', '.join(SCHEDULERS)} or a Ray TrialScheduler; got {scheduler!r}")


def describe_scheduler(scheduler: str | TrialScheduler) -> str:
    """The name that study.json holds.

    >>> describe_scheduler("asha")
    'asha'
    """
    return scheduler if isinstance(scheduler, str) else type(scheduler).__name__


def acts_on_results(scheduler: Any) -> bool:
    """Whether the scheduler may stop or pause a trial; FIFO never does, so its reports can be gathered."""
    return type(scheduler) is not FIFOScheduler


def bears_repeats(scheduler: Any) -> bool:
    """Whether a trial that is taken up again may report its first epochs again; a synchronous HyperBand counts them."""
    return not isinstance(scheduler, HyperBandScheduler)
