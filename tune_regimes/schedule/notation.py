"""Phases in one line of text, as a command line takes them: ``lr=1e-3,momentum=0.99,epochs=20``."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.ramps import Ramp

EXAMPLE = "lr=1e-3,momentum=0.99,epochs=20"

_RAMPED = ("lr", "momentum", "weight_decay")
_COUNTS = ("epochs", "ramp_epochs", "history_size", "max_iter", "refresh", "batches_per_step")
_TEXTS = ("optimizer", "momentum_rule", "decay", "name", "line_search")
_TRUTHS = {"true": True, "false": False}


def phase_from_text(text: str) -> Phase:
    """The phase that a line describes: fields of `Phase` with their values.

    A value that ramps is ``kind:start:end``, with ``:epoch`` behind it where it changes once an epoch.

    Raises:
        ScheduleError: The line has another form, an unknown field, a bad value, or is no phase.

    Examples:
        >>> phase_from_text("lr=1e-3,momentum=0.99,epochs=20").momentum
        0.99
        >>> phase_from_text("lr=cosine:0.1:0,epochs=20,optimizer=adamw,nesterov=false").lr
        Ramp(kind='cosine', start=0.1, end=0.0, per='step')
    """
    known = [field.name for field in fields(Phase)]
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise ScheduleError(f"a phase is written as {EXAMPLE}: received {text!r}. Give each field as name=value.")
        if name not in known:
            raise ScheduleError(f"a phase has only the fields {', '.join(known)}: received {name!r}. Leave it out.")
        if name in values:
            raise ScheduleError(f"a phase has each field once: received {name} twice in {text!r}. Leave one out.")
        values[name] = _value(name, value)
    if "lr" not in values:
        raise ScheduleError(f"a phase needs lr: received {text!r}. Write it as {EXAMPLE}.")
    return Phase(**values)


def phase_to_text(phase: Phase) -> str:
    """The line that `phase_from_text` reads back to an equal phase, but for its name.

    Examples:
        >>> phase_to_text(Phase(lr=Ramp("linear", 0.1, 0.0, per="epoch"), momentum=0.9, epochs=20, nesterov=True))
        'lr=linear:0.1:0.0:epoch,momentum=0.9,epochs=20,nesterov=true'
    """
    given = [(field.name, getattr(phase, field.name), field.default) for field in fields(Phase) if field.name != "name"]
    return ",".join(f"{name}={_text(value)}" for name, value, default in given if value != default)


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    if name == "nesterov":
        return _read(name, text, _TRUTHS.__getitem__, "true or false")
    if name in _COUNTS:
        return _read(name, text, int, "a whole number")
    if name in _RAMPED and ":" in text:
        return _ramp(name, text)
    return _read(name, text, _number, "a number")


def _ramp(name: str, text: str) -> Ramp:
    kind, *rest = text.split(":")
    if len(rest) not in (2, 3):
        raise ScheduleError(f"a ramp is written as cosine:0.1:0: received {name}={text}. Give kind, start and end.")
    start, end = (_read(name, end, _number, "a number") for end in rest[:2])
    return Ramp(kind, start, end, *rest[2:])


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _read(name: str, text: str, read: Callable[[str], Any], what: str) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ScheduleError(f"{name} must be {what}: received {text!r}. Write it as in {EXAMPLE}.") from None


def _text(value: object) -> str:
    if isinstance(value, Ramp):
        return ":".join([value.kind, repr(value.start), repr(value.end), *(["epoch"] if value.per == "epoch" else [])])
    return str(value).lower() if isinstance(value, bool) else str(value)
