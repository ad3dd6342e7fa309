"""Dropping the learning rate when a metric has stopped improving."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_count, check_fields, check_number
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import KIND, Policy
from tune_regimes.schedule.ramps import Ramp
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import Settings

_COUNT = "Give a whole number of epochs."


@dataclass(frozen=True)
class PlateauState:
    """Where a `Plateau` stands before an epoch.

    Args:
        epoch: Epochs completed.
        lr: Learning rate of the next epoch.
        best: Best value of the metric so far, infinite before the first.
        bad_epochs: Epochs in a row without improvement.
        cooling: Epochs for which bad epochs are not counted yet.
        drops: Drops so far: the index of the present phase.
        since: Epoch at which the present phase began.
    """

    epoch: int
    lr: float
    best: float
    bad_epochs: int = 0
    cooling: int = 0
    drops: int = 0
    since: int = 0


@dataclass(frozen=True)
class Plateau(Policy):
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
        ScheduleError: A value outside its range, a phase without a length, or one whose learning rate is a ramp.

    Examples:
        >>> policy = Plateau(Phase(lr=0.1, epochs=9), patience=1)
        >>> state, rates = policy.start(), []
        >>> for loss in (1.0, 0.9, 0.9, 0.9, 0.8):
        ...     rates.append(round(policy.settings(state, 10).lr, 6))
        ...     state = policy.observe(state, {"train_loss": loss})
        >>> rates, policy.phase_of(state)
        ([0.1, 0.1, 0.1, 0.1, 0.01], (1, 1))
    """

    kind: ClassVar[str] = "plateau"

    phase: Phase
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
        object.__setattr__(self, "phase", Schedule((self.phase,)).phases[0])
        if isinstance(self.phase.lr, Ramp):
            raise ScheduleError(f"the lr of a plateau policy must be a number: received {self.phase.lr!r}. Drop it.")
        check_number("factor", self.factor, below=1.0, positive=True)
        for name in ("threshold", "min_lr", "eps"):
            check_number(name, getattr(self, name))
        for name in ("patience", "cooldown"):
            check_count(name, getattr(self, name), low=0, remedy=_COUNT)
        check_choice("threshold mode", self.threshold_mode, ("rel", "abs"))
        check_choice("mode", self.mode, ("min", "max"))

    @property
    def epochs(self) -> int:
        """Epochs of the whole training."""
        return self.phase.length

    @property
    def last_phase(self) -> int | None:
        """None: the number of drops depends on the metric."""
        return None

    def start(self) -> PlateauState:
        """The state before the first epoch."""
        assert not isinstance(self.phase.lr, Ramp)
        return PlateauState(epoch=0, lr=self.phase.lr, best=math.inf if self.mode == "min" else -math.inf)

    def settings(self, state: PlateauState, steps_per_epoch: int) -> Settings:
        """The settings of the phase, with the learning rate as it has dropped."""
        return replace(self.phase.settings(state.epoch, steps_per_epoch), lr=state.lr)

    def phase_of(self, state: PlateauState) -> tuple[int, int]:
        """The number of drops, and the epochs since the last one."""
        return state.drops, state.epoch - state.since

    def observe(self, state: PlateauState, record: Mapping[str, float]) -> PlateauState:
        """Count an epoch as good or bad, and drop the learning rate after too many bad ones.

        Raises:
            ScheduleError: The epoch did not measure the policy's metric.
        """
        if self.metric not in record:
            raise ScheduleError(
                f"the metric of a plateau policy must be one that epochs measure: received {self.metric!r}. "
                f"Choose from {', '.join(record)}."
            )
        value, epoch = record[self.metric], state.epoch + 1
        better = self._improves(value, state.best)
        best, bad = (value, 0) if better else (state.best, state.bad_epochs + 1)
        cooling = state.cooling
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad <= self.patience:
            return replace(state, epoch=epoch, best=best, bad_epochs=bad, cooling=cooling)
        lr = max(state.lr * self.factor, self.min_lr)
        rested = replace(state, epoch=epoch, best=best, bad_epochs=0, cooling=self.cooldown)
        return rested if state.lr - lr <= self.eps else replace(rested, lr=lr, drops=state.drops + 1, since=epoch)

    def _improves(self, value: float, best: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        bar = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value > bar if self.mode == "max" else value < bar

    def forecast(self) -> Schedule:
        """The phase without a drop."""
        return Schedule((self.phase,))

    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {KIND: self.kind, **values, "phase": self.phase.to_dict()}

    @classmethod
    def from_dict(cls, received: object) -> "Plateau":
        """The policy that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a plateau policy.
        """
        names = [field.name for field in fields(cls)]
        known = check_fields("a plateau policy", received, known=[KIND, *names], required=("phase",))
        return cls(
            **{**{name: known[name] for name in names if name in known}, "phase": Phase.from_dict(known["phase"])}
        )
