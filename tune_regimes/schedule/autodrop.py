"""Dropping the learning rate when the angular velocity of the weights has saturated: AutoDrop, Algorithm 1."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_count, check_flag, check_number
from tune_regimes.schedule.dropping import Dropping, DropState, lowered_lr, turned
from tune_regimes.schedule.ramps import round_significant
from tune_regimes.schedule.settings import Settings

AT_FLOOR = ("average", "hold")


@dataclass(frozen=True, kw_only=True)
class AutoDropState(DropState):
    """Where an `AutoDrop` stands before an epoch.

    Args:
        lr: Learning rate of the next epoch.
        epoch: Epochs completed.
        drops: Drops so far: the index of the present phase.
        since: Epoch at which the present phase began.
        threshold: Change of the angular velocity below which it counts as saturated, in degrees per epoch.
        angle: Angular velocity of the latest epoch in degrees; None where it is not known.
        entered: Weights that are in the pending average once the next epoch has begun; 0 where no drop is pending.
        adopts: Whether the next epoch begins by adopting the average.
        adoptions: How often an average has been adopted, that of the next epoch included.
    """

    threshold: float
    angle: float | None = None
    entered: int = 0
    adopts: bool = False
    adoptions: int = 0


@dataclass(frozen=True)
class AutoDrop(Dropping):
    """Drop the learning rate some epochs after the angular velocity has saturated, and go on from averaged weights.

    After epoch t > 2, saturation is found where the angular velocity has changed by less than a threshold since the
    epoch before. The weights at the end of that epoch and of each of the next `delay` epochs then enter an average with
    the weights 1, 2, ..., delay + 1. Behind the last of them the average takes the place of the weights, the learning
    rate is multiplied by `rho`, down to `min_lr`, and the threshold is divided by `rho`, up to `max_threshold`.

    All this happens at the start of the epoch that follows, so that what comes due after the last epoch is left out.
    Buffers of the optimizer are kept over a drop, and BatchNorm statistics are computed anew (the paper is
    silent on both). An angular velocity counts only if those of two epochs in a row are known.

    Two points of the printed algorithm are corrected; ``literal=True`` restores both:

    - It looks for saturation while a drop is pending, and begins the delay anew: where the angle stays saturated it
      never drops. Here a pending drop is left alone.
    - It divides the weighted sum by delay (delay + 1) / 2, while the weights sum to (delay + 1)(delay + 2) / 2: all
      weights of the network come out too large by (delay + 2) / delay, 10 % at 20. Here the divisor is the sum.

    Args:
        phase: Settings of all epochs and their number, with any optimizer; its learning rate, a number, is the first.
        rho: Factor of each drop, in (0, 1); the paper takes that of the schedule it is compared with.
        min_lr: Smallest learning rate.
        threshold: First threshold, in degrees per epoch; printed as theta_0.
        max_threshold: Largest threshold; printed as theta_max.
        delay: Epochs between saturation and drop; printed as n_d.
        at_floor: What saturation does once the learning rate is the smallest: "average" (as printed: the weights are
            still averaged, without a drop) or "hold" (nothing any more).
        literal: Whether to follow the algorithm as printed.

    Raises:
        ScheduleError: A value outside its range, a phase without a length, or one whose learning rate is a ramp or lies
            below the floor.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> policy = AutoDrop(Phase(lr=0.1, momentum=0.9, epochs=20), rho=0.1, delay=2)
        >>> state, told = policy.start(), []
        >>> for angle in (float("nan"), 60, 80, 80, 80.5, 81, 50):
        ...     state = policy.observe(state, {"angular_velocity": angle})
        ...     settings = policy.settings(state, steps_per_epoch=10)
        ...     told.append((settings.lr, settings.average, settings.adopt))
        >>> told[3:]
        [(0.1, (0.0, 1.0), 0.0), (0.1, (1.0, 2.0), 0.0), (0.01, (1.0, 3.0), 1.0), (0.01, None, 0.0)]

    References:
        Teng et al., AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop, 2021, Algorithm 1.
    """

    kind: ClassVar[str] = "autodrop"

    rho: float = 0.2
    min_lr: float = 1e-4
    threshold: float = 0.01
    max_threshold: float = 1.0
    delay: int = 20
    at_floor: str = "average"
    literal: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("rho", self.rho, below=1.0, positive=True)
        self._check_floor(self.min_lr)
        for name in ("threshold", "max_threshold"):
            check_number(name, getattr(self, name), positive=True)
        if self.threshold > self.max_threshold:
            raise ScheduleError(
                f"threshold must be at most max_threshold: received {self.threshold!r} and {self.max_threshold!r}. "
                "Raise the second."
            )
        check_count("delay", self.delay, remedy="Average over one epoch or more.")
        check_choice("at_floor", self.at_floor, AT_FLOOR)
        check_flag("literal", self.literal)

    @property
    def averages_until(self) -> int:
        """All epochs: any may be part of an average."""
        return self.epochs

    def start(self) -> AutoDropState:
        """The state before the first epoch."""
        return AutoDropState(lr=self.first_lr, threshold=self.threshold)

    def settings(self, state: AutoDropState, steps_per_epoch: int) -> Settings:
        """The settings of the phase, with the learning rate as it has dropped and what averaging does."""
        settings = super().settings(state, steps_per_epoch)
        if not state.entered:
            return settings
        factor = (self.delay + 2) / self.delay if self.literal else 1.0
        average = (0.0 if state.entered == 1 else 1.0, float(state.entered))
        return replace(settings, average=average, adopt=factor if state.adopts else 0.0)

    def observe(self, state: AutoDropState, record: Mapping[str, float]) -> AutoDropState:
        """Look for saturation, or count the epochs of the delay.

        Raises:
            ScheduleError: An epoch after the first did not measure the angular velocity.
        """
        angle, epoch = turned(record, state.epoch + 1), state.epoch + 1
        entered = 0 if state.adopts else state.entered
        if self._saturated(state, angle, epoch) and (self.literal or not entered):
            entered = 1
        elif entered:
            entered += 1
        state = replace(state, epoch=epoch, angle=angle, entered=entered, adopts=entered > self.delay)
        return self._dropped(state) if state.adopts else state

    def _saturated(self, state: AutoDropState, angle: float | None, epoch: int) -> bool:
        if epoch <= 2 or angle is None or state.angle is None:
            return False
        held = self.at_floor == "hold" and state.lr <= self.min_lr
        return not held and abs(angle - state.angle) < state.threshold

    def _dropped(self, state: AutoDropState) -> AutoDropState:
        threshold = min(self.max_threshold, round_significant(state.threshold / self.rho))
        state = replace(state, threshold=threshold, adoptions=state.adoptions + 1)
        return state.lowered(lowered_lr(state.lr, self.rho, self.min_lr))
