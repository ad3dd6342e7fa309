"""The options of the built-in tasks, and what each may be. No torch here."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tune_regimes.errors import TaskError

FULL = "full"
INITS = ("default", "kaiming", "ntk")


@dataclass(frozen=True)
class Options:
    """The options that every built-in task takes.

    Attributes:
        data: folder the data set lies in (see :mod:`tune_regimes.tasks.datasets`); None for ``digits`` only.
        download: fetch the data set from torchvision's source where the folder holds nothing yet.
        batch_size: rows per training step, "full" for all rows of the training split; None for the data set's own
            default.
        augment: random crops, and flips where the data set allows; None for the data set's own default.
        padding: what crops are padded with, "zero" or "reflect".
        normalize: per-channel normalisation; None for the model's own default.
        train_size: rows of the training split, a stratified draw; None for all (for ``digits``: 500).
        test_size: rows of the test split likewise; None for all.
        split_seed: which draw.
        width: multiplier of the model's channel counts.
        dropout: share of units dropped before the output layer (in the MLP, DenseNet and residual networks with
            pre-activation: after or inside the hidden layers).
        init: how trained layers start: "default" as the network's source has it, "kaiming" or "ntk" (see
            :func:`tune_regimes.tasks.models.initial.initialise`).
        init_scale: what the initial weights are multiplied by.
        init_seed: the seed of the initial weights, whatever that of the training, which has those of a training with
            this seed; None for the training's own.

    Raises:
        TaskError: for a value of the wrong type or range.
    """

    data: str | None = None
    download: bool = False
    batch_size: int | str | None = None
    augment: bool | None = None
    padding: str = "zero"
    normalize: bool | None = None
    train_size: int | None = None
    test_size: int | None = None
    split_seed: int = 0
    width: float = 1.0
    dropout: float = 0.0
    init: str = "default"
    init_scale: float = 1.0
    init_seed: int | None = None

    def __post_init__(self) -> None:
        for name, (accepts, wanted) in _RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                raise TaskError(f"{name} must be {wanted}, got {value!r}")


def _whole(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count_or_none(value: object) -> bool:
    return value is None or _whole(value, 1)


def _flag_or_none(value: object) -> bool:
    return value is None or isinstance(value, bool)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "data": (lambda v: v is None or (isinstance(v, str) and v != ""), "a folder's path, or None"),
    "download": (lambda v: isinstance(v, bool), "True or False"),
    "batch_size": (lambda v: v == FULL or _count_or_none(v), "a whole number of at least 1, 'full', or None"),
    "augment": (_flag_or_none, "True, False or None"),
    "padding": (lambda v: v in ("zero", "reflect"), "'zero' or 'reflect'"),
    "normalize": (_flag_or_none, "True, False or None"),
    "train_size": (_count_or_none, "a whole number of at least 1, or None"),
    "test_size": (_count_or_none, "a whole number of at least 1, or None"),
    "split_seed": (lambda v: _whole(v, 0), "a whole number of at least 0"),
    "width": (lambda v: _number(v) and v > 0, "a number above 0"),
    "dropout": (lambda v: _number(v) and 0 <= v < 1, "a number in [0, 1)"),
    "init": (lambda v: v in INITS, f"one of {', '.join(INITS)}"),
    "init_scale": (lambda v: _number(v) and v > 0, "a number above 0"),
    "init_seed": (lambda v: v is None or _whole(v, 0), "a whole number of at least 0, or None"),
}
