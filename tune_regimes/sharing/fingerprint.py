"""Chained fingerprints: two trajectories with equal keys after n epochs have equal training states after n epochs.

``key[0] = H(identity)`` and ``key[n + 1] = H(key[n], settings of epoch n)``, with H = SHA-256 of canonical JSON, so
that a key names everything that led to a state, as a commit names its history. Where a library of its own computes the
steps of an optimizer (K-FAC), its version enters the keys of the epochs that use it, and of no others.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import Any

from tune_regimes.schedule import Schedule, Settings
from tune_regimes.schedule.checks import check_count
from tune_regimes.schedule.optimizers import LIBRARIES

KEY_VERSION = 1
"""To be raised when equal settings come to mean another training. What lies under the old keys is then not found any
more; where the training is the same and only its stored form is another, `entries.FORMAT` is raised instead."""
_WITHIN = "Follow the keys within the epochs of the schedule."


def root_key(identity: Mapping[str, Any]) -> str:
    """Return the key of a trajectory before its first epoch.

    Args:
        identity: JSON values that name all that the untrained state and its training depend on beside the settings:
            task, seed, numerics, code version. The order of the keys does not matter.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: A value has no JSON form.
        ValueError: A number is not finite.

    Examples:
        >>> root_key({"task": "digits/mlp", "seed": 0}) == root_key({"seed": 0, "task": "digits/mlp"})
        True
    """
    return _digest({"version": KEY_VERSION, "identity": dict(identity)})


def next_key(key: str, settings: Settings) -> str:
    """Return the key after one more epoch.

    Args:
        key: Key before the epoch.
        settings: What the epoch is told.

    Returns:
        64 hexadecimal digits.
    """
    return _digest({"after": key, "settings": settings.to_dict(), **_library(settings.family)})


def key_chain(root: str, schedule: Schedule, steps_per_epoch: int, epochs: int | None = None) -> list[str]:
    """Return the keys of a trajectory after 0, 1, ... epochs.

    Args:
        root: Key before the first epoch.
        schedule: What each epoch is told.
        steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.
        epochs: Epochs to follow; None for the whole schedule.

    Returns:
        ``epochs + 1`` keys.

    Raises:
        ScheduleError: The schedule has fewer epochs than asked for.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> once = Schedule((Phase(lr=0.1, epochs=2), Phase(lr=0.01, epochs=1)))
        >>> again = Schedule((Phase(lr=0.1, epochs=2), Phase(lr=0.02, epochs=1)))
        >>> root = root_key({"seed": 0})
        >>> [a == b for a, b in zip(key_chain(root, once, 10), key_chain(root, again, 10))]
        [True, True, True, False]
    """
    total = schedule.epochs
    length = total if epochs is None else check_count("epochs", epochs, low=0, high=total, remedy=_WITHIN)
    keys = [root]
    for epoch in range(length):
        keys.append(next_key(keys[-1], schedule.settings(epoch, steps_per_epoch)))
    return keys


@cache
def _library(family: str) -> dict[str, str]:
    """The version of the library that computes the steps of a family, where there is one that is installed here."""
    try:
        return {"library": metadata.version(LIBRARIES[family])}
    except (KeyError, metadata.PackageNotFoundError):
        return {}


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
