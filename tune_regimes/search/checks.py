"""Checks of what a study is told."""

import math
import re
from typing import Any

from tune_regimes.errors import StudyError


def check_name(name: str) -> str:
    """A study's name, which names a folder.

    Raises:
        StudyError: It cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise StudyError(
            f"a study's name must be letters, digits, '.', '_' and '-', as it names a folder; got {name!r}"
        )
    return name


def check_goal(searcher: str, cost: str | None, diverged: Any) -> None:
    """Refuse what a search is not steered by.

    Raises:
        StudyError: A cost or a value of diverged points that cannot be used, or not with this searcher.
    """
    number = isinstance(diverged, int | float) and not isinstance(diverged, bool) and math.isfinite(diverged)
    if cost not in (None, "epochs"):
        raise StudyError(f"cost must be None or 'epochs'; got {cost!r}")
    if diverged != "fail" and not number:
        raise StudyError(f"diverged must be 'fail' or a finite number; got {diverged!r}")
    if searcher != "optuna" and (cost is not None or number):
        raise StudyError(f"cost and diverged steer a TPE search only; got searcher {searcher!r}: leave them out")
    if cost is not None and number:
        raise StudyError(
            f"with a cost, diverged points must be told as failed; got diverged={diverged!r}: leave it out, as a point "
            "that diverges soon would count as a cheap one"
        )


def check_count(what: str, count: Any) -> int:
    """A whole number of at least 1.

    Raises:
        StudyError: It is none.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise StudyError(f"{what} must be a whole number of at least 1; got {count!r}")
    return count
