"""From results to figures and verdicts: one package per paper, with the stem of its search space.

``analyse`` gives the report on a study, ``report`` writes it; nothing here loads torch or ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.reporting import analyse, report
    from analysis.verdicts import verdict_table

_HOMES = {"analyse": "reporting", "report": "reporting", "verdict_table": "verdicts"}

__all__ = ["analyse", "report", "verdict_table"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(f"analysis.{_HOMES[name]}"), name)
