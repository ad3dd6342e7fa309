"""Argument types: text from the command line to a checked value, with the reason where it cannot be one."""

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tune_regimes.errors import ScheduleError

if TYPE_CHECKING:
    from tune_regimes.schedule import Phase

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def duration(text: str) -> float:
    """Seconds from a number with an optional unit.

    Examples:
        >>> duration("90"), duration("30m"), duration("1.5h")
        (90.0, 1800.0, 5400.0)

    Raises:
        ArgumentTypeError: The text is not a positive duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|min|m|h|d|)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not seconds > 0:
        raise ArgumentTypeError(f"must be a positive time such as 90 (seconds), 30m or 2h; got {text!r}")
    return seconds


def size(text: str) -> int | None:
    """Bytes from a number with its unit (decimal: 1 GB is 10^9 bytes), or None for "none": no limit.

    Examples:
        >>> size("500MB"), size("1.5 GB"), size("none")
        (500000000, 1500000000, None)

    Raises:
        ArgumentTypeError: The text is not a positive size, or has no unit.
    """
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?B)", text.strip().upper(), re.ASCII)
    number = round(float(match[1]) * _BYTES[match[2]]) if match else 0
    if number < 1:
        raise ArgumentTypeError(f"must be a positive size such as 500MB or 20GB, or none; got {text!r}")
    return number


def phase(text: str) -> "Phase":
    """A phase in the notation of `tune_regimes.schedule.phase_from_text`; ArgumentTypeError for anything else."""
    from tune_regimes.schedule import phase_from_text

    try:
        return phase_from_text(text)
    except ScheduleError as error:
        raise ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    """A whole number of at least 1; ArgumentTypeError for anything else."""
    if not re.fullmatch(r"[0-9]+", text) or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number of at least 1; got {text!r}")
    return int(text)


def whole(text: str) -> int:
    """A whole number of at least 0; ArgumentTypeError for anything else."""
    return 0 if re.fullmatch("0+", text) else count(text)


def assignment(text: str) -> tuple[str, Any]:
    """A name and a value: a number, true, false or null as JSON has them, else the text itself.

    Examples:
        >>> assignment("width=0.25"), assignment("normalize=false"), assignment("padding=reflect")
        (('width', 0.25), ('normalize', False), ('padding', 'reflect'))

    Raises:
        ArgumentTypeError: There is no name, or no value.
    """
    name, mark, value = text.partition("=")
    if not name.isidentifier() or not mark or not value:
        raise ArgumentTypeError(f"must be NAME=VALUE such as train_size=2000; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def seeds(text: str) -> int | list[int]:
    """A number of seeds, or the seeds themselves.

    Examples:
        >>> seeds("3"), seeds("0,4,7")
        (3, [0, 4, 7])

    Raises:
        ArgumentTypeError: The text is neither.
    """
    if "," not in text:
        return count(text)
    parts = [part.strip() for part in text.strip(",").split(",")]
    if not all(re.fullmatch(r"[0-9]+", part) for part in parts):
        raise ArgumentTypeError(f"must be a number of seeds such as 3, or seeds such as 0,4,7; got {text!r}")
    return [int(part) for part in parts]


def amount(least: float = 0.0) -> Callable[[str], float]:
    """The type of a finite number of at least ``least``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value < float("inf"):
            raise ArgumentTypeError(f"must be a number of at least {least:g}; got {text!r}")
        return value

    return parse
