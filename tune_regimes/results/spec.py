"""``study.json``: what a study is, written once when it begins."""

import json
from collections.abc import Mapping
from typing import Any

from tune_regimes.errors import StudyError
from tune_regimes.results.schema import SCHEMA_VERSION, to_json
from tune_regimes.storage import Storage

FILE = "study.json"
JOURNAL = "optuna.journal"

_NEEDED = ("schema_version", "name", "metric", "mode", "seeds")


def write_spec(storage: Storage, spec: Mapping[str, Any]) -> None:
    """Publish the spec of a study in its folder; ``schema_version`` is filled in."""
    complete = json.loads(to_json({"schema_version": SCHEMA_VERSION, **spec}))
    storage.write(FILE, json.dumps(complete, indent=2).encode())


def read_spec(storage: Storage) -> dict[str, Any]:
    """The spec of the study in a folder.

    Raises:
        StudyError: There is no study in the folder, its ``study.json`` is damaged, or a newer version wrote it.
    """
    if not storage.exists(FILE):
        raise StudyError(f"a study's folder must hold {FILE}; {storage} {_found(storage)}")
    try:
        spec = dict(json.loads(storage.read(FILE)))
        version = {name: spec[name] for name in _NEEDED}["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise StudyError(
            f"{storage.child(FILE)} must hold {', '.join(_NEEDED)}; it is damaged ({error!r}); restore it from a copy"
        ) from error
    if version > SCHEMA_VERSION:
        raise StudyError(
            f"results must have schema version {SCHEMA_VERSION} or older; {storage} has {version}; upgrade tune-regimes"
        )
    return spec


def _found(storage: Storage) -> str:
    """What stands in a folder that is no study, and what to do about it."""
    if not storage.exists():
        return "does not exist; check the path and the name of the study"
    studies = [name for name in storage.folders() if storage.exists(f"{name}/{FILE}")]
    if studies:
        return f"holds the folders of studies instead; add one of their names: {', '.join(studies)}"
    names = [*(f"{name}/" for name in storage.folders()), *storage.list()]
    held = f"holds {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else "is empty"
    return f"{held}; check the path and the name of the study"
