"""Checks shared by everything a user writes into a schedule: each returns the clean value or says what to change."""

import math
from collections.abc import Collection
from numbers import Integral, Real

from tune_regimes.errors import ScheduleError


def check_number(
    name: str, value: object, *, low: float = 0.0, below: float = math.inf, positive: bool = False
) -> float:
    """Return a real number as a plain float after checking its range.

    Args:
        name: What the number is, for the message.
        value: Any real number (NumPy scalars too); booleans are refused.
        low: Smallest value allowed.
        below: The value must be smaller than this.
        positive: Whether `low` itself is excluded.

    Returns:
        The value as a float, bit for bit; a negative zero becomes zero.

    Raises:
        ScheduleError: The value is not a finite number of the range.

    Examples:
        >>> check_number("lr", 1)
        1.0
        >>> check_number("momentum", 1.0, below=1.0)
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: momentum must lie in [0, 1): received 1.0. Choose a value in that range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ScheduleError(f"{name} must be a number: received {value!r}. Give an int or a float.")
    number = float(value) + 0.0
    if not math.isfinite(number) or number < low or number >= below or (positive and number == low):
        raise ScheduleError(f"{name} must {_range(low, below, positive)}: received {number!r}. {_remedy(below)}")
    return number


def _range(low: float, below: float, positive: bool) -> str:
    if math.isfinite(below):
        return f"lie in {'(' if positive else '['}{low:g}, {below:g})"
    return f"be finite and {'above' if positive else 'at least'} {low:g}"


def _remedy(below: float) -> str:
    return "Choose a value in that range." if math.isfinite(below) else "Choose a finite value that is large enough."


def check_count(name: str, value: object, *, low: int = 1, high: int | None = None, remedy: str) -> int:
    """Return a whole number as a plain int after checking its range.

    Args:
        name: What the number counts, for the message.
        value: Any integer (NumPy integers too); booleans and floats are refused.
        low: Smallest value allowed.
        high: Largest value allowed; None for no limit.
        remedy: The sentence that ends the message.

    Returns:
        The value as an int.

    Raises:
        ScheduleError: The value is not a whole number of the range.

    Examples:
        >>> check_count("epochs", 0, remedy="Train for one epoch or more.")
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: epochs must be an integer of at least 1: received 0. Train for one epoch or more.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"in {low}..{high}"
        raise ScheduleError(f"{name} must be an integer {span}: received {value!r}. {remedy}")
    return int(value)


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a name that is not one of the choices.

    Args:
        name: What is chosen, for the message.
        value: The name received.
        choices: The names that exist.

    Raises:
        ScheduleError: The value is none of the choices.
    """
    if value not in choices:
        raise ScheduleError(f"unknown {name}: received {value!r}. Choose one of: {', '.join(choices)}.")


def check_fields(what: str, received: object, known: Collection[str]) -> dict[str, object]:
    """Return a decoded JSON object after checking that every key is a known field.

    Args:
        what: What the object describes, for the message.
        received: The decoded JSON value.
        known: The names of the fields.

    Returns:
        A copy of the object.

    Raises:
        ScheduleError: It is not an object, or has a field that does not exist.
    """
    if not isinstance(received, dict):
        raise ScheduleError(f"a {what} must be a JSON object: received {received!r}. Write it with to_json().")
    unknown = sorted(set(received) - set(known))
    if unknown:
        raise ScheduleError(
            f"a {what} has only the fields {', '.join(known)}: received {', '.join(unknown)}. Remove what is unknown."
        )
    return dict(received)
