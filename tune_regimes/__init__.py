"""Search the training schedules of neural networks: phases, transition epochs, and the settings of each.

The names below load their module when they are first used, so that ``import tune_regimes`` loads neither torch nor ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tune_regimes import _version

if TYPE_CHECKING:
    from tune_regimes.errors import UsageError
    from tune_regimes.results import Results
    from tune_regimes.schedule import (
        AutoDrop,
        Averaged,
        Equilibrium,
        Phase,
        Plateau,
        Ramp,
        Schedule,
        Settings,
        cosine,
        exponential,
        one_cycle,
        sgdr,
        staircase,
        three_step,
        two_phase,
        wsd,
    )
    from tune_regimes.search import RegimeASHA, Study
    from tune_regimes.search.locate import locate
    from tune_regimes.search.regimes import Regimes
    from tune_regimes.tasks import Augmentation, Data, Split, Task, TaskSpec, register_task, task
    from tune_regimes.training import Trajectory

__version__ = _version.VERSION

_HOMES = {
    "UsageError": "errors",
    "Results": "results",
    "AutoDrop": "schedule",
    "Averaged": "schedule",
    "Equilibrium": "schedule",
    "Phase": "schedule",
    "Plateau": "schedule",
    "Ramp": "schedule",
    "Schedule": "schedule",
    "Settings": "schedule",
    "cosine": "schedule",
    "exponential": "schedule",
    "one_cycle": "schedule",
    "sgdr": "schedule",
    "staircase": "schedule",
    "three_step": "schedule",
    "two_phase": "schedule",
    "wsd": "schedule",
    "RegimeASHA": "search",
    "Regimes": "search.regimes",
    "Study": "search",
    "locate": "search.locate",
    "Augmentation": "tasks",
    "Data": "tasks",
    "Split": "tasks",
    "Task": "tasks",
    "TaskSpec": "tasks",
    "register_task": "tasks",
    "task": "tasks",
    "Trajectory": "training",
}

__all__ = [
    "Augmentation",
    "AutoDrop",
    "Averaged",
    "Data",
    "Equilibrium",
    "Phase",
    "Plateau",
    "Ramp",
    "RegimeASHA",
    "Regimes",
    "Results",
    "Schedule",
    "Settings",
    "Split",
    "Study",
    "Task",
    "TaskSpec",
    "Trajectory",
    "UsageError",
    "__version__",
    "cosine",
    "exponential",
    "locate",
    "one_cycle",
    "register_task",
    "sgdr",
    "staircase",
    "task",
    "three_step",
    "two_phase",
    "wsd",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'tune_regimes' has no attribute {name!r}")
    value = getattr(import_module(f"tune_regimes.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
