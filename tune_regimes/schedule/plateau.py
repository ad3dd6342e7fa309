"""Dropping the learning rate when a metric has stopped improving."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from tune_regimes.schedule.checks import check_choice, check_count, check_number
from tune_regimes.schedule.dropping import Dropping, DropState, measured

_COUNT = "Give a whole number of epochs."


@dataclass(frozen=True, kw_only=True)
class PlateauState(DropState):
    """Where a `Plateau` stands before an epoch.

    Args:
        lr: Learning rate of the next epoch.
        epoch: Epochs completed.
        drops: Drops so far: the index of the present phase.
        since: Epoch at which the present phase began.
        best: Best value of the metric so far, infinite before the first.
        bad_epochs: Epochs in a row without improvement.
        cooling: Epochs for which bad epochs are not counted yet.
    """

    best: float
    bad_epochs: int = 0
    cooling: int = 0


@dataclass(frozen=True)
class Plateau(Dropping):
    """Multiply the learning rate by a factor once a metric has not improved for more than ``patience`` epochs.

    The rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau``, with the same names and defaults. Each drop begins a
    phase; the optimizer and its buffers go on.

    Args:
        phase: Settings of all epochs and their number; its learning rate, a number, is the first.
        factor: Factor of each drop, in (0, 1).
        patience: Epochs without improvement that are borne; the next one drops.
        threshold: Smallest change that counts as an improvement.
        threshold_mode: "rel" (a share of the best value) or "abs".
        cooldown: Epochs after a drop in which nothing is counted.
        min_lr: Smallest learning rate.
        eps: A drop by less than this is not made.
        metric: A column of the epochs table.
        mode: "min" or "max".

    Raises:
        ScheduleError: A value outside its range, a phase without a length, or one whose learning rate is a ramp or lies
            below the floor.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> policy = Plateau(Phase(lr=0.1, epochs=9), patience=1)
        >>> state, rates = policy.start(), []
        >>> for loss in (1.0, 0.9, 0.9, 0.9, 0.8):
        ...     rates.append(round(policy.settings(state, 10).lr, 6))
        ...     state = policy.observe(state, {"train_loss": loss})
        >>> rates, policy.phase_of(state)
        ([0.1, 0.1, 0.1, 0.1, 0.01], (1, 1))
    """

    kind: ClassVar[str] = "plateau"

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: float = 0.0
    eps: float = 1e-8
    metric: str = "train_loss"
    mode: str = "min"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("factor", self.factor, below=1.0, positive=True)
        self._check_floor(self.min_lr)
        for name in ("threshold", "eps"):
            check_number(name, getattr(self, name))
        for name in ("patience", "cooldown"):
            check_count(name, getattr(self, name), low=0, remedy=_COUNT)
        check_choice("threshold mode", self.threshold_mode, ("rel", "abs"))
        check_choice("mode", self.mode, ("min", "max"))

    def start(self) -> PlateauState:
        """The state before the first epoch."""
        return PlateauState(lr=self.first_lr, best=math.inf if self.mode == "min" else -math.inf)

    def observe(self, state: PlateauState, record: Mapping[str, float]) -> PlateauState:
        """Count an epoch as good or bad, and drop the learning rate after too many bad ones.

        Raises:
            ScheduleError: The epoch did not measure the policy's metric.
        """
        value, epoch = measured(self.metric, record), state.epoch + 1
        better = self._improves(value, state.best)
        best, bad = (value, 0) if better else (state.best, state.bad_epochs + 1)
        cooling = state.cooling
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad <= self.patience:
            return replace(state, epoch=epoch, best=best, bad_epochs=bad, cooling=cooling)
        lr = max(state.lr * self.factor, self.min_lr)
        rested = replace(state, epoch=epoch, best=best, bad_epochs=0, cooling=self.cooldown)
        return rested if state.lr - lr <= self.eps else rested.lowered(lr)

    def _improves(self, value: float, best: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        bar = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value > bar if self.mode == "max" else value < bar
