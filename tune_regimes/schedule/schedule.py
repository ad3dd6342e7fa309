"""A schedule: phases in order, and what each epoch of training is told."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_count, check_fields, decode_json
from tune_regimes.schedule.optimizers import VELOCITY_ONLY
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import Policy
from tune_regimes.schedule.settings import Settings, at_step


@dataclass(frozen=True)
class Schedule(Policy):
    """Phases in the order in which they are trained. Epochs count from 0.

    As a policy its state is the number of the epoch, and observations change nothing.

    Args:
        phases: One phase or more, each with its length. A weight decay of None becomes 0.

    Raises:
        ScheduleError: There is no phase, or one without a length.

    Examples:
        >>> schedule = Schedule((Phase(lr=0.1, epochs=2), Phase(lr=0.01, momentum=0.9, epochs=3)))
        >>> schedule.epochs, schedule.transitions
        (5, (2,))
        >>> [schedule.settings(epoch, steps_per_epoch=10).lr for epoch in range(5)]
        [0.1, 0.1, 0.01, 0.01, 0.01]
        >>> Schedule.from_json(schedule.to_json()) == schedule
        True
    """

    adaptive = False

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        phases = tuple(self.phases) if isinstance(self.phases, (tuple, list)) else ()
        if not phases or not all(isinstance(phase, Phase) for phase in phases):
            raise ScheduleError(f"a schedule needs one Phase or more: received {self.phases!r}. Put them in a tuple.")
        object.__setattr__(self, "phases", tuple(_complete(phase) for phase in phases))

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return self._ends[-1]

    @property
    def last_phase(self) -> int:
        """Index of the last phase, from 0."""
        return len(self.phases) - 1

    @property
    def transitions(self) -> tuple[int, ...]:
        """First epoch of every phase but the first, counted from 0."""
        return self._ends[:-1]

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(phase.length for phase in self.phases))

    def phase_of(self, epoch: int) -> tuple[int, int]:
        """Return the index of an epoch's phase and the epoch within it, all counted from 0.

        Raises:
            ScheduleError: The schedule has no such epoch.
        """
        check_count("epoch", epoch, low=0, high=self.epochs - 1, remedy="Ask for an epoch of the schedule.")
        index = bisect_right(self._ends, epoch)
        return index, epoch - (self._ends[index - 1] if index else 0)

    def settings(self, epoch: int, steps_per_epoch: int) -> Settings:
        """Return what an epoch is told, resolved to values.

        Args:
            epoch: Epoch, from 0.
            steps_per_epoch: Batches of an epoch; each is a step unless `batches_per_step` says otherwise.

        Returns:
            The settings. `reset` is True only where it changes something: the phase that begins asks for it, its
            optimizer is of the family of the phase before, and with sgd and kfac both the last step before and the
            first step of the phase have momentum (a step without momentum leaves no buffer).

        Raises:
            ScheduleError: The schedule has no such epoch, or an epoch has no step.
        """
        check_count("steps_per_epoch", steps_per_epoch, remedy="An epoch has one step or more.")
        index, epoch_in_phase = self.phase_of(epoch)
        if index == 0 or epoch_in_phase > 0:
            return self.phases[index].settings(epoch_in_phase, steps_per_epoch)
        earlier, later = self.phases[index - 1 : index + 1]
        return entered(later, earlier.settings(earlier.length - 1, steps_per_epoch), steps_per_epoch)

    def first(self, epochs: int) -> "Schedule":
        """Return the schedule of the first epochs alone, which are told what they are told here.

        Raises:
            ScheduleError: The schedule has fewer epochs, or none is asked for.

        Examples:
            >>> schedule = Schedule((Phase(lr=0.1, epochs=2), Phase(lr=0.01, epochs=3)))
            >>> [phase.epochs for phase in schedule.first(3).phases]
            [2, 1]
        """
        index, last = self.phase_of(check_count("epochs", epochs, high=self.epochs, remedy="Keep some of them.") - 1)
        return Schedule((*self.phases[:index], self.phases[index].cut(last + 1)))

    def to_dict(self) -> dict[str, Any]:
        """Return the schedule as a JSON object."""
        return {"phases": [phase.to_dict() for phase in self.phases]}

    @classmethod
    def from_dict(cls, received: object) -> "Schedule":
        """Return the schedule that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe a schedule.
        """
        phases = check_fields("a schedule", received, known=("phases",), required=("phases",))["phases"]
        if not isinstance(phases, list):
            raise ScheduleError(f"a schedule has a list of phases: received {phases!r}. Write it with to_json().")
        return cls(tuple(Phase.from_dict(phase) for phase in phases))

    def start(self) -> int:
        """Epoch 0."""
        return 0

    def observe(self, state: int, record: Mapping[str, float]) -> int:
        """The epoch after ``state``, whatever was measured."""
        return state + 1

    def forecast(self) -> "Schedule":
        """The schedule itself."""
        return self

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        """Return the schedule that JSON text describes.

        Raises:
            ScheduleError: The text is not JSON or does not describe a schedule.
        """
        return cls.from_dict(decode_json(text))


def entered(phase: Phase, before: Settings, steps_per_epoch: int) -> Settings:
    """The settings of the first epoch of a phase, with a reset where that changes something: see `Schedule.settings`.

    Args:
        phase: The phase that begins, with its length.
        before: What the epoch before it was told.
        steps_per_epoch: Batches of an epoch.
    """
    first = phase.settings(0, steps_per_epoch)
    if phase.momentum_rule != "reset" or before.family != first.family:
        return first
    last, next_ = at_step(before.momentum, steps_per_epoch - 1), at_step(first.momentum, 0)
    drops = first.family not in VELOCITY_ONLY or (last != 0.0 and next_ != 0.0)
    return first.with_reset() if drops else first


def _complete(phase: Phase) -> Phase:
    _ = phase.length
    return replace(phase, weight_decay=0.0) if phase.weight_decay is None else phase
