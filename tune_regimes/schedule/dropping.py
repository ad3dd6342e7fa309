"""What policies have in common that follow one phase and drop its learning rate: state, checks, JSON."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Self

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_fields, check_number
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import KIND, Policy
from tune_regimes.schedule.ramps import Ramp, round_significant
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import Settings


@dataclass(frozen=True, kw_only=True)
class DropState:
    """Where a `Dropping` policy stands before an epoch.

    Args:
        lr: Learning rate of the next epoch.
        epoch: Epochs completed.
        drops: Drops so far: the index of the present phase.
        since: Epoch at which the present phase began.
    """

    lr: float
    epoch: int = 0
    drops: int = 0
    since: int = 0

    def lowered(self, lr: float) -> Self:
        """The state with a smaller learning rate, which begins a phase; the state itself where it is not smaller."""
        return replace(self, lr=lr, drops=self.drops + 1, since=self.epoch) if lr < self.lr else self


@dataclass(frozen=True)
class Dropping(Policy):
    """A policy that follows one phase and drops its learning rate. Each drop begins a phase; the optimizer goes on.

    Args:
        phase: Settings of all epochs and their number; its learning rate, a number, is the first.
    """

    kind: ClassVar[str]

    phase: Phase

    def __post_init__(self) -> None:
        object.__setattr__(self, "phase", Schedule((self.phase,)).phases[0])
        if isinstance(self.phase.lr, Ramp):
            raise ScheduleError(
                f"the lr of a policy that drops it must be a number: received {self.phase.lr!r}. Give the first one."
            )

    @property
    def first_lr(self) -> float:
        """Learning rate of the first epoch."""
        assert not isinstance(self.phase.lr, Ramp)
        return self.phase.lr

    @property
    def epochs(self) -> int:
        """Epochs of the whole training."""
        return self.phase.length

    @property
    def last_phase(self) -> int | None:
        """None: the number of drops depends on observations."""
        return None

    def settings(self, state: Any, steps_per_epoch: int) -> Settings:
        """The settings of the phase, with the learning rate as it has dropped."""
        return replace(self.phase.settings(state.epoch, steps_per_epoch), lr=state.lr)

    def phase_of(self, state: Any) -> tuple[int, int]:
        """The number of drops, and the epochs since the last one."""
        return state.drops, state.epoch - state.since

    def forecast(self) -> Schedule:
        """The phase without a drop."""
        return Schedule((self.phase,))

    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {KIND: self.kind, **values, "phase": self.phase.to_dict()}

    @classmethod
    def from_dict(cls, received: object) -> Self:
        """The policy that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a policy of this kind.
        """
        names = [field.name for field in fields(cls)]
        required = [field.name for field in fields(cls) if field.default is MISSING]
        known = check_fields(f"a {cls.kind} policy", received, known=[KIND, *names], required=required)
        given = {name: known[name] for name in names if name in known}
        return cls(**given | {"phase": Phase.from_dict(known["phase"])})

    def _check_floor(self, min_lr: object) -> None:
        floor = check_number("min_lr", min_lr)
        if floor > self.first_lr:
            raise ScheduleError(
                f"min_lr must be at most the lr of the phase: received {floor!r} with lr={self.first_lr!r}. Lower it."
            )


def lowered_lr(lr: float, factor: float, min_lr: float) -> float:
    """A learning rate after a drop, no smaller than the floor.

    It is rounded to 12 significant digits, so that drops that arrive at the floor arrive exactly.

    Examples:
        >>> 0.1 * 0.1 * 0.1 * 0.1 > 1e-4, lowered_lr(lowered_lr(0.01, 0.1, 1e-4), 0.1, 1e-4)
        (True, 0.0001)
    """
    return max(round_significant(lr * factor), min_lr)


def measured(name: str, record: Mapping[str, float]) -> float:
    """A value of a record that a policy cannot do without.

    Raises:
        ScheduleError: The epoch did not measure it.
    """
    if name not in record:
        raise ScheduleError(
            f"a policy looks at what epochs measure: received {name!r}. Choose from {', '.join(record)}."
        )
    return record[name]


def turned(record: Mapping[str, float], epoch: int) -> float | None:
    """The angular velocity of an epoch in degrees; None where there is none.

    Args:
        record: What the epoch measured.
        epoch: Its number, from 1: the first may lack the angle, since there is no displacement before its own.

    Raises:
        ScheduleError: A later epoch did not measure it.
    """
    value = record.get("angular_velocity") if epoch == 1 else measured("angular_velocity", record)
    return value if value is not None and math.isfinite(value) else None
