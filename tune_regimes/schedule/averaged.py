"""Averaging the weights over the last epochs of any policy: SWA, EMA, linear weights."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from tune_regimes.errors import ScheduleError
from tune_regimes.schedule.checks import check_choice, check_count, check_fields, check_number
from tune_regimes.schedule.phases import Phase
from tune_regimes.schedule.policy import KIND, Policy, policy_from_dict
from tune_regimes.schedule.ramps import round_significant
from tune_regimes.schedule.schedule import Schedule
from tune_regimes.schedule.settings import Settings

Entry = tuple[float, float]
RULES = ("swa", "ema", "linear")


@dataclass(frozen=True)
class AveragedState:
    """Where an `Averaged` stands before an epoch.

    Args:
        epoch: Epochs completed.
        inner: State of the inner policy; before the additional epoch, that before its last epoch.
    """

    epoch: int
    inner: Any


@dataclass(frozen=True)
class Averaged(Policy):
    """Follow a policy, and end with an average of the weights that it had at the end of its last epochs.

    The weights after each of the `last` epochs enter the average: all alike ("swa"), with the weights 1, 2, 3, ...
    ("linear"), or as ``average <- decay * average + (1 - decay) * weights`` from the first on ("ema"). One more epoch,
    with learning rate 0, adopts the average, so that what it measures is the average's: its BatchNorm statistics are
    computed anew, and it belongs to the last phase. The training itself is not changed by the average.

    Args:
        inner: What is followed. It must not use the running average itself within the last epochs, as AutoDrop does.
        last: Epochs that enter, at the end of the inner policy.
        rule: "swa", "ema" or "linear".
        decay: What the average keeps under "ema", in (0, 1).

    Raises:
        ScheduleError: More epochs than there are, an inner policy that averages itself, or a value outside its range.

    Examples:
        >>> policy = Averaged(Schedule((Phase(lr=0.1, epochs=5),)), last=3, rule="linear")
        >>> state, told = policy.start(), []
        >>> for _ in range(policy.epochs):
        ...     settings = policy.settings(state, steps_per_epoch=10)
        ...     told.append((settings.lr, settings.average, settings.adopt))
        ...     state = policy.observe(state, {})
        >>> told[2:]
        [(0.1, None, 0.0), (0.1, (0.0, 1.0), 0.0), (0.1, (1.0, 2.0), 0.0), (0.0, (1.0, 3.0), 1.0)]

    References:
        Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018, Algorithm 1 (swa);
        Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
    """

    kind: ClassVar[str] = "averaged"

    inner: Policy
    last: int
    rule: str = "swa"
    decay: float = 0.9

    def __post_init__(self) -> None:
        if not isinstance(self.inner, Policy):
            raise ScheduleError(f"inner must be a schedule or a policy: received {self.inner!r}. Give one of them.")
        check_count("last", self.last, high=self.inner.epochs, remedy="Average over epochs of the inner policy.")
        check_choice("rule", self.rule, RULES)
        check_number("decay", self.decay, below=1.0, positive=True)
        if self.inner.averages_until > self._first:
            raise ScheduleError(
                f"there is one running average: received an inner policy that uses it until epoch "
                f"{self.inner.averages_until}, and last={self.last}, from epoch {self._first} on. Average one of them."
            )

    @property
    def _first(self) -> int:
        """The epoch, from 0, before which the first weights enter."""
        return self.inner.epochs - self.last + 1

    @property
    def adaptive(self) -> bool:
        """Whether the inner policy is."""
        return self.inner.adaptive

    @property
    def averages_until(self) -> int:
        """All epochs."""
        return self.epochs

    @property
    def epochs(self) -> int:
        """One more than the inner policy has."""
        return self.inner.epochs + 1

    @property
    def last_phase(self) -> int | None:
        """That of the inner policy."""
        return self.inner.last_phase

    def start(self) -> AveragedState:
        """The state before the first epoch."""
        return AveragedState(0, self.inner.start())

    def settings(self, state: AveragedState, steps_per_epoch: int) -> Settings:
        """What the inner policy says, and which weights enter the average."""
        told = self.inner.settings(state.inner, steps_per_epoch)
        return _with_entry(told, self._entry(state.epoch), adopts=state.epoch == self.inner.epochs)

    def _entry(self, epoch: int) -> Entry | None:
        index = epoch - self._first
        if index < 0:
            return None
        if index == 0:
            return 0.0, 1.0
        if self.rule == "ema":
            return self.decay, round_significant(1.0 - self.decay)
        return 1.0, 1.0 if self.rule == "swa" else index + 1.0

    def phase_of(self, state: AveragedState) -> tuple[int, int]:
        """The phase of the inner policy, to whose last the additional epoch belongs."""
        index, epoch = self.inner.phase_of(state.inner)
        return index, epoch + (state.epoch == self.inner.epochs)

    def observe(self, state: AveragedState, record: Mapping[str, float]) -> AveragedState:
        """The state after an epoch; the inner policy does not observe its last."""
        over = state.epoch + 1 >= self.inner.epochs
        return AveragedState(state.epoch + 1, state.inner if over else self.inner.observe(state.inner, record))

    def forecast(self) -> Schedule:
        """The forecast of the inner policy, with the averages."""
        inner = self.inner.forecast()
        entries = [self._entry(epoch) for epoch in range(self.epochs)]
        phases: list[Phase] = []
        for start, phase in zip((0, *inner.transitions), inner.phases, strict=True):
            end = self.epochs if phase is inner.phases[-1] else start + phase.length
            phases.append(_averaging(phase, tuple(entries[start:end])) if end > self._first else phase)
        return Schedule(tuple(phases))

    def to_dict(self) -> dict[str, Any]:
        """The policy as a JSON object."""
        inner = self.inner.to_dict()
        return {KIND: self.kind, "inner": inner, "last": self.last, "rule": self.rule, "decay": self.decay}

    @classmethod
    def from_dict(cls, received: object) -> "Averaged":
        """The policy that a JSON object describes.

        Raises:
            ScheduleError: The object does not describe an averaged policy.
        """
        names = (KIND, "inner", "last", "rule", "decay")
        known = check_fields("an averaged policy", received, known=names, required=("inner", "last"))
        known.pop(KIND, None)
        return cls(policy_from_dict(known.pop("inner")), **known)


def _with_entry(told: Settings, entry: Entry | None, *, adopts: bool) -> Settings:
    if adopts:
        return replace(told, lr=0.0, reset=False, average=entry, adopt=1.0)
    return told if entry is None else replace(told, average=entry)


@dataclass(frozen=True, kw_only=True)
class _AveragingPhase(Phase):
    """A phase of a forecast, in which weights enter an average.

    Args:
        plain: The phase without that.
        entries: What enters before each epoch; one epoch more than the plain phase has adopts the average.
    """

    plain: Phase
    entries: tuple[Entry | None, ...]

    @property
    def constant(self) -> bool:
        return False

    @property
    def averaging(self) -> bool:
        return True

    def settings(self, epoch: int, steps_per_epoch: int) -> Settings:
        told = self.plain.settings(min(epoch, self.plain.length - 1), steps_per_epoch)
        return _with_entry(told, self.entries[epoch], adopts=epoch == self.plain.length)

    def to_dict(self) -> dict[str, Any]:
        return {**self.plain.to_dict(), "epochs": self.epochs}


def _averaging(plain: Phase, entries: tuple[Entry | None, ...]) -> Phase:
    values = {field.name: getattr(plain, field.name) for field in fields(Phase)}
    values |= {"epochs": len(entries), "ramp_epochs": None}
    return _AveragingPhase(**values, plain=plain, entries=entries)
