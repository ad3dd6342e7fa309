"""Numbers, times, intervals, epochs and configs as a reader wants them."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

NOTHING = "-"
_STEPS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_DECIMALS = 4
_SIZES = ((12, "TB"), (9, "GB"), (6, "MB"), (3, "KB"))


def number(value: float | None, digits: int = 4) -> str:
    """A number in so many significant digits, whole ones in full.

    Examples:
        >>> number(0.9236708571873865), number(1e-5), number(60), number(float("nan"))
        ('0.9237', '1e-05', '60', '-')
    """
    if value is None or math.isnan(value):
        return NOTHING
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.{digits}g}"


def metric(value: float | None) -> str:
    """A metric with four decimals, so that a column of them lines up; in significant digits where they say more.

    Examples:
        >>> metric(0.93), metric(0.00012), metric(None)
        ('0.9300', '0.00012', '-')
    """
    if value is None or not math.isfinite(value):
        return NOTHING if value is None or math.isnan(value) else str(value)
    return f"{value:.{_DECIMALS}f}" if value == 0 or abs(value) >= 0.01 else number(value)


def duration(seconds: float | None) -> str:
    """A time in its two largest units.

    Examples:
        >>> duration(0.04), duration(8.2), duration(95), duration(3720), duration(100_000), duration(None)
        ('0.04 s', '8 s', '1 min 35 s', '1 h 2 min', '1 d 4 h', '-')
    """
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if seconds < 1:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in _STEPS:
        if whole >= size:
            large, rest = divmod(round(whole / smaller) * smaller, size)
            return f"{large} {unit}" + (f" {rest // smaller} {smaller_unit}" if rest else "")
    return f"{whole} s"


def moment(iso: str | None) -> str:
    """A moment in UTC, from the ISO form that ``study.json`` holds.

    Examples:
        >>> moment("2026-11-22T00:33:07+00:00")
        '2026-11-22 00:33 UTC'
    """
    return NOTHING if iso is None else f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def rate(per_second: float, noun: str) -> str:
    """A rate.

    Examples:
        >>> rate(1234.5, "epochs"), rate(2.071, "epochs")
        ('1234 epochs/s', '2.07 epochs/s')
    """
    decimals = 0 if per_second >= 100 else 1 if per_second >= 10 else 2
    return f"{per_second:.{decimals}f} {noun}/s"


def interval(mean: float, low: float | None, high: float | None, n: int) -> str:
    """A mean with its 95 % interval and n.

    Examples:
        >>> interval(0.93, 0.921, 0.939, 3)
        '0.9300, 95 % interval 0.9210 to 0.9390, n = 3'
        >>> interval(0.93, None, None, 1)
        '0.9300, n = 1: no interval'
    """
    if low is None or high is None or math.isnan(low):
        return f"{metric(mean)}, n = {n}: no interval"
    return f"{metric(mean)}, 95 % interval {metric(low)} to {metric(high)}, n = {n}"


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> counted(1, "epoch"), counted(3, "epoch")
        ('1 epoch', '3 epochs')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def epochs(trained: int, inherited: int) -> str:
    """Epochs by where they came from.

    Examples:
        >>> epochs(1234, 800), epochs(1, 0)
        ('1,234 epochs trained, 800 inherited', '1 epoch trained')
    """
    return f"{trained:,} epoch{'' if trained == 1 else 's'} trained" + (
        f", {inherited:,} inherited" if inherited else ""
    )


def size(count: int | None) -> str:
    """Bytes in the unit that suits them, decimal.

    Examples:
        >>> size(2_500_000), size(20 * 10**9), size(999), size(None)
        ('2.5 MB', '20 GB', '999 B', 'unknown')
    """
    if count is None:
        return "unknown"
    unit, name = next(((10**n, name) for n, name in _SIZES if count >= 10**n), (1, "B"))
    return f"{count / unit:.3g} {name}"


def size_argument(count: int | None) -> str:
    """Bytes as the command line takes them, exact.

    Examples:
        >>> size_argument(20 * 10**9), size_argument(1_500_000), size_argument(1001), size_argument(None)
        ('20GB', '1500KB', '1001B', 'none')
    """
    if count is None:
        return "none"
    unit, name = next(((10**n, name) for n, name in _SIZES if count % 10**n == 0), (1, "B"))
    return f"{count // unit}{name}"


def states(counts: Mapping[str, int]) -> str:
    """Trials by state, those that are none left out.

    Examples:
        >>> states({"completed": 3, "pruned": 0, "running": 2})
        '3 completed, 2 running'
    """
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"


def config(values: Mapping[str, Any]) -> str:
    """A config in one line.

    Examples:
        >>> config({"transition_epoch": 12, "small": {"lr": 0.0123456, "name": "classic"}})
        'transition_epoch 12, small.lr 0.01235, small.name classic'
    """
    return ", ".join(f"{name} {setting(value)}" for name, value in flat(values))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The settings of a config, nested ones by their path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def setting(value: Any) -> str:
    """One setting of a config."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING if value is None else str(value)
    return number(value)


def epoch_range(first: int, last: int) -> str:
    """Epochs counted from 1, both ends included.

    Examples:
        >>> epoch_range(1, 12), epoch_range(3, 3)
        ('epochs 1-12', 'epoch 3')
    """
    return f"epochs {first}-{last}" if last > first else f"epoch {first}"
