"""What families share: the options they hand to their phases, and lengths in epochs or as a fraction of the whole."""

import math
from numbers import Integral, Real
from typing import TypedDict

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_number
from tune_regimes.schedule.phases import Phase

AT_LEAST_ONE = "Train for one epoch or more."


class SteadyOptions(TypedDict, total=False):
    """The fields of `Phase`, without momentum, that a family hands on unchanged to each of its phases."""

    weight_decay: float | None
    optimizer: str
    nesterov: bool
    beta2: float
    eps: float | None
    rho: float
    momentum_rule: str
    decay: str
    clip_norm: float | None
    history_size: int
    max_iter: int
    line_search: str
    damping: float
    refresh: int
    batches_per_step: int


class PhaseOptions(SteadyOptions, total=False):
    """The fields of `Phase`, with a constant momentum, that a family hands on unchanged to each of its phases."""

    momentum: float | None


def whole_epochs(name: str, length: float, epochs: int) -> int:
    """Return a length in epochs that may be given as a fraction of the whole.

    Args:
        name: What is measured, for the message.
        length: An integer, in epochs from 0 to `epochs`, or a fraction of `epochs` in (0, 1), rounded to the nearest
            epoch (halves up).
        epochs: Epochs of the schedule.

    Returns:
        The length, in epochs.

    Raises:
        ScheduleError: The length is neither, or a fraction of less than half an epoch.

    Examples:
        >>> whole_epochs("warmup", 0.3, 10), whole_epochs("warmup", 3, 10), whole_epochs("warmup", 0.5, 5)
        (3, 3, 3)
    """
    check_count("epochs", epochs, remedy=AT_LEAST_ONE)
    if isinstance(length, Integral) or not isinstance(length, Real):
        return check_count(
            name, length, low=0, high=epochs, remedy="Give epochs as an integer, or a fraction in (0, 1)."
        )
    fraction = check_number(f"{name} as a fraction of the epochs", length, below=1.0, positive=True)
    rounded = math.floor(fraction * epochs + 0.5)
    if rounded == 0:
        raise ScheduleError(
            f"{name} as a fraction must come to half an epoch or more: received {length!r} of {epochs} epochs. "
            "Give a larger fraction, or epochs as an integer."
        )
    return rounded


def warmup_epochs(warmup: float, epochs: int, *, low: int = 0) -> int:
    """Return the length of a warm-up, in epochs, that leaves at least one epoch for what comes after it.

    Raises:
        ScheduleError: The warm-up is shorter than `low` epochs, or leaves none.
    """
    warm = whole_epochs("warmup", warmup, epochs)
    return check_count("warmup", warm, low=low, high=epochs - 1, remedy="Leave an epoch for what comes after it.")


def refuse_length(family: str, phase: Phase, name: str) -> Phase:
    """Return a phase that leaves its length to the family.

    Raises:
        ScheduleError: It is no phase, or brings a length of its own.
    """
    if not isinstance(phase, Phase):
        raise ScheduleError(f"{name} must be a Phase: received {phase!r}. Write {name}=Phase(lr=...).")
    if phase.epochs is not None:
        raise ScheduleError(
            f"{family} sets the length of its phases: received {name}=Phase(epochs={phase.epochs}). "
            "Leave epochs out of the phase."
        )
    return phase
