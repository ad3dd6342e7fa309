"""What is trained: models, data sets, and the task that joins one of each with a loss and metrics.

Naming, registering and checking a task (:func:`task`, :class:`TaskSpec`, :func:`register_task`, :func:`names`,
:func:`check_data`) load no torch; :class:`Task` and what it is made of load it when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tune_regimes.tasks.spec import TaskSpec, check_data, names, register_task, task

if TYPE_CHECKING:
    from tune_regimes.tasks.data import Data, Split
    from tune_regimes.tasks.definition import Augmentation, Task, accuracy
    from tune_regimes.tasks.scale_invariance import check_scale_invariant

__all__ = [
    "Augmentation",
    "Data",
    "Split",
    "Task",
    "TaskSpec",
    "accuracy",
    "check_data",
    "check_scale_invariant",
    "names",
    "register_task",
    "task",
]

_NEEDS_TORCH = {
    "Augmentation": "definition",
    "Data": "data",
    "Split": "data",
    "Task": "definition",
    "accuracy": "definition",
    "check_scale_invariant": "scale_invariance",
}


def __getattr__(name: str) -> object:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module 'tune_regimes.tasks' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"tune_regimes.tasks.{_NEEDS_TORCH[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
