"""Ending a phase when the norm of the weights has settled: the equilibrium of normalised networks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_fields, check_number
from tune_regimes.schedule.dropping import measured
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import KIND, Policy
from tune_regimes.schedule.ramps import Ramp, Value
from tune_regimes.schedule.rates import intrinsic_lr
from tune_regimes.schedule.schedule import Schedule, entered
from tune_regimes.schedule.settings import Settings, at_step

_FULL = 1 - 1e-9
"""The share of a window that fills it: sums of the intrinsic learning rate are rounded."""


@dataclass(frozen=True)
class EquilibriumState:
    """Where an `Equilibrium` stands before an epoch.

    Args:
        epoch: Epochs completed.
        index: Index of the present phase.
        since: Epoch at which it began.
        ran: Epochs that the phase before it lasted.
        norms: What was measured in the phase and is still looked at: pairs of the time since the phase began, in units
            of 1 / intrinsic learning rate, and the squared norm of the weights then.
    """

    epoch: int = 0
    index: int = 0
    since: int = 0
    ran: int = 0
    norms: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Equilibrium(Policy):
    """End each phase but the last when the norm of the weights has settled.

    With the intrinsic learning rate lambda_e, per step, the squared norm G of the weights of a normalised network
    approaches its equilibrium within some 1 / lambda_e steps. A phase has settled when all values of G that were
    measured over the last `window` / lambda_e steps, from the latest before them on, lie within a factor of
    1 + `tolerance`. It has to have lasted as long; and it ends, settled or not, after as many epochs as it is given.
    The last phase takes all epochs that are left, and its ramps run over these; those of the others run over the given
    length.

    lambda_e is lr * weight_decay / (1 - momentum), summed over the steps of each epoch as they were told (ramps as if
    all groups of `batches_per_step` were of one size); without the momentum under adam, adamw and muon, whose updates
    have the size of the learning rate.

    Args:
        phases: Two phases or more, each with its length; all but the last with a learning rate and a weight decay.
        tolerance: Largest relative change of G, above 0.
        window: Length of the window in units of 1 / lambda_e.

    Raises:
        ScheduleError: Fewer phases, one without a length, a phase without weight decay or learning rate that is to
            settle, a last phase with a length of its ramps, or a value outside its range.

    Examples:
        >>> noisy = Phase(lr=0.8, weight_decay=5e-4, epochs=100)
        >>> flow = Phase(lr=0.08, weight_decay=0.0, epochs=20)
        >>> policy = Equilibrium((noisy, flow))
        >>> state = policy.start()
        >>> for norm in (30, 25, 22, 20.1, 20, 20, 20, 20, 20, 20, 20):
        ...     state = policy.observe(state, {"weight_norm": norm, "steps": 391})
        >>> policy.phase_of(state), policy.settings(state, 391).lr
        ((1, 0), 0.08)

    References:
        Li, Lyu and Arora, Reconciling Modern Deep Learning with Traditional Optimization Analyses, 2020, Sec. 5 and 6
        (the phase until equilibrium, then lr / 10 without weight decay). The criterion is ours.
    """

    kind: ClassVar[str] = "equilibrium"

    phases: tuple[Phase, ...]
    tolerance: float = 0.05
    window: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", Schedule(self.phases).phases)
        if len(self.phases) < 2:
            raise ScheduleError(
                f"an equilibrium policy needs a phase that settles and one that follows: received {self.phases!r}. "
                "Give two phases or more."
            )
        for index, phase in enumerate(self.phases[:-1], start=1):
            _check_settles(index, phase)
        if self.phases[-1].ramp_epochs is not None:
            raise ScheduleError(
                "the ramps of the last phase run over all epochs that are left to it: received "
                f"ramp_epochs={self.phases[-1].ramp_epochs}. Leave ramp_epochs out."
            )
        for name in ("tolerance", "window"):
            check_number(name, getattr(self, name), positive=True)

    @property
    def epochs(self) -> int:
        """Epochs of the whole training: those of all phases together."""
        return sum(phase.length for phase in self.phases)

    @property
    def last_phase(self) -> int:
        """Index of the last phase, which is always reached."""
        return len(self.phases) - 1

    def start(self) -> EquilibriumState:
        """The state before the first epoch."""
        return EquilibriumState()

    def settings(self, state: EquilibriumState, steps_per_epoch: int) -> Settings:
        """What the phase says."""
        phase = self._phase(state)
        if state.index == 0 or state.epoch > state.since:
            return phase.settings(state.epoch - state.since, steps_per_epoch)
        before = self.phases[state.index - 1].settings(state.ran - 1, steps_per_epoch)
        return entered(phase, before, steps_per_epoch)

    def phase_of(self, state: EquilibriumState) -> tuple[int, int]:
        """The index of the phase, and the epochs since it began."""
        return state.index, state.epoch - state.since

    def observe(self, state: EquilibriumState, record: Mapping[str, float]) -> EquilibriumState:
        """Note the norm, and begin the next phase where it has settled or its epochs are over.

        Raises:
            ScheduleError: The epoch did not measure the norm or count its steps.
        """
        if state.index == self.last_phase:
            return replace(state, epoch=state.epoch + 1)
        noted = self._noted(state, record)
        phase, ran = self.phases[state.index], noted.epoch - noted.since
        if ran < phase.length and not self._settled(noted):
            return noted
        return EquilibriumState(noted.epoch, state.index + 1, noted.epoch, ran, ((0.0, noted.norms[-1][1]),))

    def _noted(self, state: EquilibriumState, record: Mapping[str, float]) -> EquilibriumState:
        """The state with the norm after an epoch; what lies before the window is forgotten."""
        square, steps = measured("weight_norm", record) ** 2, int(measured("steps", record))
        begun = state.norms[-1][0] if state.norms else 0.0
        # As many steps as there were, one for each batch: the first batches of the groups are as far apart.
        stepped = replace(self._phase(state), batches_per_step=1)
        time = begun + decayed(stepped.settings(state.epoch - state.since, steps), steps)
        norms = (*state.norms, (time, square))
        opening = max((at for at, _ in norms if time - at >= self.window * _FULL), default=0.0)
        return replace(state, epoch=state.epoch + 1, norms=tuple(norm for norm in norms if norm[0] >= opening))

    def _settled(self, state: EquilibriumState) -> bool:
        (opening, _), (time, _) = state.norms[0], state.norms[-1]
        squares = [square for _, square in state.norms]
        return time - opening >= self.window * _FULL and max(squares) <= min(squares) * (1 + self.tolerance)

    def _phase(self, state: EquilibriumState) -> Phase:
        phase = self.phases[state.index]
        return phase if state.index < self.last_phase else replace(phase, epochs=self.epochs - state.since)

    def forecast(self) -> Schedule:
        """What is followed if no phase settles before its end."""
        return Schedule(self.phases)

    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""
        phases = [phase.to_dict() for phase in self.phases]
        return {KIND: self.kind, "phases": phases, "tolerance": self.tolerance, "window": self.window}

    @classmethod
    def from_dict(cls, received: object) -> "Equilibrium":
        """The policy that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe an equilibrium policy.
        """
        names = (KIND, "phases", "tolerance", "window")
        known = check_fields("an equilibrium policy", received, known=names, required=("phases",))
        phases = Schedule.from_dict({"phases": known.pop("phases")}).phases
        known.pop(KIND, None)
        return cls(phases, **known)


def decayed(settings: Settings, steps: int) -> float:
    """The sum of the intrinsic learning rate over the steps of an epoch.

    Args:
        settings: What the epoch is told, resolved for that many steps.
        steps: Optimizer steps of the epoch.

    Examples:
        >>> round(decayed(Settings("sgd", lr=0.1, momentum=0.9, weight_decay=5e-4), steps=400), 12)
        0.2
    """
    momentum = 0.0 if settings.family in ("adam", "muon") else settings.momentum
    values = (settings.lr, settings.weight_decay, momentum)
    if not any(isinstance(value, tuple) for value in values):
        return steps * intrinsic_lr(*(at_step(value, 0) for value in values))
    return sum(intrinsic_lr(*(at_step(value, step) for value in values)) for step in range(steps))


def _check_settles(index: int, phase: Phase) -> None:
    for name, value in (("lr", phase.lr), ("weight decay", phase.weight_decay)):
        if _largest(value or 0.0) == 0.0:
            raise ScheduleError(
                f"a phase settles only with a learning rate and a weight decay above 0: received phase {index} with "
                f"{name} {value!r}. Set it, or leave the phase to the last."
            )


def _largest(value: Value) -> float:
    return max(value.start, value.end) if isinstance(value, Ramp) else value
