"""When a study began, where, and whether a stored one is the same as the one that is asked for."""

import json
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.schedule.optimizers import LIBRARIES

_PACKAGES = ("tune-regimes", "ray", "torch", "torchvision", "optuna", "pandas", "pyarrow", *LIBRARIES.values())


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a result may depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def with_circumstances(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with when, where and with which versions the study was created."""
    return {
        **spec,
        "versions": versions(),
        "host": platform.node(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def check_same(stored: Mapping[str, Any], asked: Mapping[str, Any], where: str) -> None:
    """Refuse to continue a study under another specification; by what command it was asked for makes no difference.

    Raises:
        StudyError: Naming every field that differs, with both values.
    """
    before, now = _without_places(stored), _without_places(json.loads(json.dumps(asked)))
    names = [name for name in now if name != "origin"]
    differences = [text for name in names for text in _differences(name, before.get(name), now[name])]
    if differences:
        raise StudyError(
            f"a study is resumed under the specification it was started with; {where} differs in "
            + "; ".join(differences)
            + ". Resume it unchanged, or give the new study another name or storage"
        )


def _differences(name: str, stored: Any, asked: Any) -> Iterator[str]:
    """Where two values differ, down to the innermost field."""
    if isinstance(stored, Mapping) and isinstance(asked, Mapping):
        for key in {**stored, **asked}:
            yield from _differences(f"{name}.{key}", stored.get(key), asked.get(key))
    elif _are_records(stored) and _are_records(asked) and len(stored) == len(asked):
        for index, pair in enumerate(zip(stored, asked, strict=True)):
            yield from _differences(f"{name}[{index}]", *pair)
    elif stored != asked:
        yield f"{name}: stored {stored!r}, asked {asked!r}"


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _without_places(value: Any) -> Any:
    """The specification without where the data lie: moving a folder does not make another study."""
    if isinstance(value, Mapping):
        return {name: _without_places(inner) for name, inner in value.items() if name not in ("data", "download")}
    return value
