"""The probes by name, their notation on the command line, and the way back from a specification."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from typing import Any

from tune_regimes.errors import UsageError
from tune_regimes.probes.probe import Probe, When

PROBES: Mapping[str, str] = {
    "curvature": "curvature.Curvature",
    "momentum": "momentum.Momentum",
    "norms": "norms.Norms",
    "predictions": "predictions.Predictions",
    "weights": "weights.Weights",
}
"""Module and class of each probe."""

_WHEN = tuple(each.name for each in fields(When))


def probe_class(name: str) -> type[Probe]:
    """The class of a probe.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in PROBES:
        raise UsageError(f"a probe must be one of {', '.join(PROBES)}; got {name!r}")
    module, _, kind = PROBES[name].partition(".")
    found: type[Probe] = getattr(import_module(f"tune_regimes.probes.{module}"), kind)
    return found


def probe_from_dict(values: Mapping[str, Any]) -> Probe:
    """The probe that `Probe.to_dict` described.

    Raises:
        UsageError: An unknown probe or option, or a value that it refuses.
    """
    options = dict(values)
    kind = probe_class(str(options.pop("probe")))
    known = [each.name for each in fields(kind) if each.name != "when"]
    if unknown := [name for name in options if name not in (*known, *_WHEN)]:
        raise UsageError(
            f"options of probe {kind.name} are {', '.join((*_WHEN, *known))}; got {', '.join(sorted(unknown))}"
        )
    timing = {name: options.pop(name) for name in _WHEN if name in options}
    if "at" in timing:
        timing["at"] = tuple(timing["at"])
    return kind(when=When(**{**_defaults(kind), **timing}), **options)


def parse_probe(text: str) -> Probe:
    """Read ``name`` or ``name:option=value,option=value``; epochs of ``at`` are joined with ``+``.

    Raises:
        UsageError: It is not of that form, or names no probe or option.

    Examples:
        >>> probe = parse_probe("curvature:at=1+10,batches=30")
        >>> probe.when.at, probe.batches
        ((1, 10), 30)
    """
    name, _, listed = text.partition(":")
    options: dict[str, Any] = {"probe": name}
    for part in filter(None, listed.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"a probe must be written name:option=value,option=value; got {part!r} in {text!r}")
        options[key] = [_value(number) for number in value.split("+")] if key == "at" else _value(value)
    return probe_from_dict(options)


def as_probes(probes: Sequence[Probe | str]) -> tuple[Probe, ...]:
    """Probes, each given as such or in the notation of `parse_probe`."""
    return tuple(probe if isinstance(probe, Probe) else parse_probe(probe) for probe in probes)


def _defaults(kind: type[Probe]) -> dict[str, Any]:
    when = next(each.default for each in fields(kind) if each.name == "when")
    assert isinstance(when, When)
    return {name: getattr(when, name) for name in _WHEN}


def _value(text: str) -> int | float | bool | str | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
