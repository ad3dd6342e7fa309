"""What every family shares: the options it hands to its phases, and lengths given in epochs or as a fraction."""

import math
from typing import TypedDict

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count
from tune_regimes.schedule.ramps import Value


class PhaseOptions(TypedDict, total=False):
    """The fields of `Phase` that a family hands on unchanged to each of its phases."""

    weight_decay: Value | None
    optimizer: str
    nesterov: bool
    beta2: float
    eps: float | None
    rho: float
    momentum_rule: str
    decay: str
    clip_norm: float | None


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
        ScheduleError: The length is neither.

    Examples:
        >>> whole_epochs("warmup", 0.3, 10), whole_epochs("warmup", 3, 10), whole_epochs("warmup", 0.5, 5)
        (3, 3, 3)
    """
    check_count("epochs", epochs, remedy="Train for one epoch or more.")
    if isinstance(length, float):
        if not 0 < length < 1:
            raise ScheduleError(
                f"{name} given as a float is a fraction in (0, 1): received {length!r}. Give an integer for epochs."
            )
        return math.floor(length * epochs + 0.5)
    return check_count(name, length, low=0, high=epochs, remedy=f"Keep it within the {epochs} epochs of the schedule.")
