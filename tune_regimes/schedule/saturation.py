"""Dropping the learning rate when the mean angular velocity of a window has stopped changing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from tune_regimes.schedule.checks import check_choice, check_count, check_number
from tune_regimes.schedule.dropping import Dropping, DropState, lowered_lr, turned

WINDOWS = ("moving", "disjoint")


@dataclass(frozen=True, kw_only=True)
class SaturationState(DropState):
    """Where a `SaturationDrop` stands before an epoch.

    Args:
        lr: Learning rate of the next epoch.
        epoch: Epochs completed.
        drops: Drops so far: the index of the present phase.
        since: Epoch at which the present phase began.
        angles: The latest angular velocities since the last drop, in degrees.
    """

    angles: tuple[float, ...] = ()


@dataclass(frozen=True)
class SaturationDrop(Dropping):
    """Drop the learning rate when the mean angular velocity of a window differs little from that of the window before.

    The rule with which the AutoDrop paper drops on the noisy quadratic: mean over 20 iterations, change below 0.01
    degrees between two consecutive iterations, factor 1/2. There a record is that of an iteration, here of an epoch.
    After a drop the angles are collected anew, on which the paper is silent.

    Args:
        phase: Settings of all epochs and their number; its learning rate, a number, is the first.
        factor: Factor of each drop, in (0, 1).
        min_lr: Smallest learning rate.
        window: Angles of a mean, 1 or more.
        threshold: Change of the mean below which the angle counts as saturated, in degrees.
        windows: "moving": the means of two windows one record apart are compared, as printed; "disjoint": those of two
            windows in a row without a record in common, which noise moves less.

    Raises:
        ScheduleError: A value outside its range, a phase without a length, or one whose learning rate is a ramp or lies
            below the floor.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> policy = SaturationDrop(Phase(lr=0.06, epochs=9), window=2, windows="disjoint", threshold=1.0)
        >>> state, rates = policy.start(), []
        >>> for angle in (30, 50, 70, 80, 75.5, 75.5):
        ...     state = policy.observe(state, {"angular_velocity": angle})
        ...     rates.append(policy.settings(state, steps_per_epoch=10).lr)
        >>> rates
        [0.06, 0.06, 0.06, 0.06, 0.06, 0.03]

    References:
        Teng et al., AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop, 2021, Sec. 3, Fig. 3.
    """

    kind: ClassVar[str] = "saturation"

    factor: float = 0.5
    min_lr: float = 1e-3
    window: int = 20
    threshold: float = 0.01
    windows: str = "moving"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("factor", self.factor, below=1.0, positive=True)
        self._check_floor(self.min_lr)
        check_count("window", self.window, remedy="Average over one angle or more.")
        check_number("threshold", self.threshold, positive=True)
        check_choice("windows", self.windows, WINDOWS)

    def start(self) -> SaturationState:
        """The state before the first epoch."""
        return SaturationState(lr=self.first_lr)

    def observe(self, state: SaturationState, record: Mapping[str, float]) -> SaturationState:
        """Collect an angle, and drop the learning rate where two windows are full and their means alike.

        Raises:
            ScheduleError: An epoch after the first did not measure the angular velocity.
        """
        angle, state = turned(record, state.epoch + 1), replace(state, epoch=state.epoch + 1)
        if angle is None:
            return state
        apart = 1 if self.windows == "moving" else self.window
        angles = (*state.angles, angle)
        if len(angles) < self.window + apart:
            return replace(state, angles=angles)
        change = (sum(angles[-self.window :]) - sum(angles[: self.window])) / self.window
        lower = lowered_lr(state.lr, self.factor, self.min_lr)
        if abs(change) < self.threshold and lower < state.lr:
            return replace(state, angles=()).lowered(lower)
        return replace(state, angles=angles[apart:])
