"""Checks of what closed forms and toy models are given: each returns the clean value or says what to change."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tune_regimes.errors import ScheduleError, TheoryError
from tune_regimes.schedule import checks

Array = npt.NDArray[np.float64]
_Checked = TypeVar("_Checked")


def check_number(name: str, value: object, **limits: Any) -> float:
    """Return a real number as a float after checking its range; the limits are those of the schedules' check.

    Raises:
        TheoryError: The value is not a finite number of the range.

    Examples:
        >>> check_number("momentum", 1.5, below=1.0)
        Traceback (most recent call last):
        tune_regimes.errors.TheoryError: momentum must lie in [0, 1): received 1.5. Give a number in that range.
    """
    return _for_theory(checks.check_number, name, value, **limits)


def check_count(name: str, value: object, *, low: int = 1) -> int:
    """Return a whole number as an int after checking its range.

    Raises:
        TheoryError: The value is not a whole number of at least `low`.
    """
    return _for_theory(checks.check_count, name, value, low=low, remedy="Give a whole number in that range.")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a name that is not one of the choices.

    Raises:
        TheoryError: The value is none of the choices.
    """
    _for_theory(checks.check_choice, name, value, choices)


def check_vector(name: str, values: object, *, positive: bool = False) -> Array:
    """Return numbers as a float64 vector that cannot be written to.

    Args:
        name: What the numbers are, for the message.
        values: A sequence or an array of one axis, of finite numbers.
        positive: Whether every number must be above 0; otherwise it must be at least 0.

    Returns:
        A copy, shape (n,) with n >= 1.

    Raises:
        TheoryError: There is no number, more than one axis, or a number out of range.

    Examples:
        >>> check_vector("curvatures", [])
        Traceback (most recent call last):
        tune_regimes.errors.TheoryError: curvatures must be a vector of at least one number: received shape (0,). Give
        one number for each coordinate.
    """
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TheoryError(f"{name} must be numbers: received {values!r}. Give one for each coordinate.") from error
    if vector.ndim != 1 or vector.size == 0:
        raise TheoryError(
            f"{name} must be a vector of at least one number: received shape {vector.shape}. "
            "Give one number for each coordinate."
        )
    bad = ~np.isfinite(vector) | (vector <= 0.0 if positive else vector < 0.0)
    if bad.any():
        raise TheoryError(
            f"{name} must be finite and {'above' if positive else 'at least'} 0: received {vector[bad][0]} at "
            f"index {int(np.flatnonzero(bad)[0])}. Give numbers in that range."
        )
    vector.setflags(write=False)
    return vector


def _for_theory(check: Callable[..., _Checked], *arguments: object, **limits: Any) -> _Checked:
    try:
        return check(*arguments, **limits)
    except ScheduleError as error:
        raise TheoryError(str(error)) from error
