"""Checks of what a user writes into a schedule: each returns the clean value or says what to change."""

import json
import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

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
        tune_regimes.errors.ScheduleError: momentum must lie in [0, 1): received 1.0. Give a number in that range.
    """
    if isinstance(value, bool) or not isinstance(value, (float, Real)):
        raise ScheduleError(f"{name} must be a number: received {value!r}. Give an int or a float.")
    number = float(value) + 0.0
    if not low <= number < below or (positive and number == low) or math.isinf(number):
        raise ScheduleError(
            f"{name} must {_range(low, below, positive)}: received {number!r}. Give a number in that range."
        )
    return number


def _range(low: float, below: float, positive: bool) -> str:
    if math.isfinite(below):
        return f"lie in {'(' if positive else '['}{low:g}, {below:g})"
    bound = "" if math.isinf(low) else f" and {'above' if positive else 'at least'} {low:g}"
    return f"be finite{bound}"


def check_numbers(name: str, values: tuple[object, ...], *, below: float = math.inf) -> tuple[float, ...]:
    """Return real numbers of at least 0 as floats; the message of a bad one is that of `check_number`.

    Raises:
        ScheduleError: There is no number, or one that is not a finite number of the range.
    """
    if not values:
        raise ScheduleError(f"{name} needs a value for every step: received an empty tuple. Give one value per step.")
    if all(type(value) is float and 0.0 < value < below for value in values):
        return values  # type: ignore[return-value]
    return tuple(check_number(name, value, below=below) for value in values)


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
        >>> check_count("epochs", 0, remedy="Add one.")
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: epochs must be an integer of at least 1: received 0. Add one.
    """
    count = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if count is None or count < low or (high is not None and count > high):
        span = f"of at least {low}" if high is None else f"in {low}..{high}"
        raise ScheduleError(f"{name} must be an integer {span}: received {value!r}. {remedy}")
    return count


def check_flag(name: str, value: object) -> bool:
    """Return a truth value as a plain bool.

    Raises:
        ScheduleError: The value is neither true nor false.
    """
    if value not in (True, False):
        raise ScheduleError(f"{name} must be True or False: received {value!r}. Give one of the two.")
    return bool(value)


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a name that is not one of the choices.

    Args:
        name: What is chosen, for the message.
        value: The name received.
        choices: The names that exist.

    Raises:
        ScheduleError: The value is none of the choices.

    Examples:
        >>> check_choice("decay", "biases", ("all", "kernels"))
        Traceback (most recent call last):
        tune_regimes.errors.ScheduleError: decay must be a known name: received 'biases'. Choose one of: all, kernels.
    """
    if not isinstance(value, str) or value not in choices:
        raise ScheduleError(f"{name} must be a known name: received {value!r}. Choose one of: {', '.join(choices)}.")


def decode_json(text: str) -> Any:
    """Return what JSON text holds.

    Raises:
        ScheduleError: The text is not JSON.
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise ScheduleError(
            f"a schedule must be JSON text: received {text!r} ({error}). Write it with to_json()."
        ) from error


def check_fields(
    what: str, received: object, *, known: Collection[str], required: Collection[str] = ()
) -> dict[str, Any]:
    """Return a decoded JSON object after checking the names of its fields.

    Args:
        what: What the object describes, for the message.
        received: The decoded JSON value.
        known: The names of all fields.
        required: The names of the fields that must be there.

    Returns:
        A copy of the object.

    Raises:
        ScheduleError: It is not an object, or lacks a field, or has one that does not exist.
    """
    if not isinstance(received, dict):
        raise ScheduleError(f"{what} must be a JSON object: received {received!r}. Write it with to_json().")
    unknown = [name for name in received if name not in known]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise ScheduleError(f"{what} has only the fields {', '.join(known)}: received {names}. Remove what is unknown.")
    missing = [name for name in required if name not in received]
    if missing:
        raise ScheduleError(f"{what} needs {', '.join(required)}: received {received!r}. Add {', '.join(missing)}.")
    return dict(received)
