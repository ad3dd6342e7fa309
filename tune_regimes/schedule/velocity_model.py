"""Dropping the learning rate when the modelled angular velocity has saturated: AutoDrop, Algorithm 2."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_number
from tune_regimes.schedule.dropping import Dropping, DropState, lowered_lr, measured
from tune_regimes.schedule.ramps import Ramp, round_significant
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import Settings

UNITS = ("epoch", "step")


@dataclass(frozen=True, kw_only=True)
class VelocityModelState(DropState):
    """Where a `VelocityModelDrop` stands before an epoch.

    Args:
        lr: Learning rate of the next epoch's first step.
        epoch: Epochs completed.
        drops: Drops so far, the index i of the learning rate: the index of the present phase.
        since: Epoch at which the present phase began.
        time: Epochs or optimizer steps completed.
        dropped_at: The time t_i of the latest drop.
    """

    time: int = 0
    dropped_at: int = 0


@dataclass(frozen=True)
class VelocityModelDrop(Dropping):
    """Drop the learning rate when the derivative of a modelled angular velocity has fallen to a threshold.

    With a learning rate a held since time 0 the model says, in radians,
    ``v_a(t) = (pi / 2) (1 + epsilon a) gamma a t / (1 + gamma a t)``. The i-th learning rate a_i is held until
    ``v'_{a_i}(t - t_i) <= min(tau, gamma a_i / 2)``, with t_i the time of the drop before it. Nothing is measured: the
    drops follow from the parameters. The rate a_i acts from t_i on, as Eq. 9 says; the algorithm as printed tests only
    after the update of its iteration, and so begins each rate but the first one unit of time late.

    Args:
        phase: Settings of all epochs and their number; its learning rate, a number, is a_0.
        gamma: How fast the angle saturates, above 0; saturation takes about 1 / (gamma a) units of time.
        epsilon: How far the angle saturates above 90 degrees, in (0, 1 / (3 a_0)).
        tau: Largest threshold of the derivative, in (0, 2), in radians per unit of time; printed as tau_0.
        factor: Factor of each drop, in (0, 1), or None for the sequence of Theorem 3: a_i = 2 a_0 / (i + 2), which is
            1 / (i + 2) at a_0 = 1/2. (The theorem prints (i + 1)^(-2/3), which violates its own condition; its proof
            uses 1 / (i + 2).)
        min_lr: Smallest learning rate.
        unit: Unit of t: "epoch", or "step" for optimizer steps: then the learning rate drops within epochs.

    Raises:
        ScheduleError: A value outside its range, a phase without a length, or one whose learning rate is 0, a ramp, or
            below the floor.

    Examples:
        >>> from tune_regimes.schedule import Phase
        >>> policy = VelocityModelDrop(Phase(lr=0.5, epochs=200), gamma=0.5, epsilon=0.6, tau=0.1)
        >>> [policy.gap(rate) for rate in (1 / 2, 1 / 3, 1 / 4)]
        [6, 6, 8]
        >>> policy.forecast().transitions[:3]
        (6, 12, 20)

    References:
        Teng et al., AutoDrop: Training Deep Learning Models with Automatic Learning Rate Drop, 2021, Eq. 10,
        Algorithm 2, Theorem 3.
    """

    kind: ClassVar[str] = "velocity_model"

    gamma: float = 0.05
    epsilon: float = 0.6
    tau: float = 1.0
    factor: float | None = None
    min_lr: float = 0.0
    unit: str = "epoch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("lr", self.first_lr, positive=True)
        check_number("gamma", self.gamma, positive=True)
        check_number("epsilon", self.epsilon, positive=True)
        if self.epsilon >= 1 / (3 * self.first_lr):
            raise ScheduleError(
                f"epsilon must lie below 1 / (3 lr), so that the angle stays below 120 degrees: received "
                f"{self.epsilon!r} with lr={self.first_lr!r}. Lower one of them."
            )
        check_number("tau", self.tau, below=2.0, positive=True)
        if self.factor is not None:
            check_number("factor", self.factor, below=1.0, positive=True)
        self._check_floor(self.min_lr)
        check_choice("unit", self.unit, UNITS)

    @property
    def adaptive(self) -> bool:
        """False where phases can tell all epochs beforehand: epochs are the unit of time, and nothing ramps."""
        return self.unit == "step" or any(isinstance(v, Ramp) for v in (self.phase.momentum, self.phase.weight_decay))

    @property
    def last_phase(self) -> int | None:
        """Index of the last phase; None where it is not known beforehand."""
        return None if self.adaptive else self.forecast().last_phase

    def slope(self, lr: float, time: float) -> float:
        """The derivative of the modelled angular velocity, in radians per unit of time squared."""
        rise = self.gamma * lr
        return math.pi / 2 * (1 + self.epsilon * lr) * rise / (1 + rise * time) ** 2

    def gap(self, lr: float) -> int:
        """The whole units of time after which the slope under a learning rate has fallen to its threshold."""
        rise = self.gamma * lr
        threshold = min(self.tau, rise / 2)
        time = math.ceil((math.sqrt(math.pi * (1 + self.epsilon * lr) / (2 * threshold)) - rise**-0.5) / rise**0.5)
        # Where the closed form is a whole number but for rounding, the slope itself decides.
        return next((t for t in range(max(time - 1, 0), time + 1) if self.slope(lr, t) <= threshold), time + 1)

    def start(self) -> VelocityModelState:
        """The state before the first epoch."""
        return VelocityModelState(lr=self.first_lr)

    def settings(self, state: VelocityModelState, steps_per_epoch: int) -> Settings:
        """The settings of the phase, with the learning rate as it has dropped, per step where that is the unit."""
        settings = super().settings(state, steps_per_epoch)
        if self.unit == "epoch":
            return settings
        group = settings.batches_per_step
        rates = [moved.lr for moved in islice(self._onward(state), -(-steps_per_epoch // group))]
        return replace(settings, lr=tuple(rates[batch // group] for batch in range(steps_per_epoch)))

    def observe(self, state: VelocityModelState, record: Mapping[str, float]) -> VelocityModelState:
        """Let an epoch, or its steps, go by.

        Raises:
            ScheduleError: Steps are the unit of time, and the epoch did not count them.
        """
        passed = 1 if self.unit == "epoch" else int(measured("steps", record))
        moved = next(islice(self._onward(replace(state, epoch=state.epoch + 1)), passed, None))
        return moved if moved.drops == state.drops else replace(moved, since=moved.epoch)

    def _onward(self, state: VelocityModelState) -> Iterator[VelocityModelState]:
        """The states now and after 1, 2, ... units of time, within one epoch."""
        gap = self.gap(state.lr)
        while True:
            yield state
            state = replace(state, time=state.time + 1)
            lr = self._rate(state.drops + 1)
            if state.time - state.dropped_at >= gap and lr < state.lr:
                state, gap = replace(state, lr=lr, drops=state.drops + 1, dropped_at=state.time), self.gap(lr)

    def _rate(self, index: int) -> float:
        if self.factor is None:
            return max(round_significant(2 * self.first_lr / (index + 2)), self.min_lr)
        return lowered_lr(self.first_lr, self.factor**index, self.min_lr)

    def forecast(self) -> Schedule:
        """What is followed; without the drops where phases cannot tell them beforehand."""
        if self.adaptive:
            return super().forecast()
        states = list(islice(self._onward(self.start()), self.epochs))
        starts = [0, *(e + 1 for e, (one, next_) in enumerate(pairwise(states)) if next_.drops > one.drops)]
        lengths = [end - start for start, end in pairwise([*starts, self.epochs])]
        phases = [replace(self.phase, lr=states[start].lr, momentum_rule="keep") for start in starts]
        return Schedule(tuple(replace(phase, epochs=n) for phase, n in zip(phases, lengths, strict=True)))
