"""The optimizers that settings can name: the family of each, the fields that it uses, and its defaults."""

from collections.abc import Mapping
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_count, check_number

OPTIMIZER_FAMILIES = {
    "sgd": "sgd",
    "adam": "adam",
    "adamw": "adam",
    "adadelta": "adadelta",
    "muon": "muon",
    "lbfgs": "lbfgs",
    "kfac": "kfac",
}
DEFAULT_EPS = {"adam": 1e-8, "adamw": 1e-8, "adadelta": 1e-6}
DEFAULT_MOMENTUM = {"adam": 0.9, "adamw": 0.9, "muon": 0.95}
LINE_SEARCHES = ("none", "strong_wolfe")
LIBRARIES = {"kfac": "curvlinops-for-pytorch"}
"""Distributions beside torch that compute the steps of a family: with another version they may compute other bits."""
VELOCITY_ONLY = ("sgd", "kfac")
"""Families whose only buffer is the velocity, so that a step without momentum leaves none."""

USED = {
    "sgd": frozenset({"momentum", "nesterov"}),
    "adam": frozenset({"momentum", "beta2", "eps"}),
    "adadelta": frozenset({"rho", "eps"}),
    "muon": frozenset({"momentum"}),
    "lbfgs": frozenset({"history_size", "max_iter", "line_search"}),
    "kfac": frozenset({"momentum", "damping", "refresh"}),
}
CONDITIONAL = (
    "momentum", "nesterov", "beta2", "eps", "rho",
    "history_size", "max_iter", "line_search", "damping", "refresh",
)  # fmt: skip
"""The fields that only some optimizers use, in the order in which they are written."""

_COUNTS = {
    "history_size": "Keep one update or more.",
    "max_iter": "Give it one iteration or more.",
    "refresh": "Give the optimizer steps between two computations of the factors.",
    "batches_per_step": "A step takes one batch or more.",
}


def check_options(values: Any) -> Mapping[str, Any]:
    """Check the fields of L-BFGS and K-FAC, clipping under L-BFGS, and the batches of a step: `Settings` and `Phase`.

    Args:
        values: What has these fields.

    Returns:
        The fields with their clean values.

    Raises:
        ScheduleError: One is outside its range, or gradients are to be clipped under L-BFGS.
    """
    if values.clip_norm is not None and OPTIMIZER_FAMILIES[values.optimizer] == "lbfgs":
        raise ScheduleError(
            f"lbfgs needs the gradients of its objective as they are: received clip_norm={values.clip_norm!r}. "
            "Leave clip_norm out, or use another optimizer."
        )
    check_choice("line search", values.line_search, LINE_SEARCHES)
    counts = {name: check_count(name, getattr(values, name), remedy=remedy) for name, remedy in _COUNTS.items()}
    return {**counts, "damping": check_number("damping", values.damping, positive=True)}
