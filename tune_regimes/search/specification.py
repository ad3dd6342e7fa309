"""When a study began, where, and whether a stored one is the same as the one that is asked for."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from tune_regimes.errors import StudyError

_PACKAGES = ("tune-regimes", "ray", "torch", "torchvision", "optuna", "pandas", "pyarrow")


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
    differences = [
        f"{name}: stored {before.get(name)!r}, asked {now[name]!r}"
        for name in now
        if name != "origin" and before.get(name) != now[name]
    ]
    if differences:
        raise StudyError(
            f"a study is resumed under the specification it was started with; {where} differs in "
            + "; ".join(differences)
            + ". Resume it unchanged, or give the new study another name or storage"
        )


def _without_places(value: Any) -> Any:
    """The specification without where the data lie: moving a folder does not make another study."""
    if isinstance(value, Mapping):
        return {name: _without_places(inner) for name, inner in value.items() if name not in ("data", "download")}
    return value
